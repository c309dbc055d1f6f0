"""Days that are kept: against a model that holds them one by one, in any order and any number of loads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.schemas import COMMIT_READINGS, HEAD_OBSERVATIONS, STAR_DAYS, WEEK_OBSERVATIONS, Table
from warehouse.folder import DataFolder
from warehouse.store import Store, open_store

DAY = timedelta(days=1)
FIRST = date(2025, 1, 1)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SUBJECT, SERIES = "github:a/b", "github:7"


def rows_of(table: Table, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows of a table, null where they say nothing."""
    return pa.Table.from_pylist([{name: row.get(name) for name in table.names} for row in rows], schema=table.schema)


def reading(first: int, last: int, days: dict[int, int], *, at: int, series: str = SERIES) -> dict[str, Any]:
    """A window from one numbered day to another, read at a numbered hour."""
    kept = {day: count for day, count in sorted(days.items()) if first <= day <= last}
    return {
        "series": series,
        "subject": SUBJECT,
        "from_on": FIRST + first * DAY,
        "until_on": FIRST + last * DAY,
        "observed_at": NOON + timedelta(hours=at),
        "days_on": [FIRST + day * DAY for day in kept],
        "day_counts": list(kept.values()),
    }


def weeks(at: datetime, days: dict[date, int], *, oid: str = "h") -> dict[str, Any]:
    """A week observation that lists days."""
    return {
        "series": SERIES, "observed_at": at, "confirmed_at": at, "sighting_count": 1, "subject": SUBJECT, "outcome": "ok", "run_id": "r",
        "source_url": "/graphql", "weeks": [0] * 52, "weeks_end_on": at.date(), "weeks_source": "history", "weeks_head_oid": oid,
        "days_on": list(days), "day_counts": list(days.values()),
    }  # fmt: skip


def head(at: datetime, oid: str = "h") -> dict[str, Any]:
    """The newest commit, as seen."""
    return {
        "series": SERIES, "observed_at": at, "confirmed_at": at, "sighting_count": 1, "subject": SUBJECT, "outcome": "ok", "run_id": "r",
        "source_url": "/graphql", "head_oid": oid,
    }  # fmt: skip


@lru_cache(maxsize=1)
def _memory() -> Store:
    return open_store(DataFolder(Path("/nonexistent")), is_read_only=True)


@contextmanager
def a_store() -> Iterator[Store]:
    """An empty store in memory; one is emptied again and again, for making its tables takes longer than a test."""
    store = _memory()
    for table in ("commit_days", "commit_reach", "star_days", "week_observations", "head_observations", "standings"):
        store.connection.execute(f"DELETE FROM store.main.{table}")  # noqa: S608 - as below
    yield store


def load(store: Store, **rows: Sequence[dict[str, Any]]) -> None:
    """One load of readings, weeks, heads or stars."""
    tables = {"readings": COMMIT_READINGS, "weeks": WEEK_OBSERVATIONS, "heads": HEAD_OBSERVATIONS, "stars": STAR_DAYS}
    store.load(run=None, tables={tables[name].name: rows_of(tables[name], given_rows) for name, given_rows in rows.items()})


def kept(store: Store, table: str) -> list[tuple[Any, ...]]:
    """Every row of a table, in order."""
    return store.connection.execute(f"FROM store.main.{table} ORDER BY ALL").fetchall()


def known(store: Store) -> dict[date, int]:
    """What is known of each day: 0 within the reach and without a row."""
    days: dict[date, int] = {}
    for _series, first, last, _at in kept(store, "commit_reach"):
        span = [first + number * DAY for number in range((last - first).days + 1)]
        assert not days.keys() & set(span), "spans overlap"
        days |= dict.fromkeys(span, 0)
    for _series, _subject, day, count in kept(store, "commit_days"):
        assert count > 0
        assert day in days, "a row outside what is known"
        days[day] = count
    return days


