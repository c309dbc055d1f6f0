"""What a person sees while a run works: a bar on a terminal, a plain line every few seconds elsewhere, always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, Self, TextIO

from transforms.screen import printable

PLAIN_LINE_EVERY_SECONDS = 5.0


class Progress(Protocol):
    """Told what is going on; never decides anything."""

    def begin(self, total: int, what: str) -> None:
        """A stage of ``total`` questions begins."""

    def advance(self, count: int = 1) -> None:
        """So many more questions are answered."""

    def note(self, text: str) -> None:
        """The budget or a wait, in words; replaces the one before."""

    def say(self, text: str) -> None:
        """A sentence that stays."""

    def name_run(self, run_id: str) -> None:
        """All that is told from now on is about this run."""


class PlainProgress:
    """Lines on a stream that is no terminal: what is said, and the count at most every five seconds."""

    def __init__(self, stream: TextIO, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._monotonic = monotonic
        self._total = self._done = 0
        self._what = self._note = ""
        self._began_at = self._printed_at = monotonic()

    def begin(self, total: int, what: str) -> None:
        """Start counting anew."""
        self._total, self._done, self._what = total, 0, what
        self._began_at = self._printed_at = self._monotonic()

    def advance(self, count: int = 1) -> None:
        """Count, and print when the last line is old enough."""
        self._done += count
        now = self._monotonic()
        if now - self._printed_at >= PLAIN_LINE_EVERY_SECONDS:
            self._printed_at = now
            pace = describe_pace(self._done, self._total, now - self._began_at)
            self._print(f"{self._what}: {self._done:,} of {max(self._done, self._total):,}, {pace}{self._note}")

    def note(self, text: str) -> None:
        """Print a wait at once, since nothing else will be printed during it."""
        if text.startswith("waiting") and "waiting" not in self._note:  # its number changes each second
            self._print(text)
        self._note = f"; {text}" if text else ""

    def name_run(self, run_id: str) -> None:
        """A person sees no other run's lines here."""

    def say(self, text: str) -> None:
        """Print it."""
        self._print(text)

    def _print(self, text: str) -> None:
        self._stream.write(printable(text) + "\n")
        self._stream.flush()


class BarProgress:
    """A bar with rate, time to go and budget on a terminal."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - only where there is a terminal
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
        from rich.progress import Progress as Bar  # noqa: PLC0415

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("", total=None, pace="", note="", visible=False)

    def begin(self, total: int, what: str) -> None:
        """Show the bar from zero."""
        self._bar.reset(self._task, total=total, description=what, visible=True, pace="", note="")  # replaces all fields

    def advance(self, count: int = 1) -> None:
        """Move the bar."""
        self._bar.advance(self._task, count)
        if self._bar.tasks[0].completed > (self._bar.tasks[0].total or 0):  # redirects and repetitions were not foreseen
            self._bar.update(self._task, total=self._bar.tasks[0].completed)
        speed = self._bar.tasks[0].speed
        self._bar.update(self._task, pace=f"{speed:,.0f}/s" if speed else "")

    def note(self, text: str) -> None:
        """Show it behind the bar."""
        self._bar.update(self._task, note=text)

    def name_run(self, run_id: str) -> None:
        """A person sees no other run's lines here."""

    def say(self, text: str) -> None:
        """Print above the bar."""
        self._bar.console.print(printable(text), highlight=False, markup=False)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._bar.stop()


def describe_pace(done: int, total: int, seconds: float) -> str:
    """Rate and time to go in words, for example ``12.5/s, 2 min to go``."""
    if seconds <= 0 or done <= 0:
        return "just begun"
    rate = done / seconds
    left = max(0, total - done) / rate
    return f"{rate:,.1f}/s, {describe_seconds(left)} to go"


def describe_seconds(seconds: float) -> str:
    """A duration a person reads at a glance: ``8 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:  # noqa: PLR2004 - two minutes is where seconds stop helping
        return f"{seconds:.0f} s"
    if seconds < 5400:  # noqa: PLR2004 - likewise minutes
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class SharedProgress:
    """Tells several what is going on."""

    def __init__(self, *told: Progress) -> None:
        self._told = told

    def name_run(self, run_id: str) -> None:
        """Tell all."""
        for each in self._told:
            each.name_run(run_id)

    def begin(self, total: int, what: str) -> None:
        """Tell all."""
        for each in self._told:
            each.begin(total, what)

    def advance(self, count: int = 1) -> None:
        """Tell all."""
        for each in self._told:
            each.advance(count)

    def note(self, text: str) -> None:
        """Tell all."""
        for each in self._told:
            each.note(text)

    def say(self, text: str) -> None:
        """Tell all."""
        for each in self._told:
            each.say(text)


@contextmanager
def progress_for(log_format: str = "text", stream: TextIO | None = None, watch: Progress | None = None) -> Iterator[Progress]:
    """The progress that suits stderr, or lines of JSON where these are set; ``watch`` is told the same."""
    stream = stream or sys.stderr
    if log_format == "json":
        from flows.log_lines import JsonProgress  # noqa: PLC0415 - only where it is set

        yield _shared(JsonProgress(stream), watch)
    elif stream.isatty():
        with BarProgress() as bar:
            yield _shared(bar, watch)
    else:
        yield _shared(PlainProgress(stream), watch)


def _shared(progress: Progress, watch: Progress | None) -> Progress:
    return SharedProgress(progress, watch) if watch else progress
