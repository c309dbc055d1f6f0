from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.warehouse.history_model import Row, join, mark_of
from tests.warehouse.scenes import hour, observation, rows_of
from transforms.schemas import PARTICIPANT_OBSERVATIONS, REPO_OBSERVATIONS, WEEK_OBSERVATIONS
from warehouse.folder import DataFolder
from warehouse.store import open_store

REPOS = "repo_observations"


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    folder = DataFolder(tmp_path)
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        yield store


def load(store, *rows):
    """Load rows of repo_observations."""
    store.load(run=None, tables={REPOS: rows_of(REPO_OBSERVATIONS, rows)})


def history(store, columns="observed_at, confirmed_at, sighting_count, outcome, stars_count", table=REPOS):
    """The stored rows, oldest first."""
    return store.connection.execute(f"SELECT {columns} FROM store.main.{table} ORDER BY series, observed_at").fetchall()  # noqa: S608 - ours


def test_said_again_moves_the_confirmation(store):
    """Without change there is one row: when it was first said, when last, how often."""
    for number in (1, 2, 5):
        load(store, observation(number, stars_count=7))
    assert history(store) == [(hour(1), hour(5), 3, "ok", 7)]


def test_said_otherwise_is_a_new_row(store):
    """A change, a failure, and the return to the old value are rows of their own."""
    for number, (outcome, stars) in enumerate([("ok", 7), ("ok", 8), ("failed", None), ("failed", None), ("ok", 8)]):
        load(store, observation(number, outcome=outcome, stars_count=stars))
    assert history(store) == [
        (hour(0), hour(0), 1, "ok", 7),
        (hour(1), hour(1), 1, "ok", 8),
        (hour(2), hour(3), 2, "failed", None),
        (hour(4), hour(4), 1, "ok", 8),
    ]


@pytest.mark.parametrize(
    "changes", [{"detail": "other words"}, {"subject": "github:new/name"}, {"run_id": "x"}, {"source_url": "/repositories/1"}]
)
def test_circumstances_are_no_change(store, changes):
    """How it was heard does not make a new row; the row keeps how it was heard first."""
    load(store, observation(1, stars_count=7))
    load(store, observation(2, stars_count=7) | changes)
    assert history(store, "sighting_count, subject, run_id, source_url") == [(2, "github:a/b", "run-1", "/repos/a/b")]


def test_null_and_zero_differ(store):
    """Unknown is never zero, and unknown twice is no change."""
    load(store, observation(1, stars_count=None), observation(2, stars_count=None), observation(3, stars_count=0))
    assert [row[2:] for row in history(store)] == [(2, "ok", None), (1, "ok", 0)]


@pytest.mark.parametrize(
    ("table", "first", "second", "is_change"),
    [
        (WEEK_OBSERVATIONS, {"weeks": [1, 2]}, {"weeks": [1, 2]}, False),
        (WEEK_OBSERVATIONS, {"weeks": [1, 2]}, {"weeks": [2, 1]}, True),
        (WEEK_OBSERVATIONS, {"weeks": []}, {"weeks": None}, True),
        (PARTICIPANT_OBSERVATIONS, {"logins": ["a", None]}, {"logins": ["a", None]}, False),
        (PARTICIPANT_OBSERVATIONS, {"logins": ["a"]}, {"logins": ["a", "b"]}, True),
    ],
)
def test_lists_are_compared_whole(store, table, first, second, is_change):
    """Order, length and missing elements of a list count."""
    for number, values in enumerate((first, second)):
        store.load(run=None, tables={table.name: rows_of(table, [observation(number, **values)])})
    assert len(history(store, "observed_at", table.name)) == 1 + is_change


def test_an_older_answer_is_a_row_of_its_own(store):
    """What arrives late is kept, before or inside what is known, and changes nothing else, now or later."""
    load(store, observation(4, stars_count=7), observation(8, stars_count=7))
    load(store, observation(6, stars_count=6))
    load(store, observation(2, stars_count=7))
    late = [(hour(2), hour(2), 1, "ok", 7), (hour(4), hour(8), 2, "ok", 7), (hour(6), hour(6), 1, "ok", 6)]
    assert history(store) == late
    load(store, observation(9, stars_count=7))
    assert history(store) == [late[0], (hour(4), hour(9), 3, "ok", 7), late[2]]


