"""A publication of the past: as it was known at an earlier time, made current again, or as it is known now in hindsight."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from flows.publishing import keep_publication, publish_records
from flows.report import RunReport
from settings import Settings
from transforms.catalog import Catalog
from transforms.hindsight import catalog_of, hindsight_tables
from warehouse.catalog_landing import landed_catalogs, read_landed_catalog
from warehouse.errors import NothingPublished
from warehouse.folder import DataFolder
from warehouse.hindsight import packages_in_hindsight
from warehouse.past import past_store
from warehouse.store import open_store


def publish_past(settings: Settings, at: datetime, *, accepted: str | None) -> RunReport:
    """Publish what was published at ``at`` (aware), from what was known then; asks nobody, and forgets nothing of what came later.

    ``accepted`` is why it is to be published although a check refuses it. Raises NothingPublished when nothing was published by then,
    and what storage raises; ``current`` then has not moved.
    """
    folder = DataFolder(settings.data)
    with folder.lock(), open_store(folder, is_read_only=False) as store, past_store(store, folder, at) as found:
        if found is None:
            raise NothingPublished(
                f"nothing was published in {folder.root} by {at:%Y-%m-%d %H:%M:%S} UTC. "
                "Next: packhouse sql 'from publications' lists the times"
            )
        past, entry = found
        run = next(run for run in past.runs() if run["run_id"] == entry.run_id)
        catalog = _catalog_at(folder, entry.published_at)
        report = RunReport(run=run | {"as_of_at": entry.as_of_at})
        now = max(datetime.now(UTC), entry.published_at + timedelta(microseconds=1))
        if entry.max_age_seconds:
            settings = replace(settings, max_age=timedelta(seconds=entry.max_age_seconds))
        publish_records(folder, past, catalog, settings, report, is_forced=accepted is not None, published_at=now)
        if report.publication:
            store.record_publication(report.publication)
            keep_publication(folder, report)
        report.run |= {"kind": "publish", "detail": f"as of {entry.as_of_at:%Y-%m-%d %H:%M:%S} UTC"}
        return report


def publish_in_hindsight(settings: Settings, at: datetime, *, accepted: str | None) -> RunReport:
    """Publish the records of ``at`` (aware) by all that is known now, backfilled facts included, beside the history as it is known now.

    Raises NothingPublished when nothing was harvested yet or ``at`` is not over, and what storage raises; ``current`` then has not moved.
    """
    folder = DataFolder(settings.data)
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        runs = [run for run in store.runs() if run["as_of_at"] is not None]
        if not runs or at > max(run["as_of_at"] for run in runs):
            raise NothingPublished(
                f"nothing in {folder.root} knows of {at:%Y-%m-%d %H:%M:%S} UTC yet. Next: packhouse harvest, or name an earlier time"
            )
        newest = max(runs, key=lambda run: (run["as_of_at"], run["run_id"]))
        catalog = catalog_of(_catalog_at(folder, at, or_first=True), at)
        report = RunReport(run=newest | {"as_of_at": at, "packages_count": len(catalog.entries)})
        now = max(datetime.now(UTC), newest["ended_at"] + timedelta(microseconds=1))
        records = hindsight_tables(packages_in_hindsight(store, at))
        is_forced = accepted is not None
        publish_records(folder, store, catalog, settings, report, is_forced=is_forced, published_at=now, hindsight=records)
        if report.publication:
            keep_publication(folder, RunReport(run=newest, publication=report.publication))
        report.run |= {"kind": "publish", "detail": f"as of {at:%Y-%m-%d %H:%M:%S} UTC in hindsight"}
        return report


def _catalog_at(folder: DataFolder, at: datetime, *, or_first: bool = False) -> Catalog:
    first: Catalog | None = None
    for name in reversed(landed_catalogs(folder)):
        version = read_landed_catalog(folder, name, on_damaged=lambda _file: None)
        if version is not None:
            first = version[1]
            if version[0] <= at:
                return first
    if first is not None and or_first:
        return first
    raise NothingPublished(
        f"the catalog of {at:%Y-%m-%d %H:%M:%S} UTC is not in the landing of {folder.root}. Next: publish a later time, or without --as-of"
    )
