"""A clock that starts at a moment of one's choice, runs, and can be put forward."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, datetime, timedelta


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