def test_unchanged_confirms_the_last_good_row(store):
    """A 304 says again what the last good answer said, also after a failure in between; without one it says nothing."""
    load(store, observation(0, outcome="unchanged"))
    assert history(store) == []
    load(store, observation(1, stars_count=7), observation(2, outcome="unchanged"))
    load(store, observation(3, outcome="failed"), observation(4, outcome="unchanged"))
    assert history(store) == [(hour(1), hour(2), 2, "ok", 7), (hour(3), hour(3), 1, "failed", None), (hour(4), hour(4), 1, "ok", 7)]
    assert store.last_outcomes() == {("github:a/b", "repo"): ("ok", hour(4), "run-4")}


def test_two_addresses_of_one_repository_share_a_series(store):
    """Both addresses are answered by the one history, each under the name it is asked by."""
    both = [
        observation(1, stars_count=7),
        observation(1, stars_count=7, subject="github:old/name", observed_at=hour(1.5), confirmed_at=hour(1.5)),
    ]
    load(store, *both)
    assert history(store, "sighting_count, confirmed_at, subject") == [(1, hour(1.5), "github:a/b")]
    latest = store.latest()[REPOS]
    assert latest.select(["subject", "stars_count", "is_good"]).to_pylist() == [
        {"subject": "github:a/b", "stars_count": 7, "is_good": True},
        {"subject": "github:old/name", "stars_count": 7, "is_good": True},
    ]
    assert {subject for subject, _ in store.last_outcomes()} == {"github:a/b", "github:old/name"}


def test_sightings_are_runs(store):
    """A repository that two addresses lead to was missing in two runs after two runs, not in four."""
    for number in (1, 2):
        load(
            store,
            observation(number, outcome="missing"),
            observation(number + 0.5, outcome="missing", subject="github:old/name", run_id=f"run-{number}"),
        )
    assert history(store, "sighting_count, confirmed_at") == [(2, hour(2.5))]


def test_the_end_of_the_weeks_is_no_change(store):
    """The same weeks a day later are one row, which tells when the weeks ended at its last confirmation; late answers move nothing."""

    def weeks(number, day, **changes):
        row = observation(number, **{"weeks": [5], "weeks_end_on": date(2026, 1, day)} | changes)
        store.load(run=None, tables={"week_observations": rows_of(WEEK_OBSERVATIONS, [row])})
        return history(store, "sighting_count, weeks, weeks_end_on", "week_observations")

    assert weeks(24, 2) == [(1, [5], date(2026, 1, 2))]
    assert weeks(72, 4) == [(2, [5], date(2026, 1, 4))]
    assert weeks(48, 3) == [(2, [5], date(2026, 1, 4))]
    assert weeks(80, 4, outcome="unchanged", weeks=None, weeks_end_on=None) == [(3, [5], date(2026, 1, 4))]
    assert weeks(96, 5, weeks=[6]) == [(3, [5], date(2026, 1, 4)), (1, [6], date(2026, 1, 5))]
    assert [row["weeks_end_on"] for row in store.latest()["week_observations"].to_pylist()] == [date(2026, 1, 5)]


def test_what_is_refreshed_moves_with_the_confirmation(store):
    """When a list was last given is no change, at which head and by whom is; a null leaves what is known."""

    def people(number, **changes):
        row = observation(number, **{"logins": ["a"], "commit_counts": [1], "participants_head_oid": "h1"} | changes)
        store.load(run=None, tables={PARTICIPANT_OBSERVATIONS.name: rows_of(PARTICIPANT_OBSERVATIONS, [row])})
        return history(store, "sighting_count, participants_head_oid, participants_source, listed_at", PARTICIPANT_OBSERVATIONS.name)

    first = people(1, participants_source="contributors", listed_at=hour(1))
    assert first == [(1, "h1", "contributors", hour(1))]
    nothing = {"logins": None, "commit_counts": None, "outcome": "unchanged"}
    assert people(2, listed_at=hour(2), **nothing) == [(2, "h1", "contributors", hour(2))]
    assert people(3, **nothing | {"participants_head_oid": None}) == [(3, "h1", "contributors", hour(2))]
    moved = people(4, **nothing | {"participants_head_oid": "h4"})
    assert moved == [(3, "h1", "contributors", hour(2)), (1, "h4", "contributors", hour(2))]
    assert people(5, participants_head_oid="h4", participants_source="history", listed_at=hour(2))[2:] == [(1, "h4", "history", hour(2))]


