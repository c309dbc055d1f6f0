"""The page says what the overview says, escapes what came from outside, and never spells unknown as a number."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.overview import Changes, Overview, Stars
from transforms.overview_page import plain_text, render_page, spell_age, states_of, web_address

NOW = datetime(2026, 2, 15, 22, 19, tzinfo=UTC)
COUNTS = {"repositories_count": 1, "stars_known_count": 1, "stars_count": 7, "weeks_known_count": 1, "commits_count": 52}
VOID = {"meta", "link", "br", "path", "rect", "use"}


class Reader(HTMLParser):
    """Elements with their attributes, the text, and whether every element that was opened is closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.stack: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        """An element begins."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        """An element that holds nothing."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        """An element ends: the one that began last."""
        assert self.stack.pop() == tag

    def handle_data(self, data):
        """Text between elements."""
        self.words.append(data)

    @property
    def text(self):
        """All of the text, in one line."""
        return " ".join(" ".join(self.words).split())


def section(page: str, name: str) -> Reader:
    """One section of the page."""
    return Reader(page.partition(f'<section aria-labelledby="{name}">')[2].partition("</section>")[0])


def first_listing(page: str) -> str:
    """The text of the rows of the first category."""
    return Reader(page.partition('<h2 id="by-category">')[2].partition("<tbody>")[2].partition("</tbody>")[0]).text


def package(number: int = 1, **changes):
    """One listed package."""
    row = {"id": number, "slug": f"p{number}", "title": f"P{number}", "category": "apps", "repo_url": "https://github.com/a/b"}
    row |= {"documentation_url": None, "repo_subject": "github:a/b", "project": "p", "repo_description": "Does things.", "summary": None}
    row |= {
        "stars_count": 7,
        "forks_count": 3,
        "is_archived": False,
        "last_commit_at": NOW,
        "weeks": [1] * 52,
        "weeks_end_on": date(2026, 2, 15),
    }
    row |= {"participants_count": 2, "latest_version": "1.0", "latest_released_at": NOW, "fetched_at": NOW}
    states = dict.fromkeys(("repo_state", "head_state", "weeks_state", "participants_state", "project_state"), "ok")
    return row | states | changes


def overview(*packages, **changes):
    """An overview of these packages."""
    values = {
        "name": "run-1",
        "as_of_at": NOW,
        "totals": {**COUNTS, "packages_count": len(packages), "projects_count": 1, "versions_known_count": 1},
        "categories": [{**COUNTS, "slug": "apps", "title": "Apps", "packages_count": len(packages)}],
        "grids": [{**COUNTS, "slug": "calendars", "title": "Calendars", "packages_count": 1}],
        "packages": packages,
        "memberships": {"calendars": [row["id"] for row in packages[:1]]},
        "stars": [],
        "states": {"repo_state": {"ok": 1}},
        "oldest": [{"slug": "p1", "fetched_at": NOW - timedelta(days=3)}],
        "runs": [],
        "runs_count": 0,
        "changes": None,
        "why_no_changes": "There is no earlier publication to compare with.",
    }
    return Overview(**values | changes)


def run(**changes):
    """One row of ``runs``."""
    spent = ("requests_count", "github_units_count", "graphql_points_count", "pypi_requests_count", "unchanged_count", "waited_seconds")
    foreseen = ("forecast_units_count", "forecast_points_count", "forecast_pypi_requests_count")
    row = dict.fromkeys((*spent, *foreseen, "detail"))
    return row | {"run_id": "run-1", "kind": "harvest", "started_at": NOW, "outcome": "done"} | changes


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&\x00\u202e"


def test_what_comes_from_outside_stays_text():
    """Titles, descriptions, versions, reasons: none of them becomes an element or an attribute."""
    row = package(
        title=HOSTILE, repo_description=HOSTILE, latest_version=HOSTILE, project=HOSTILE, slug=HOSTILE, repo_url="https://h/" + '"><script>'
    )
    changes = Changes(
        previous="run-0", previous_as_of_at=NOW, new=[row], gone=[row], versions=[(row, HOSTILE)], movers=[(row, 1)], unheard_count=1
    )
    stars = Stars(package=row, observed=[(NOW, NOW, 7)], retained=[(NOW.date(), 6)])
    page = render_page(
        overview(
            row,
            changes=changes,
            stars=[stars],
            oldest=[{"slug": HOSTILE, "fetched_at": None}],
            runs=[run(detail=HOSTILE)],
            runs_count=1,
            categories=[{**COUNTS, "slug": "apps", "title": HOSTILE, "packages_count": 1}],
        )
    )
    read = Reader(page)
    assert read.stack == []
    assert not {tag for tag, _ in read.elements} & {"script", "img", "iframe", "object", "embed", "form"}
    assert not [name for _, attributes in read.elements for name in attributes if name.startswith("on")]
    assert "\x00" not in page
    assert "\u202e" not in page
    assert read.text.count("alert(1)") > 10


def test_nothing_is_loaded_from_elsewhere():
    """No element fetches anything: links are for people, and the policy forbids the rest."""
    read = Reader(render_page(overview(package())))
    assert [(tag, name) for tag, attributes in read.elements for name in attributes if name in ("src", "srcset", "action", "poster")] == []
    assert {attributes["href"] for tag, attributes in read.elements if tag == "link"} == {"data:,"}
    assert all(attributes["href"].startswith("#") for tag, attributes in read.elements if tag == "use")
    policy = next(attributes for tag, attributes in read.elements if attributes.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\nscript:x",
        "data:text/html,x",
        "//h/x",
        "https:///x",
        "http://",
        "ftp://h/",
        "https://[",
        " https://h",
        "h",
        "",
        None,
    ],
)
def test_only_the_web_is_linked(text):
    """Anything but http and https with a host is shown as text."""
    assert web_address(text) is None
    read = Reader(render_page(overview(package(repo_url=text))))
    assert {attributes["href"].partition(":")[0] for tag, attributes in read.elements if tag == "a" and ":" in attributes["href"]} == {
        "https"
    }
    assert "P1" in read.text


@given(st.text())
def test_a_link_is_always_of_the_web(text):
    """Whatever the text: what is linked begins with http:// or https://."""
    found = web_address(text)
    assert found is None or re.match(r"https?://[^\s]", found, re.IGNORECASE)
    assert not re.search("[\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069]", plain_text(text))
    plain_text(text).encode()


