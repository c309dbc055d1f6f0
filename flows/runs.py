"""A run in the making: opened over a locked data folder, or gone on with when it was killed or interrupted.

A run that was killed or interrupted has a report without an end in the landing; the same request then goes on under its run
id, and what already landed is recalled instead of asked. Whatever other runs left behind is brought home first.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from extractors.clock import Clock, FixedClock, SystemClock
from extractors.conversation import Plan
from extractors.session import Session
from flows.forecast import PAGE_SIZE, HarvestPlan
from flows.loading import Gathered, counts_of, gather, load, row_from_name
from flows.options import HarvestOptions
from flows.planning import LastAnswer
from flows.progress import Progress
from flows.publishing import publications_of
from flows.report import FAILED, RunReport
from settings import Settings
from transforms.catalog import Catalog
from transforms.known import Known
from warehouse.archives import Archives
from warehouse.catalog_files import load_with_files
from warehouse.folder import DataFolder
from warehouse.foundation import begin_with_foundation
from warehouse.landing import landed_files, run_of
from warehouse.reports import read_run_reports, write_run_report
from warehouse.store import Store, open_store

USELESS_FOR = timedelta(days=7)


class UnknownPackages(Exception):
    """Slugs were named that the catalog does not have."""


@dataclass(slots=True, kw_only=True)
class HarvestRun:
    """One run in the making; owned by the sequence, handed from step to step.

    Attributes:
        catalog_files: the bytes the catalog was read from, by name of the file.
        landed: what an interrupted part of it landed; ``None`` for a new run.
        stored: what the store knew before it.
        known: the same as far as it is believed.
        last: the newest answer to each facet of each subject before it.
        sizes: repositories a query, by kind; the good sizes of the last run at first, then those of this one.
        promised: serials PyPI's index promises, by subject.
        later: conversations to take up in a second pass.
        foreseen: the plan as it was made when the run began, as JSON.
        is_index_useless: PyPI's index told no serials lately.
        has_serials: whether it does, once it was read in this run.
    """

    options: HarvestOptions
    settings: Settings
    engine: str
    clock: Clock
    progress: Progress
    catalog: Catalog
    catalog_files: Mapping[str, bytes]
    folder: DataFolder
    store: Store
    run_id: str
    started_at: datetime
    landed: Gathered | None
    sizes: dict[str, int]
    stop: threading.Event = field(default_factory=threading.Event)
    plan: HarvestPlan | None = None
    stored: Known | None = None
    known: Known | None = None
    last: Mapping[tuple[str, str], LastAnswer] = field(default_factory=dict)
    promised: dict[str, int] = field(default_factory=dict)
    later: list[tuple[str, Plan]] = field(default_factory=list)
    sequence: int = 0
    session: Session | None = None
    report: RunReport | None = None
    foreseen: dict[str, Any] = field(default_factory=dict)
    is_index_useless: bool = False
    has_serials: bool | None = None

    def pages_of(self, subject: str) -> int:
        """How many pages the participants of a repository filled when they were last listed."""
        participants = self.known.participants(subject) if self.known else None
        return max(1, -(-len(participants.logins) // PAGE_SIZE)) if participants else 1

    def row(self) -> dict[str, Any]:
        """What its row of ``runs`` has from the start."""
        return {
            "run_id": self.run_id,
            "kind": "harvest",
            "engine": self.engine,
            "started_at": self.started_at,
            "packages_count": len(self.catalog.entries),
        }


def make_clock(fixed_now: datetime | None) -> Clock:
    """The machine's clock, or one that stands still."""
    return FixedClock(fixed_now) if fixed_now else SystemClock()


