"""What the answers of a backfill say: pages of a window's commits become a reading of its days, weeks of stars become days.

A window is read whole or not at all: until its last page came, nothing is known of any of its days. GitHub selects commits by
committer date and we count them by author date, so a window is asked for with a margin on both sides and cut to its days here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pyarrow as pa

from transforms.answers import Field, InvalidAnswer, decode_array, raise_if_any, read_fields, whole
from transforms.commits import Commit, bucket_days, decipher_history
from transforms.readings import CaptureView
from transforms.row_buffer import RowBuffer
from transforms.schemas import COMMIT_READINGS, STAR_DAYS
from transforms.times import utc_day

DAYS_A_WEEK = 7
# GitHub cuts the days of stars somewhere else than at UTC's midnight, so a day is over for certain only the day after the next.
STARS_SETTLE = timedelta(days=2)
UNREADABLE = "backfill_unreadable"
_STARRED = re.compile(r"/repositories/(?P<id>[0-9]{1,18})/stargazers/history\b")
_NEWEST_WEEK = 253_402_300_799  # the end of the year 9999, where dates end


@dataclass(slots=True)
class _Window:
    """The window of one repository as far as it was read."""

    from_on: date
    until_on: date
    repo_id: int | None
    at: datetime
    cursors: list[str | None] = field(default_factory=list)
    days: list[Counter[date]] = field(default_factory=list)
    is_whole: bool = False


class Past:
    """Collects the answers of one run; pages may come again, and those of a run that was cut off continue in the next part of it."""

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}
        self._readings = RowBuffer(COMMIT_READINGS.schema)
        self._stars = RowBuffer(STAR_DAYS.schema)
        self.problems: list[dict[str, Any]] = []

    def add_commits(self, capture: CaptureView, verdict: str) -> None:
        """Take what one repository was told of its window; ``capture.request`` is its target as JSON (a list of one)."""
        if verdict != "ok":
            return
        try:
            page = decipher_history(capture.body)
        except InvalidAnswer as error:
            self._note(capture, error)
            return
        target = orjson.loads(capture.request or "[{}]")[0]
        if capture.page == 1:
            first, last = date.fromisoformat(target["from_on"]), date.fromisoformat(target["until_on"])
            self._windows[capture.subject] = _Window(first, last, page.repo_id, capture.fetched_at)
        window = self._windows.get(capture.subject)
        if window is None or window.is_whole or len(window.cursors) < capture.page - 1:
            return
        del window.cursors[capture.page - 1 :], window.days[capture.page - 1 :]
        window.cursors.append(page.end_cursor)
        window.days.append(_days_within(page.commits, window))
        if not page.has_next:
            window.is_whole = True
            self._readings.add(_reading(capture.subject, window))
            window.days.clear()

    def add_stars(self, capture: CaptureView, verdict: str) -> None:
        """Take one page of weeks of stars; days that may not be over are left out."""
        place = _STARRED.search(capture.url)
        if verdict != "ok" or place is None:
            return
        try:
            days = decipher_star_weeks(capture.body)
        except InvalidAnswer as error:
            self._note(capture, error)
            return
        last = utc_day(capture.fetched_at) - STARS_SETTLE
        said = {
            "series": f"github:{place['id']}",
            "subject": capture.subject,
            "observed_at": capture.fetched_at,
            "run_id": capture.run_id,
        }
        for day, count in days.items():
            if day <= last:
                self._stars.add({**said, "starred_on": day, "retained_count": count})

    def next_page(self, subject: str) -> tuple[int, str | None] | None:
        """Which page of the window comes next and its cursor; the first when none came, ``None`` when it was read whole."""
        window = self._windows.get(subject)
        if window is None:
            return 1, None
        return None if window.is_whole else (len(window.cursors) + 1, window.cursors[-1])

    def tables(self) -> dict[str, pa.Table]:
        """``commit_readings`` and ``star_days``."""
        told = {COMMIT_READINGS: self._readings.table(), STAR_DAYS: self._stars.table()}
        return {table.name: rows.cast(table.schema) for table, rows in told.items()}

    def _note(self, capture: CaptureView, error: InvalidAnswer) -> None:
        self.problems.append(
            {
                "run_id": capture.run_id,
                "subject": capture.subject,
                "code": UNREADABLE,
                "level": "warning",
                "message": (
                    f"{capture.subject}: an answer about its past cannot be used ({error}); nothing was taken from it and what was known "
                    "stays. Next: run the same backfill again; if it says the same, this packhouse does not know GitHub's new form"
                ),
                "found_at": capture.fetched_at,
            }
        )


def decipher_star_weeks(body: bytes) -> dict[date, int]:
    """Read one page of weeks as retained stars by day; raises InvalidAnswer."""
    problems: list[str] = []
    days: dict[date, int] = {}
    for index, row in enumerate(decode_array(body)):
        values = read_fields(row, _WEEK_FIELDS, problems, f"{index}.")
        if values["week"] is not None and values["days"] is not None:
            first = datetime.fromtimestamp(values["week"], UTC).date()
            days |= {first + timedelta(days=number): count for number, count in enumerate(values["days"])}
    raise_if_any(problems)
    return days


def _week(value: Any) -> int:
    if whole(value) > _NEWEST_WEEK:
        raise ValueError(f"is {value}, expected seconds since 1970")
    return int(value)


def _seven(value: Any) -> list[int]:
    if type(value) is not list or len(value) != DAYS_A_WEEK:
        raise ValueError("is no list of 7 counts")
    return [whole(count) for count in value]


_WEEK_FIELDS = (Field("week", "week", _week), Field("days", "days", _seven))


def _days_within(commits: tuple[Commit, ...], window: _Window) -> Counter[date]:
    days: Mapping[date, int] = bucket_days(commits)
    return Counter({day: count for day, count in days.items() if window.from_on <= day <= window.until_on})


def _reading(subject: str, window: _Window) -> dict[str, Any]:
    days = sorted(sum(window.days, Counter[date]()).items())
    return {
        "series": f"github:{window.repo_id}" if window.repo_id is not None else subject,
        "subject": subject,
        "from_on": window.from_on,
        "until_on": window.until_on,
        "observed_at": window.at,
        "days_on": [day for day, _count in days],
        "day_counts": [count for _day, count in days],
    }
