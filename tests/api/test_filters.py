"""Choosing and ordering packages: what is chosen, in which order, what is refused, and that pages link on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.filters import ORDERED_BY, InvalidParameter, choose_packages
from api.snapshot import take_snapshot
from tests.api.running import app_over, ask, running
from tests.api.sample_rows import BASE, Rows, category, grid, many, package

START = datetime(2026, 1, 1, tzinfo=UTC)


def row(number: int, **values):
    """Make a package of the third category and first grid for every third and second number."""
    grids = [62] if number % 2 == 0 else []
    return package(number, f"package-{number:02}", category_id=3 if number % 3 == 0 else 1, grid_ids=grids, **values)


ROWS = Rows(
    package_rows=[
        row(n, stars_count=n * 7 % 10 if n > 5 else None, last_commit_at=START + timedelta(days=n) if n > 3 else None) for n in range(1, 31)
    ],
    category_rows=(category(1, "apps"), category(3, "tools"), category(4, "3")),
    grid_rows=(grid(62, "calendars"), grid(63, "empty")),
)
SNAPSHOT = take_snapshot(ROWS)


def ids(query: str) -> list[int]:
    """Choose by a query that needs no decoding."""
    parameters = {name: [value] for name, value in (pair.split("=", 1) for pair in query.split("&") if pair)}
    return [row["id"] for row in choose_packages(SNAPSHOT, parameters)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", list(range(30, 0, -1))),
        ("category=tools", [30, 27, 24, 21, 18, 15, 12, 9, 6, 3]),
        ("category=3", [30, 27, 24, 21, 18, 15, 12, 9, 6, 3]),  # digits mean an id, as in an address
        ("category=tools&grid=calendars", [30, 24, 18, 12, 6]),
        ("grid=62&category=3", [30, 24, 18, 12, 6]),
        ("grid=empty", []),
        ("updated_since=2026-01-30", [30, 29]),
        ("updated_since=2026-01-30T00:00:01Z", [30]),
        ("updated_since=2026-01-29T19:00-05:00", [30, 29]),
        ("updated_since=2027-01-01", []),
        ("updated_since=1999-01-01", list(range(30, 3, -1))),  # an unknown time is not since any
        ("grid=calendars&ordering=slug&updated_since=2026-01-25", [24, 26, 28, 30]),
        ("ordering=-slug", list(range(30, 0, -1))),
    ],
)
def test_chosen_packages(query, expected):
    """Filters narrow together, by slug or id; an unknown value is in no range."""
    assert ids(query) == expected


def test_unknown_comes_last_whichever_way():
    """Rising or falling, packages whose value is unknown are at the end, and equals run from the highest id down."""
    stars = {row["id"]: row["stars_count"] for row in ROWS.packages()}
    rising, falling = ids("ordering=repo_watchers"), ids("ordering=-repo_watchers")
    assert rising[-5:] == falling[-5:] == [5, 4, 3, 2, 1]
    assert [stars[n] for n in rising[:-5]] == sorted(stars[n] for n in range(6, 31))
    assert [stars[n] for n in falling[:-5]] == sorted((stars[n] for n in range(6, 31)), reverse=True)
    assert [n for n in falling if stars[n] == 0] == [30, 20, 10]
    assert [n for n in rising if stars[n] == 0] == [30, 20, 10]
    assert [n for n in ids("ordering=-repo_watchers,id") if stars[n] == 0] == [10, 20, 30]


@given(st.lists(st.sampled_from(sorted(ORDERED_BY)).flatmap(lambda name: st.sampled_from([name, f"-{name}"])), min_size=1, max_size=4))
def test_ordering_loses_nobody(fields):
    """Whatever the order, every package is there once."""
    assert sorted(ids(f"ordering={','.join(fields)}")) == list(range(1, 31))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("category", ""),
        ("category", "none"),
        ("category", "9" * 400),
        ("category", "٣"),
        ("grid", "7"),
        ("grid", "-62"),
        ("ordering", ""),
        ("ordering", "stars_count"),
        ("ordering", "--id"),
        ("ordering", "id,,slug"),
        ("ordering", "participants"),
        ("updated_since", ""),
        ("updated_since", "yesterday"),
        ("updated_since", "2026-02-30"),
        ("updated_since", "2026-01-30T00:00:00+01:00"),  # the plus is a blank by then
    ],
)
def test_a_value_that_means_nothing_is_refused(name, value, port):
    """It is 400 with a sentence under the name of the parameter."""
    written = quote(value, safe="+")
    status, headers, body = ask(port, "GET", f"/api/v4/packages/?limit=1&{name}={written}")
    told = json.loads(body)
    assert (status, dict(headers)["content-type"], list(told)) == (400, "application/json", [name])
    assert len(told[name]) == 1
    assert told[name][0].endswith(".")
    with pytest.raises(InvalidParameter):
        choose_packages(SNAPSHOT, {name: [value.replace("+", " ")]})


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """Serve the rows."""
    with running(app_over(ROWS, tmp_path_factory.mktemp("data"), BASE)) as number:
        yield number


def test_pages_link_on_with_the_parameters(port):
    """Walking the links of a filtered list shows what was chosen, each once, with the count of those; back leads to the start."""
    link, seen = f"{BASE}/api/v4/packages/?category=tools&ordering=-repo_watchers&limit=3", []
    while link:
        last = link
        page = json.loads(ask(port, "GET", link.removeprefix(BASE))[2])
        assert page["count"] == 10
        seen += [row["id"] for row in page["results"]]
        link = page["next"]
    assert seen == ids("category=tools&ordering=-repo_watchers")
    assert "category=tools" in urlsplit(last).query
    assert json.loads(ask(port, "GET", last.removeprefix(BASE))[2])["previous"] is not None


def test_records_in_a_chosen_list_are_the_same_bytes(port):
    """A filter changes which records are listed, not one byte of them; other lists and other parameters know none."""
    page = ask(port, "GET", "/api/v4/packages/?grid=calendars&ordering=id&limit=1")[2]
    assert ask(port, "GET", "/api/v4/packages/2/")[2] in page
    assert json.loads(ask(port, "GET", "/api/v4/grids/?ordering=nonsense")[2])["count"] == 2
    assert ask(port, "GET", "/api/v4/packages/?Category=none&order=x")[0] == 200
    assert ask(port, "GET", "/api/v4/packages/1/?category=none")[0] == 200
    assert ask(port, "GET", "/api/v4/packages/?category=none&category=tools")[0] == 200


def test_no_parameter_is_the_list_of_v4(tmp_path):
    """Without a parameter of ours the rows are the snapshot's own, untouched."""
    snapshot = take_snapshot(Rows(package_rows=many(3)))
    assert choose_packages(snapshot, {"limit": ["1"]}) is snapshot.shelf("packages").rows
