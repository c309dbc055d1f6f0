"""Points in time as text and as values: what the services write becomes aware UTC, or an error. No clock is read here."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

_INSTANT = re.compile(
    r"(?P<seconds>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})?"
)


def parse_instant(text: str, *, is_naive_utc: bool = False) -> datetime:
    """Read an ISO 8601 time with seconds and an offset (``2026-02-15T19:46:55Z``) as aware UTC, to the microsecond.

    GitHub writes UTC with ``Z``: https://docs.github.com/en/rest/using-the-rest-api/timezones-and-the-rest-api.
    ``is_naive_utc`` says that the field has no offset and means UTC, as PyPI's ``upload_time``.
    Digits beyond the microsecond are dropped. Raises ValueError.
    """
    match = _INSTANT.fullmatch(text)
    if match is None or (match["zone"] is None) is not is_naive_utc:
        raise ValueError(f"{text[:40]!r} is not a time such as 2026-02-15T19:46:55Z")
    fraction = (match["fraction"] or "0")[:6]
    zone = "+00:00" if match["zone"] in (None, "Z") else match["zone"]
    try:
        return datetime.fromisoformat(f"{match['seconds']}.{fraction}{zone}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text[:40]!r} is not a time: {error}") from None


def utc_day(instant: datetime) -> date:
    """Give the UTC day of an aware time; its midnight is where GitHub's statistics of that day end."""
    return require_utc(instant).date()


def require_utc(instant: datetime) -> datetime:
    """Express the same moment in UTC; raises ValueError for a naive time, whose zone nobody knows."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone")
    return instant.astimezone(UTC)


def parse_moment(text: str) -> datetime:
    """Read a time a person wrote (ISO 8601) as aware UTC: UTC unless it says otherwise, a date alone is the midnight that begins it.

    Raises ValueError.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"{text!r} is no time; write 2026-02-15, 2026-02-15T22:00 (UTC) or 2026-02-15T17:00-05:00"
        raise ValueError(message) from None
