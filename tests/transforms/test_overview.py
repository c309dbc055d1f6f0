"""Two publications compared: every package is new, gone, or held against itself, and unknown is no number."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from transforms.overview import compare_packages

THEN = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = st.dictionaries(
    st.integers(1, 12),
    st.tuples(st.one_of(st.none(), st.integers(0, 3)), st.one_of(st.none(), st.sampled_from(["1.0", "2.0"]))),
    max_size=12,
)


def rows(values):
    """Rows of ``packages`` by id."""
    return [
        {"id": n, "slug": f"p{n}", "title": f"P{n}", "stars_count": stars, "latest_version": version}
        for n, (stars, version) in values.items()
    ]


def compared(before, now):
    """What changed between them."""
    return compare_packages(rows(before), rows(now), previous="run-1", previous_as_of_at=THEN)


@given(ROWS, ROWS)
def test_every_package_is_told_of_once(before, now):
    """New and gone are what the other side lacks; a package on both sides stands where it differs."""
    changes = compared(before, now)
    assert {row["id"] for row in changes.new} == now.keys() - before.keys()
    assert {row["id"] for row in changes.gone} == before.keys() - now.keys()
    both = now.keys() & before.keys()
    assert {row["id"]: old for row, old in changes.versions} == {n: before[n][1] for n in both if before[n][1] != now[n][1]}
    known = {n for n in both if before[n][0] is not None and now[n][0] is not None}
    assert {row["id"]: old for row, old in changes.movers} == {n: before[n][0] for n in known if before[n][0] != now[n][0]}
    assert changes.unheard_count == sum(before[n][0] is not None and now[n][0] is None for n in both)


@given(ROWS)
def test_nothing_differs_from_itself(now):
    """The same rows are no change."""
    assert compared(now, now).is_nothing


def test_the_largest_difference_comes_first():
    """A loss counts like a gain; an unknown count moves nothing."""
    changes = compared(
        {1: (10, None), 2: (10, None), 3: (10, None), 4: (None, None)}, {1: (12, None), 2: (3, None), 3: (None, None), 4: (9, None)}
    )
    assert [row["id"] for row, _ in changes.movers] == [2, 1]
    assert changes.unheard_count == 1