@contextmanager
def open_run(options: HarvestOptions, settings: Settings, *, engine: str, progress: Progress) -> Iterator[HarvestRun]:
    """Lock the data folder, bring earlier runs home, and begin a run or go on with an interrupted one.

    Raises InvalidCatalog, UnknownPackages, DataFolderBusy, DataFolderUnusable, StoreUnusable; nothing is asked then.
    """
    clock = make_clock(options.fixed_now)
    catalog, catalog_files = load_with_files(settings.catalog)
    refuse_unknown(options.slugs, catalog)
    folder = DataFolder(settings.data)
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        begin_with_foundation(folder, store)
        reports = list(read_run_reports(folder, on_damaged=lambda _file: None))
        unfinished = _bring_home(folder, store, reports, options, clock.now(), settings.max_age)
        if unfinished:
            progress.say(
                f"Going on with run {unfinished['run_id']}, begun {unfinished['started_at']:%Y-%m-%d %H:%M:%S} UTC and not finished."
            )
        started_at = unfinished["started_at"] if unfinished else clock.now()
        run = HarvestRun(
            options=options,
            settings=settings,
            engine=engine,
            clock=clock,
            progress=progress,
            catalog=catalog,
            catalog_files=catalog_files,
            folder=folder,
            store=store,
            run_id=unfinished["run_id"] if unfinished else new_run_id(started_at, newest_run_id(folder, reports)),
            started_at=started_at,
            landed=gather(folder, unfinished["run_id"], store) if unfinished else None,
            sizes=good_sizes(reports),
            foreseen=(unfinished or {}).get("plan") or {},
            is_index_useless=is_index_useless(reports, settings.pypi_url, started_at),
        )
        progress.name_run(run.run_id)
        run.sequence = run.landed.last_sequence if run.landed else 0
        if not unfinished:
            write_run_report(folder, {**run.row(), "request": options.fingerprint()})
        yield run


def good_sizes(reports: list[dict[str, Any]]) -> dict[str, int]:
    """How many repositories a query could ask about at the end of the last run that asked."""
    for report in reversed(reports):
        sizes = report.get("sizes")
        if isinstance(sizes, dict):
            return {kind: size for kind, size in sizes.items() if type(size) is int and size > 0}
    return {}


def is_index_useless(reports: list[dict[str, Any]], pypi_url: str, now: datetime) -> bool:
    """Tell whether this index was read within a week and told no serials, as with a mirror: forty megabytes for nothing."""
    for report in reversed(reports):
        index = report.get("index")
        if isinstance(index, dict) and index.get("url") == pypi_url:
            return index.get("has_serials") is False and now - report["started_at"] < USELESS_FOR
    return False


def newest_run_id(folder: DataFolder, reports: list[dict[str, Any]]) -> str | None:
    """The newest run there is any trace of."""
    return max([*(report["run_id"] for report in reports), *map(run_of, landed_files(folder))], default=None)


def new_run_id(started_at: datetime, last: str | None) -> str:
    """A name that sorts after ``last``, the newest so far, even when the clock was set back: start time and a number."""
    stamp, number = f"{started_at:%Y%m%dT%H%M%SZ}", 1
    if last is not None and last >= f"{stamp}-0000":
        stamp, _, count = last.partition("-")
        number = int(count) + 1
    return f"{stamp}-{number:04}"


def refuse_unknown(slugs: tuple[str, ...], catalog: Catalog) -> None:
    """Raise UnknownPackages for slugs the catalog does not have."""
    known = {entry.slug for entry in catalog.entries}
    unknown = [slug for slug in slugs if slug not in known]
    if unknown:
        raise UnknownPackages(f"The catalog has no package {', '.join(unknown)}; slugs are in packages.csv, and nothing was asked.")


def _bring_home(
    folder: DataFolder, store: Store, reports: list[dict[str, Any]], options: HarvestOptions, now: datetime, max_age: timedelta
) -> dict[str, Any] | None:
    """Load what earlier runs landed and nobody loaded, close the reports of killed ones, return the one to go on with.

    A killed run is loaded so, one whose report is lost, and all of them when the store is gone. A backfill without an end is left to
    the backfill that goes on with it: it may be asking just now.
    """
    asking = {report["run_id"] for report in reports if report.get("kind") == "backfill" and report.get("ended_at") is None}
    reports = [report for report in reports if report["run_id"] not in asking]
    resumable: dict[str, Any] | None = None
    known = {report["run_id"]: report for report in reports}
    archives = Archives.of(folder)
    loaded = store.loaded_files()
    unloaded = {run_of(file) for file in landed_files(folder) if file not in loaded} - asking
    for run_id in sorted(unloaded | {run_id for run_id, report in known.items() if report.get("ended_at") is None}):
        report = known.get(run_id) or row_from_name(run_id)
        is_same = report.get("request") == options.fingerprint() and now - report["started_at"] < max_age
        if report.get("ended_at") is None and is_same and report is reports[-1]:
            resumable = report
            continue
        gathered = gather(folder, run_id, store, archives)
        if report.get("ended_at") is None:
            ended_at = gathered.last_at or report["started_at"]
            detail = report.get("detail") or "killed; what it landed was loaded later"
            report |= {"ended_at": ended_at, "as_of_at": ended_at, "outcome": FAILED, "detail": detail, **counts_of(gathered)}
        load(store, gathered, report)
        for entry in publications_of(report):
            store.record_publication(entry)
        write_run_report(folder, report)
    return resumable
