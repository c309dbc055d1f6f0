"""The pages for people in a real browser: package, grid, search and list, on a telephone and a desk, light and dark, by keyboard."""

from __future__ import annotations

import pytest

from api.app import create_app
from tests.api.publishing import publish_rows
from tests.api.running import running
from tests.api.sample_rows import NEW_YORK, SAMPLE, Rows, many
from tests.browser import NEEDS_BROWSER, headless

pytestmark = NEEDS_BROWSER
PAGES = ("packages/1776/", "packages/odd-one/", "grids/62/", "search/?q=scheduler", "packages/", "")
WIDTHS = (360, 1280)
SCHEMES = ("light", "dark")

# The contrast of every text with what it stands on: WCAG AA asks for 4.5 (https://www.w3.org/TR/WCAG22/#contrast-minimum).
FAINT = """() => {
  const parse = colour => { const n = colour.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const probe = document.createElement('p'); document.body.append(probe);
  probe.style.color = 'Canvas'; const ground = light(parse(getComputedStyle(probe).color)); probe.remove();
  return [...document.querySelectorAll('body *')].filter(element => {
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())) return false;
    const own = light(parse(getComputedStyle(element).color));
    return (Math.max(own, ground) + 0.05) / (Math.min(own, ground) + 0.05) < 4.5;
  }).map(element => element.outerHTML.slice(0, 80));
}"""
GROUND = """() => {
  const probe = document.createElement('p'); probe.style.color = 'Canvas'; document.body.append(probe);
  const colour = getComputedStyle(probe).color; probe.remove(); return colour;
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Serve the sample with enough packages for a second page; links lead to the server itself."""
    folder = tmp_path_factory.mktemp("pages")
    publish_rows(folder, Rows(package_rows=[*SAMPLE.packages(), *many(40)[5:]]), "20260215T222000Z-a")
    with running(create_app(folder, zone=NEW_YORK, base_url=None)) as port:
        yield f"http://127.0.0.1:{port}/api/v4/"


@pytest.fixture(scope="module")
def browser():
    """One headless chromium."""
    with headless() as opened:
        yield opened


@pytest.fixture
def visit(browser, site):
    """Open a page at a width and in a scheme; what it asked for and complained about stands in ``page.asked``, ``page.said``."""
    contexts = []

    def opened(path, width=1280, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.asked, page.said = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.goto(site + path)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_can_be_read(visit, site, width, scheme):
    """One request, no complaint, nothing of the page beyond its edge, every text with enough contrast, one heading above all."""
    for path in PAGES:
        page = visit(path, width, scheme)
        assert [address for address in page.asked if not address.endswith("/favicon.ico")] == [site + path]
        assert [text for text in page.said if "favicon" not in text and "404" not in text] == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(FAINT) == []
        assert page.locator("h1").count() == 1
        assert page.locator("pre").nth(1).inner_text().startswith("HTTP 200 OK")


def test_the_dark_is_dark(visit):
    """The scheme of the reader's system decides."""
    ground = {scheme: visit("packages/1776/", scheme=scheme).evaluate(GROUND) for scheme in SCHEMES}
    sums = {scheme: sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(", "))) for scheme, colour in ground.items()}
    assert sums["dark"] < 150
    assert sums["light"] > 700


def test_one_walks_by_keyboard(visit, site):
    """Tab reaches the trail, both texts and the links in them, visibly; Enter follows from a list to a record's grid and back up."""
    page = visit("packages/1776/", 360)
    stops = []
    for _ in range(8):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.textContent.slice(0, 40)"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert stops[:3] == ["Api Root", "packages", "1776"]
    assert stops[3].startswith("GET /api/v4/packages/1776/")
    assert f"{site}categories/1/"[:40] in stops
    page.locator(f"a[href='{site}grids/62/']").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}grids/62/")
    assert page.locator("h1").inner_text() == "Grid Instance"
    page.locator("nav a", has_text="Api Root").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(site)


def test_a_list_leads_on_and_back(visit, site):
    """The links to the next and the previous page are links."""
    page = visit("packages/?limit=20")
    page.locator(f"a[href='{site}packages/?limit=20&offset=20']").click()
    page.wait_for_url("**/packages/?limit=20&offset=20")
    page.locator(f"a[href='{site}packages/?limit=20']").click()
    page.wait_for_url("**/packages/?limit=20")


def test_what_others_wrote_does_nothing(visit):
    """A title that would close a script is text."""
    page = visit("packages/odd-one/")
    assert "</script>" in page.locator("pre").nth(1).inner_text()
    assert page.locator("script").count() == 0
    assert page.title() == "Package Instance"


def test_a_screen_reader_is_told(visit):
    """The trail, the heading and both texts have names."""
    tree = visit("packages/1776/").locator("body").aria_snapshot()
    assert 'navigation "Breadcrumb"' in tree
    assert 'heading "Package Instance" [level=1]' in tree
    assert 'heading "Response" [level=2]' in tree
