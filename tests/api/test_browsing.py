"""The page for people: what the site shows, in words, without a script, and nothing of ours or theirs run as markup."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from api.answers import Asked, answer
from api.bodies import Bodies
from api.snapshot import take_snapshot
from tests.api.sample_rows import BASE, NEW_YORK, SAMPLE

GOLDEN = Path(__file__).parent.parent / "golden"
BODIES = Bodies(take_snapshot(SAMPLE), NEW_YORK)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
SHOWN = """GET /api/v4/packages/1776/
HTTP 200 OK
Allow: GET, HEAD, OPTIONS
Content-Type: application/json
Vary: Accept

"""


class Reader(HTMLParser):
    """Reads a page as a person does: the text of its blocks, its links, and which elements it has."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.blocks: list[str] = []
        self.paragraphs: list[str] = []
        self.links: list[str] = []
        self.elements: list[str] = []
        self._open: list[str] = []
        self.feed(page.decode())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        """Note an element, and begin a block or a paragraph."""
        self.elements.append(tag)
        if tag not in ("meta", "link"):
            self._open.append(tag)
        if tag == "a":
            self.links.append(dict(attrs)["href"])
        if tag in ("pre", "p"):
            (self.blocks if tag == "pre" else self.paragraphs).append("")

    def handle_endtag(self, tag):
        """Elements close in order."""
        assert self._open.pop() == tag

    def handle_data(self, data):
        """Collect text."""
        if "pre" in self._open:
            self.blocks[-1] += data
        elif "p" in self._open:
            self.paragraphs[-1] += data


def read(target: str, *, method: str = "GET", accept: str = BROWSER) -> tuple[int, Reader]:
    """Ask for a page; returns its status and what it reads."""
    path, _, query = target.partition("?")
    reply = answer(Asked(method=method, scheme="https", host="a", path=path, query=query, accept=accept), BODIES, BASE)
    assert dict(reply.headers)["Content-Type"] == "text/html; charset=utf-8"
    return reply.status, Reader(reply.body)


def test_the_page_reads_like_the_sites():
    """Request and response of package 1776 stand in the page as on the site of Django Packages, to the character."""
    status, page = read("/api/v4/packages/1776/")
    body = (GOLDEN / "v4-package-1776-indented.json").read_text()
    assert status == 200
    assert page.paragraphs == ["API endpoint that allows packages to be viewed or edited."]
    assert "\n".join(page.blocks) == SHOWN + body
    assert "https://djangopackages.org/api/v4/categories/1/" in page.links
    assert "https://github.com/llazzaro/django-scheduler" in page.links


def test_the_page_needs_no_script_and_names_its_parts():
    """There is no script; there is one heading of the first rank, and the trail leads up."""
    _, page = read("/api/v4/packages/1776/")
    assert "script" not in page.elements
    assert page.elements.count("h1") == page.elements.count("main") == page.elements.count("nav") == 1
    assert page.links[:3] == ["/api/v4/", "/api/v4/packages/", "/api/v4/packages/1776/"]


@pytest.mark.parametrize(
    ("method", "target", "status", "words"),
    [
        ("GET", "/api/v4/", 200, "The default basic root view for DefaultRouter"),
        ("GET", "/api/v4/packages/999/", 404, "No Package matches the given query."),
        ("POST", "/api/v4/packages/", 405, "not allowed."),
        ("OPTIONS", "/api/v4/search/", 200, "Search V3 List"),
        ("GET", "/api/v4/packages/?limit=1&format=api", 200, "/api/v4/categories/1/?format=api"),
        ("GET", "/api/v4/packages/1776.api", 200, "/api/v4/grids/62.api"),
    ],
)
def test_every_answer_has_its_page(method, target, status, words):
    """Errors and descriptions are pages too, and a format asked for in the address is found in the links."""
    found, page = read(target, method=method)
    assert found == status
    assert words in "\n".join([*page.blocks, *page.paragraphs])
    assert page.blocks[0].startswith(f"{method} {target.partition('?')[0]}")


def test_nothing_in_a_value_is_markup():
    """A title with markup and quotes is text in the page; what it says as JSON is unchanged."""
    _, page = read("/api/v4/packages/77/")
    assert page.elements.count("script") == 0
    assert json.loads(page.blocks[1].partition("\n\n")[2])["title"] == 'Odd "one" </script> & Ünïcödé 🐍'


@pytest.mark.parametrize(
    "target",
    ["/api/v4/packages/<script>alert(1)/", '/api/v4/packages/"><img src=x onerror=alert(1)>/', "/api/v4/packages/?q=</pre><script>"],
)
def test_nothing_in_an_address_is_markup(target):
    """An address with markup is text, in the trail as well."""
    _, page = read(target)
    assert page.elements.count("main") == 1
    assert not {"script", "img", "iframe"} & set(page.elements)
    assert not [link for link in page.links if not link.startswith(("/api/v4/", "http"))]
