"""From the store to a publication: the records as of a run, checked, and ``current`` moved when they pass."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from flows.report import DONE, REFUSED, RunReport
from settings import Settings
from transforms.catalog import Catalog
from transforms.records import build_commit_days, build_packages, build_participants
from warehouse.catalog_files import load_catalog
from warehouse.errors import NothingPublished
from warehouse.expectations import load_expectations, tune
from warehouse.folder import DataFolder
from warehouse.freshness import count_states
from warehouse.publication import DATABASE, publish
from warehouse.reports import read_run_reports, write_run_report
from warehouse.store import Store, open_store


def publish_records(
    folder: DataFolder,
    store: Store,
    catalog: Catalog,
    settings: Settings,
    report: RunReport,
    *,
    slugs: tuple[str, ...] = (),
    is_forced: bool = False,
) -> None:
    """Build the records as of ``report.run['as_of_at']``, publish them if the checks let them, and complete the report.

    The report counts the states of the packages that were asked about: ``slugs``, or all.
    """
    latest = store.latest()
    packages = build_packages(catalog, latest, as_of=report.run["as_of_at"], max_age=settings.max_age)
    tables = {
        **catalog.tables(),
        "packages": packages,
        "participants": build_participants(catalog, latest),
        "commit_days": build_commit_days(latest),
    }
    expectations = tune(load_expectations(), settings.expectations)
    info = publish(folder, run=report.run, tables=tables, store=store, is_forced=is_forced, expectations=expectations)
    asked = packages.filter(pc.is_in(packages["slug"], value_set=pa.array(slugs, pa.string()))) if slugs else packages
    report.states = count_states(asked)
    report.checks = [check.as_dict() for check in info.checks]
    if info.is_current:
        report.published = str(info.path / DATABASE)
    else:
        report.run |= {"outcome": REFUSED, "detail": "; ".join(check.message for check in info.unmet if check.refuses)}
        store.record_run(report.run)


def republish(settings: Settings, *, accepted: str | None) -> RunReport:
    """Publish what the store has, as of the last run, with the catalog as it is now; asks nobody.

    ``accepted`` is why it is to be published although a check refuses it (``read_reason``); it is kept in ``runs`` and the manifest.
    Raises NothingPublished when there is no run yet, and what storage raises; ``current`` then has not moved.
    """
    catalog = load_catalog(settings.catalog)
    folder = DataFolder(settings.data)
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        runs = [run for run in store.runs() if run["as_of_at"] is not None]
        if not runs:
            raise NothingPublished(f"the store in {folder.root} has no run yet, so there is nothing to publish. Next: packhouse harvest")
        report = RunReport(run=runs[-1] | {"packages_count": len(catalog.entries)})
        if report.run["outcome"] == REFUSED:
            report.run |= {"outcome": DONE, "detail": None}
        if accepted is not None:
            report.run |= {"accepted_reason": accepted}
        publish_records(folder, store, catalog, settings, report, is_forced=accepted is not None)
        store.record_run(report.run)
        write_run_report(folder, _kept_request(folder, report.run))
        report.run |= {"kind": "publish"}
        return report


def read_reason(text: str) -> str:
    """Give the reason in one line; raises ValueError when it has no word."""
    reason = " ".join(text.split())
    if not any(character.isalnum() for character in reason):
        message = "say why, in words"
        raise ValueError(message)
    return reason


def _kept_request(folder: DataFolder, run: dict[str, Any]) -> dict[str, Any]:
    """The run's report as it lies in the landing, with the row as it is now, so that a replay knows the same."""
    kept = next((report for report in read_run_reports(folder, on_damaged=lambda _file: None) if report["run_id"] == run["run_id"]), {})
    return {**kept, **run}
