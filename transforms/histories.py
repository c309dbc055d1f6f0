"""Pages of commits become the weeks of a repository, and carry its list of participants on.

A history is read whole (every commit of the window, page after page), or only what is new since a head known before, whose days
are then carried on. The latter counts only when no merge is among it: what a merge brings may stand behind that head.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import orjson

from transforms.commits import Commit, HistoryPage, bucket_days, weeks_of, within_reach
from transforms.known import Known, KnownParticipants
from transforms.readings import CaptureView, Reading
from transforms.times import utc_day

HISTORY = "history"
REWRITTEN = "the commit at which the list was known is not in the history any more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the pages so far say.

    Attributes:
        weeks: a reading of the weeks.
        at: when the page came that shows the newest commit; the weeks were true then.
        participants: once the history is complete, the list of participants carried on to its newest commit; ``None`` when there
            is no list, or it speaks of that commit already.
    """

    weeks: Reading
    at: datetime
    participants: Reading | None = None


@dataclass(slots=True, kw_only=True)
class _Line:
    """The commits of one repository so far, newest page first, and the answer they begin with."""

    repo_id: int | None
    head_oid: str | None
    until_oid: str | None
    at: datetime
    pages: list[tuple[Commit, ...]] = field(default_factory=list)

    @property
    def commits(self) -> list[Commit]:
        """Each once: a push between two of REST's pages moves commits from one to the next."""
        return list({commit.oid: commit for page in self.pages for commit in page}.values())


class Histories:
    """Collects the pages of one run by subject."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._lines: dict[str, _Line] = {}
        self._complete: set[str] = set()

    def add(self, capture: CaptureView, reading: Reading) -> Told | None:
        """Take one page; ``capture.request`` is its target as JSON (a list of one), ``reading`` what its answer was read as.

        A page that failed and comes after all belongs where it was missing; a first page begins anew; a further page of a history
        that is complete says nothing (``None``).
        """
        page = reading.history
        if page is None:
            return Told(weeks=reading, at=capture.fetched_at)
        line = self._line(capture, page)
        if line is None and capture.subject in self._complete:
            return None
        if line is None:
            detail = f"page {capture.page} of the commits came without those before it"
            return Told(weeks=Reading(outcome="failed", detail=detail), at=capture.fetched_at)
        days = self._days(capture.subject, line, page)
        if days is None:
            detail = f"page {capture.page + 1} of the commits was not asked for"
            return Told(weeks=Reading(outcome="limited", detail=detail), at=line.at)
        del self._lines[capture.subject]
        self._complete.add(capture.subject)
        return Told(weeks=_weeks(line, days), at=line.at, participants=self._carried_on(capture.subject, line))

    def _line(self, capture: CaptureView, page: HistoryPage) -> _Line | None:
        """Put the page where it belongs; ``None`` when there is no place for it."""
        if capture.page == 1:
            self._complete.discard(capture.subject)
            self._lines[capture.subject] = _Line(
                repo_id=page.repo_id, head_oid=page.head_oid, until_oid=_until(capture), at=capture.fetched_at
            )
        line = self._lines.get(capture.subject)
        if line is None or len(line.pages) < capture.page - 1:
            return None
        del line.pages[capture.page - 1 :]
        line.pages.append(page.commits)
        return line

    def _days(self, subject: str, line: _Line, page: HistoryPage) -> dict[date, int] | None:
        """Commits by day once they are complete."""
        if not page.has_next:
            return bucket_days(line.commits)
        known = self._known.weeks(subject) if self._is_own(subject, line) else None
        fresh = newer(line.commits, line.until_oid)
        if fresh is None or known is None or known.source != HISTORY or known.head_oid != line.until_oid:
            return None
        if any(commit.is_merge is not False for commit in fresh):
            return None
        return add_days(known.days, bucket_days(fresh))

    def _carried_on(self, subject: str, line: _Line) -> Reading | None:
        known = self._known.participants(subject) if self._is_own(subject, line) else None
        if known is None or line.head_oid is None or known.head_oid == line.head_oid:
            return None
        fresh = newer(line.commits, known.head_oid)
        if fresh is None:
            return Reading(outcome="failed", detail=REWRITTEN)
        return carry_on(known, line.head_oid, fresh, line.commits)

    def _is_own(self, subject: str, line: _Line) -> bool:
        """Whether what is known is of this repository, and not of another one that had its name before."""
        repo = self._known.repo(subject)
        return repo is None or line.repo_id in (None, repo[0])


def newer(commits: list[Commit], oid: str | None) -> list[Commit] | None:
    """Give the commits listed before ``oid``; ``None`` when it is not among them."""
    return next((commits[:index] for index, commit in enumerate(commits) if commit.oid == oid), None)


def add_days(*counts: dict[date, int]) -> dict[date, int]:
    """Add commits by day up, oldest day first."""
    days: dict[date, int] = {}
    for part in counts:
        for day, count in part.items():
            days[day] = days.get(day, 0) + count
    return dict(sorted(days.items()))


def carry_on(known: KnownParticipants, head_oid: str, fresh: list[Commit], seen: list[Commit]) -> Reading:
    """Carry a list of participants on to ``head_oid``: each fresh commit counts for its author, oldest first.

    Whoever made another commit that was ``seen`` and is not in the list (GitHub links only so many addresses to people) is added
    for those. Most commits first; who has come level with somebody stands behind them, and a list carried on twice is the one
    carried on at once.
    """
    logins, ranks = list(known.logins), [-count for count in known.counts]
    listed, new = frozenset(logins), {commit.oid for commit in fresh}
    for commit in reversed(seen):
        if commit.login is not None and (commit.oid in new or commit.login not in listed):
            _count(commit.login, logins, ranks)
    counts = [-rank for rank in ranks]
    is_same = counts == known.counts and logins == known.logins
    row: dict[str, Any] = {
        "logins": logins,
        "commit_counts": counts,
        "participants_head_oid": head_oid,
        "participants_source": known.source if is_same else HISTORY,
        "listed_at": known.listed_at,
    }
    return Reading(outcome=known.outcome, row=row)


def _count(login: str, logins: list[str], ranks: list[int]) -> None:
    """Count one commit more; ``ranks`` are the negative counts, ascending."""
    rank = 0
    if login in logins:
        index = logins.index(login)
        rank = ranks.pop(index)
        del logins[index]
    index = bisect_right(ranks, rank - 1)
    logins.insert(index, login)
    ranks.insert(index, rank - 1)


def _weeks(line: _Line, days: dict[date, int]) -> Reading:
    on = utc_day(line.at)
    days = within_reach(days, on)
    row = {
        "weeks": weeks_of(days, on),
        "weeks_end_on": on,
        "weeks_source": HISTORY,
        "weeks_head_oid": line.head_oid,
        "days_on": list(days),
        "day_counts": list(days.values()),
    }
    return Reading(outcome="ok", row=row)


def _until(capture: CaptureView) -> str | None:
    targets = orjson.loads(capture.request or "[]")
    until: str | None = targets[0].get("until_oid") if targets else None
    return until
