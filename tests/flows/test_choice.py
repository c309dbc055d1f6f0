"""Where weeks and participants come from: the table of docs/architecture.md, row by row."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from flows.choice import LIST_AGE, Weeks, choose_next, has_strangers, is_too_large, newer, window_start
from transforms.commits import Commit
from transforms.known import KnownParticipants, KnownWeeks

AT = datetime(2026, 2, 15, 22, 19, tzinfo=UTC)
FEW = {date(2026, 2, 1): 60, date(2025, 7, 1): 40}
MANY = {**FEW, date(2026, 2, 2): 1}


def weeks(**changes) -> KnownWeeks:
    """What is known of the weeks."""
    usual = {"head_oid": "a", "source": "history", "days": FEW, "weeks_end_on": date(2026, 2, 14)}
    known = {**usual, **changes}
    return KnownWeeks(**{"commits_count": sum(known["days"].values()), **known})


def statistics(**changes) -> KnownWeeks:
    """GitHub's own numbers of a large year."""
    return weeks(**{"source": "participation", "days": {}, "commits_count": 2_001, **changes})


def people(**changes) -> KnownParticipants:
    """What is known of the participants."""
    usual = {"logins": ["ann", "bob"], "counts": [9, 2], "head_oid": "a", "source": "contributors", "listed_at": AT - timedelta(days=3)}
    return KnownParticipants(**{**usual, "outcome": "ok", **changes})


def commit(oid: str, *, is_merge: bool = False) -> Commit:
    """A commit of no interest but its hash."""
    return Commit(oid=oid, authored_at=AT, committed_at=AT, login=None, is_merge=is_merge)


@pytest.mark.parametrize(
    ("known", "head", "expected"),
    [
        (None, "a", Weeks.WINDOW),
        (weeks(), "a", Weeks.SHIFTED),
        (weeks(days=MANY), "a", Weeks.SHIFTED),
        (weeks(), "b", Weeks.WINDOW),
        (weeks(days=MANY), "b", Weeks.SINCE),
        (weeks(days=MANY, head_oid=None), "b", Weeks.WINDOW),
        (statistics(weeks_end_on=date(2026, 2, 15)), "a", Weeks.SHIFTED),
        (statistics(), "a", Weeks.STATISTICS),
        (statistics(weeks_end_on=date(2026, 2, 15)), "b", Weeks.STATISTICS),
        (statistics(commits_count=2_000, weeks_end_on=date(2026, 2, 15)), "a", Weeks.SHIFTED),
        (statistics(commits_count=2_000), "a", Weeks.WINDOW),
        (statistics(commits_count=0), "b", Weeks.WINDOW),
    ],
)
def test_where_the_weeks_come_from(known, head, expected) -> None:
    """Each row of the table."""
    assert choose_next(head, known, people(), at=AT, is_full=False).weeks is expected


def test_full_reads_everything_anew() -> None:
    """Whatever is known, the window is read and the participants are listed."""
    following = choose_next("a", weeks(), people(), at=AT, is_full=True)
    assert (following.weeks, following.has_list) == (Weeks.WINDOW, True)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (None, True),
        (people(), False),
        (people(listed_at=AT - LIST_AGE), True),
        (people(listed_at=AT - LIST_AGE + timedelta(seconds=1)), False),
        (people(listed_at=None), True),
    ],
)
def test_participants_are_listed_at_first_sight_and_after_thirty_days(known, expected) -> None:
    """In between they follow from the commits."""
    assert choose_next("b", weeks(), known, at=AT, is_full=False).has_list is expected


def test_somebody_new_has_the_list_asked_for_again() -> None:
    """Those who are in it do not; without a list there is nobody new to it."""
    assert not has_strangers({"ann", "bob"}, people())
    assert has_strangers({"ann", "eve"}, people())
    assert not has_strangers({"eve"}, None)


def test_what_is_new_stands_before_the_known_head() -> None:
    """All of it when the known head is not met."""
    line = (commit("c"), commit("b"), commit("a"))
    assert newer(line, "a") == line[:2]
    assert newer(line, "c") == ()
    assert newer(line, "z") == newer(line, None) == line


def test_the_window_begins_fifty_two_weeks_before_today() -> None:
    """At the UTC midnight, so that every window that ends today or later is covered."""
    assert window_start(AT) == "2025-02-16T00:00:00Z"
    assert is_too_large(2001)
    assert not is_too_large(2000)
