"""The backfill as a Prefect flow: entry point of deployments, and of ``packhouse backfill`` on this machine.

Started by hand with its window; it may run beside the scheduled harvest (``flows/past_runs.py`` says how).
"""

from __future__ import annotations

import os
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from prefect import flow

from flows.announcing import announce, interrupted
from flows.backfilling import backfill_sequence
from flows.harvest import letting_go, run_task
from flows.past_runs import BackfillInterrupted
from flows.past_window import BackfillOptions
from flows.watching import progress_shown
from settings import CONFIG_FILE, load_settings


@flow(name="backfill", flow_run_name="Backfill from {since} to {until}", persist_result=False)
async def backfill(
    since: date,
    until: date,
    slugs: list[str] | None = None,
    full: bool = False,  # noqa: FBT001, FBT002 - a field of a form
    every: Literal["day", "week", "month"] | None = None,
    budget: int | None = None,
    fixed_now: datetime | None = None,
    settings: dict[str, str] | None = None,
) -> Any:
    """Ask GitHub for commits and retained stars by day of a window of the past, and PyPI for projects never harvested.

    Args:
        since: First UTC day wanted.
        until: Last UTC day wanted; it must be over.
        slugs: Only these packages; empty means the whole catalog.
        full: Ask for days that are known already, too.
        every: Day, week or month; makes rows of period_records.
        budget: Stop asking GitHub after this many quota units.
        fixed_now: A clock that stands still, for tests.
        settings: Settings by name that override the environment of the worker; never a token.
    """
    options = BackfillOptions(
        since=since,
        until=until,
        slugs=tuple(slugs or ()),
        full=full,
        every=every,
        budget=budget,
        fixed_now=fixed_now,
        settings=settings or {},
    )
    settings_in_force = load_settings(options.settings, os.environ, Path(CONFIG_FILE))
    try:
        async with progress_shown("backfill") as watch:
            with letting_go():
                report = await backfill_sequence(options, settings_in_force, run_step=run_task, engine="prefect", watch=watch)
    except BackfillInterrupted as error:
        return interrupted(error)
    return await announce(report, settings_in_force, "backfill")