@st.composite
def readings(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some readings of one or two series, each made at another hour."""
    hours = draw(st.lists(st.integers(0, 30), unique=True, max_size=7))
    made = []
    for hour in hours:
        first = draw(st.integers(0, 14))
        last = first + draw(st.integers(0, 6))
        days = draw(st.dictionaries(st.integers(first, last), st.integers(1, 3)))
        made.append(reading(first, last, days, at=hour, series=draw(st.sampled_from([SERIES, "github:8"]))))
    return made


def model(made: Sequence[dict[str, Any]], series: str) -> dict[date, tuple[datetime, int]]:
    """Day by day: the newest reading that covers it."""
    days: dict[date, tuple[datetime, int]] = {}
    for each in sorted(made, key=lambda row: row["observed_at"]):
        if each["series"] == series:
            counts = dict(zip(each["days_on"], each["day_counts"], strict=True))
            for number in range((each["until_on"] - each["from_on"]).days + 1):
                day = each["from_on"] + number * DAY
                days[day] = (each["observed_at"], counts.get(day, 0))
    return days


@settings(max_examples=30)
@given(readings(), st.data())
def test_the_newest_reading_of_a_day_wins_in_any_order_of_loads(made: list[dict[str, Any]], data: st.DataObject) -> None:
    """Whatever is loaded when, together or alone, once or twice: the tables are those of the model."""
    order = data.draw(st.permutations(made + made[:2]))
    with a_store() as store:
        while order:
            count = data.draw(st.integers(1, 3))
            batch, order = order[:count], order[count:]
            load(store, readings=batch)
        reach, days = kept(store, "commit_reach"), kept(store, "commit_days")
    with a_store() as store:
        load(store, readings=made)
        assert (kept(store, "commit_reach"), kept(store, "commit_days")) == (reach, days)
    for series in (SERIES, "github:8"):
        expected = model(made, series)
        spans = [(first, last, at) for name, first, last, at in reach if name == series]
        found = {first + number * DAY: at for first, last, at in spans for number in range((last - first).days + 1)}
        assert found == {day: at for day, (at, _count) in expected.items()}
        assert {day: count for name, _subject, day, count in days if name == series} == {
            day: count for day, (_at, count) in expected.items() if count
        }


def test_what_fell_out_of_the_year_stays_and_a_rewritten_past_is_replaced() -> None:
    """A second year keeps the first one's days; a force-push takes away what it covers, and nothing before."""
    at = NOON
    old, both, new = at.date() - 300 * DAY, at.date() - 10 * DAY, at.date() + 100 * DAY
    with a_store() as store:
        load(store, weeks=[weeks(at, {old: 3, both: 2})], heads=[head(at)])
        later = at + 120 * DAY
        load(store, weeks=[weeks(later, {new: 1}, oid="i")], heads=[head(later, "i")])
        assert known(store)[old] == 3
        assert known(store)[both] == 0, "the rewritten history does not have it"
        assert known(store)[new] == 1
        assert [(first, last) for _series, first, last, _at in kept(store, "commit_reach")] == [
            (at.date() - 364 * DAY, later.date() - 365 * DAY),
            (later.date() - 364 * DAY, later.date() - DAY),
        ]


def test_days_are_known_as_long_as_the_head_stands() -> None:
    """A head seen again says that nothing was committed since; the day it was read on counts once it is over."""
    with a_store() as store:
        load(store, weeks=[weeks(NOON, {NOON.date(): 2})], heads=[head(NOON)])
        assert NOON.date() not in known(store), "the day is not over"
        load(store, heads=[head(NOON + 9 * DAY)])
        assert known(store)[NOON.date()] == 2
        assert known(store)[NOON.date() + 8 * DAY] == 0
        assert NOON.date() + 9 * DAY not in known(store)
        before = kept(store, "commit_reach"), kept(store, "commit_days")
        load(store, heads=[head(NOON + 9 * DAY)])
        load(store, weeks=[weeks(NOON, {NOON.date(): 2})])
        assert (kept(store, "commit_reach"), kept(store, "commit_days")) == before


def test_a_backfill_adds_what_is_older_and_does_not_touch_what_is_newer() -> None:
    """Days before the year are added; where a later harvest read the same days, it is believed."""
    day = NOON.date()
    with a_store() as store:
        load(store, weeks=[weeks(NOON, {day - 5 * DAY: 2})], heads=[head(NOON)])
        past = {
            "series": SERIES, "subject": SUBJECT, "from_on": day - 700 * DAY, "until_on": day - DAY, "observed_at": NOON - DAY,
            "days_on": [day - 600 * DAY, day - 5 * DAY], "day_counts": [4, 9],
        }  # fmt: skip
        load(store, readings=[past])
        assert (known(store)[day - 600 * DAY], known(store)[day - 5 * DAY]) == (4, 2)
        assert min(known(store)) == day - 700 * DAY


def test_github_own_numbers_say_nothing_of_days() -> None:
    """Fifty-two numbers of GitHub's are no days, and a repository without commits is known to have none."""
    numbers = weeks(NOON, {}) | {"weeks_source": "participation", "days_on": None, "day_counts": None}
    with a_store() as store:
        load(store, weeks=[numbers])
        assert kept(store, "commit_reach") == []
        load(store, weeks=[weeks(NOON + DAY, {}) | {"days_on": None, "day_counts": None}])
        assert set(known(store).values()) == {0}


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 9)), max_size=8, unique_by=lambda row: row[:2]), st.data())
def test_of_retained_stars_the_last_word_stands(told: list[tuple[int, int, int]], data: st.DataObject) -> None:
    """Each day has what was said of it last, whatever was loaded first."""
    made = [
        {"series": SERIES, "subject": SUBJECT, "starred_on": FIRST + day * DAY, "retained_count": count, "run_id": f"r{hour}",
         "observed_at": NOON + timedelta(hours=hour)}
        for day, hour, count in told
    ]  # fmt: skip
    with a_store() as store:
        for row in data.draw(st.permutations(made + made[:2])):
            load(store, stars=[row])
        found = {(day - FIRST).days: count for _series, _subject, day, count, _at, _run in kept(store, "star_days")}
    assert found == {day: count for day, _hour, count in sorted(told, key=lambda row: row[1])}
