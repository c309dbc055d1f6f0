"""Clocks of a sandbox: one that runs from a moment of one's choice and can be put forward, and one that shows what it is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, datetime, timedelta


class Dial:
    """A clock that shows what it is told to show, for callers whose own time moves in leaps."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def __call__(self) -> datetime:
        """Now."""
        return self._clock()

    def show(self, clock: Callable[[], datetime]) -> None:
        """Follow another clock from now on."""
        self._clock = clock


class RunningClock:
    """Tells the time of a sandbox; ``ticks`` are monotonic seconds."""

    def __init__(self, start: datetime, ticks: Callable[[], float] = time.monotonic) -> None:
        self._start = start
        self._ticks = ticks
        self._began = ticks()
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        """Now."""
        return self._start + timedelta(seconds=self.elapsed())

    def today(self) -> date:
        """The day it is."""
        return self().date()

    def elapsed(self) -> float:
        """Seconds since the start, those it was put forward included."""
        return self._ticks() - self._began + self._ahead.total_seconds()

    def advance(self, by: timedelta) -> None:
        """Put it forward."""
        self._ahead += by
