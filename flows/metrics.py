"""What a run did and how things stand after it, as a file that Prometheus' node exporter collects.

The file (https://github.com/prometheus/node_exporter#textfile-collector) is written whole or not at all. A harvest writes the one that
is set; another kind of run writes its own beside it, named ``<stem>-<kind>``, so that neither hides what the other did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from extractors.clock import SystemClock
from flows.log_lines import JsonProgress
from flows.progress import Progress
from flows.report import ASKING, FAILED, RunReport
from settings import Settings
from warehouse.errors import DataFolderBusy, NothingPublished
from warehouse.folder import DataFolder
from warehouse.freshness import promise_by_source, published_states
from warehouse.occupancy import free_bytes, sizes
from warehouse.readers import open_current

HARVEST = "harvest"
_COUNTS = {
    "requests_count": ("packhouse_run_requests", "Requests the last run sent."),
    "github_units_count": ("packhouse_run_github_units", "Units of GitHub's REST quota the last run spent."),
    "graphql_points_count": ("packhouse_run_graphql_points", "Points of GitHub's GraphQL quota the last run spent."),
    "pypi_requests_count": ("packhouse_run_pypi_requests", "Requests the last run sent to PyPI."),
    "received_bytes": ("packhouse_run_received_bytes", "Bytes the last run received, after decoding."),
    "waited_seconds": ("packhouse_run_waited_seconds", "Seconds the last run waited for a quota."),
}
_OUTCOMES = ("done", "stopped", "refused", "failed")


@dataclass(slots=True)
class Watched:
    """A run being watched; who runs it puts its report here."""

    report: RunReport | None = None


@contextmanager
def watched(settings: Settings, kind: str, progress: Progress) -> Iterator[Watched]:
    """Write the metrics when the run has ended, however it ended; one that was refused by a busy folder writes nothing.

    A file that cannot be written is told and costs nothing else.
    """
    run, began_at = Watched(), SystemClock().now()
    try:
        yield run
    except DataFolderBusy:
        raise
    except BaseException:
        _write(settings, kind, {"started_at": began_at, "ended_at": SystemClock().now(), "outcome": FAILED}, 1, progress)
        raise
    if run.report is not None:
        if isinstance(progress, JsonProgress):
            progress.report(run.report)
        row = run.report.run
        if kind not in ASKING:  # it shows what another run left
            row = {"started_at": began_at, "ended_at": SystemClock().now(), "outcome": row["outcome"]}
        _write(settings, kind, row, run.report.exit_code, progress)


def _write(settings: Settings, kind: str, run: Mapping[str, Any], exit_code: int, progress: Progress) -> None:
    if settings.metrics_file is None:
        return
    path: Path = settings.metrics_file
    path = path if kind == HARVEST else path.with_name(f"{path.stem}-{kind}{path.suffix}")
    registry = CollectorRegistry()
    _tell_run(registry, kind, run, exit_code)
    if kind == HARVEST:
        _tell_standing(registry, settings, run["ended_at"])
    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        progress.say(
            f"The metrics could not be written to {path} ({(error.strerror or str(error)).lower()}); the run is not touched by that."
        )


def _tell_run(registry: CollectorRegistry, kind: str, run: Mapping[str, Any], exit_code: int) -> None:
    def gauge(name: str, help_text: str, value: float) -> None:
        Gauge(name, help_text, ["kind"], registry=registry).labels(kind).set(value)

    gauge("packhouse_run_started_timestamp_seconds", "When the last run began.", run["started_at"].timestamp())
    gauge("packhouse_run_ended_timestamp_seconds", "When the last run ended.", run["ended_at"].timestamp())
    gauge("packhouse_run_seconds", "How long the last run took.", (run["ended_at"] - run["started_at"]).total_seconds())
    gauge("packhouse_run_exit_code", "0 done; 1 failed; 3 finished, but stale, stopped or refused.", exit_code)
    for column, (name, help_text) in _COUNTS.items():
        if run.get(column) is not None:
            gauge(name, help_text, run[column])
    outcomes = Gauge("packhouse_run_outcome", "1 for the outcome of the last run.", ["kind", "outcome"], registry=registry)
    for outcome in _OUTCOMES:
        outcomes.labels(kind, outcome).set(outcome == run["outcome"])


def _tell_standing(registry: CollectorRegistry, settings: Settings, now: datetime) -> None:
    folder = DataFolder(settings.data)
    disk = Gauge("packhouse_data_bytes", "Bytes of a part of the data folder.", ["part"], registry=registry)
    for part, size in sizes(folder.root).items():
        disk.labels(part).set(size)
    if (free := free_bytes(folder.root)) is not None:
        Gauge("packhouse_disk_free_bytes", "Bytes left on the disk of the data folder.", registry=registry).set(free)
    Gauge("packhouse_max_age_seconds", "PACKHOUSE_MAX_AGE.", registry=registry).set(settings.max_age.total_seconds())
    try:
        with open_current(folder) as publication:
            states, as_of = published_states(publication), publication.as_of_at
            sources = promise_by_source(publication, now=now, max_age=settings.max_age)
    except NothingPublished:
        return
    Gauge("packhouse_published_as_of_timestamp_seconds", "The moment the publication speaks of.", registry=registry).set(as_of.timestamp())
    packages = Gauge("packhouse_packages", "Packages whose value is in a state.", ["value", "state"], registry=registry)
    for column, counts in states.items():
        for state, count in counts.items():
            packages.labels(column.removesuffix("_state"), state).set(count)
    oldest = Gauge("packhouse_oldest_value_timestamp_seconds", "When the oldest promised value was heard.", ["source"], registry=registry)
    for row in sources:
        if row["oldest_at"]:
            oldest.labels(row["source"]).set(row["oldest_at"].timestamp())
