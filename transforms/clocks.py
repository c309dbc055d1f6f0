"""How far the clock of a service is from ours, by the dates of its answers.

Whoever's clock is wrong, nobody knows then when an answer was true: what a source says through a run of such answers joins no history.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from statistics import median
from typing import Any

# Daily figures and quotas bear so much; a clock that is set by a network is within seconds.
TOLERANCE = timedelta(hours=1)
CLOCK_SKEW = "clock_skew"
_ZERO = timedelta()


def skew_of(headers: Mapping[str, str], fetched_at: datetime) -> timedelta | None:
    """By how much the service's clock is ahead of ours (negative: behind); ``None`` when the answer has no date.

    ``Date`` is when the answer was made and ``Age`` for how long a cache has had it since (RFC 9110, 6.6.1; RFC 9111, 5.1), but some
    caches renew the date all the same: whatever lies between the two is no skew.
    """
    try:
        told = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    told = told if told.tzinfo else told.replace(tzinfo=UTC)
    age = headers.get("age", "").strip()
    seconds = int(age) if re.fullmatch(r"[0-9]{1,9}", age) else 0
    return max(told - fetched_at, _ZERO) or min(told + timedelta(seconds=seconds) - fetched_at, _ZERO)


class Clocks:
    """Collects the skew of every answer of one run, by source."""

    def __init__(self) -> None:
        self._skews: dict[str, list[timedelta]] = {}
        self._last_at: dict[str, datetime] = {}

    def add(self, source: str, headers: Mapping[str, str], fetched_at: datetime) -> None:
        """Take one answer."""
        self._last_at[source] = max(fetched_at, self._last_at.get(source, fetched_at))
        if (skew := skew_of(headers, fetched_at)) is not None:
            self._skews.setdefault(source, []).append(skew)

    def off(self) -> dict[str, timedelta]:
        """The sources whose clock is more than ``TOLERANCE`` from ours in most of their answers, and by how much."""
        skews = {source: timedelta(seconds=median(skew.total_seconds() for skew in told)) for source, told in self._skews.items()}
        return {source: skew for source, skew in skews.items() if abs(skew) > TOLERANCE}

    def findings(self, run_id: str) -> list[dict[str, Any]]:
        """A row of ``findings`` for each such source."""
        return [
            {
                "run_id": run_id,
                "subject": source,
                "code": CLOCK_SKEW,
                "level": "error",
                "message": (
                    f"The clock of {source} is {_words(abs(skew))} {'ahead of' if skew > _ZERO else 'behind'} this machine's, by the dates "
                    f"of its answers. Nobody knows when they were true, so nothing they say was taken; the last good values stay, with "
                    f"their date. Next: compare this machine's clock with another; the next harvest asks again."
                ),
                "found_at": self._last_at[source],
            }
            for source, skew in sorted(self.off().items())
        ]


def _words(skew: timedelta) -> str:
    hours = round(skew / timedelta(hours=1))
    return f"{hours} hours" if hours < 48 else f"{skew / timedelta(days=1):.1f} days"  # noqa: PLR2004 - two days
