"""A backfill in the making: it asks without the data folder's lock, so that a harvest may run beside it, and takes the lock to write.

The lock is held when a backfill begins (earlier ones are brought home, what is known is read, the plan is made) and when it ends (what
landed is loaded and published), for some seconds each time; a harvest waits for that, and a backfill waits for a harvest and says so.
From its start to its end a backfill holds a lock of its own, so there is one of them at a time.

A backfill that was killed or interrupted has a report without an end in the landing. The same request goes on under its run id; another
one loads what it landed and closes it. Harvests and replays leave it alone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from extractors.clock import Clock
from extractors.conversation import GITHUB, GRAPHQL, HISTORY, PROBE, PROJECT, PYPI, REPO
from extractors.graphql import HISTORY_SIZE, PROBE_SIZE
from extractors.session import Session
from flows.asking import has_probe
from flows.loading import Gathered, counts_of, gather, load
from flows.past_plan import BackfillPlan, PastDue, Repo, due_of, make_plan
from flows.past_window import BackfillOptions, InvalidWindow, refuse_unborn, refuse_window
from flows.planning import CLOSED
from flows.progress import Progress
from flows.report import FAILED, RunReport
from flows.runs import good_sizes, make_clock, new_run_id, newest_run_id, refuse_unknown
from settings import Settings
from transforms.catalog import Catalog
from transforms.known import Known
from transforms.times import utc_day
from warehouse.catalog_files import load_catalog, load_with_files
from warehouse.errors import DataFolderBusy
from warehouse.folder import DataFolder
from warehouse.reports import read_run_reports, write_run_report
from warehouse.store import Store, open_store

KIND = "backfill"
SHARE = 4  # of the concurrency of a harvest, which may run at the same time
PAUSE_SECONDS = 1.0


class BackfillInterrupted(Exception):
    """A signal ended the backfill; everything that landed is kept and the same command goes on."""


@dataclass(slots=True, kw_only=True)
class BackfillRun:
    """One backfill in the making; owned by the sequence, handed from step to step.

    Attributes:
        is_resumed: an interrupted part of it landed answers.
        plan: what is asked, without what is known.
        foreseen: the plan as it was made when the run began, as JSON.
        sizes: repositories a query, by kind.
    """

    options: BackfillOptions
    settings: Settings
    engine: str
    clock: Clock
    progress: Progress
    catalog: Catalog
    catalog_files: Mapping[str, bytes]
    folder: DataFolder
    run_id: str
    started_at: datetime
    is_resumed: bool
    plan: BackfillPlan
    foreseen: dict[str, Any]
    sizes: dict[str, int]
    stop: threading.Event
    sequence: int = 0
    session: Session | None = None
    report: RunReport | None = None

    def row(self) -> dict[str, Any]:
        """What its row of ``runs`` has from the start."""
        return {
            "run_id": self.run_id,
            "kind": KIND,
            "engine": self.engine,
            "started_at": self.started_at,
            "packages_count": len(self.catalog.entries),
        }

    @contextmanager
    def writing(self) -> Iterator[Store]:
        """The store, open for writing, under the data folder's lock; waits for whoever holds it."""
        with open_patiently(self.folder, self.progress, self.stop) as store:
            yield store


@contextmanager
def open_patiently(folder: DataFolder, progress: Progress, stop: threading.Event) -> Iterator[Store]:
    """Hold the data folder's lock and open the store, waiting for whoever has them; raises BackfillInterrupted after a signal."""
    is_said = False
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(folder.lock(is_brief=True))
                store = held.enter_context(open_store(folder, is_read_only=False))
                break
            except DataFolderBusy as busy:
                held.close()
                if not is_said:
                    progress.say(f"Waiting: {str(busy).partition(';')[0]}. The backfill goes on when that has ended.")
                    is_said = True
                if stop.wait(PAUSE_SECONDS):
                    raise BackfillInterrupted("Interrupted while waiting for the data folder; the same command goes on.") from busy
        yield store