def test_unknown_is_a_word():
    """A package nobody has heard of, and a run that does not tell what it spent, show no figure that was not said."""
    nothing = dict.fromkeys(
        ("stars_count", "forks_count", "last_commit_at", "latest_version", "latest_released_at", "fetched_at", "weeks_end_on")
    )
    row = package(**nothing, weeks=[])
    totals = {"packages_count": 1, "repositories_count": 1, "projects_count": 1, "versions_known_count": 0}
    unknown = {"stars_known_count": 0, "stars_count": None, "weeks_known_count": 0, "commits_count": None}
    category = {**unknown, "slug": "apps", "title": "Apps", "packages_count": 1, "repositories_count": 1}
    page = render_page(overview(row, totals=totals | unknown, categories=[category], grids=[], memberships={}, runs=[run()], runs_count=1))
    listing = first_listing(page)
    assert listing.count("unknown") == 6, "weeks twice, stars, forks, version, newest commit"
    assert not re.search(r"\b0\b", listing)
    spent = section(page, "spent").text
    assert not re.search(r"\b0\b", spent)
    assert "REST units of GitHub: unknown" in spent
    assert "0 of 1 repositories, the others unknown" in Reader(page).text


def test_a_true_zero_is_shown():
    """An empty repository has 52 zeros, no stars, and says so."""
    listing = first_listing(render_page(overview(package(stars_count=0, weeks=[0] * 52))))
    assert "unknown" not in listing
    assert "Commits in 52 weeks: 0 in all" in listing


