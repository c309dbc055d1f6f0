from __future__ import annotations

from datetime import date

import pytest

from tests.warehouse.scenes import hour, observation, rows_of
from transforms.schemas import HEAD_OBSERVATIONS, PARTICIPANT_OBSERVATIONS, WEEK_OBSERVATIONS
from warehouse.folder import DataFolder
from warehouse.store import open_store

TABLES = {"head": HEAD_OBSERVATIONS, "weeks": WEEK_OBSERVATIONS, "participants": PARTICIPANT_OBSERVATIONS}
VALUES = {
    "weeks": {"weeks": [1], "weeks_source": "history", "weeks_head_oid": "h", "days_on": [date(2026, 1, 1)], "day_counts": [1]},
    "participants": {"logins": ["ann"], "commit_counts": [1], "participants_head_oid": "h", "participants_source": "contributors"},
}


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    folder = DataFolder(tmp_path)
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        yield store


def load(store, number, *facets, oid="h", **changes):
    """Load one answer to each facet, of that hour; the head is this one."""
    rows = {}
    for facet in facets:
        values = {"head_oid": oid} if facet == "head" else VALUES[facet]
        rows[TABLES[facet].name] = rows_of(TABLES[facet], [observation(number, **{**values, **changes})])
    store.load(run=None, tables=rows)


def spans(store, facet, series="github:1"):
    """From when until when each row of a facet holds, with its outcome."""
    sql = f"SELECT observed_at, confirmed_at, outcome FROM store.main.{TABLES[facet].name} WHERE series = ? ORDER BY observed_at"  # noqa: S608
    return store.connection.execute(sql, [series]).fetchall()


@pytest.mark.parametrize("facet", ["weeks", "participants"])
def test_an_unmoved_head_confirms_what_was_read_at_it(store, facet):
    """It holds until the head was seen last, also when the head has moved since and nothing could be read."""
    load(store, 1, "head", facet)
    load(store, 30, "head")
    load(store, 50, "head")
    load(store, 50, "head")
    load(store, 70, "head", oid="new")
    load(store, 70, facet, outcome="failed", **dict.fromkeys(VALUES[facet]))
    assert spans(store, facet) == [(hour(1), hour(50), "ok"), (hour(70), hour(70), "failed")]
    (good,) = [row for row in store.latest()[TABLES[facet].name].to_pylist() if row["is_good"]]
    assert good["confirmed_at"] == hour(50)


@pytest.mark.parametrize("facet", ["weeks", "participants"])
@pytest.mark.parametrize("oid", ["other", None])
def test_another_head_confirms_nothing(store, facet, oid):
    """Nor does a commit nobody knows."""
    load(store, 1, "head", facet)
    load(store, 30, "head", oid=oid)
    assert spans(store, facet) == [(hour(1), hour(1), "ok")]


def test_what_was_heard_since_is_not_talked_over(store):
    """A failed answer after it stays the newest, as long as nothing good comes."""
    load(store, 1, "head", "weeks")
    load(store, 20, "weeks", outcome="failed", **dict.fromkeys(VALUES["weeks"]))
    load(store, 30, "head")
    assert spans(store, "weeks") == [(hour(1), hour(1), "ok"), (hour(20), hour(20), "failed")]


def test_githubs_own_numbers_are_those_of_their_day(store):
    """They have no days to be counted anew."""
    load(store, 1, "head", "weeks", days_on=None, day_counts=None, weeks_source="participation")
    load(store, 30, "head")
    assert spans(store, "weeks") == [(hour(1), hour(1), "ok")]


def test_a_head_that_failed_or_is_older_confirms_nothing(store):
    """Only one that was seen, and later."""
    load(store, 40, "head", "weeks")
    load(store, 50, "head", outcome="failed", oid=None)
    load(store, 30, "head", oid="h", source_url="/late")
    assert spans(store, "weeks") == [(hour(40), hour(40), "ok")]
    load(store, 60, "weeks")
    load(store, 70, "head", outcome="failed", oid=None)
    assert spans(store, "weeks") == [(hour(40), hour(60), "ok")]


def test_a_304_of_the_head_confirms_as_well(store):
    """Over REST it says that the newest commit is what it was."""
    load(store, 1, "head", "participants")
    load(store, 30, "head", oid=None, outcome="unchanged")
    assert spans(store, "participants") == [(hour(1), hour(30), "ok")]


def test_what_is_read_again_goes_on_from_there(store):
    """The next answer says the same or otherwise, as ever."""
    load(store, 1, "head", "participants")
    load(store, 30, "head")
    load(store, 40, "head", "participants")
    assert spans(store, "participants") == [(hour(1), hour(40), "ok")]
    load(store, 50, "head", oid="new")
    load(store, 50, "participants", logins=["ann", "bob"], commit_counts=[1, 1])
    assert spans(store, "participants") == [(hour(1), hour(40), "ok"), (hour(50), hour(50), "ok")]


def test_repositories_do_not_confirm_each_other(store):
    """Two forks have the same commits."""
    load(store, 1, "head", "weeks")
    load(store, 1, "weeks", series="github:2", subject="github:c/d")
    load(store, 30, "head")
    assert spans(store, "weeks", "github:2") == [(hour(1), hour(1), "ok")]
