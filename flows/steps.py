"""The steps of a run as plain functions over one :class:`HarvestRun`: open, plan, fetch, load, publish, close.

Each step is safe to be killed in and to be run again. A run that was killed or interrupted has a report without an end in
the landing; the same request then goes on under its run id, and what already landed is recalled instead of asked.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from extractors.clock import Clock, FixedClock, SystemClock
from extractors.conversation import GITHUB, PARTICIPANTS, REPO, Answer, Plan
from extractors.driver import hold, hold_later
from extractors.session import RecallKey, Session
from flows.asking import make_client, make_session, plans, to_capture, to_recall
from flows.loading import Gathered, gather, load, row_from_name, run_of, slowest, spent_by_facet
from flows.options import HarvestOptions
from flows.planning import PAGE_SIZE, SETTLED, Due, HarvestPlan, LastAnswer, batches, plan_harvest
from flows.progress import Progress
from flows.publishing import publish_records
from flows.report import DONE, FAILED, STOPPED, RunReport
from settings import Settings, parse_age
from transforms.catalog import Catalog
from transforms.schemas import FINDINGS
from warehouse.catalog_files import load_catalog
from warehouse.folder import DataFolder
from warehouse.landing import LandingWriter, landed_files, read_captures
from warehouse.reports import read_run_reports, write_run_report
from warehouse.store import Store, open_store

BATCH_SUBJECTS = 500
NEVER = timedelta(0)


class HarvestInterrupted(Exception):
    """A signal ended the run; everything that landed is kept and the same command goes on."""


class UnknownPackages(Exception):
    """Slugs were named that the catalog does not have."""


@dataclass(slots=True, kw_only=True)
class HarvestRun:
    """One run in the making; owned by the sequence, handed from step to step."""

    options: HarvestOptions
    settings: Settings
    engine: str
    clock: Clock
    progress: Progress
    catalog: Catalog
    folder: DataFolder
    store: Store
    run_id: str
    started_at: datetime
    landed: Gathered | None
    stop: threading.Event = field(default_factory=threading.Event)
    plan: HarvestPlan | None = None
    known_ids: Mapping[str, int | None] = field(default_factory=dict)
    recall: Mapping[RecallKey, Answer] = field(default_factory=dict)
    later: list[tuple[str, Plan]] = field(default_factory=list)
    sequence: int = 0
    session: Session | None = None
    report: RunReport | None = None


def make_clock(fixed_now: datetime | None) -> Clock:
    """The machine's clock, or one that stands still."""
    return FixedClock(fixed_now) if fixed_now else SystemClock()


@contextmanager
def open_run(options: HarvestOptions, settings: Settings, *, engine: str, progress: Progress) -> Iterator[HarvestRun]:
    """Lock the data folder, bring earlier runs home, and begin a run or go on with an interrupted one.

    Raises InvalidCatalog, UnknownPackages, DataFolderBusy, DataFolderUnusable, StoreUnusable; nothing is asked then.
    """
    clock = make_clock(options.fixed_now)
    catalog = load_catalog(settings.catalog)
    refuse_unknown(options.slugs, catalog)
    folder = DataFolder(settings.data)
    with folder.lock(), open_store(folder, is_read_only=False) as store:
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
            folder=folder,
            store=store,
            run_id=unfinished["run_id"] if unfinished else new_run_id(started_at, _newest_run_id(folder, reports)),
            started_at=started_at,
            landed=gather(folder, unfinished["run_id"], store.known_series()) if unfinished else None,
        )
        run.sequence = run.landed.last_sequence if run.landed else 0
        if not unfinished:
            write_run_report(folder, {**_run_row(run), "request": options.fingerprint()})
        yield run