def test_a_package_without_a_source_says_so():
    """Neither repository nor project: no figure, no state, and no word that promises one."""
    states = dict.fromkeys(("repo_state", "head_state", "weeks_state", "participants_state", "project_state"))
    row = package(
        **states,
        stars_count=None,
        forks_count=None,
        last_commit_at=None,
        weeks=[],
        project=None,
        latest_version=None,
        latest_released_at=None,
    )
    listing = first_listing(render_page(overview(row)))
    assert "no repository" in listing
    assert "no project" in listing
    assert "no source" in listing
    assert "unknown" not in listing


def test_what_is_left_out_is_said():
    """A page that does not list everything says how much it leaves out and where the rest is."""
    totals = {**COUNTS, "packages_count": 100_000, "projects_count": 1, "versions_known_count": 1}
    text = Reader(render_page(overview(package(), totals=totals))).text
    assert "1 of 100,000 packages are listed" in text
    assert "99,999 with fewer or unknown stars are left out" in text
    assert "left out" not in Reader(render_page(overview(package()))).text


def test_observed_and_retained_are_told_apart():
    """Each has its own drawing with its name; without days of stars nothing is called retained."""
    observed = [(NOW - timedelta(days=2), NOW - timedelta(days=1), 5), (NOW, NOW, 7)]
    both = Stars(package=package(), observed=observed, retained=[(date(2020, 1, 1), 2), (date(2026, 1, 1), 6)])
    read = Reader(render_page(overview(package(), stars=[both])))
    assert "Stars of P1 as observed" in read.text
    assert "Stars of P1 retained, by the day they were given" in read.text
    assert "6 of 7 stars" in read.text
    alone = Reader(render_page(overview(package(), stars=[Stars(package=package(), observed=observed, retained=[])])))
    assert "Stars of P1 retained" not in alone.text


def test_every_package_is_drawn_once_and_borrowed_by_its_grids():
    """One path a package; a grid draws the same one."""
    read = Reader(render_page(overview(package(1), package(2))))
    assert [attributes["id"] for tag, attributes in read.elements if tag == "path" and "id" in attributes] == ["w1", "w2"]
    assert [attributes["href"] for tag, attributes in read.elements if tag == "use"] == ["#w1"]


def test_ids_are_unique_and_links_lead_somewhere():
    """Every fragment that is linked is there, once."""
    stars = [Stars(package=package(n), observed=[(NOW, NOW, 7)], retained=[(NOW.date(), 6)]) for n in (1, 2)]
    read = Reader(render_page(overview(package(1), package(2), stars=stars, runs=[run()], runs_count=1)))
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    linked = {attributes["href"][1:] for _, attributes in read.elements if (attributes.get("href") or "").startswith("#")}
    named = {
        word
        for _, attributes in read.elements
        for key in ("aria-labelledby", "aria-describedby")
        for word in (attributes.get(key) or "").split()
    }
    assert linked | named <= set(ids)


def test_headings_are_in_order_and_tables_are_named():
    """No level is skipped; each table has a caption, and its headers a scope."""
    read = Reader(render_page(overview(package(), runs=[run()], runs_count=1)))
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    tags = [tag for tag, _ in read.elements]
    assert tags.count("table") == tags.count("caption")
    assert all("scope" in attributes for tag, attributes in read.elements if tag == "th")
    images = [index for index, (tag, _) in enumerate(read.elements) if tag == "svg"]
    assert images
    assert all(read.elements[index + 1][0] == "title" for index in images)


@pytest.mark.parametrize(
    ("changes", "word", "unsound"),
    [
        ({}, "ok", []),
        ({"weeks_state": "shifted"}, "shifted", []),
        ({"weeks_state": "shifted", "project_state": "gone"}, "", [("PyPI", "gone")]),
        ({"participants_state": "capped"}, "", [("participants", "capped")]),
    ],
)
def test_states_of_a_package(changes, word, unsound):
    """One word where all is sound, else everything that is not."""
    assert states_of(package(**changes)) == (word, unsound)


def test_ages_are_whole():
    """Hours below two days, days from there."""
    assert [spell_age(timedelta(hours=hours)) for hours in (-1, 0.9, 47.9, 48, 2400)] == ["0 h", "0 h", "47 h", "2 d", "100 d"]
