"""The report in a real browser: it loads nothing, fits a telephone, can be read in the dark and by keyboard."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

import pytest

from flows.backfilling import backfill_sequence
from flows.past_window import BackfillOptions
from flows.reporting import write_report
from flows.sequence import run_step
from sandbox.server import running
from tests.browser import NEEDS_BROWSER, headless
from tests.conftest import NOW, Bench, prompt_world

pytestmark = NEEDS_BROWSER
WIDTHS = (360, 1280)
SCHEMES = ("light", "dark")

# What JavaScript tells of colours: the contrast of two, and the ground an element stands on.
COLOURS = """
  const parse = colour => { const n = colour.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3]) return c; }
  };
  const contrast = (element, colour) => {
    const [dark, bright] = [light(parse(colour)), light(ground(element))].sort((x, y) => x - y);
    return (bright + 0.05) / (dark + 0.05);
  };
"""
# Text needs 4.5, large text (24 px, or bold from 18.66 px) 3: https://www.w3.org/TR/WCAG22/#contrast-minimum
FAINT_TEXT = f"""() => {{ {COLOURS}
  const hasText = element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  return [...document.querySelectorAll('body *')].filter(element => {{
    if (!hasText(element) || element.closest('svg')) return false;
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    return contrast(element, style.color) < (size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5);
  }}).map(element => element.outerHTML.slice(0, 80));
}}"""
# Marks that carry a meaning need 3: https://www.w3.org/TR/WCAG22/#non-text-contrast
FAINT_MARKS = f"""() => {{ {COLOURS}
  return [...document.querySelectorAll('svg path:not(.base), svg rect, svg use, .state')].filter(element => {{
    const style = getComputedStyle(element), dot = getComputedStyle(element, '::before').backgroundColor;
    return contrast(element, element.matches('.state') ? dot : element.tagName === 'rect' ? style.fill : style.stroke) < 3;
  }}).map(element => element.outerHTML.slice(0, 80));
}}"""
WIDE = "e.scrollWidth > e.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(e).overflowX)"
NAMED_STOP = "e.tabIndex === 0 && e.getAttribute('role') === 'region' && e.getAttribute('aria-label')"
BEYOND = "!e.closest('.box, .hidden, svg') && e.getBoundingClientRect().right > innerWidth + 1"
OUTLINED = """() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A report of two harvests two days apart, with something changed, something hostile and the stars of two years in it."""
    folder = tmp_path_factory.mktemp("browser")
    with running(prompt_world(), clock=lambda: NOW) as services:
        bench = Bench(data=folder / "data", services=services)
        bench.harvest()
        services.world.change("llazzaro/django-scheduler", stars=1400, description="<script>document.title='run'</script>" + "W" * 300)
        bench.now = NOW + timedelta(days=2)
        bench.harvest()
        asked = BackfillOptions(since=date(2024, 1, 1), until=date(2026, 1, 31), fixed_now=bench.now)
        asyncio.run(backfill_sequence(asked, bench.settings(), run_step=run_step, engine="none"))
    write_report(folder / "data", folder / "report.html")
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def browser(address):
    """One headless chromium, after the harvests: while Playwright drives one, no other event loop can run in this thread."""
    with headless() as opened:
        yield opened


@pytest.fixture
def visit(browser, address):
    """Open the report at a width and in a scheme; everything it asked for and complained about stands in ``page.asked``, ``page.said``."""
    contexts = []

    def opened(width=1280, scheme="light", **options):
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.asked, page.said = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()


def unfold(page) -> None:
    """Open every folded part, and lay out what chromium would leave for later."""
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; part.style.contentVisibility = 'visible'; })")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_asked_for_and_nothing_complains(visit, address, width, scheme):
    """The page itself is the only request, the console stays empty, also when all of it is unfolded and scrolled through."""
    page = visit(width, scheme)
    unfold(page)
    page.keyboard.press("End")
    page.wait_for_load_state("networkidle")
    assert page.asked == [address]
    assert page.said == []
    assert page.title() == "packhouse: 25 packages as of 2026-02-17", "the description's script did not run"


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_the_page_never_scrolls_sideways(visit, width):
    """Wide tables scroll in their own box, which the keyboard can reach; the page does not."""
    page = visit(width)
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(f"[...document.querySelectorAll('*')].filter(e => {WIDE}).every(e => {NAMED_STOP})")
    assert page.evaluate(f"[...document.querySelectorAll('main *')].filter(e => {BEYOND}).map(e => e.outerHTML.slice(0, 80))") == []


def test_the_dark_is_dark(visit):
    """The scheme of the reader's system decides, by the ground and the writing."""
    ground = {scheme: visit(scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor") for scheme in SCHEMES}
    brightness = {scheme: sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(", "))) for scheme, colour in ground.items()}
    assert brightness["dark"] < 150
    assert brightness["light"] > 700


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_writing_and_marks_stand_out(visit, width, scheme):
    """Every text has the contrast WCAG AA asks for, every drawing that of a graphic."""
    page = visit(width, scheme)
    unfold(page)
    assert page.evaluate(FAINT_TEXT) == []
    assert page.evaluate(FAINT_MARKS) == []