def _newest_run_id(folder: DataFolder, reports: list[dict[str, Any]]) -> str | None:
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

    A killed run is loaded so, one whose report is lost, and all of them when the store is gone.
    """
    resumable: dict[str, Any] | None = None
    known = {report["run_id"]: report for report in reports}
    loaded = store.loaded_files()
    unloaded = {run_of(file) for file in landed_files(folder) if file not in loaded}
    for run_id in sorted(unloaded | {run_id for run_id, report in known.items() if report.get("ended_at") is None}):
        report = known.get(run_id) or row_from_name(run_id)
        is_same = report.get("request") == options.fingerprint() and now - report["started_at"] < max_age
        if report.get("ended_at") is None and is_same and report is reports[-1]:
            resumable = report
            continue
        gathered = gather(folder, run_id, store.known_series())
        if report.get("ended_at") is None:
            ended_at = gathered.last_at or report["started_at"]
            detail = report.get("detail") or "killed; what it landed was loaded later"
            report |= {"ended_at": ended_at, "as_of_at": ended_at, "outcome": FAILED, "detail": detail, **_counts(gathered)}
        load(store, gathered, report)
        write_run_report(folder, report)
    return resumable


def plan_run(run: HarvestRun) -> HarvestPlan:
    """Decide what to ask: what is due, without what this run already landed."""
    outcomes = run.landed.outcomes() if run.landed else {}
    landed = {key: LastAnswer(outcome=outcome, confirmed_at=run.started_at) for key, outcome in outcomes.items()}
    run.plan = _plan(run.options, run.settings, run.catalog, run.store, as_of=run.started_at, landed=landed)
    # What this very run saw under a name is that name's; asking it by its older id would not recall what landed.
    known = run.store.known_series()
    run.known_ids = {subject: repo_id for subject, (repo_id, _name) in known.items() if (subject, REPO) not in landed}
    run.recall = _recalled(run, {item.subject for item in run.plan.due if PARTICIPANTS in item.facets})
    return run.plan


def preview(options: HarvestOptions, settings: Settings) -> HarvestPlan:
    """What a harvest would ask now, without asking, writing or locking anything."""
    catalog = load_catalog(settings.catalog)
    refuse_unknown(options.slugs, catalog)
    with open_store(DataFolder(settings.data), is_read_only=True) as store:
        return _plan(options, settings, catalog, store, as_of=make_clock(options.fixed_now).now(), landed={})


def _plan(
    options: HarvestOptions,
    settings: Settings,
    catalog: Catalog,
    store: Store,
    *,
    as_of: datetime,
    landed: Mapping[tuple[str, str], LastAnswer],
) -> HarvestPlan:
    wanted = set(options.slugs)
    subjects = [subject for subject, slugs in catalog.subjects.items() if not wanted or wanted & set(slugs)]
    last = {key: LastAnswer(outcome=outcome, confirmed_at=heard_at) for key, (outcome, heard_at, _run) in store.last_outcomes().items()}
    pages = _participant_pages(store)
    max_age = NEVER if options.full else parse_age(options.max_age) if options.max_age else settings.max_age
    return plan_harvest(subjects, last, as_of=as_of, max_age=max_age, pages=pages, budget=options.budget, landed=landed)


def _participant_pages(store: Store) -> dict[str, int]:
    rows = store.latest()["participant_observations"].select(["subject", "logins", "is_good"]).to_pylist()
    return {row["subject"]: -(-len(row["logins"] or ()) // PAGE_SIZE) for row in rows if row["is_good"]}


@contextmanager
def _landing(run: HarvestRun) -> Iterator[LandingWriter]:
    writer = LandingWriter(run.folder, run_id=run.run_id, on=run.started_at.astimezone(UTC).date())
    yield writer
    writer.flush()


def cut(run: HarvestRun) -> list[tuple[Due, ...]]:
    """The plan in batches; a batch is one task of a flow."""
    return batches(run.plan.due, BATCH_SUBJECTS) if run.plan else []


async def fetch(run: HarvestRun, batch: tuple[Due, ...]) -> None:
    """Ask what a batch needs and land every answer; what GitHub is still computing is kept for ``fetch_later``."""

    async def work(session: Session) -> None:
        run.later += await hold(plans(batch, run.known_ids), session)

    await _ask(run, work)


async def fetch_later(run: HarvestRun) -> None:
    """Ask again for what was still being computed."""
    later, run.later = run.later, []
    run.progress.begin(len(later), "second pass")
    await _ask(run, lambda session: hold_later(later, session))


async def _ask(run: HarvestRun, work: Callable[[Session], Awaitable[None]]) -> None:
    with _landing(run) as writer:
        client = make_client(run.settings, run.clock)

        def land(answer: Answer) -> None:
            run.sequence += 1
            writer.add(to_capture(answer, run_id=run.run_id, sequence=run.sequence))

        def advance(source: str, text: str | None) -> None:
            if text is None:
                run.progress.advance()
            if source == GITHUB or text is not None:
                run.progress.note(text or _budget_words(run.session, source))

        async with client:
            session = make_session(
                client,
                run.settings,
                run.clock,
                budget=_budget_left(run),
                land=land,
                tick=lambda: writer.flush_if_due(run.clock.monotonic()),
                progress=advance,
                stop=run.stop,
            )
            if run.session:  # one account for the whole run
                session.budgets, session.tallies = run.session.budgets, run.session.tallies
            session.recall = run.recall
            run.session = session
            await work(session)


def _recalled(run: HarvestRun, unfinished: AbstractSet[str]) -> dict[RecallKey, Answer]:
    """What the interrupted part of this run landed of questions that have several pages and are not finished."""
    if run.landed is None or not unfinished:
        return {}
    captures = read_captures(run.folder, run_id=run.run_id, on_damaged=lambda _file: None)
    return dict(to_recall(capture) for _file, capture in captures if capture.facet == PARTICIPANTS and capture.subject in unfinished)


def _budget_left(run: HarvestRun) -> int | None:
    """The caller's budget less what the interrupted part of this run spent."""
    if run.options.budget is None or run.landed is None:
        return run.options.budget
    spent: int = sum(
        row["units_count"] for row in run.landed.fetches.select(["source", "units_count"]).to_pylist() if row["source"] == GITHUB
    )
    return max(0, run.options.budget - spent)


