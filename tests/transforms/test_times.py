from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.times import parse_instant, require_utc, utc_day


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-15T19:46:55Z", datetime(2026, 2, 15, 19, 46, 55, tzinfo=UTC)),
        ("2026-02-15T19:46:55.5Z", datetime(2026, 2, 15, 19, 46, 55, 500_000, tzinfo=UTC)),
        ("2026-02-15T19:46:55.123456789Z", datetime(2026, 2, 15, 19, 46, 55, 123_456, tzinfo=UTC)),
        ("2026-02-15T14:46:55-05:00", datetime(2026, 2, 15, 19, 46, 55, tzinfo=UTC)),
    ],
)
def test_a_time_becomes_utc_to_the_microsecond(text, expected):
    """Fractions of any length and offsets are understood, and the result is in UTC."""
    assert parse_instant(text) == expected
    assert parse_instant(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "", "2026-02-15", "2026-02-15 19:46:55Z", "2026-02-15T19:46:55", "2026-02-15T19:46Z", "2026-W07-7T19:46:55Z", "20260215T194655Z",
        "2026-02-30T00:00:00Z", "2026-02-15T24:00:00Z", "2026-02-15T19:46:60Z", "2026-02-15T19:46:55.Z", "1771184815",
        "0001-01-01T00:00:00+14:00",
        "٢٠٢٦-02-15T19:46:55Z", "2026-02-15T19:46:55Z\n", "2026-02-15T19:46:55+99:00",
    ],
)  # fmt: skip
def test_what_is_no_time_with_offset_is_refused(text):
    """Nothing is guessed: no missing offset, no other notation, no impossible day."""
    with pytest.raises(ValueError, match="is not a time"):
        parse_instant(text)


def test_a_time_documented_as_utc_may_lack_its_offset():
    """PyPI's old upload_time has none and means UTC; one with an offset is then not what was documented."""
    assert parse_instant("2024-01-02T03:04:05", is_naive_utc=True) == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    with pytest.raises(ValueError, match="is not a time"):
        parse_instant("2024-01-02T03:04:05Z", is_naive_utc=True)


@settings(deadline=None)
@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds are naive
def test_reading_undoes_writing(moment):
    """Every moment survives being written in ISO 8601."""
    assert parse_instant(moment.isoformat()) == moment


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    """No text raises anything but ValueError."""
    try:
        parse_instant(text)
    except ValueError:
        return


def test_the_day_is_that_of_utc():
    """Late evening in New York is already the next day where GitHub's weeks end."""
    evening = datetime(2026, 2, 15, 20, tzinfo=timezone(timedelta(hours=-5)))
    assert utc_day(evening) == date(2026, 2, 16)
    with pytest.raises(ValueError, match="no time zone"):
        require_utc(datetime(2026, 2, 15))  # noqa: DTZ001 - the naive time is the point