@contextmanager
def open_backfill(options: BackfillOptions, settings: Settings, *, engine: str, progress: Progress) -> Iterator[BackfillRun]:
    """Begin a backfill, or go on with an interrupted one, and hold the backfills' lock.

    Raises InvalidCatalog, UnknownPackages, InvalidWindow, DataFolderBusy (another backfill), DataFolderUnusable, StoreUnusable; nothing
    is asked then.
    """
    clock, stop = make_clock(options.fixed_now), threading.Event()
    catalog, catalog_files = load_with_files(settings.catalog)
    mistakes = _early_mistakes(options, settings, catalog, clock.now())
    folder = DataFolder(settings.data)
    with folder.backfill_lock():
        with open_patiently(folder, progress, stop) as store:
            reports = list(read_run_reports(folder, on_damaged=lambda _file: None))
            unfinished, gathered = _bring_home(folder, store, reports, options)
            before = Before(store, options, settings, catalog, clock.now(), reports)
            before.refuse(mistakes)
            if unfinished:
                progress.say(f"Going on with backfill {unfinished['run_id']}, begun {unfinished['started_at']:%Y-%m-%d %H:%M:%S} UTC.")
            started_at = unfinished["started_at"] if unfinished else clock.now()
            plan = before.plan()
            run = BackfillRun(
                options=options,
                settings=settings,
                engine=engine,
                clock=clock,
                progress=progress,
                catalog=catalog,
                catalog_files=catalog_files,
                folder=folder,
                run_id=unfinished["run_id"] if unfinished else new_run_id(started_at, newest_run_id(folder, reports)),
                started_at=started_at,
                is_resumed=unfinished is not None,
                plan=plan,
                foreseen=(unfinished or {}).get("plan") or plan.as_json(),
                sizes=before.sizes,
                stop=stop,
                sequence=gathered.last_sequence if gathered else 0,
            )
            progress.name_run(run.run_id)
            if not unfinished:
                write_run_report(folder, {**run.row(), "request": options.fingerprint(), "plan": run.foreseen})
        yield run


def preview_backfill(options: BackfillOptions, settings: Settings) -> BackfillPlan:
    """What a backfill would ask now, without asking, writing or locking anything; raises as ``open_backfill`` does."""
    catalog = load_catalog(settings.catalog)
    now = make_clock(options.fixed_now).now()
    mistakes = _early_mistakes(options, settings, catalog, now)
    folder = DataFolder(settings.data)
    with open_store(folder, is_read_only=True) as store:
        before = Before(store, options, settings, catalog, now, list(read_run_reports(folder, on_damaged=lambda _file: None)))
        before.refuse(mistakes)
        return before.plan()


def refuse_early(options: BackfillOptions, settings: Settings) -> None:
    """Raise what shows without the store, before an engine is started: InvalidCatalog, UnknownPackages, InvalidWindow."""
    catalog = load_catalog(settings.catalog)
    if mistakes := _early_mistakes(options, settings, catalog, make_clock(options.fixed_now).now()):
        raise InvalidWindow(mistakes)


def _early_mistakes(options: BackfillOptions, settings: Settings, catalog: Catalog, now: datetime) -> list[str]:
    refuse_unknown(options.slugs, catalog)
    has_repositories = any(subject.startswith(GITHUB) for subject in _subjects(options, catalog))
    return refuse_window(options, today=utc_day(now), has_probe=has_probe(settings), has_repositories=has_repositories)


def _subjects(options: BackfillOptions, catalog: Catalog) -> Mapping[str, Any]:
    wanted = set(options.slugs)
    return {subject: slugs for subject, slugs in catalog.subjects.items() if not wanted or wanted & set(slugs)}


