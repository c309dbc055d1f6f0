"""``packhouse schedule``: one schedule in the foreground, each run of it ``packhouse harvest`` in a process of its own.

A process of its own gives its memory back, and what breaks in it ends the run and not the schedule. The first SIGTERM or SIGINT is
passed on to the run, which lands what is in flight; a second one kills it.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from extractors.clock import Clock, SystemClock
from flows.scheduling import STEP_SECONDS, Scheduler
from settings import parse_age
from transforms.timetable import CronTimetable, PeriodTimetable, Timetable
from warehouse.schedule_file import ScheduleFile, ScheduleState

PROGRAM = Path(__file__).resolve().parent.parent / "packhouse.py"
DONE = 0
FORCED = 1


class InvalidSchedule(Exception):
    """The schedule asked for cannot be read, or never comes; the message says what to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A schedule as it was asked for: a cron line in a zone, or a period; and what each run is started with.

    Attributes:
        cron: five fields, or ``None``.
        zone: the IANA name of the zone the cron line is read in.
        every: a period such as ``6h``, or ``None``.
        arguments: what follows ``packhouse`` on the command line of a run.
    """

    cron: str | None
    zone: str
    every: str | None
    arguments: Sequence[str]

    def words(self) -> str:
        """The schedule in words, which a restart recognises it by."""
        return f"every {self.every}" if self.every else f"cron {self.cron} {self.zone}"


@dataclass(slots=True, kw_only=True)
class Ending:
    """How far a schedule was told to end: not at all, after the run at work, or now."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    is_forced: bool = False
    child: asyncio.subprocess.Process | None = None

    def hear(self) -> None:
        """A signal came; the first is passed on to the run, the second ends it."""
        self.is_forced = self.asked.is_set()
        self.asked.set()
        if self.child is not None and self.child.returncode is None:
            with suppress(ProcessLookupError):
                self.child.send_signal(signal.SIGKILL if self.is_forced else signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class StoppableClock(SystemClock):
    """The machine's clock, whose sleep ends at once when the schedule is told to end."""

    asked: asyncio.Event

    async def sleep(self, seconds: float) -> None:
        """Sleep, or return early."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.asked.wait(), seconds)


def keep_schedule(wanted: Wanted, data: Path, zone: tzinfo, *, say: Callable[[str], None], notify: Callable[[str], None]) -> int:
    """Run the schedule until a signal ends it, and return the exit code: 0, or 1 when a second signal killed the run at work.

    Raises InvalidSchedule, DataFolderBusy when a schedule runs the folder already, and DataFolderUnusable.
    """
    read_timetable(wanted, zone, SystemClock())  # refuses before anything is locked
    file = ScheduleFile(data)
    with file.lock():
        return asyncio.run(_keep(wanted, file, zone, say, notify))


def read_zone(text: str) -> ZoneInfo:
    """The zone of that IANA name; raises InvalidSchedule."""
    try:
        return ZoneInfo(text.strip())
    except (KeyError, ValueError, OSError):
        message = f"--timezone: {text!r} is not an IANA time zone: write for example Europe/Berlin or UTC"
        raise InvalidSchedule(message) from None


def read_timetable(wanted: Wanted, zone: tzinfo, clock: Clock, state: ScheduleState | None = None) -> Timetable:
    """The timetable asked for; raises InvalidSchedule."""
    if (wanted.cron is None) == (wanted.every is None):
        raise InvalidSchedule(
            "When? Say either --cron with five fields, for example --cron '17 3 * * *', or --every, for example --every 24h"
        )
    try:
        if wanted.cron is not None:
            return CronTimetable(wanted.cron, zone)
        return PeriodTimetable(parse_age(wanted.every or ""), state.anchor_at if state else clock.now())
    except ValueError as error:
        raise InvalidSchedule(str(error)) from None


def first_state(wanted: Wanted, clock: Clock) -> ScheduleState:
    """The state of a schedule that never ran: a period is due at once, a cron line when it next comes."""
    now = clock.now()
    seen_at = now if wanted.cron else now - timedelta(seconds=1)
    return ScheduleState(schedule=wanted.words(), anchor_at=now, seen_at=seen_at)


async def _keep(wanted: Wanted, file: ScheduleFile, zone: tzinfo, say: Callable[[str], None], notify: Callable[[str], None]) -> int:
    ending = Ending()
    clock = StoppableClock(ending.asked)
    state = file.read(wanted.words()) or first_state(wanted, clock)

    async def run() -> int:
        if ending.asked.is_set():
            return -signal.SIGTERM
        command = [sys.executable, str(PROGRAM), *wanted.arguments]
        # A session of its own: Ctrl-C on a terminal reaches us alone, and is passed on once.
        ending.child = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL, start_new_session=True)
        return await ending.child.wait()

    scheduler = Scheduler(
        timetable=read_timetable(wanted, zone, clock, state),
        state=state,
        file=file,
        clock=clock,
        run=run,
        say=say,
        tell=lambda text: notify(f"STATUS={text}"),
        stop=ending.asked,
    )
    say(f"Schedule: {wanted.words()}. Each run: packhouse {' '.join(wanted.arguments)}")
    with _signals(ending, say):
        notify("READY=1")
        beat = asyncio.create_task(_beat(clock, ending, notify))
        await scheduler.work()
        notify("STOPPING=1")
        beat.cancel()
    say("The schedule was ended by a signal." + (" The run at work was killed; the next one goes on with it." if ending.is_forced else ""))
    return FORCED if ending.is_forced else DONE


async def _beat(clock: Clock, ending: Ending, notify: Callable[[str], None]) -> None:
    while True:
        notify("WATCHDOG=1")
        await (clock.sleep(STEP_SECONDS) if not ending.asked.is_set() else asyncio.sleep(STEP_SECONDS))


@contextmanager
def _signals(ending: Ending, say: Callable[[str], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def hear() -> None:
        ending.hear()
        if ending.child is not None and ending.child.returncode is None:
            say("Killing the run." if ending.is_forced else "Ending: the run lands what is in flight. A second signal kills it.")

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, hear)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def notifier(address: str | None) -> Callable[[str], None]:
    """Tells a service manager how the schedule is, by systemd's protocol (``man 3 sd_notify``); without an address nobody is told."""

    def notify(text: str) -> None:
        if not address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.connect("\0" + address[1:] if address.startswith("@") else address)
            channel.sendall(text.encode())

    return notify