def test_a_replaced_repository_does_not_inherit(store):
    """After another repository took the address, only what that one said counts, facet by facet."""
    load(store, observation(1, series="github:1", repo_id=1, stars_count=900))
    store.load(run=None, tables={"week_observations": rows_of(WEEK_OBSERVATIONS, [observation(1, weeks=[5])])})
    load(store, observation(2, series="github:2", repo_id=2, full_name="a/b", stars_count=3))
    assert store.latest()[REPOS].select(["series", "stars_count"]).to_pylist() == [{"series": "github:2", "stars_count": 3}]
    assert store.latest()["week_observations"].num_rows == 0
    assert set(store.last_outcomes()) == {("github:a/b", "repo")}
    assert store.known_series() == {"github:a/b": (2, "a/b")}


def test_an_unknown_repository_gets_its_series_when_it_appears(store):
    """A repository that was missing under its name follows its id from the first answer on."""
    load(store, observation(1, series="github:a/b", outcome="missing"))
    assert store.known_series() == {}
    load(store, observation(2, series="github:1", repo_id=1, full_name="A/B"))
    assert store.latest()[REPOS].select(["series", "outcome"]).to_pylist() == [{"series": "github:1", "outcome": "ok"}]
    assert store.known_series() == {"github:a/b": (1, "A/B")}


def test_a_subject_never_asked_about_follows_the_repository_that_bears_its_name(store):
    """After a rename the catalog is edited to the new name: everything known is there at once, and the id with it."""
    load(store, observation(1, repo_id=1, full_name="A/B", stars_count=6), observation(2, repo_id=1, full_name="New/Name", stars_count=7))
    store.load(run=None, tables={"week_observations": rows_of(WEEK_OBSERVATIONS, [observation(1, weeks=[5])])})
    assert [(row["subject"], row["stars_count"]) for row in store.latest()[REPOS].to_pylist()] == [
        ("github:a/b", 7),
        ("github:new/name", 7),
    ]
    assert [row["subject"] for row in store.latest()["week_observations"].to_pylist()] == ["github:a/b", "github:new/name"]
    assert store.known_series() == {"github:a/b": (1, "New/Name"), "github:new/name": (1, "New/Name")}
    assert {subject for subject, _ in store.last_outcomes()} == {"github:a/b"}


def test_a_name_taken_over_leads_to_who_bears_it_last(store):
    """A subject with a standing of its own keeps it, and of two repositories that bore a name the one seen later is meant."""
    load(store, observation(1, "github:1", full_name="C/D"), observation(2, "github:2", subject="github:x/y", full_name="c/d"))
    load(store, observation(3, "github:3", subject="github:e/f", full_name="x/y"))
    found = {row["subject"]: row["series"] for row in store.latest()[REPOS].to_pylist()}
    assert found == {"github:a/b": "github:1", "github:c/d": "github:2", "github:x/y": "github:2", "github:e/f": "github:3"}


@pytest.mark.parametrize("is_replaced", [False, True])
def test_what_was_heard_before_the_id_was_known_stays(store, is_replaced):
    """Good values under the bare subject are the repository's once its id is known, unless another one took its place since."""
    weeks = observation(1, "github:a/b", weeks=[5])
    store.load(
        run=None,
        tables={
            REPOS: rows_of(REPO_OBSERVATIONS, [observation(1, "github:a/b", outcome="invalid")]),
            "week_observations": rows_of(WEEK_OBSERVATIONS, [weeks]),
        },
    )
    load(store, observation(2, repo_id=1, full_name="a/b"))
    if is_replaced:
        load(store, observation(3, "github:2", repo_id=2, full_name="a/b"))
    found = [(row["series"], row["weeks"], row["is_good"]) for row in store.latest()["week_observations"].to_pylist()]
    assert found == ([] if is_replaced else [("github:1", [5], True)])
    assert (("github:a/b", "weeks") in store.last_outcomes()) is not is_replaced
    assert [row["outcome"] for row in store.latest()[REPOS].to_pylist()] == ["ok"]