class Before:
    """What the store knew when the backfill began."""

    def __init__(
        self, store: Store, options: BackfillOptions, settings: Settings, catalog: Catalog, now: datetime, reports: list[dict[str, Any]]
    ) -> None:
        self._options = options
        self._subjects = _subjects(options, catalog)
        self._settings = settings
        self._today = utc_day(now)
        self._known = Known(store.latest())
        self._last = {key: outcome for key, (outcome, _at, _run) in store.last_outcomes().items()}
        self._spans, self._stars = ({}, {}) if options.full else store.known_days(options.since, options.until)
        good = good_sizes(reports)
        self.sizes = {PROBE: good.get(PROBE, PROBE_SIZE), HISTORY: good.get(HISTORY, HISTORY_SIZE)}

    def refuse(self, mistakes: list[str]) -> None:
        """Raise InvalidWindow with these mistakes and those only the store shows, should there be any."""
        born: list[tuple[str, date]] = []
        for subject, slugs in self._subjects.items():
            created_at = self._known.created_at(subject) if subject.startswith(GITHUB) else None
            if created_at:
                born += [(slug, utc_day(created_at)) for slug in slugs if slug in self._options.slugs]
        if found := [*mistakes, *refuse_unborn(self._options, sorted(born))]:
            raise InvalidWindow(found)

    def plan(self) -> BackfillPlan:
        """What is to be asked, without what is known."""
        due: list[PastDue] = []
        known = closed = unborn = 0
        for subject in sorted(self._subjects):
            item: PastDue | None = None
            if subject.startswith(PYPI):
                item = None if (subject, PROJECT) in self._last else PastDue(subject=subject)
            elif self._last.get((subject, REPO)) in CLOSED:
                closed += 1
                continue
            else:
                repo = self._repo(subject)
                if repo.created_on and repo.created_on > self._options.until:
                    unborn += 1
                    continue
                item = due_of(subject, repo, self._options.since, self._options.until, self._today)
            if item is None:
                known += 1
            else:
                due.append(item)
        lanes = max(1, self._settings.concurrency // SHARE // SHARE)
        return make_plan(due, known_count=known, closed_count=closed, unborn_count=unborn, today=self._today, sizes=self.sizes, lanes=lanes)

    def _repo(self, subject: str) -> Repo:
        found = self._known.repo(subject)
        if found is None:
            return Repo()
        created_at, weeks, people = self._known.created_at(subject), self._known.weeks(subject), self._known.participants(subject)
        series = f"github:{found[0]}"
        return Repo(
            repo_id=found[0],
            node_id=found[1],
            created_on=utc_day(created_at) if created_at else None,
            year_count=weeks.commits_count if weeks else None,
            total_count=sum(people.counts) if people else None,
            spans=self._spans.get(series, ()),
            stars=self._stars.get(series),
        )


def _bring_home(
    folder: DataFolder, store: Store, reports: list[dict[str, Any]], options: BackfillOptions
) -> tuple[dict[str, Any] | None, Gathered | None]:
    """The unfinished backfill to go on with and what it landed; others are loaded and closed."""
    open_ones = [report for report in reports if report.get("kind") == KIND and report.get("ended_at") is None]
    resumable: tuple[dict[str, Any] | None, Gathered | None] = (None, None)
    for report in open_ones:
        gathered = gather(folder, report["run_id"], store)
        if report.get("request") == options.fingerprint() and report is open_ones[-1]:
            resumable = report, gathered
            continue
        ended_at = gathered.last_at or report["started_at"]
        row = {**report, "ended_at": ended_at, "as_of_at": ended_at, "outcome": FAILED, **counts_of(gathered)}
        row["detail"] = report.get("detail") or "killed; what it landed was loaded later"
        load(store, gathered, row)
        write_run_report(folder, row)
    return resumable


def lanes_of(settings: Settings) -> dict[str, int]:
    """How much a backfill holds at once of each meter: a share of what a harvest does."""
    quarter = max(1, settings.concurrency // SHARE)
    return {GITHUB: quarter, GRAPHQL: max(1, quarter // SHARE), PYPI: max(1, quarter // SHARE)}
