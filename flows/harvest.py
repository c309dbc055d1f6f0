"""The harvest as a Prefect flow: entry point of deployments, and of ``packhouse harvest`` on this machine.

A flow run shows its parameters, one task run per batch of subjects, and what ``announcing.py`` and ``watching.py`` say of it.
Settings come from the environment of the process that runs it.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from prefect import flow, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from flows.announcing import announce, interrupted
from flows.options import HarvestOptions
from flows.sequence import harvest_sequence
from flows.steps import HarvestInterrupted
from flows.watching import progress_shown
from settings import CONFIG_FILE, load_settings
from warehouse.errors import DataFolderBusy, DataFolderUnusable, PublicationFailed

NAMED = 3


async def run_task(name: str, step: Callable[[], Awaitable[None]]) -> None:
    """Run one step as a task run; nothing is cached or persisted, for the landing is the memory of a run."""

    async def body() -> None:
        await step()

    decorate = task(
        name=name.split(maxsplit=1)[0].lower(),
        task_run_name=name,
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=1,
        retry_delay_seconds=10,
        retry_condition_fn=_may_pass,
    )
    await decorate(body)()


def _may_pass(_task: object, _run: object, state: State[Any]) -> bool:
    """Only a disk or a network folder may recover by itself; requests are retried by the driver, where the reasons are known."""
    return isinstance(state.data, PublicationFailed | DataFolderUnusable | OSError) and not isinstance(state.data, DataFolderBusy)


@contextmanager
def letting_go() -> Iterator[None]:
    """Free what an error on its way out holds: Prefect keeps it to the end of the process, and with it the open store."""
    try:
        yield
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)
        raise


def run_name() -> str:
    """Name of a flow run: the packages it was asked for, as far as they fit, or the whole catalog."""
    slugs = runtime.flow_run.parameters.get("slugs") or []
    if not slugs:
        return "Harvest the whole catalog"
    more = len(slugs) - NAMED
    return f"Harvest {', '.join(slugs[:NAMED])}" + (f" and {more:,} more" if more > 0 else "")


@flow(name="harvest", flow_run_name=run_name, persist_result=False)
async def harvest(
    slugs: list[str] | None = None,
    full: bool = False,  # noqa: FBT001, FBT002 - a field of a form
    max_age: str | None = None,
    budget: int | None = None,
    fixed_now: datetime | None = None,
    settings: dict[str, str] | None = None,
) -> Any:
    """Ask GitHub and PyPI what is due, then load, check and publish.

    Args:
        slugs: Harvest only these packages; empty means the whole catalog.
        full: Ask for everything, however young the values are.
        max_age: Ask again only for values at least this old, such as 20h or 2d.
        budget: Stop asking GitHub after this many quota units.
        fixed_now: A clock that stands still, for demonstrations.
        settings: Settings by name that override the environment of the worker; never a token.
    """
    options = HarvestOptions(
        slugs=tuple(slugs or ()), full=full, max_age=max_age, budget=budget, fixed_now=fixed_now, settings=settings or {}
    )
    settings_in_force = load_settings(options.settings, os.environ, Path(CONFIG_FILE))
    try:
        async with progress_shown("harvest") as watch:
            with letting_go():
                report = await harvest_sequence(options, settings_in_force, run_step=run_task, engine="prefect", watch=watch)
    except HarvestInterrupted as error:
        return interrupted(error)
    return await announce(report, settings_in_force, "harvest")
