"""A week played through the real loop of a schedule: a clock that jumps, a machine that sleeps, runs that take long, fail or die."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from flows.scheduling import Scheduler
from transforms.timetable import Timetable
from warehouse.schedule_file import ScheduleFile, ScheduleState


class Killed(Exception):
    """The process of the schedule is gone, without a word."""


class Over(Exception):
    """The play ends."""


@dataclass(slots=True, kw_only=True)
class PlayedClock:
    """Wall and counter, moved by sleeping alone. ``events``: at a true time, something happens to both or one of them.

    ``truth`` is time as the world has it, ``offset`` how far the wall clock is from it, ``awake`` what the counter shows: it stands
    still while the machine is suspended.
    """

    truth: datetime
    events: list[tuple[datetime, Callable[[PlayedClock], None]]] = field(default_factory=list)
    offset: timedelta = timedelta()
    awake: float = 0.0

    def now(self) -> datetime:
        """The wall clock."""
        return self.truth + self.offset

    def monotonic(self) -> float:
        """The counter."""
        return self.awake

    async def sleep(self, seconds: float) -> None:
        """Let so much time pass by the counter; events on the way take place."""
        until = self.awake + seconds
        while self.events and (self.events[0][0] - self.truth).total_seconds() <= until - self.awake:
            at, event = self.events.pop(0)
            self._pass(max(0.0, (at - self.truth).total_seconds()))
            event(self)
        self._pass(max(0.0, until - self.awake))

    def _pass(self, seconds: float) -> None:
        self.truth += timedelta(seconds=seconds)
        self.awake += seconds


def suspend(hours: float) -> Callable[[PlayedClock], None]:
    """The lid is closed: time goes on, the counter does not."""

    def event(clock: PlayedClock) -> None:
        clock.truth += timedelta(hours=hours)

    return event


def set_clock(hours: float) -> Callable[[PlayedClock], None]:
    """Somebody sets the wall clock."""

    def event(clock: PlayedClock) -> None:
        clock.offset += timedelta(hours=hours)

    return event


def kill(_clock: PlayedClock) -> None:
    """``kill -9``."""
    raise Killed


def end(_clock: PlayedClock) -> None:
    """The week is over."""
    raise Over


@dataclass(slots=True, kw_only=True)
class Started:
    """A run that began."""

    due_at: datetime
    wall: datetime
    truth: datetime


@dataclass(slots=True, kw_only=True)
class Play:
    """A schedule on a played clock, and what became of it.

    Attributes:
        outcome: given the number of a run, how many hours it takes and its exit code.
        down: hours until the schedule is started again after it was killed.
    """

    timetable: Callable[[ScheduleState], Timetable]
    clock: PlayedClock
    folder: Path
    outcome: Callable[[int], tuple[float, int]] = lambda _number: (0.1, 0)
    down: float = 1.0
    step: float = 20.0
    lines: list[str] = field(default_factory=list)
    runs: list[Started] = field(default_factory=list)

    def perform(self, first: ScheduleState) -> None:
        """Start the schedule, and again when it was killed, until the play is over."""
        file = ScheduleFile(self.folder)
        file.root.mkdir(parents=True, exist_ok=True)
        while True:
            state = file.read(first.schedule) or first
            try:
                asyncio.run(self._scheduler(state, file).work())
            except Killed:
                self.lines.append(f"-- killed at {self.clock.truth:%a %H:%M}, started again {self.down:g} h later")
                self.clock.truth += timedelta(hours=self.down)
            except Over:
                return

    def _scheduler(self, state: ScheduleState, file: ScheduleFile) -> Scheduler:
        async def run() -> int:
            due_at = state.running_due_at
            assert due_at is not None
            self.runs.append(Started(due_at=due_at, wall=self.clock.now(), truth=self.clock.truth))
            hours, code = self.outcome(len(self.runs))
            await self.clock.sleep(hours * 3600)
            return code

        return Scheduler(
            timetable=self.timetable(state),
            state=state,
            file=file,
            clock=self.clock,
            run=run,
            say=self.lines.append,
            tell=lambda _text: None,
            stop=asyncio.Event(),
            step=self.step,
        )


def table(play: Play, should: list[datetime], zone: ZoneInfo, why: dict[str, str]) -> list[str]:
    """Runs that should have been beside those that were; ``why`` says by local time what was the matter."""
    happened: dict[datetime, list[Started]] = {}
    for run in play.runs:
        happened.setdefault(run.due_at, []).append(run)
    rows = [f"{'due':<15}{'began':<19}what was the matter"]
    for due_at in should:
        due = f"{due_at.astimezone(zone):%a %d %H:%M}"
        began = ", ".join(f"{run.wall.astimezone(zone):%d %H:%M}" for run in happened.pop(due_at, [])) or "-"
        rows.append(f"{due:<15}{began:<19}{why.get(due, '')}".rstrip())
    assert not happened, f"runs that should not have been: {happened}"
    return rows
