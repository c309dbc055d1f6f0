"""The replay as a Prefect flow: entry point of deployments, and of ``packhouse replay`` on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from prefect import flow

from flows.announcing import announce
from flows.harvest import letting_go, run_task
from flows.sequence import replay_sequence
from flows.watching import progress_shown
from settings import CONFIG_FILE, load_settings


@flow(name="replay", flow_run_name="Rebuild from the landing", persist_result=False)
async def replay(settings: dict[str, str] | None = None) -> Any:
    """Rebuild the store and the publication from the landed answers; no network.

    Args:
        settings: Settings by name that override the environment of the worker.
    """
    settings_in_force = load_settings(settings or {}, os.environ, Path(CONFIG_FILE))
    async with progress_shown("replay") as watch:
        with letting_go():
            report = await replay_sequence(settings_in_force, run_step=run_task, watch=watch)
    return await announce(report, settings_in_force, "replay")
