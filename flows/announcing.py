"""What a finished run leaves on the Prefect server: report, spending, the publication with its lineage, events, the name of its state.

Events are about the resource ``packhouse.publication.<data folder>``; ``deploy/automations.yaml`` acts on them:

    packhouse.publication.published   there is a new one
    packhouse.publication.refused     the checks kept it back; the last good one stands
    packhouse.publication.stale       published, but some values are stale or pending
    packhouse.harvest.stopped         asking ended before all was asked
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import runtime
from prefect.artifacts import acreate_link_artifact, acreate_markdown_artifact, acreate_table_artifact
from prefect.assets import Asset, AssetProperties, add_asset_metadata, materialize
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Completed

from flows.report import REFUSED, STOPPED, UNFRESH_STATES, RunReport
from settings import Settings

LOGGED_FINDINGS = 100
RESTRICTED = frozenset(" \n\r\t\0#?&%\"'<>[]{}|\\^`")  # what the key of an asset must not have, by Prefect's own list
LEVELS = {"note": "info", "warning": "warning", "error": "error"}


async def announce(report: RunReport, settings: Settings, flow: str) -> Any:
    """Show ``report`` and return the state the flow run ends in: Completed, or named Stale, Stopped or Refused where its code is 3.

    Whoever calls the flow gets the report, to which Prefect resolves a state that is returned.
    """
    log = get_run_logger()
    found = {f"{finding['level'].capitalize()}: {finding['message']}" for finding in report.findings}
    for sentence in report.sentences():
        if sentence not in found:
            log.info(sentence)
    for finding in report.findings[:LOGGED_FINDINGS]:
        getattr(log, LEVELS.get(finding["level"], "info"))(f"{finding['subject']}: {finding['message']}")
    await acreate_markdown_artifact(key=f"{flow}-report", markdown=report.markdown(), description=f"What the {flow} did, cost and found")
    if spent := _spending(report):
        await acreate_table_artifact(key=f"{flow}-spending", table=spent, description="Requests and quota by question, beside the forecast")
    if report.published:
        await acreate_link_artifact(
            key="publication", link=_address(report.published, settings), description=f"Published by run {report.run['run_id']}"
        )
        await _materialize(report, settings)
    name = _tell(report, settings)
    return Completed(name=name, message=report.sentences()[0], data=report) if name else Completed(data=report)


def interrupted(error: Exception) -> Any:
    """The state of a run that a signal ended: cancelled, so that it is not retried; on the command line the error itself."""
    if runtime.deployment.id is None:
        raise error
    return Cancelled(message=str(error))


def _spending(report: RunReport) -> list[dict[str, Any]]:
    foreseen = report.plan.get("requests", {})
    return [
        {
            "question": kind,
            "requests foreseen": foreseen.get(kind, 0),
            "requests": report.spent.get(kind, {}).get("requests", 0),
            "quota units": report.spent.get(kind, {}).get("units", 0),
        }
        for kind in dict.fromkeys([*foreseen, *report.spent])
    ]


def _address(published: str, settings: Settings) -> str:
    """Where a person finds the publication: at the API, or on the worker's disk."""
    return f"{settings.base_url}/bulk/" if settings.base_url else Path(published).resolve().as_uri()


async def _materialize(report: RunReport, settings: Settings) -> None:
    """Record the publication as an asset made from GitHub, PyPI and the catalog."""
    asset = Asset(
        key=_key(settings.data.resolve() / "current"),
        properties=AssetProperties(
            name="packhouse publication",
            description="DuckDB and Parquet with what GitHub and PyPI say about the catalog",
            url=_address(str(report.published), settings),
        ),
    )
    sources: list[str | Asset] = [settings.github_api_url, settings.pypi_url, _key(settings.catalog.resolve())]

    @materialize(
        asset,
        by="packhouse",
        asset_deps=sources,
        name="publication",
        task_run_name=f"Record the publication of run {report.run['run_id']}",
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    async def record() -> None:
        add_asset_metadata(
            asset,
            {
                "run_id": report.run["run_id"],
                "as_of_at": report.run["as_of_at"].isoformat(),
                "packages": report.run["packages_count"],
                "database": report.published,
                "states": report.states,
            },
        )

    await record()


def _key(path: Path) -> str:
    """A path as the key of an asset."""
    return "file://" + "".join("_" if character in RESTRICTED else character for character in path.as_posix())


def _tell(report: RunReport, settings: Settings) -> str | None:
    """Emit the events, and return what the state is called where the exit code is not 0."""
    run = report.run
    facts = {"run_id": run["run_id"], "kind": run["kind"], "outcome": run["outcome"], "detail": run["detail"]}
    unfresh = {
        column: kept for column, counts in report.states.items() if (kept := {s: counts[s] for s in UNFRESH_STATES if counts.get(s)})
    }
    name = None
    if report.published:
        _emit("packhouse.publication.published", settings, facts | {"database": report.published})
        if unfresh:
            name = "Stale"
            _emit("packhouse.publication.stale", settings, facts | {"states": unfresh})
    if run["outcome"] == STOPPED:
        name = "Stopped"
        _emit("packhouse.harvest.stopped", settings, facts)
    if run["outcome"] == REFUSED:
        name = "Refused"
        _emit("packhouse.publication.refused", settings, facts | {"checks": [check["message"] for check in report.unmet()]})
    return name if report.exit_code else None


def _emit(event: str, settings: Settings, payload: dict[str, Any]) -> None:
    folder = settings.data.resolve().as_posix()
    resource = {"prefect.resource.id": f"packhouse.publication.{folder}", "prefect.resource.name": f"Publication in {folder}"}
    emit_event(event=event, resource=resource, payload=payload)
