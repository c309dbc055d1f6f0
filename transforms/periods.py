"""Days cut into whole periods: days, weeks from Monday to Sunday, calendar months. One that a window does not hold whole is left out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

DAY = timedelta(days=1)
EVERY = ("day", "week", "month")
DAYS_A_WEEK = 7
DECEMBER = 12


def whole_periods(every: str, since: date, until: date) -> Iterator[tuple[date, date]]:
    """First and last day of each whole period between two days, both included; ``every`` is one of ``EVERY``."""
    first = since
    while first <= until:
        last = _last_day(every, first)
        if last <= until and first == _first_day(every, first):
            yield first, last
        first = last + DAY


def _first_day(every: str, day: date) -> date:
    if every == "month":
        return day.replace(day=1)
    return day - DAY * day.weekday() if every == "week" else day


def _last_day(every: str, day: date) -> date:
    if every == "month":
        following = day.replace(year=day.year + 1, month=1, day=1) if day.month == DECEMBER else day.replace(month=day.month + 1, day=1)
        return following - DAY
    return day + DAY * (DAYS_A_WEEK - 1 - day.weekday()) if every == "week" else day
