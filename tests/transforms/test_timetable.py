from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.timetable import MOST_COUNTED, CronTimetable, Due, PeriodTimetable, next_due

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata", "Pacific/Apia"]
moments = st.integers(0, 150_000_000).map(lambda seconds: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))


def _first(line: str, zone: ZoneInfo, after: datetime, count: int) -> list[str]:
    return [f"{due.astimezone(zone):%m-%d %H:%M}" for due in islice(CronTimetable(line, zone).after(after), count)]


def test_a_skipped_time_comes_at_the_next_there_is_and_a_repeated_one_once() -> None:
    """Berlin skips 02:00 to 03:00 on 29 March 2026 and repeats 02:00 to 03:00 on 25 October."""
    assert _first("30 2 * * *", BERLIN, datetime(2026, 3, 28, 12, tzinfo=UTC), 2) == ["03-29 03:00", "03-30 02:30"]
    assert _first("30 2 * * *", BERLIN, datetime(2026, 10, 24, 12, tzinfo=UTC), 2) == ["10-25 02:30", "10-26 02:30"]
    first = next(CronTimetable("30 2 * * *", BERLIN).after(datetime(2026, 10, 24, 12, tzinfo=UTC)))
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "the first of the two"
    second = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert second.astimezone(BERLIN).fold == 1, "in the second of the two hours the first is over"
    assert _first("30 2 * * *", BERLIN, second, 1) == ["10-26 02:30"]
    assert _first("0 2,3 * * *", BERLIN, datetime(2026, 3, 29, 0, tzinfo=UTC), 2) == ["03-29 03:00", "03-30 02:00"], "not twice at 03:00"


def test_every_hour_follows_elapsed_time() -> None:
    """With * in the hour nothing is skipped and nothing waits two hours."""
    dues = list(islice(CronTimetable("0 * * * *", BERLIN).after(datetime(2026, 10, 24, 22, 30, tzinfo=UTC)), 6))
    assert {later - earlier for earlier, later in pairwise(dues)} == {timedelta(hours=1)}


@given(st.integers(0, 59), st.integers(0, 23), st.sampled_from(ZONES), moments)
def test_a_fixed_time_of_day_is_due_once_a_day(minute: int, hour: int, zone_name: str, start: datetime) -> None:
    """Held against the calendar itself: each local day has one due time, at that time or at the first minute after a gap."""
    zone = ZoneInfo(zone_name)
    got = list(islice(CronTimetable(f"{minute} {hour} * * *", zone).after(start), 400))
    day = start.astimezone(zone).date() - timedelta(days=1)
    expected = [due for number in range(420) if (due := _on(day + timedelta(days=number), time(hour, minute), zone)) > start]
    assert got == sorted(set(expected))[:400]


def _on(day: date, at: time, zone: ZoneInfo) -> datetime:
    local = datetime.combine(day, at, tzinfo=zone)
    while local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        local += timedelta(minutes=1)
    return local.astimezone(UTC)


def _tables(zone: ZoneInfo, line: str, period: int, anchor: datetime) -> list[CronTimetable | PeriodTimetable]:
    return [CronTimetable(line, zone), PeriodTimetable(timedelta(minutes=period), anchor)]


lines = st.sampled_from(
    ["17 3 * * *", "*/15 * * * *", "0 */6 * * *", "30 2 * * 0", "5 1,2,3 * * *", "0 0 1 * *", "0 0 29 2 *", "10 4 1 * 1"]
)


@given(st.sampled_from(ZONES), lines, st.integers(7, 3000), moments, moments, st.timedeltas(timedelta(0), timedelta(days=9)))
def test_newest_is_the_last_of_what_comes_after(
    zone_name: str, line: str, period: int, anchor: datetime, start: datetime, gap: timedelta
) -> None:
    """Due times rise; the newest in a gap is the last of them, with the others counted; what is done is left out."""
    until = start + gap
    for table in _tables(ZoneInfo(zone_name), line, period, anchor):
        found = []
        for due in table.after(start):
            if due > until:
                break
            found.append(due)
        assert found == sorted(set(found))
        assert all(start < due for due in found)
        newest = table.newest(start, until, ())
        if len(found) < MOST_COUNTED:
            assert newest == (Due(found[-1], len(found) - 1) if found else None)
        assert table.newest(start, until, found) is None
        if len(found) > 1:
            assert table.newest(start, until, found[-1:]) == Due(found[-2], min(MOST_COUNTED, len(found) - 2))
            assert next_due(table, start, found[:1]) == found[1]


def test_a_long_gap_is_looked_at_from_its_end() -> None:
    """A line that comes each minute, after a clock was 70 years off, is answered without counting 36 million times."""
    until = datetime(2096, 5, 1, 12, 0, 30, tzinfo=UTC)
    assert CronTimetable("* * * * *", BERLIN).newest(datetime(2026, 1, 1, tzinfo=UTC), until, ()) == Due(
        datetime(2096, 5, 1, 12, tzinfo=UTC), MOST_COUNTED
    )


@pytest.mark.parametrize("line", ["", "17 3 * *", "0 17 3 * * *", "61 3 * * *", "@daily", "0 0 30 2 *", "x x x x x"])
def test_what_cannot_be_read_is_refused(line: str) -> None:
    """With words, before anything runs."""
    with pytest.raises(ValueError, match=r"is not a cron line|never comes"):
        CronTimetable(line, UTC)
    with pytest.raises(ValueError, match="longer than nothing"):
        PeriodTimetable(timedelta(0), datetime(2026, 1, 1, tzinfo=UTC))