def test_a_failure_under_the_id_keeps_the_good_value_heard_before(store):
    """The newest answer is under the id, the newest good one under the subject; both are told as of one series."""
    load(store, observation(1, repo_id=1))
    for number, series, changes in [(0, "github:a/b", {"weeks": [5]}), (2, "github:1", {"outcome": "failed"})]:
        store.load(run=None, tables={"week_observations": rows_of(WEEK_OBSERVATIONS, [observation(number, series, **changes)])})
    found = [(row["series"], row["weeks"], row["is_good"]) for row in store.latest()["week_observations"].to_pylist()]
    assert found == [("github:1", [5], True), ("github:1", None, False)]


def test_latest_gives_the_newest_and_the_newest_good(store):
    """After failures there are two rows, else one; "newest" is confirmed last."""
    load(
        store,
        observation(1, stars_count=5),
        observation(2, stars_count=7),
        observation(3, outcome="limited"),
        observation(4, outcome="failed"),
    )
    load(store, observation(1, "github:9", subject="github:c/d", stars_count=1))
    found = store.latest()[REPOS].select(["subject", "outcome", "stars_count", "is_good"]).to_pylist()
    assert found == [
        {"subject": "github:a/b", "outcome": "ok", "stars_count": 7, "is_good": True},
        {"subject": "github:a/b", "outcome": "failed", "stars_count": None, "is_good": False},
        {"subject": "github:c/d", "outcome": "ok", "stars_count": 1, "is_good": True},
    ]


said = st.one_of(
    st.tuples(st.just("ok"), st.integers(0, 2)),
    st.tuples(st.sampled_from(["failed", "missing", "unchanged"]), st.none()),
)
stories = st.lists(st.tuples(st.integers(0, 30), said), max_size=14, unique_by=lambda pair: pair[0])
cuts = st.lists(st.integers(0, 14), max_size=4)
many = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _emptied(store):
    """The store as it was made; making one for each example would take longer than the examples."""
    for table in (REPOS, "standings"):
        store.connection.execute(f"DELETE FROM store.main.{table}")  # noqa: S608 - ours
    return store


def _rows(story, series="github:1"):
    return [
        observation(at, series, outcome=outcome, stars_count=value, node_id=mark_of(at, outcome), subject=series)
        for at, (outcome, value) in story
    ]


def _stored(store, series="github:1"):
    rows = history(
        store,
        "series, hour(observed_at) + 24 * (day(observed_at) - 1), hour(confirmed_at) + 24 * (day(confirmed_at) - 1), "
        "sighting_count, outcome, stars_count, node_id",
    )
    return [Row(*row[1:]) for row in rows if row[0] == series]


def _load_in_pieces(store, rows, places):
    edges = sorted({0, len(rows), *(place for place in places if place < len(rows))})
    for start, end in pairwise(edges):
        load(store, *rows[start:end])


@many
@given(story=stories, places=cuts, again=st.lists(st.integers(0, 14), max_size=3))
def test_history_does_not_depend_on_the_split_nor_on_repetition(store, story, places, again):
    """Answers in the order of time, in any split into loads and with any load repeated, give the one history of the model."""
    story = sorted(story)
    _emptied(store)
    _load_in_pieces(store, _rows(story), places)
    expected = join([], [(at, *what) for at, what in story])
    assert _stored(store) == expected
    for start in again:
        load(store, *_rows(story)[start : start + 5])
    load(store, *_rows(story))
    assert _stored(store) == expected


@many
@given(first=stories, second=stories)
def test_late_answers_follow_the_model(store, first, second):
    """Two loads whose times overlap in any way give what the model gives, and the second once more changes nothing."""
    first, second = sorted(first), sorted(second)
    _emptied(store)
    load(store, *_rows(first))
    load(store, *_rows(second))
    once = _stored(store)
    load(store, *_rows(second))
    assert _stored(store) == once
    if all(outcome != "unchanged" for _, (outcome, _) in second):
        assert once == join(join([], [(at, *what) for at, what in first]), [(at, *what) for at, what in second])


@many
@given(one=stories, other=stories)
def test_series_do_not_touch_each_other(store, one, other):
    """Two series loaded together have the histories they have alone."""
    _emptied(store)
    load(store, *_rows(sorted(one), "github:1"), *_rows(sorted(other), "github:2"))
    assert _stored(store, "github:1") == join([], [(at, *what) for at, what in one])
    assert _stored(store, "github:2") == join([], [(at, *what) for at, what in other])
