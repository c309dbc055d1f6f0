"""How a run goes, on the Prefect server: a progress artifact that moves, and what the run says as lines of its log.

A server that does not take the progress costs the run nothing but that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from prefect import get_client, runtime
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.logging import get_run_logger

UPDATED_EVERY_SECONDS = 5.0
TAGS = ["packhouse", "command line"]


class WatchedProgress:
    """Counts for the artifact, and writes what is said into the log of the flow run."""

    def __init__(self) -> None:
        self._log = get_run_logger()
        self._total = self._done = 0
        self._what = "preparing"
        self._note = ""

    def name_run(self, run_id: str) -> None:
        """The log is of one flow run, and ours stands in its lines."""

    def begin(self, total: int, what: str) -> None:
        """Start counting anew."""
        self._total, self._done, self._what = total, 0, what

    def advance(self, count: int = 1) -> None:
        """Count."""
        self._done += count

    def note(self, text: str) -> None:
        """Keep it beside the count; a wait is logged once, since its number changes each second."""
        if text.startswith("waiting") and "waiting" not in self._note:
            self._log.info(text)
        self._note = f"; {text}" if text else ""

    def say(self, text: str) -> None:
        """Log it."""
        self._log.info(text)

    def percent(self) -> float:
        """How much is done, from 0 to 100; never all of it before the run is over."""
        return min(99.0, round(100.0 * self._done / self._total, 1)) if self._total else 0.0

    def words(self) -> str:
        """The same in words."""
        return f"{self._what}: {self._done:,} of {max(self._done, self._total):,}{self._note}"


@asynccontextmanager
async def progress_shown(flow: str) -> AsyncIterator[WatchedProgress]:
    """Show the progress of a run of ``flow`` as the artifact ``<flow>-progress`` while the block works."""
    await _tag()
    progress = WatchedProgress()
    artifact = await acreate_progress_artifact(0.0, key=f"{flow}-progress", description=progress.words())
    moving = asyncio.create_task(_move(artifact, progress))
    try:
        yield progress
        with suppress(Exception):
            await aupdate_progress_artifact(artifact, 100.0, description="done")
    finally:
        moving.cancel()


async def _tag() -> None:
    """Tag a run that a command line started, as a deployment tags its own.

    Not with Prefect's ``tags`` around the call: under that DuckDB's objects outlive the interpreter, which complains of it in 40 lines.
    """
    if runtime.deployment.id is None:
        async with get_client() as client:
            await client.update_flow_run(runtime.flow_run.id, tags=TAGS)


async def _move(artifact: UUID, progress: WatchedProgress) -> None:
    shown = ""
    while True:
        await asyncio.sleep(UPDATED_EVERY_SECONDS)
        if progress.words() != shown:
            shown = progress.words()
            with suppress(Exception):
                await aupdate_progress_artifact(artifact, progress.percent(), description=shown)
