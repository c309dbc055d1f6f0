"""The order of a backfill's steps, the same under every engine: plan, ask batch after batch, load, check and publish.

Signals are caught as in a harvest: the first lets the answers in flight land, and the same command goes on.
"""

from __future__ import annotations

import asyncio
from typing import Any

from flows.loading import counts_of, gather, load, load_catalogs, slowest, spent_by_facet
from flows.metrics import watched
from flows.past_asking import ask_past, cut_past
from flows.past_plan import describe_backfill
from flows.past_runs import BackfillInterrupted, BackfillRun, open_backfill
from flows.past_window import BackfillOptions
from flows.progress import Progress, progress_for
from flows.publishing import publish_records
from flows.report import DONE, STOPPED, RunReport
from flows.sequence import StepRunner, signals_set
from settings import Settings
from transforms.schemas import COMMIT_READINGS, FINDINGS, STAR_DAYS
from warehouse.catalog_landing import land_catalog
from warehouse.reports import write_run_report


async def backfill_sequence(
    options: BackfillOptions, settings: Settings, *, run_step: StepRunner, engine: str, watch: Progress | None = None
) -> RunReport:
    """Ask for the past of a window, load it and publish. ``watch`` is told how it goes.

    Raises what ``open_backfill`` raises, BackfillInterrupted after a signal, DataFolderUnusable when nothing more can be landed, and
    PublicationFailed; in each case the last good publication is intact.
    """
    with (
        progress_for(settings.log_format, watch=watch) as progress,
        watched(settings, "backfill", progress) as measured,
        open_backfill(options, settings, engine=engine, progress=progress) as run,
        signals_set(run.stop),
    ):
        for line in describe_backfill(run.plan, options.since, options.until):
            progress.say(line)
        progress.begin(sum(run.plan.requests.values()), "asking")
        done, cuts = 0, cut_past(run)
        for batch in cuts:
            first, done = done + 1, done + len(batch)
            name = f"Ask for the past of subjects {first:,} to {done:,} of {sum(map(len, cuts)):,}"
            await run_step(name, lambda batch=batch: ask_past(run, batch))  # type: ignore[misc]
            _end_if_stopped(run)
        await run_step("Load what landed, check and publish", lambda: asyncio.to_thread(settle_backfill, run))
        assert run.report is not None  # noqa: S101 - settle_backfill made it
        measured.report = run.report
        return run.report


def settle_backfill(run: BackfillRun) -> None:
    """Load what the backfill landed and publish, under one lock; safe to be killed in and to be run again."""
    with run.writing() as store:
        gathered = gather(run.folder, run.run_id, store)
        now = run.clock.now()
        endings = run.session.endings if run.session else {}
        windows, stars = gathered.tables[COMMIT_READINGS.name], gathered.tables[STAR_DAYS.name]
        answered = windows.num_rows + len(stars["series"].unique()) + sum(1 for subject, facet in gathered.outcomes() if facet == "project")
        planned = run.foreseen.get("facets", 0)
        row: dict[str, Any] = run.row() | counts_of(gathered)
        row |= {
            "ended_at": now,
            "as_of_at": max([now, *[each["as_of_at"] for each in store.runs() if each["as_of_at"]]]),
            "outcome": STOPPED if endings else DONE,
            "detail": "; ".join(dict.fromkeys(endings.values())) or _unanswered(planned - answered),
            "planned_count": planned,
            "answered_count": answered,
            "waited_seconds": sum(tally.waited_seconds for tally in run.session.tallies.values()) if run.session else 0.0,
            "forecast_units_count": run.foreseen.get("github_units"),
            "forecast_points_count": run.foreseen.get("graphql_points"),
            "forecast_pypi_requests_count": run.foreseen.get("pypi_requests"),
        }
        load(store, gathered, row)
        land_catalog(run.folder, run.catalog_files, now)
        load_catalogs(run.folder, store)
        spent = spent_by_facet(gathered.fetches)
        for meter, tally in (run.session.tallies if run.session else {}).items():
            if tally.recalled:
                spent.setdefault(meter, {"requests": 0, "units": 0})["recalled"] = tally.recalled
        run.report = RunReport(
            run=row,
            plan=run.foreseen,
            spent=spent,
            findings=gathered.tables[FINDINGS.name].to_pylist(),
            slowest=slowest(gathered.fetches),
        )
        publish_records(run.folder, store, run.catalog, run.settings, run.report, slugs=run.options.slugs)
        kept: dict[str, Any] = {"request": run.options.fingerprint(), "plan": run.foreseen, "sizes": run.sizes}
        if run.report.publication:
            kept["publications"] = [run.report.publication]
        write_run_report(run.folder, {**run.report.run, **kept})


def _unanswered(count: int) -> str | None:
    return f"{count:,} questions got no answer that helps; the same backfill asks them again" if count > 0 else None


def _end_if_stopped(run: BackfillRun) -> None:
    if run.stop.is_set():
        raise BackfillInterrupted(
            f"Interrupted: backfill {run.run_id} landed {run.sequence:,} answers so far and published nothing; "
            "the last good publication is intact. The same command goes on where it stopped."
        )
