"""The report in a real browser: it loads nothing, fits a phone, is walked by keyboard and read in the dark, and believes nobody's HTML."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from flows.reporting import make_report, write_report
from sandbox.server import running
from tests.conftest import NOW, Bench, prompt_world
from warehouse.errors import OutputUnwritable

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NAME = "llazzaro/django-scheduler"
EVIL = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title='taken'\">"
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Contrast of every text with what is behind it (WCAG 2.2, 1.4.3): the ratio, what is asked for, and the text, where it is too low.
CONTRAST = """() => {
  const channel = value => { value /= 255; return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4 };
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return matchMedia('(prefers-color-scheme: dark)').matches ? [0, 0, 0] : [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll('body *')) {
    const text = [...element.childNodes].filter(node => node.nodeType === 3).map(node => node.data.trim()).join('');
    const style = getComputedStyle(element);
    if (!text || style.visibility === 'hidden' || element.closest('svg') || !element.getClientRects().length) continue;
    const [one, other] = [light(parse(style.color)), light(behind(element))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    const size = parseFloat(style.fontSize), asked = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    if (ratio < asked) poor.push([ratio.toFixed(2), asked, text.slice(0, 40)]);
  }
  return poor;
}"""


@pytest.fixture(scope="module")
def harvested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Two publications, a day apart: stars moved, a version came, and somebody wrote HTML where text belongs."""
    with running(prompt_world(), clock=lambda: NOW) as services:
        bench = Bench(data=tmp_path_factory.mktemp("report") / "data", services=services)
        bench.harvest()
        bench.now += timedelta(days=1)
        services.world.today = bench.now.date
        services.world.change(NAME, stars=1400, description=EVIL)
        services.world.release("django-scheduler", "0.13.0", at=bench.now - timedelta(hours=3))
        bench.harvest()
        yield bench


@pytest.fixture(scope="module")
def page_file(harvested: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report as a file."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(harvested.data, path)
    return path


@pytest.fixture(scope="module")
def browser(page_file: Path) -> Iterator[Browser]:
    """The system's chromium."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine, so the report was not looked at in a browser (Debian: apt-get install chromium)")
    with sync_playwright() as kit:
        opened = kit.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield opened
        opened.close()


def opened(browser: Browser, file: Path, width: int, scheme: Any) -> tuple[Page, list[str]]:
    """The page in a window of that width, and everything it asked for or complained of."""
    page = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme).new_page()
    told: list[str] = []
    page.on("request", lambda request: told.append(request.url) if not request.url.startswith("data:") else None)
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.goto(file.as_uri())
    return page, told


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_is_readable_anywhere(browser: Browser, page_file: Path, width: int, scheme: str) -> None:
    """On a phone and on a desk, by day and in the dark: nothing is loaded, nothing overflows, every text has contrast."""
    page, told = opened(browser, page_file, width, scheme)
    assert told == [page_file.as_uri()], "the page itself and nothing else"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for block in page.locator("details").all():
        block.evaluate("each => each.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "also unfolded"
    assert page.evaluate(CONTRAST) == []
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)")
    assert (max(ground) < 80) is (scheme == "dark")


def test_it_is_walked_by_keyboard(browser: Browser, page_file: Path) -> None:
    """The first stop leads past the navigation, every stop can be seen, and headings descend one by one."""
    page, _ = opened(browser, page_file, 1280, "light")
    page.keyboard.press("Tab")
    target = page.evaluate("document.activeElement.getAttribute('href')")
    assert target is not None
    assert page.locator(target).count() == 1
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(heading => Number(heading.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.evaluate("document.querySelectorAll('table:not(:has(caption)), th:not([scope])').length") == 0
    assert page.evaluate("document.documentElement.lang") == "en"


def test_every_package_is_drawn(browser: Browser, page_file: Path, harvested: Bench) -> None:
    """A sparkline with words for each package, unknown weeks told as unknown."""
    page, _ = opened(browser, page_file, 1280, "light")
    for row in harvested.rows("from packages"):
        drawn = page.locator(f"tr:has(#p{row['id']}) svg.weeks title")
        assert drawn.count() == 1, row["slug"]
        words = drawn.text_content() or ""
        assert ("unknown" in words) is (not row["weeks"] and row["weeks_state"] is not None), (row["slug"], words)
    text = page.locator("body").inner_text()
    assert "0.13.0" in text
    assert "1,400" in text


def test_what_others_wrote_is_text(browser: Browser, page_file: Path) -> None:
    """A description that is HTML is shown as what it is and runs nothing."""
    page, told = opened(browser, page_file, 1280, "light")
    assert "taken" not in page.title()
    assert page.evaluate("document.scripts.length") == 0
    assert page.locator("img").count() == 0
    assert "<script>document.title" in (page.locator("body").text_content() or "")
    assert len(told) == 1


def test_the_same_publication_gives_the_same_bytes(harvested: Bench) -> None:
    """Nothing of now is in it."""
    assert make_report(harvested.data)[1] == make_report(harvested.data)[1]


def test_what_cannot_be_written_is_told_and_touches_nothing(harvested: Bench, tmp_path: Path) -> None:
    """A folder that is missing, or something else in its place."""
    with pytest.raises(OutputUnwritable, match="there is no folder"):
        write_report(harvested.data, tmp_path / "absent" / "report.html")
    with pytest.raises(OutputUnwritable, match="not a file"):
        write_report(harvested.data, tmp_path)
    assert list(tmp_path.iterdir()) == []
