"""Where a repository's 52 weeks and participants come from this time: pure functions over what is known and what was just seen.

The newest commit of the default branch (its *head*) is the key: whatever was read while it was the head holds as long as it is.
The table stands in ``docs/architecture.md``; the words are those of :class:`Weeks`.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from transforms.commits import Commit
from transforms.known import KnownParticipants, KnownWeeks
from transforms.times import utc_day

# A year of more commits is cheaper as one REST answer of 52 numbers than as pages of a hundred commits each.
MOST_COMMITS = 2_000
COMMITS_A_PAGE = 100
MOST_PAGES = MOST_COMMITS // COMMITS_A_PAGE + 1
LIST_AGE = timedelta(days=30)
WINDOW = timedelta(days=52 * 7)
HISTORY = "history"


class Weeks(StrEnum):
    """Where the 52 weeks come from."""

    SHIFTED = "shifted"  # nothing is asked: the commits by day that are known give the windows of any day
    WINDOW = "window"  # the commits of the last 52 weeks, page by page
    SINCE = "since"  # only the commits since the head known before
    STATISTICS = "statistics"  # GitHub's own 52 numbers (GET /stats/participation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What to ask of a repository after its probe: where its weeks come from, and whether its participants are listed anew."""

    weeks: Weeks
    has_list: bool


def choose_next(head_oid: str, weeks: KnownWeeks | None, participants: KnownParticipants | None, *, at: datetime, is_full: bool) -> Next:
    """Choose after a probe that saw ``head_oid`` at the aware time ``at``; ``None`` is what was never known.

    ``is_full`` reads everything anew, whatever is known.
    """
    source = _choose_weeks(head_oid, None if is_full else weeks, at)
    # Without a history to carry it on, a list that speaks of another commit is asked for again.
    is_behind = participants is not None and participants.head_oid != head_oid and source in (Weeks.SHIFTED, Weeks.STATISTICS)
    return Next(weeks=source, has_list=is_full or is_behind or is_list_due(participants, at))


def _choose_weeks(head_oid: str, known: KnownWeeks | None, at: datetime) -> Weeks:
    if known is None:
        return Weeks.WINDOW
    if known.source != HISTORY:
        return _choose_from_statistics(head_oid, known, at)
    if known.head_oid == head_oid:
        return Weeks.SHIFTED
    # Up to a page of commits the whole window costs no more than what is new, and notices a rewritten past by itself.
    is_small = known.head_oid is None or known.commits_count <= COMMITS_A_PAGE
    return Weeks.WINDOW if is_small else Weeks.SINCE


def _choose_from_statistics(head_oid: str, known: KnownWeeks, at: datetime) -> Weeks:
    """GitHub's numbers cannot be shifted; for a new head or day a year small enough is read, and a larger one asked for again."""
    if known.head_oid == head_oid and known.weeks_end_on is not None and known.weeks_end_on >= utc_day(at):
        return Weeks.SHIFTED
    return Weeks.STATISTICS if is_too_large(known.commits_count) else Weeks.WINDOW


def is_list_due(known: KnownParticipants | None, at: datetime) -> bool:
    """Tell whether the participants are to be listed by GitHub: never were, or not for thirty days."""
    return known is None or known.listed_at is None or at - known.listed_at >= LIST_AGE


def is_too_large(total_count: int) -> bool:
    """Tell whether a year of so many commits is read as statistics instead."""
    return total_count > MOST_COMMITS


def window_start(at: datetime) -> str:
    """The moment from which commits count in any window that ends today or tomorrow, as GraphQL's GitTimestamp."""
    return datetime.combine(first_day(at), time()).isoformat() + "Z"


def first_day(at: datetime) -> date:
    """The first UTC day of the 52 weeks that end at the midnight that begins the day of ``at``."""
    return utc_day(at) - WINDOW


def newer(commits: tuple[Commit, ...], oid: str | None) -> tuple[Commit, ...]:
    """The commits listed before ``oid``; all of them when it is not among them."""
    for index, commit in enumerate(commits):
        if commit.oid == oid:
            return commits[:index]
    return commits


def has_strangers(logins: AbstractSet[str], known: KnownParticipants | None) -> bool:
    """Tell whether somebody committed who is not in the list, so that GitHub is asked for it again."""
    return known is not None and not logins <= set(known.logins)