def _budget_words(session: Session | None, source: str) -> str:
    if session is None:
        return ""
    budget = session.budget(source)
    return "" if budget.remaining is None else f"{budget.service}: {budget.remaining:,} of {budget.limit:,} left"


def load_run(run: HarvestRun) -> None:
    """Read what the run landed, write its report, and let it join the store in one transaction."""
    gathered = gather(run.folder, run.run_id, run.store.known_series())
    row = _run_row(run) | _counts(gathered)
    endings = run.session.endings if run.session else {}
    row |= {
        "ended_at": run.clock.now(),
        "as_of_at": max(run.started_at, gathered.last_at or run.started_at),
        "outcome": STOPPED if endings else DONE,
        "detail": "; ".join(endings.values()) or None,
        "planned_count": run.plan.facet_count if run.plan else 0,
        "waited_seconds": sum(tally.waited_seconds for tally in run.session.tallies.values()) if run.session else 0.0,
    }
    load(run.store, gathered, row)
    spent = spent_by_facet(gathered.fetches)
    for source, tally in (run.session.tallies if run.session else {}).items():
        if tally.recalled:
            spent.setdefault(source, {"requests": 0, "units": 0})["recalled"] = tally.recalled
    run.report = RunReport(
        run=row,
        plan=run.plan.as_json() if run.plan else {},
        spent=spent,
        findings=gathered.tables[FINDINGS.name].to_pylist(),
        slowest=slowest(gathered.fetches),
    )


def publish_run(run: HarvestRun) -> None:
    """Build the records as of the run, check and publish them, and close the run's report."""
    report = run.report
    if report is None:
        message = "load_run comes before publish_run"
        raise RuntimeError(message)
    publish_records(run.folder, run.store, run.catalog, run.settings.max_age, report, slugs=run.options.slugs)
    write_run_report(run.folder, {**report.run, "request": run.options.fingerprint()})


def _run_row(run: HarvestRun) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "kind": "harvest",
        "engine": run.engine,
        "started_at": run.started_at,
        "packages_count": len(run.catalog.entries),
    }


def _counts(gathered: Gathered) -> dict[str, Any]:
    rows = gathered.fetches.select(["source", "units_count", "bytes_count"]).to_pylist()
    return {
        "answered_count": sum(outcome in SETTLED for outcome in gathered.outcomes().values()),
        "requests_count": len(rows),
        "github_units_count": sum(row["units_count"] for row in rows if row["source"] == "github"),
        "pypi_requests_count": sum(row["source"] == "pypi" for row in rows),
        "received_bytes": sum(row["bytes_count"] for row in rows),
    }
