"""From the store to a publication: the records as of a run, checked, and ``current`` moved when they pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from flows.loading import load_catalogs
from flows.report import DONE, REFUSED, STOPPED, RunReport
from settings import Settings
from transforms.catalog import Catalog
from transforms.periods import EVERY, whole_periods
from transforms.records import build_packages, build_participants
from warehouse.catalog_files import load_with_files
from warehouse.catalog_landing import land_catalog
from warehouse.errors import NothingPublished
from warehouse.expectations import load_expectations, tune
from warehouse.folder import DataFolder
from warehouse.freshness import count_states
from warehouse.period_records import make_period_records
from warehouse.publication import DATABASE, publish
from warehouse.reports import read_run_reports, write_run_report
from warehouse.store import Store, open_store


def publish_records(  # noqa: PLR0913 - what is published, of when, for whom
    folder: DataFolder,
    store: Store,
    catalog: Catalog,
    settings: Settings,
    report: RunReport,
    *,
    slugs: tuple[str, ...] = (),
    is_forced: bool = False,
    published_at: datetime | None = None,
    hindsight: Mapping[str, pa.Table] | None = None,
) -> None:
    """Build the records as of ``report.run['as_of_at']``, publish them if the checks let them, and complete the report.

    ``published_at`` is when, the end of the run unless said; ``hindsight`` are records that take the place of what is known.
    The report counts the states of the packages that were asked about: ``slugs``, or all.
    """
    latest = store.latest()
    packages = build_packages(catalog, latest, as_of=report.run["as_of_at"], max_age=settings.max_age)
    tables = {
        **catalog.tables(),
        "packages": packages,
        "participants": build_participants(catalog, latest),
        **(hindsight or {}),
    }
    make_period_records(store, packages, _periods(folder))
    entry = {
        "published_at": published_at or report.run["ended_at"],
        "run_id": report.run["run_id"],
        "as_of_at": report.run["as_of_at"],
        "max_age_seconds": round(settings.max_age.total_seconds()),
        "is_hindsight": hindsight is not None,
    }
    expectations = tune(load_expectations(), settings.expectations)
    info = publish(folder, run=report.run, tables=tables, store=store, entry=entry, is_forced=is_forced, expectations=expectations)
    asked = packages.filter(pc.is_in(packages["slug"], value_set=pa.array(slugs, pa.string()))) if slugs else packages
    report.states = count_states(asked)
    report.checks = [check.as_dict() for check in info.checks]
    if info.is_current:
        report.published = str(info.path / DATABASE)
        report.publication = entry
        store.record_publication(entry)
    else:
        report.run |= {"outcome": REFUSED, "detail": "; ".join(check.message for check in info.unmet if check.refuses)}
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

    ``accepted`` is why it is to be published although a check refuses it (``read_reason``); it is kept in ``runs`` and the manifest.
    Raises NothingPublished when there is no run yet, and what storage raises; ``current`` then has not moved.
    """
    catalog, files = load_with_files(settings.catalog)
    folder = DataFolder(settings.data)
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        runs = [run for run in store.runs() if run["as_of_at"] is not None]
        if not runs:
            raise NothingPublished(f"the store in {folder.root} has no run yet, so there is nothing to publish. Next: packhouse harvest")
        newest = max(runs, key=lambda run: (run["as_of_at"], run["run_id"]))
        report = RunReport(run=newest | {"packages_count": len(catalog.entries)})
        if report.run["outcome"] == REFUSED:
            report.run |= {"outcome": DONE, "detail": None}
        if accepted is not None:
            report.run |= {"accepted_reason": accepted}
        now = max(datetime.now(UTC), report.run["ended_at"])
        land_catalog(folder, files, now)
        load_catalogs(folder, store)
        publish_records(folder, store, catalog, settings, report, is_forced=accepted is not None, published_at=now)
        store.record_run(report.run)
        keep_publication(folder, report)
        report.run |= {"kind": "publish"}
        return report


def read_reason(text: str) -> str:
    """Give the reason in one line; raises ValueError when it has no word."""
    reason = " ".join(text.split())
    if not any(character.isalnum() for character in reason):
        message = "say why, in words"
        raise ValueError(message)
    return reason


def keep_publication(folder: DataFolder, report: RunReport) -> None:
    """Write the run's report as it lies in the landing with the row as it is now and its publication, so that a replay knows the same."""
    reports = read_run_reports(folder, on_damaged=lambda _file: None)
    kept = next((kept for kept in reports if kept["run_id"] == report.run["run_id"]), {})
    entries = [*kept.get("publications", ()), *([report.publication] if report.publication else ())]
    write_run_report(folder, {**kept, **report.run, "publications": entries})


def publications_of(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of ``publications`` a run report tells of; one that is older than the table tells of one at its end."""
    if "publications" in report:
        return [
            {name: datetime.fromisoformat(value) if name.endswith("_at") else value for name, value in entry.items()}
            for entry in report["publications"]
        ]
    if report.get("outcome") not in (DONE, STOPPED) or report.get("ended_at") is None or report.get("as_of_at") is None:
        return []
    return [{"published_at": report["ended_at"], "run_id": report["run_id"], "as_of_at": report["as_of_at"]}]
