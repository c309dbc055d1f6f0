"""From the store to a publication: the records as of a run, checked, and ``current`` moved when they pass."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from flows.report import DONE, REFUSED, RunReport
from settings import Settings
from transforms.catalog import Catalog
from transforms.periods import EVERY, whole_periods
from transforms.records import build_packages, build_participants
from warehouse.catalog_files import load_catalog
from warehouse.errors import NothingPublished
from warehouse.folder import DataFolder
from warehouse.freshness import count_states
from warehouse.period_records import make_period_records
from warehouse.publication import DATABASE, publish
from warehouse.reports import read_run_reports, write_run_report
from warehouse.store import Store, open_store


def publish_records(
    folder: DataFolder,
    store: Store,
    catalog: Catalog,
    max_age: timedelta,
    report: RunReport,
    *,
    slugs: tuple[str, ...] = (),
    is_forced: bool = False,
) -> None:
    """Build the records as of ``report.run['as_of_at']``, publish them if the checks let them, and complete the report.

    The report counts the states of the packages that were asked about: ``slugs``, or all.
    """
    latest = store.latest()
    packages = build_packages(catalog, latest, as_of=report.run["as_of_at"], max_age=max_age)
    tables = {
        **catalog.tables(),
        "packages": packages,
        "participants": build_participants(catalog, latest),
    }
    make_period_records(store, packages, _periods(folder))
    info = publish(folder, run=report.run, tables=tables, store=store, is_forced=is_forced)
    asked = packages.filter(pc.is_in(packages["slug"], value_set=pa.array(slugs, pa.string()))) if slugs else packages
    report.states = count_states(asked)
    report.checks = [check.as_dict() for check in info.checks]
    if info.is_current:
        report.published = str(info.path / DATABASE)
    else:
        report.run |= {"outcome": REFUSED, "detail": "; ".join(check.message for check in info.unmet if check.stops)}
        store.record_run(report.run)


def _periods(folder: DataFolder) -> Iterator[tuple[str, date, date]]:
    """Every period that a backfill was asked for, by what its run report says."""
    for report in read_run_reports(folder, on_damaged=lambda _file: None):
        request = report.get("request") or {}
        if report.get("kind") == "backfill" and request.get("every") in EVERY:
            for first, last in whole_periods(request["every"], date.fromisoformat(request["since"]), date.fromisoformat(request["until"])):
                yield request["every"], first, last


def republish(settings: Settings, *, accepted: str | None) -> RunReport:
    """Publish what the store has, as of the last run, with the catalog as it is now; asks nobody.

    ``accepted`` is why it is to be published although a check refuses it; the reason is kept with the run.
    Raises NothingPublished when there is no run yet, and what storage raises; ``current`` then has not moved.
    """
    catalog = load_catalog(settings.catalog)
    folder = DataFolder(settings.data)
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        runs = [run for run in store.runs() if run["as_of_at"] is not None]
        if not runs:
            raise NothingPublished(f"the store in {folder.root} has no run yet, so there is nothing to publish. Next: packhouse harvest")
        newest = max(runs, key=lambda run: (run["as_of_at"], run["run_id"]))
        report = RunReport(run=newest | {"packages_count": len(catalog.entries)})
        if accepted:
            report.run |= {"detail": f"published whatever the checks say: {accepted}"}
        elif report.run["outcome"] == REFUSED:
            report.run |= {"detail": None}
        if report.run["outcome"] == REFUSED:
            report.run |= {"outcome": DONE}
        publish_records(folder, store, catalog, settings.max_age, report, is_forced=accepted is not None)
        store.record_run(report.run)
        write_run_report(folder, _kept_request(folder, report.run))
        report.run |= {"kind": "publish"}
        return report


def _kept_request(folder: DataFolder, run: dict[str, Any]) -> dict[str, Any]:
    """The run's report as it lies in the landing, with the row as it is now, so that a replay knows the same."""
    kept = next((report for report in read_run_reports(folder, on_damaged=lambda _file: None) if report["run_id"] == run["run_id"]), {})
    return {**kept, **run}
