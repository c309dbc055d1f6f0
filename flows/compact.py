"""The compaction as a Prefect flow: entry point of deployments, and of ``packhouse compact`` on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact

from flows.compaction import CompactionReport
from flows.harvest import letting_go, run_task
from flows.sequence import compact_sequence
from flows.watching import progress_shown
from settings import CONFIG_FILE, load_settings


@flow(name="compact", flow_run_name="Compact the landing and the store", persist_result=False)
async def compact(settings: dict[str, str] | None = None) -> CompactionReport:
    """Move what landed into archives, drop what outlived the retention, shrink the store; no network.

    Args:
        settings: Settings by name that override the environment of the worker.
    """
    settings_in_force = load_settings(settings or {}, os.environ, Path(CONFIG_FILE))
    async with progress_shown("compact") as watch:
        with letting_go():
            report = await compact_sequence(settings_in_force, run_step=run_task, watch=watch)
    await acreate_markdown_artifact(key="compact-report", markdown=report.markdown(), description="What the compaction did")
    return report
