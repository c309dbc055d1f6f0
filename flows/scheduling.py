"""The loop of a schedule: waits on the wall clock for the next due time, has it run, remembers it, and goes on until told to stop.

Nothing here reads a clock or starts a process by itself; both are arguments. The rules:

- A run is never early, and a due time that had its run gets no other, also when the clock is set back or the schedule is restarted.
- Due times that passed without a run (machine off or suspended, clock set forward, the run before took longer) are made up for by
  one run, at once.
- A run that failed, was killed or was cut off is tried again after ``RETRY_AFTER``, for as long as no later run is due. One that
  ended stale or refused (3) is not: what it lacks comes with the next.
- The wait is cut into short steps, since a sleep does not know that the clock was set or the machine suspended.
- What a full disk keeps from being remembered is said; the schedule goes on by what it has in memory.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from extractors.clock import Clock
from flows.progress import describe_seconds
from transforms.timetable import MOST_COUNTED, Due, Timetable, next_due
from warehouse.errors import DataFolderUnusable
from warehouse.schedule_file import LastRun, ScheduleFile, ScheduleState

STEP_SECONDS = 20.0
LATE_SECONDS = 60.0
JUMP_SECONDS = 30.0
RETRY_AFTER = (timedelta(minutes=5), timedelta(minutes=20), timedelta(hours=1))

SETTLED = (0, 2, 3)  # trying again would change nothing
ENDINGS = {0: "done", 1: "failed", 2: "wrong usage", 3: "finished stale, or refused publication"}


class Stop(Protocol):
    """Whether the schedule was told to end; an ``asyncio.Event`` or a ``threading.Event``."""

    def is_set(self) -> bool:
        """Return whether it was."""
        ...


@dataclass(slots=True, kw_only=True)
class Scheduler:
    """One schedule at work.

    Attributes:
        timetable: when runs are due.
        state: how far it has come; changed in place and kept in ``file``.
        clock: its ``sleep`` may return early when ``stop`` is set.
        run: does one run and returns its exit code, negative when a signal killed it.
        say: takes each line of the log.
        tell: takes a short description of what goes on, for a service manager.
        step: the longest sleep in seconds: how late a run is at most after the machine was suspended or its clock set forward.
    """

    timetable: Timetable
    state: ScheduleState
    file: ScheduleFile
    clock: Clock
    run: Callable[[], Awaitable[int]]
    say: Callable[[str], None]
    tell: Callable[[str], None]
    stop: Stop
    step: float = STEP_SECONDS

    async def work(self) -> None:
        """Run what is due until ``stop`` is set."""
        watch = _Watch(self.clock, self.say)
        if self.state.running_due_at is not None:
            self.say(f"The run due {_utc(self.state.running_due_at)} was cut off; it is made up for at once.")
            await self._run(Due(self.state.running_due_at))
        self._announce()
        while not self.stop.is_set():
            now = watch.look()
            self.state.seen_at = min(self.state.seen_at, now)  # after the clock was set back; what had its run is in ``started``
            due = self.timetable.newest(self.state.seen_at, now, self.state.started)
            if due is not None:
                await self._run(due)
                watch.look()
                self._announce()
                continue
            left = next_due(self.timetable, now, self.state.started) - now
            await self.clock.sleep(min(self.step, max(0.001, left.total_seconds())))

    async def _run(self, due: Due) -> None:
        """Run what is due, and try again while it fails and nothing later is due."""
        self.state.seen_at = max(self.state.seen_at, due.at)
        if due.at not in self.state.started:
            self.state.started = sorted({*self.state.started, due.at})
        self.state.running_due_at = due.at
        for pause in (*RETRY_AFTER, None):
            code = await self._attempt(due)
            if self.stop.is_set() or code in SETTLED or pause is None:
                break
            again = self.clock.now() + pause
            if again >= next_due(self.timetable, self.clock.now(), self.state.started):
                break
            self.say(f"Trying again at {_utc(again)}.")
            if await self._is_overtaken(pause, again):
                break
        if code in SETTLED or not self.stop.is_set():
            self.state.running_due_at = None

    async def _attempt(self, due: Due) -> int:
        """One run with its two lines."""
        started_at = self.clock.now()
        began = self.clock.monotonic()
        late = (started_at - due.at).total_seconds()
        self._keep()
        made_up = f", made up for {_count(due.passed_over)} due before it too" if due.passed_over else ""
        lateness = f"{describe_seconds(late)} late{made_up}" if late > LATE_SECONDS or made_up else "in time"
        self.say(f"Run begins: due {_utc(due.at)}, started {_utc(started_at)}, {lateness}.")
        self.tell(f"harvesting, due {_utc(due.at)}")
        code = await self.run()
        ended_at = self.clock.now()
        self.state.last = LastRun(due_at=due.at, started_at=started_at, ended_at=ended_at, exit_code=code)
        took = describe_seconds(max(0.0, self.clock.monotonic() - began))
        ending = ENDINGS.get(code, f"killed by signal {-code}" if code < 0 else "unknown")
        self.say(
            f"Run ended: due {_utc(due.at)}, started {_utc(started_at)}, ended {_utc(ended_at)}, took {took}, exit code {code} ({ending})."
        )
        return code

    async def _is_overtaken(self, pause: timedelta, again: datetime) -> bool:
        """Wait for a second try by the counter, which no clock change moves; whether something else is due first."""
        until = self.clock.monotonic() + pause.total_seconds()
        self.tell(f"trying again at {_utc(again)}")
        while not self.stop.is_set() and (left := until - self.clock.monotonic()) > 0:
            if self.timetable.newest(self.state.seen_at, self.clock.now(), self.state.started):
                return True
            await self.clock.sleep(min(self.step, left))
        return self.stop.is_set()

    def _announce(self) -> None:
        if self.stop.is_set():
            self._keep()
            return
        now = self.clock.now()
        if self.timetable.newest(min(self.state.seen_at, now), now, self.state.started):
            return  # it begins this moment
        at = self._keep()
        self.say(f"Next due {_utc(at)}, in {describe_seconds((at - now).total_seconds())}.")
        self.tell(f"next due {_utc(at)}")

    def _keep(self) -> datetime:
        """Remember how far the schedule came; returns the next due time from now on."""
        at = self.state.next_due_at = next_due(self.timetable, self.clock.now(), self.state.started)
        try:
            self.file.write(self.state)
        except DataFolderUnusable as error:
            self.say(f"The schedule goes on, but a restart will not know how far it came: {error}")
        return at


class _Watch:
    """Tells when the wall clock and the steady counter went apart: suspended, or the clock was set."""

    def __init__(self, clock: Clock, say: Callable[[str], None]) -> None:
        self._clock, self._say = clock, say
        self._wall, self._counter = clock.now(), clock.monotonic()

    def look(self) -> datetime:
        """Return the time."""
        wall, counter = self._clock.now(), self._clock.monotonic()
        apart = (wall - self._wall).total_seconds() - (counter - self._counter)
        self._wall, self._counter = wall, counter
        if apart > JUMP_SECONDS:
            self._say(f"The clock is {describe_seconds(apart)} further than expected: the machine was suspended, or its clock was set.")
        elif apart < -JUMP_SECONDS:
            self._say(f"The clock was set back by {describe_seconds(-apart)}; what had its run gets no other.")
        return wall


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _count(number: int) -> str:
    return "many" if number >= MOST_COUNTED else f"{number:,}"
