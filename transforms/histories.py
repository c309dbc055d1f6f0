"""Pages of commits become the weeks of a repository, and carry its list of participants on.

A history is read whole (every commit of the window, page after page) or since a head known before, whose days are then carried
on. What is new since a known head is only counted when no merge is among it: what a merge brings may stand behind that head.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import orjson

from transforms.commits import Commit, HistoryPage, bucket_days, weeks_of, within_reach
from transforms.known import Known, KnownParticipants
from transforms.readings import CaptureView, Reading
from transforms.times import utc_day

HISTORY = "history"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the pages so far say: a reading of the weeks, and one of the participants once the history is complete."""

    weeks: Reading
    participants: Reading | None = None


@dataclass(slots=True)
class _Line:
    """The commits of one repository so far, newest first, and the head they begin at."""

    head_oid: str
    pages: int = 0
    commits: list[Commit] = field(default_factory=list)


class Histories:
    """Collects pages by subject."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._lines: dict[str, _Line] = {}

    def add(self, capture: CaptureView, reading: Reading) -> Told:
        """Take one page; ``capture.request`` is its target as JSON (a list of one), ``reading`` what its answer was read as."""
        page = reading.history
        if page is None:
            self._lines.pop(capture.subject, None)
            return Told(weeks=reading)
        line = self._lines.pop(capture.subject, None)
        if capture.page == 1 or line is None:
            line = _Line(page.head_oid)
        if line.pages != capture.page - 1:
            return Told(weeks=Reading(outcome="failed", detail=f"page {capture.page} of the commits came without those before it"))
        line.pages += 1
        line.commits += page.commits
        on = utc_day(capture.fetched_at)
        days = self._days(capture.subject, line, page, _until(capture))
        if days is None:
            self._lines[capture.subject] = line
            return Told(weeks=Reading(outcome="limited", detail=f"page {capture.page + 1} of the commits was not asked for"))
        days = within_reach(days, on)
        row = {
            "weeks": weeks_of(days, on),
            "weeks_end_on": on,
            "weeks_source": HISTORY,
            "weeks_head_oid": line.head_oid,
            "days_on": list(days),
            "day_counts": list(days.values()),
        }
        known = self._known.participants(capture.subject)
        return Told(weeks=Reading(outcome="ok", row=row), participants=carry_on(known, line.head_oid, line.commits) if known else None)

    def _days(self, subject: str, line: _Line, page: HistoryPage, until_oid: str | None) -> dict[date, int] | None:
        """Commits by day once they are complete."""
        if not page.has_next:
            return bucket_days(line.commits)
        known = self._known.weeks(subject)
        fresh = newer(line.commits, until_oid)
        if fresh is None or known is None or known.source != HISTORY or known.head_oid != until_oid:
            return None
        if any(commit.is_merge is not False for commit in fresh):
            return None
        days = dict(known.days)
        for day, count in bucket_days(fresh).items():
            days[day] = days.get(day, 0) + count
        return dict(sorted(days.items()))


def newer(commits: list[Commit], oid: str | None) -> list[Commit] | None:
    """Give the commits listed before ``oid``; ``None`` when it is not among them."""
    return next((commits[:index] for index, commit in enumerate(commits) if commit.oid == oid), None)


def carry_on(known: KnownParticipants, head_oid: str, commits: list[Commit]) -> Reading:
    """Carry a list of participants on with the commits since the head it speaks of: each counts for its author.

    When that head is not among the commits, only people who are not in the list yet are added, for what they did in the window.
    """
    counts = dict(zip(known.logins, known.counts, strict=True))
    before = dict(counts)
    fresh = newer(commits, known.head_oid)
    for commit in fresh or ():
        if commit.login is not None:
            counts[commit.login] = counts.get(commit.login, 0) + 1
    strangers: dict[str, int] = {}
    for commit in commits:
        if commit.login is not None and commit.login not in counts:
            strangers[commit.login] = strangers.get(commit.login, 0) + 1
    counts |= strangers
    ranked = sorted(counts.items(), key=lambda pair: -pair[1])
    row: dict[str, Any] = {
        "logins": [login for login, _count in ranked],
        "commit_counts": [count for _login, count in ranked],
        "participants_head_oid": head_oid,
        "participants_source": known.source if counts == before and fresh is not None else HISTORY,
        "listed_at": known.listed_at,
    }
    return Reading(outcome=known.outcome, row=row)


def _until(capture: CaptureView) -> str | None:
    targets = orjson.loads(capture.request or "[]")
    until: str | None = targets[0].get("until_oid") if targets else None
    return until
