"""When a schedule is due: pure arithmetic on moments, without a clock.

A cron line is read as Debian's cron reads it (the cronsim library). At a fixed time of day it is due once a day whatever the zone
does: a time that is skipped comes at the next minute there is, a repeated one counts when it first comes. With ``*`` at the start of
its minute or hour it follows elapsed time instead. A period is elapsed time from an anchor and knows no zone.

All moments given and returned are aware; those returned are in UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice, takewhile
from typing import Protocol

from cronsim import CronSim, CronSimError

FIELDS_OF_CRON = 5
MOST_COUNTED = 1000
_WINDOWS = (timedelta(hours=1), timedelta(days=1), timedelta(days=32), timedelta(days=366), timedelta(days=4000))


class Timetable(Protocol):
    """An endless row of due times."""

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The due times later than ``moment``, in order."""
        ...

    def newest(self, after: datetime, until: datetime, done: Collection[datetime]) -> Due | None:
        """The newest due time in (``after``, ``until``] that is not among ``done``; ``None`` when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Due:
    """One due time, and how many before it have passed without a run of their own (1,000 stands for any more)."""

    at: datetime
    passed_over: int = 0


@dataclass(frozen=True, slots=True)
class CronTimetable:
    """A cron line of five fields in a time zone; raises ValueError, with what to write, for one that cannot be read or never comes."""

    line: str
    zone: tzinfo

    def __post_init__(self) -> None:
        if len(self.line.split()) != FIELDS_OF_CRON:
            message = f"{self.line!r} is not a cron line: write five fields, minute hour day month weekday, for example '17 3 * * *'"
            raise ValueError(message)
        try:
            next(CronSim(self.line, datetime(2000, 1, 1, tzinfo=UTC)))
        except CronSimError as error:
            message = f"{self.line!r} is not a cron line: {str(error).lower()}; write for example '17 3 * * *'"
            raise ValueError(message) from None
        except StopIteration:
            message = f"{self.line!r} never comes: no month has that day"
            raise ValueError(message) from None

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The due times later than ``moment``; in the second of two equal hours cronsim begins with the first, which is left out."""
        newest = moment.astimezone(UTC)
        for local in CronSim(self.line, moment.astimezone(self.zone)):
            due = local.astimezone(UTC)
            if due > newest:
                yield due
                newest = due

    def newest(self, after: datetime, until: datetime, done: Collection[datetime]) -> Due | None:
        """As of the protocol; a dense line over a long gap is looked at from its end only."""

        def between(start: datetime) -> Iterator[datetime]:
            return (due for due in takewhile(lambda due: due <= until, self.after(start)) if due not in done)

        found = list(islice(between(after), MOST_COUNTED))
        if not found:
            return None
        if len(found) < MOST_COUNTED:
            return Due(found[-1], len(found) - 1)
        for window in _WINDOWS:
            last = None
            for last in between(max(after, until - window)):  # noqa: B007 - the last one is wanted
                pass
            if last is not None:
                return Due(last, MOST_COUNTED)
        return Due(found[-1], MOST_COUNTED)  # unreachable for a line that comes a thousand times, and harmless


@dataclass(frozen=True, slots=True)
class PeriodTimetable:
    """Due at ``anchor`` and every ``period`` after it; raises ValueError for a period that is not positive."""

    period: timedelta
    anchor: datetime

    def __post_init__(self) -> None:
        if self.period <= timedelta(0):
            raise ValueError("a period must be longer than nothing: write for example 6h")

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The due times later than ``moment``."""
        anchor = self.anchor.astimezone(UTC)
        number = max(0, (moment - anchor) // self.period + 1)
        while True:
            yield anchor + number * self.period
            number += 1

    def newest(self, after: datetime, until: datetime, done: Collection[datetime]) -> Due | None:
        """As of the protocol, by division."""
        anchor = self.anchor.astimezone(UTC)
        first, last = max(0, (after - anchor) // self.period + 1), (until - anchor) // self.period
        for number in range(last, first - 1, -1):
            due = anchor + number * self.period
            if due not in done:
                return Due(due, min(MOST_COUNTED, number - first - sum(after < other < due for other in done)))
        return None


def next_due(timetable: Timetable, after: datetime, done: Collection[datetime]) -> datetime:
    """The first due time later than ``after`` that is not among ``done``."""
    return next(due for due in timetable.after(after) if due not in done)
