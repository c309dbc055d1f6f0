"""Clocks: the time, a steady counter and sleep, handed in as one argument so that nothing here reads the machine's clock by itself."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the extractors need to know of time."""

    def now(self) -> datetime:
        """Return the wall clock's time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never runs backwards."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let that many seconds pass."""
        ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the wall clock's time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the machine's monotonic counter in seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the running event loop."""
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class FixedClock(SystemClock):
    """A wall clock that stands still at ``instant`` (aware, UTC) while the counter and sleep stay real: for the demo's payload."""

    instant: datetime

    def now(self) -> datetime:
        """Return the instant."""
        return self.instant
