"""A catalog read from a v4 API: rows as they were, links kept on their host, and every mistake told with its record."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.answers import InvalidAnswer
from transforms.foreign_catalog import local_target, read_foreign, read_page

TIMES = {"created": "2013-04-19T23:04:43.428533-04:00", "modified": "2026-01-28T19:16:27Z"}
HOST = "https://packages.example.org"


def category(**given: Any) -> dict[str, Any]:
    """A record of a category."""
    return {"id": 1, "title": "App", "slug": "apps", "description": "", "title_plural": "Apps", "show_pypi": True, **TIMES, **given}


def grid(**given: Any) -> dict[str, Any]:
    """A record of a grid."""
    return {
        "id": 62,
        "title": "Cal",
        "slug": "cal",
        "description": "",
        "is_locked": False,
        "header": True,
        "packages": [],
        **TIMES,
        **given,
    }


def package(**given: Any) -> dict[str, Any]:
    """A record of a package."""
    known = {"id": 7, "title": "A", "slug": "a", "category": f"{HOST}/api/v4/categories/1/", "grids": [], "repo_watchers": 3, **TIMES}
    return {**known, "repo_url": "https://github.com/o/a", "pypi_url": "", "documentation_url": None, **given}


def records(**given: Any) -> dict[str, list[dict[str, Any]]]:
    """A small catalog."""
    return {"categories": [category()], "grids": [grid()], "packages": [package(grids=[f"{HOST}/api/v4/grids/62/"])], **given}


def test_records_become_rows() -> None:
    """Links become slugs; a membership told by either side is one."""
    both = records(grids=[grid(packages=[f"{HOST}/api/v4/packages/7/", f"{HOST}/api/v4/packages/99/"])])
    for given_records in (records(), both):
        foreign = read_foreign(given_records, "host")
        assert foreign.mistakes == []
        assert foreign.rows["packages"][0][:7] == (7, "A", "a", "apps", "https://github.com/o/a", None, None)
        assert foreign.rows["packages"][0][7].isoformat() == "2013-04-20T03:04:43.428533+00:00"
        assert foreign.memberships == [("cal", "a")]


def test_every_mistake_is_told_with_its_record() -> None:
    """A bad address is left empty, a row without what it must have is left out."""
    listed = [
        package(repo_url="https://nowhere.example.org/x", pypi_url="https://x.example.org"),
        package(id=8, slug="b", category=f"{HOST}/api/v4/categories/5/"),
        package(id=8, slug="c d"),
        package(slug="e"),
        package(id=True, slug="f"),
    ]
    foreign = read_foreign(records(packages=listed), "host")
    assert [row[0] for row in foreign.rows["packages"]] == [7]
    assert foreign.rows["packages"][0][4:6] == (None, None)
    assert [(told.column, told.message.split(":")[0]) for told in foreign.mistakes] == [
        ("repo_url", "record 7"),
        ("pypi_url", "record 7"),
        ("category", "record 8"),
        ("slug", "record 8"),
        ("slug", "record 7"),
        ("id", "record number 5"),
    ]


@pytest.mark.parametrize(
    ("next_url", "target"),
    [
        (f"{HOST}/api/v4/packages/?limit=100&offset=100", "/api/v4/packages/?limit=100&offset=100"),
        ("http://packages.example.org/api/v4/packages/?offset=1", "/api/v4/packages/?offset=1"),
        ("https://other.example.org/api/v4/packages/?offset=1", None),
        ("https://packages.example.org:8443/api/v4/packages/", None),
        ("https://me@packages.example.org/api/v4/packages/", None),
        (f"{HOST}/admin/", None),
        (f"{HOST}/api/v4/../admin/", None),
        ("https://[", None),
    ],
)
def test_the_next_page_stays_on_the_host(next_url: str, target: str | None) -> None:
    """Host and port as asked, below /api/v4/."""
    assert local_target(next_url, HOST) == target


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"results": [1], "next": null, "count": 1}', b'{"results": [], "next": 1, "count": 0}']
)
def test_what_is_no_page_is_refused(body: bytes) -> None:
    """The shape of Django REST framework, or nothing."""
    with pytest.raises(InvalidAnswer):
        read_page(body)


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.floats(), st.lists(st.integers(), max_size=2))


@given(data=st.data())
def test_any_records_give_rows_or_mistakes(data: st.DataObject) -> None:
    """Total: whatever stands in a field."""
    made = records()
    for name, listed in made.items():
        for record in listed:
            for key in data.draw(st.lists(st.sampled_from(sorted(record)), max_size=3)):
                record[key] = data.draw(VALUES)
        assert name in made
    foreign = read_foreign(json.loads(json.dumps(made)), "host")
    assert all(told.message.isprintable() for told in foreign.mistakes)
    assert all(len(row) == 9 for row in foreign.rows["packages"])
