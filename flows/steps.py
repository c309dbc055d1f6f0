"""The steps of a run that decide and keep: plan, load, publish. Asking stands in ``fetching.py``, opening in ``runs.py``.

Each step is safe to be killed in and to be run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from extractors.conversation import PROJECT
from flows.asking import has_probe
from flows.doubt import doubted_runs, without_doubted
from flows.forecast import HarvestPlan, forecast
from flows.loading import counts_of, gather, load, load_catalogs, slowest, spent_by_facet
from flows.options import HarvestOptions
from flows.outlook import look_out
from flows.planning import LastAnswer, find_due
from flows.publishing import publish_records
from flows.report import DONE, STOPPED, RunReport
from flows.runs import HarvestRun, good_sizes, is_index_useless, make_clock, refuse_unknown
from flows.saving import saved_by
from settings import Settings
from transforms.catalog import Catalog
from transforms.known import Known
from transforms.schemas import FINDINGS
from warehouse.catalog_files import load_catalog
from warehouse.catalog_landing import land_catalog
from warehouse.folder import DataFolder
from warehouse.reports import read_run_reports, write_run_report
from warehouse.store import Store, open_store


class HarvestInterrupted(Exception):
    """A signal ended the run; everything that landed is kept and the same command goes on."""


def plan_run(run: HarvestRun) -> HarvestPlan:
    """Decide what to ask: what is due, without what this run already landed."""
    outcomes = run.landed.outcomes() if run.landed else {}
    landed = {key: LastAnswer(outcome=outcome, confirmed_at=run.started_at) for key, outcome in outcomes.items()}
    run.stored = Known(run.store.latest())
    run.known, run.last = _believed(run.store, run.stored)
    before = _Before(store=run.store, known=run.known, last=run.last, landed=landed, sizes=run.sizes, is_index_useless=run.is_index_useless)
    run.plan = _plan(run.options, run.settings, run.catalog, before, as_of=run.started_at)
    if not run.foreseen:
        run.foreseen = run.plan.as_json()
        write_run_report(run.folder, {**run.row(), "request": run.options.fingerprint(), "plan": run.foreseen})
    return run.plan


def preview(options: HarvestOptions, settings: Settings) -> HarvestPlan:
    """What a harvest would ask now, without asking, writing or locking anything."""
    catalog = load_catalog(settings.catalog)
    refuse_unknown(options.slugs, catalog)
    with open_store(DataFolder(settings.data), is_read_only=True) as store:
        as_of = make_clock(options.fixed_now).now()
        reports = list(read_run_reports(DataFolder(settings.data), on_damaged=lambda _file: None))
        known, last = _believed(store, Known(store.latest()))
        before = _Before(
            store=store,
            known=known,
            last=last,
            landed={},
            sizes=good_sizes(reports),
            is_index_useless=is_index_useless(reports, settings.pypi_url, as_of),
        )
        return _plan(options, settings, catalog, before, as_of=as_of)


def _believed(store: Store, known: Known) -> tuple[Known, Mapping[tuple[str, str], LastAnswer]]:
    """What the store knows and heard last, as far as it is believed."""
    latest, last = without_doubted(known.latest, store.last_outcomes(), doubted_runs(store.runs()))
    return known if latest is known.latest else Known(latest), last


@dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    """What there was before the run, and what an interrupted part of it landed."""

    store: Store
    known: Known
    last: Mapping[tuple[str, str], LastAnswer]
    landed: Mapping[tuple[str, str], LastAnswer]
    sizes: Mapping[str, int]
    is_index_useless: bool


def _plan(options: HarvestOptions, settings: Settings, catalog: Catalog, before: _Before, *, as_of: datetime) -> HarvestPlan:
    wanted = set(options.slugs)
    subjects = [subject for subject, slugs in catalog.subjects.items() if not wanted or wanted & set(slugs)]
    max_age = options.age(settings.max_age)
    due, fresh = find_due(subjects, before.last, as_of=as_of, max_age=max_age, has_probe=has_probe(settings), landed=before.landed)
    projects = sum(PROJECT in item.facets for item in due)
    has_index = projects >= settings.pypi_index_threshold and projects > 0 and not options.full and not before.is_index_useless
    outlook = look_out(before.store, before.known, due, settings, as_of=as_of, sizes=before.sizes)
    outlook = replace(outlook, has_index=has_index)
    foreseen = forecast(
        due,
        outlook,
        as_of=as_of,
        has_token=settings.github_token is not None,
        budget=options.budget,
        points_per_minute=settings.github_points_per_minute,
        concurrency=settings.concurrency,
    )
    return HarvestPlan(due=tuple(due), fresh_count=fresh, outlook=outlook, forecast=foreseen, as_of=as_of)


def load_run(run: HarvestRun) -> None:
    """Read what the run landed, write its report, and let it join the store in one transaction."""
    gathered = gather(run.folder, run.run_id, run.store, known=run.stored)
    row = run.row() | counts_of(gathered)
    endings = run.session.endings if run.session else {}
    row |= {
        "ended_at": run.clock.now(),
        "as_of_at": max(run.started_at, gathered.last_at or run.started_at),
        "outcome": STOPPED if endings else DONE,
        "detail": "; ".join(dict.fromkeys(endings.values())) or None,
        "planned_count": run.foreseen.get("facets", 0),  # of the whole run, also of one that was interrupted
        "waited_seconds": sum(tally.waited_seconds for tally in run.session.tallies.values()) if run.session else 0.0,
        "forecast_units_count": run.foreseen.get("github_units"),
        "forecast_points_count": run.foreseen.get("graphql_points"),
        "forecast_pypi_requests_count": run.foreseen.get("pypi_requests"),
    }
    load(run.store, gathered, row)
    land_catalog(run.folder, run.catalog_files, row["ended_at"])
    load_catalogs(run.folder, run.store)
    spent = spent_by_facet(gathered.fetches)
    for meter, tally in (run.session.tallies if run.session else {}).items():
        if tally.recalled:
            spent.setdefault(meter, {"requests": 0, "units": 0})["recalled"] = tally.recalled
    run.report = RunReport(
        run=row,
        plan=run.foreseen,
        spent=spent,
        saved=saved_by(run, run.plan, gathered) if run.plan else {},
        findings=gathered.tables[FINDINGS.name].to_pylist(),
        slowest=slowest(gathered.fetches),
    )


def publish_run(run: HarvestRun) -> None:
    """Build the records as of the run, check and publish them, and close the run's report."""
    report = run.report
    if report is None:
        message = "load_run comes before publish_run"
        raise RuntimeError(message)
    publish_records(run.folder, run.store, run.catalog, run.settings, report, slugs=run.options.slugs)
    kept: dict[str, Any] = {"request": run.options.fingerprint(), "plan": run.foreseen, "sizes": run.sizes, "checks": report.unmet()}
    if report.publication:
        kept["publications"] = [report.publication]
    if run.has_serials is not None:
        kept["index"] = {"url": run.settings.pypi_url, "has_serials": run.has_serials}
    write_run_report(run.folder, {**report.run, **kept})
