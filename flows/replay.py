"""The replay as a Prefect flow: entry point of deployments, and of ``packhouse replay`` on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact

from flows.harvest import letting_go, run_task
from flows.report import RunReport
from flows.sequence import replay_sequence
from settings import CONFIG_FILE, load_settings


@flow(name="replay", flow_run_name="Rebuild from the landing", persist_result=False)
async def replay(settings: dict[str, str] | None = None) -> RunReport:
    """Rebuild the store and the publication from the landed answers; no network.

    Args:
        settings: settings by name that override the environment of the worker.
    """
    settings_in_force = load_settings(settings or {}, os.environ, Path(CONFIG_FILE))
    with letting_go():
        report = await replay_sequence(settings_in_force, run_step=run_task)
    await acreate_markdown_artifact(key="replay-report", markdown=report.markdown(), description="What the replay rebuilt")
    return report
