"""Periods follow each other without a hole, and only whole ones count."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from transforms.periods import EVERY, whole_periods

DAY = timedelta(days=1)


@given(st.sampled_from(EVERY), st.dates(date(2007, 1, 1), date(2031, 1, 1)), st.integers(-2, 120))
def test_whole_periods_follow_each_other(every: str, since: date, length: int) -> None:
    """Within the window, one after the other, and less than one period is left out at either end."""
    until = since + length * DAY
    periods = list(whole_periods(every, since, until))
    assert all(first <= last for first, last in periods)
    assert all(later[0] == earlier[1] + DAY for earlier, later in zip(periods, periods[1:], strict=False))  # noqa: RUF007 - plain
    most = {"day": 0, "week": 6, "month": 30}[every]
    if periods:
        assert since <= periods[0][0] <= since + most * DAY
        assert until - most * DAY <= periods[-1][1] <= until


def test_weeks_and_months_by_example() -> None:
    """Monday to Sunday; the first to the last of a month, over the turn of a year and in a leap year."""
    assert list(whole_periods("week", date(2026, 2, 10), date(2026, 2, 23))) == [(date(2026, 2, 16), date(2026, 2, 22))]
    assert list(whole_periods("month", date(2023, 12, 1), date(2024, 2, 29))) == [
        (date(2023, 12, 1), date(2023, 12, 31)),
        (date(2024, 1, 1), date(2024, 1, 31)),
        (date(2024, 2, 1), date(2024, 2, 29)),
    ]
