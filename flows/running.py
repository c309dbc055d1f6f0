"""A run under the engine of the caller's choice: as a Prefect flow, or as the very same steps without Prefect.

What can be refused is refused before an engine is started: mistakes in the catalog, unknown slugs, a busy data folder.
Prefect is imported only here and only when it is wanted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from flows.backfilling import backfill_sequence
from flows.compaction import CompactionReport
from flows.engine import prefect_engine
from flows.options import HarvestOptions
from flows.past_runs import refuse_early
from flows.past_window import BackfillOptions
from flows.report import RunReport
from flows.runs import refuse_unknown
from flows.sequence import compact_sequence, harvest_sequence, replay_sequence, run_step
from settings import Settings
from warehouse.catalog_files import load_catalog
from warehouse.folder import DataFolder

STARTING = "Starting the engine (a few seconds; --engine none does without) ..."


def run_harvest(options: HarvestOptions, settings: Settings, engine: str, say: Callable[[str], None]) -> RunReport:
    """Harvest under ``engine`` (``prefect`` or ``none``); raises what ``harvest_sequence`` raises, and EngineUnavailable."""
    refuse_unknown(options.slugs, load_catalog(settings.catalog))
    _refuse_busy(settings)
    if engine == "none":
        return asyncio.run(harvest_sequence(options, settings, run_step=run_step, engine=engine))
    say(STARTING)
    with prefect_engine(settings.data / "prefect"):
        from flows.harvest import harvest  # noqa: PLC0415 - imports Prefect, whose settings are in place now

        report: RunReport = asyncio.run(
            harvest(
                slugs=list(options.slugs),
                full=options.full,
                max_age=options.max_age,
                budget=options.budget,
                fixed_now=options.fixed_now,
                settings=dict(options.settings),
            )
        )
        return report


def run_backfill(options: BackfillOptions, settings: Settings, engine: str, say: Callable[[str], None]) -> RunReport:
    """Backfill under ``engine``; raises what ``backfill_sequence`` raises, and EngineUnavailable."""
    refuse_early(options, settings)
    if engine == "none":
        return asyncio.run(backfill_sequence(options, settings, run_step=run_step, engine=engine))
    say(STARTING)
    with prefect_engine(settings.data / "prefect" / "backfill"):  # a home of its own: a harvest may run beside it
        from flows.backfill import backfill  # noqa: PLC0415 - as above

        report: RunReport = asyncio.run(
            backfill(
                since=options.since,
                until=options.until,
                slugs=list(options.slugs),
                full=options.full,
                every=options.every,  # type: ignore[arg-type]  # one of the three that the command line offers
                budget=options.budget,
                fixed_now=options.fixed_now,
                settings=dict(options.settings),
            )
        )
        return report


def run_replay(overrides: Mapping[str, str], settings: Settings, engine: str, say: Callable[[str], None]) -> RunReport:
    """Replay under ``engine``; raises what ``replay_sequence`` raises, and EngineUnavailable."""
    load_catalog(settings.catalog)
    _refuse_busy(settings)
    if engine == "none":
        return asyncio.run(replay_sequence(settings, run_step=run_step))
    say(STARTING)
    with prefect_engine(settings.data / "prefect"):
        from flows.replay import replay  # noqa: PLC0415 - as above

        report: RunReport = asyncio.run(replay(settings=dict(overrides)))
        return report


def run_compact(overrides: Mapping[str, str], settings: Settings, engine: str, say: Callable[[str], None]) -> CompactionReport:
    """Compact under ``engine``; raises what ``compact_sequence`` raises, and EngineUnavailable."""
    _refuse_busy(settings)
    if engine == "none":
        return asyncio.run(compact_sequence(settings, run_step=run_step))
    say(STARTING)
    with prefect_engine(settings.data / "prefect"):
        from flows.compact import compact  # noqa: PLC0415 - as above

        return asyncio.run(compact(settings=dict(overrides)))


def _refuse_busy(settings: Settings) -> None:
    """Raise DataFolderBusy or DataFolderUnusable now rather than after the engine has started."""
    with DataFolder(settings.data).lock():
        pass
