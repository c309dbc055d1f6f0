from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.warehouse.scenes import hour, observation, release, rows_of
from transforms.schemas import PROJECT_OBSERVATIONS, RELEASES
from warehouse.folder import DataFolder
from warehouse.store import open_store


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    folder = DataFolder(tmp_path)
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        yield store


def load(store, *releases, projects=()):
    """Load listings."""
    store.load(run=None, tables={"releases": rows_of(RELEASES, releases), "project_observations": rows_of(PROJECT_OBSERVATIONS, projects)})


def stored(store, columns="version, observed_at, ended_at, is_yanked"):
    """The stored releases."""
    return store.connection.execute(f"SELECT {columns} FROM store.main.releases ORDER BY project, version, observed_at").fetchall()  # noqa: S608 - ours


def test_releases_begin_and_stand(store):
    """A listing said again changes nothing; a new release joins what stands."""
    load(store, release(1, "1.0"))
    load(store, release(2, "1.0"), release(2, "2.0", position=2))
    load(store, release(2, "1.0"), release(2, "2.0", position=2))
    assert stored(store) == [("1.0", hour(1), None, False), ("2.0", hour(2), None, False)]


def test_yanking_ends_one_row_and_begins_another(store):
    """A release said otherwise has a row for each of its states."""
    load(store, release(1, "1.0"), release(1, "2.0"))
    load(store, release(2, "1.0", is_yanked=True, yanked_reason="broken"), release(2, "2.0"))
    assert stored(store) == [("1.0", hour(1), hour(2), False), ("1.0", hour(2), None, True), ("2.0", hour(1), None, False)]


def test_deleted_release_ends_and_may_come_back(store):
    """A release no longer listed has ended; listed again it is a new row."""
    load(store, release(1, "1.0"), release(1, "2.0"))
    load(store, release(2, "2.0"))
    load(store, release(3, "1.0"), release(3, "2.0"))
    assert stored(store) == [("1.0", hour(1), hour(2), False), ("1.0", hour(3), None, False), ("2.0", hour(1), None, False)]


def test_a_project_that_lists_nothing_ends_all(store):
    """An empty listing is told by the project's observation, for there is no release to tell it."""
    load(store, release(1, "1.0"), release(1, "9", project="other"))
    load(store, projects=[observation(2, "pypi:a", subject="pypi:a", releases_count=0)])
    assert stored(store, "project, ended_at") == [("a", hour(2)), ("other", None)]


@pytest.mark.parametrize("changes", [{"outcome": "failed"}, {"outcome": "missing"}, {"releases_count": 3}, {"releases_count": None}])
def test_an_answer_without_a_listing_ends_nothing(store, changes):
    """Only a good answer that lists nothing says that nothing is left."""
    load(store, release(1, "1.0"))
    load(store, projects=[observation(2, "pypi:a", subject="pypi:a", releases_count=0) | changes])
    assert stored(store) == [("1.0", hour(1), None, False)]


def test_rank_moves_without_a_new_row(store):
    """A release between two others moves the rank of the higher one in place."""
    load(store, release(1, "1.0", position=1), release(1, "2.0", position=2))
    load(store, release(2, "1.0", position=1), release(2, "1.1", position=2), release(2, "2.0", position=3))
    assert stored(store, "version, position, observed_at") == [("1.0", 1, hour(1)), ("1.1", 2, hour(2)), ("2.0", 3, hour(1))]


def test_several_listings_in_one_load_are_taken_in_order(store):
    """Two listings of a project loaded together are what they are one after the other."""
    load(store, release(2, "1.0", is_yanked=True), release(1, "1.0"), release(3, "2.0"))
    assert stored(store) == [("1.0", hour(1), hour(2), False), ("1.0", hour(2), hour(3), True), ("2.0", hour(3), None, False)]


def test_an_older_listing_only_adds_what_has_ended(store):
    """What a late listing says and no other said is a row that has ended; what stands is not touched, and twice is once."""
    load(store, release(1, "1.0"), release(1, "2.0"))
    load(store, release(9, "1.0"))
    for _ in range(2):
        load(store, release(5, "1.0", is_yanked=True), release(5, "2.0"), release(5, "3.0"))
    assert stored(store) == [
        ("1.0", hour(1), None, False),
        ("1.0", hour(5), hour(9), True),
        ("2.0", hour(1), hour(9), False),
        ("3.0", hour(5), hour(9), False),
    ]


listings = st.lists(st.dictionaries(st.sampled_from(["1", "2", "3"]), st.booleans()), max_size=6)


def _expected(story):
    """What stands and what has ended, release by release."""
    rows = []
    for number, listing in enumerate(story):
        for row in [row for row in rows if row["ended"] is None and listing.get(row["version"]) != row["yanked"]]:
            row["ended"] = hour(number)
        standing = {row["version"] for row in rows if row["ended"] is None}
        rows += [
            {"version": version, "began": hour(number), "ended": None, "yanked": yanked}
            for version, yanked in listing.items()
            if version not in standing
        ]
    return sorted((row["version"], row["began"], row["ended"], row["yanked"]) for row in rows)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=listings, sizes=st.lists(st.integers(1, 3), min_size=6, max_size=6), again=st.integers(0, 5))
def test_releases_do_not_depend_on_the_split_nor_on_repetition(store, story, sizes, again):
    """Listings in order, in any split into loads and with any of them repeated, give what a reader of them would write down."""
    for table in ("releases", "listings", "project_observations", "standings"):
        store.connection.execute(f"DELETE FROM store.main.{table}")  # noqa: S608 - ours
    loads, rest = [], list(enumerate(story))
    for size in sizes:
        loads.append(rest[:size])
        rest = rest[size:]
    for part in [*loads, *loads[again : again + 1]]:
        load(
            store,
            *[release(number, version, is_yanked=yanked) for number, listing in part for version, yanked in listing.items()],
            projects=[observation(number, "pypi:a", subject="pypi:a", releases_count=len(listing)) for number, listing in part],
        )
    assert stored(store) == _expected(story)