def test_the_keyboard_reaches_everything(visit):
    """The first Tab shows the link that skips to the content, Enter goes there; every stop after it is visible and outlined."""
    page = visit(360)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    stops = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        stops.add(page.evaluate("document.activeElement.tagName"))
        assert page.evaluate(OUTLINED)
    assert "A" in stops
    assert "DIV" in stops, "a table that scrolls is a stop"


def test_folded_parts_open_by_keyboard_and_by_link(visit):
    """Enter unfolds a grid; a link to a folded part leads to its heading."""
    page = visit()
    grid = page.locator("#grid-1")
    assert not grid.evaluate("e => e.open")
    grid.locator("summary").focus()
    page.keyboard.press("Enter")
    assert grid.evaluate("e => e.open")
    page.locator("a[href='#grid-2']").click()
    assert page.locator("#grid-2 summary").is_visible()


def test_every_package_has_its_52_weeks(visit):
    """A drawing in each row, of a size one can see, with a name for who cannot; a grid's is the same one."""
    page = visit()
    unfold(page)
    rows = page.locator(".packages tbody tr")
    assert rows.count() > 25
    drawn = rows.evaluate_all(
        """rows => rows.map(row => { const svg = row.querySelector('svg.weeks'), marks = svg.querySelectorAll('path:not(.base), use');
           return [svg.getBoundingClientRect().width, marks.length, svg.querySelector('title').textContent]; })"""
    )
    assert all(width == 104 and marks == 1 and title.startswith("Commits in 52 weeks: ") for width, marks, title in drawn)
    borrowed = page.locator(".packages use").evaluate_all("marks => marks.map(m => m.getBBox().height)")
    assert borrowed
    assert max(borrowed) > 10


def test_drawings_have_names_for_who_cannot_see_them(visit):
    """What a screen reader is given: one h1, named images, named regions, row and column headers."""
    page = visit()
    tree = page.locator("body").aria_snapshot()
    assert 'heading "25 packages as of' in tree
    assert 'img "Stars of django-scheduler as observed"' in tree
    assert 'img "Stars of django-scheduler retained, by the day they were given"' in tree
    assert 'region "Runs"' in tree
    assert "- img\n" not in tree, "an image without a name"
    assert "rowheader" in tree
    assert "columnheader" in tree


def test_it_needs_no_script(visit):
    """The same text with JavaScript switched off."""
    texts = [visit(java_script_enabled=enabled).locator("main").inner_text() for enabled in (True, False)]
    assert texts[0] == texts[1]
    assert "1,400" in texts[0]


def test_on_paper_everything_is_unfolded(visit):
    """Print shows the packages of folded grids and no navigation."""
    page = visit()
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.locator("#grid-1 tbody tr").first.evaluate("e => e.getBoundingClientRect().height") > 0
