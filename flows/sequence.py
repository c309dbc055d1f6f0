"""The order of the steps, the same under every engine: the caller says how one step is run.

Under Prefect a step becomes a task run, otherwise it is just called. Signals are caught here: the first Ctrl-C or SIGTERM
lets the answers in flight land and ends the run without publishing; the same command goes on with it.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from flows.compaction import CompactionReport, compact_data
from flows.fetching import cut, describe_batch, fetch, fetch_later, read_index
from flows.forecast import describe_plan
from flows.metrics import watched
from flows.options import HarvestOptions
from flows.progress import Progress, progress_for
from flows.replaying import replay_run
from flows.report import RunReport
from flows.runs import HarvestRun, open_run
from flows.steps import HarvestInterrupted, load_run, plan_run, publish_run
from settings import Settings


class StepRunner(Protocol):
    """Runs one step under a name that reads like a sentence."""

    async def __call__(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        """Run it once; what it raises ends the sequence."""


async def run_step(name: str, step: Callable[[], Awaitable[None]]) -> None:  # noqa: ARG001 - a name is for engines that show it
    """Just call it."""
    await step()


async def harvest_sequence(
    options: HarvestOptions, settings: Settings, *, run_step: StepRunner, engine: str, watch: Progress | None = None
) -> RunReport:
    """Harvest: plan, fetch batch after batch, take up what was pending, load, check, publish. ``watch`` is told how it goes.

    Raises what ``open_run`` raises, HarvestInterrupted after a signal, DataFolderUnusable when nothing more can be landed,
    and PublicationFailed; in each case the last good publication is intact.
    """
    with (
        progress_for(settings.log_format, watch=watch) as progress,
        watched(settings, "harvest", progress) as measured,
        open_run(options, settings, engine=engine, progress=progress) as run,
        signals_set(run.stop),
    ):
        plan = plan_run(run)
        for line in describe_plan(plan, has_token=settings.github_token is not None):
            progress.say(line)
        progress.begin(sum(plan.forecast.requests.values()), "asking")
        if plan.outlook.has_index:
            await run_step("Ask PyPI's index which projects changed", lambda: read_index(run))
            _end_if_stopped(run)
        cuts = cut(run)
        for number, batch in enumerate(cuts, start=1):
            await run_step(describe_batch(batch, number, len(cuts)), lambda batch=batch: fetch(run, batch))  # type: ignore[misc]
            _end_if_stopped(run)
        if run.later:
            await run_step(f"Ask GitHub again for {len(run.later):,} statistics it was still computing", lambda: fetch_later(run))
            _end_if_stopped(run)
        await run_step("Load what landed into the store", lambda: _async(load_run, run))
        _end_if_stopped(run)
        await run_step("Check and publish the records", lambda: _async(publish_run, run))
        assert run.report is not None  # noqa: S101 - load_run made it
        measured.report = run.report
        return run.report


async def replay_sequence(settings: Settings, *, run_step: StepRunner, watch: Progress | None = None) -> RunReport:
    """Rebuild the store and the publication from the landing; ``watch`` is told how it goes."""
    reports: list[RunReport] = []

    async def step() -> None:
        with progress_for(settings.log_format, watch=watch) as progress, watched(settings, "replay", progress) as measured:
            reports.append(replay_run(settings, progress))
            measured.report = reports[0]

    await run_step("Rebuild the store from the landing and publish", step)
    return reports[0]


async def compact_sequence(settings: Settings, *, run_step: StepRunner, watch: Progress | None = None) -> CompactionReport:
    """Compact the landing and the store; ``watch`` is told how it goes."""
    reports: list[CompactionReport] = []

    async def step() -> None:
        with progress_for(settings.log_format, watch=watch) as progress:
            reports.append(compact_data(settings, progress))

    await run_step("Compact the landing and the store", step)
    return reports[0]


async def _async(step: Callable[[HarvestRun], None], run: HarvestRun) -> None:
    """Run a step in a thread, so that the event loop still hears signals."""
    await asyncio.to_thread(step, run)


def _end_if_stopped(run: HarvestRun) -> None:
    if run.stop.is_set():
        raise HarvestInterrupted(
            f"Interrupted: run {run.run_id} landed {run.sequence:,} answers so far and published nothing; "
            "the last good publication is intact. The same command goes on where it stopped."
        )


@contextmanager
def signals_set(stop: threading.Event) -> Iterator[None]:
    """Let SIGINT and SIGTERM set the flag; a second one of a kind acts as usual. Outside the main thread signals are left alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def end(number: signal.Signals) -> None:
        stop.set()
        loop.remove_signal_handler(number)
        signal.signal(number, former[number])

    for number in former:
        loop.add_signal_handler(number, end, number)
    try:
        yield
    finally:
        for number, handler in former.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
