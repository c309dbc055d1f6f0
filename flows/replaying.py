"""Replay: the store and the publication rebuilt from the landing alone, run after run, without network and without "now"."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from flows.loading import gather, load
from flows.progress import Progress
from flows.publishing import publish_records
from flows.report import FAILED, RunReport
from settings import Settings
from warehouse.catalog_files import load_catalog
from warehouse.errors import NothingPublished
from warehouse.folder import DataFolder
from warehouse.landing import landed_files
from warehouse.reports import read_run_reports
from warehouse.store import open_store, rebuilt_store


def replay_run(settings: Settings, progress: Progress) -> RunReport:
    """Build the store anew beside the old one, put it in its place, publish as of the last run.

    The old store may be missing or damaged. Raises NothingPublished when nothing ever landed, and what storage raises.
    """
    catalog = load_catalog(settings.catalog)
    folder = DataFolder(settings.data)
    with folder.lock():
        runs = _runs(folder)
        if not runs:
            raise NothingPublished(
                f"nothing has landed in the data folder {folder.root} yet, so there is nothing to replay. Next: packhouse harvest"
            )
        progress.begin(len(runs), "replaying runs")
        with rebuilt_store(folder) as store:
            for row in runs:
                gathered = gather(folder, row["run_id"], store.known_series())
                row |= {"as_of_at": row.get("as_of_at") or gathered.last_at or row["started_at"]}
                load(store, gathered, row)
                progress.advance()
        last = runs[-1]
        report = RunReport(run=last | {"kind": "replay", "detail": f"{len(runs):,} runs read from the landing"})
        with open_store(folder, is_read_only=False) as store:
            report.run = last  # the publication speaks of the runs that observed, not of this one
            publish_records(folder, store, catalog, settings.max_age, report)
            report.findings = []
        report.run = report.run | {"kind": "replay", "detail": f"{len(runs):,} runs read from the landing"}
        return report


def _runs(folder: DataFolder) -> list[dict[str, Any]]:
    """Every run that landed something or left a report, oldest first; one whose report is lost gets a row from its files."""
    reports = {report["run_id"]: report for report in read_run_reports(folder, on_damaged=lambda _file: None)}
    landed = Counter(file.rsplit("/", 1)[1].rsplit("-", 1)[0] for file in landed_files(folder))
    for run_id in landed:
        reports.setdefault(run_id, _row_from_name(run_id))
    return sorted(reports.values(), key=lambda row: str(row["run_id"]))


def _row_from_name(run_id: str) -> dict[str, Any]:
    started_at = datetime.strptime(run_id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return {"run_id": run_id, "kind": "harvest", "started_at": started_at, "outcome": FAILED, "detail": "its report is lost"}
