"""Replay: the store and the publication rebuilt from the landing alone, run after run, without network and without "now".

It starts from nothing or, where runs fell out of retention, from the foundation that compaction left of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flows.loading import gather, load, load_catalogs, runs_without_report
from flows.progress import Progress
from flows.publishing import publications_of, publish_records
from flows.report import RunReport
from settings import Settings
from warehouse.archives import Archives
from warehouse.catalog_files import load_catalog
from warehouse.errors import NothingPublished
from warehouse.folder import DataFolder
from warehouse.foundation import begin_with_foundation, foundation_run
from warehouse.reports import read_run_reports
from warehouse.store import Store, open_store, rebuilt_store


def replay_run(settings: Settings, progress: Progress) -> RunReport:
    """Build the store anew beside the old one, put it in its place, publish as of the last run.

    The old store may be missing or damaged. Raises NothingPublished when nothing ever landed, and what storage raises.
    """
    catalog = load_catalog(settings.catalog)
    folder = DataFolder(settings.data)
    with folder.lock():
        runs = landed_runs(folder)
        if not runs:
            raise NothingPublished(
                f"nothing has landed in the data folder {folder.root} yet, so there is nothing to replay. Next: packhouse harvest"
            )
        progress.begin(len(runs), "replaying runs")
        with rebuilt_store(folder) as store:
            begin_with_foundation(folder, store)
            load_runs(folder, store, runs, progress)
            load_catalogs(folder, store)
        last = max(runs, key=lambda row: (row["as_of_at"], row["run_id"]))  # a backfill may end after a harvest that began later
        founded = foundation_run(folder)
        detail = f"{len(runs):,} runs read from the landing" + (f"; those until {founded} are as they were" if founded else "")
        report = RunReport(run=last | {"kind": "replay", "detail": detail})
        with open_store(folder, is_read_only=False) as store:
            report.run = last  # the publication speaks of the runs that observed, not of this one
            publish_records(folder, store, catalog, settings, report)
            report.findings = []
        report.run = report.run | {"kind": "replay", "detail": detail}
        return report


def load_runs(folder: DataFolder, store: Store, runs: Iterable[dict[str, Any]], progress: Progress) -> None:
    """Load landed runs one after another, each beside what the store knows from those before it."""
    archives = Archives.of(folder)
    for row in runs:
        gathered = gather(folder, row["run_id"], store, archives)
        row |= {"as_of_at": row.get("as_of_at") or gathered.last_at or row["started_at"]}
        load(store, gathered, row)
        for entry in publications_of(row):
            store.record_publication(entry)
        progress.advance()


def landed_runs(folder: DataFolder) -> list[dict[str, Any]]:
    """Every run since the foundation that landed something or left a report, oldest first; one without a report gets a row from its files.

    A newest run that has not ended is left to the harvest that goes on with it: its answers join the history once, whole.
    So is every backfill that has not ended, to the backfill that goes on with it.
    """
    reports = list(read_run_reports(folder, on_damaged=lambda _file: None))
    found = [*reports, *runs_without_report(folder, reports)]
    founded = foundation_run(folder)
    runs = sorted((row for row in found if row["run_id"] > founded), key=lambda row: str(row["run_id"]))
    runs = [row for row in runs if row.get("kind") != "backfill" or row.get("ended_at") is not None]
    return runs[:-1] if runs and "request" in runs[-1] and runs[-1].get("ended_at") is None else runs
