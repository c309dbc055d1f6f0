"""From landed answers to the store: one run at a time, the same whether it was just harvested, was killed, or is replayed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from extractors.allowance import units
from extractors.conversation import BATCHED, GITHUB, PYPI
from extractors.verdict import judge
from flows.asking import divided
from flows.planning import SETTLED
from flows.report import FAILED
from transforms.known import Known
from transforms.observations import CaptureView, Gathering, ledger_row
from transforms.schemas import FETCHES, FINDINGS
from warehouse.archives import Archives
from warehouse.catalog_landing import landed_catalogs, read_landed_catalog
from warehouse.folder import DataFolder
from warehouse.landing import DamagedFile, landed_files, read_captures, run_of
from warehouse.store import Store

ROWS_AT_ONCE = 2_000
SLOWEST_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Everything one run landed, read once.

    Attributes:
        tables: rows for the history tables, ``releases`` and ``findings``.
        fetches: the ledger.
        files: the landed files the rows come from.
        last_at: when the last answer was complete; ``None`` when nothing landed.
        last_sequence: the highest sequence number; 0 when nothing landed.
    """

    tables: dict[str, pa.Table]
    fetches: pa.Table
    files: list[str]
    last_at: datetime | None
    last_sequence: int

    def outcomes(self) -> dict[tuple[str, str], str]:
        """How each question of the run was answered: ``{(subject, facet): outcome}``."""
        from transforms.schemas import FACET_TABLES  # noqa: PLC0415 - only a resumed run asks

        found: dict[tuple[str, str], str] = {}
        for facet, table in FACET_TABLES.items():
            rows = self.tables[table.name].select(["subject", "outcome"]).to_pylist()
            found.update({(row["subject"], facet): row["outcome"] for row in rows})
        return found


def gather(folder: DataFolder, run_id: str, store: Store, archives: Archives | None = None, *, known: Known | None = None) -> Gathered:
    """Read what a run landed and let the transforms say what it means beside what the store knew; a damaged file becomes a finding.

    Whoever gathers run after run brings the archives of the landing; who has looked already brings what the store knows.
    """
    gathering = Gathering(known or Known(store.latest()))
    chunks: list[pa.Table] = []
    ledger: list[dict[str, Any]] = []
    damaged: list[DamagedFile] = []
    files: dict[str, None] = {}
    last_at: datetime | None = None
    last_sequence = 0
    for file, capture in read_captures(folder, run_id=run_id, on_damaged=damaged.append, archives=archives):
        files[file] = None
        verdict = str(verdict_of(capture))
        for own, taken_for in divided(capture, verdict):
            gathering.add(own, taken_for)
        ledger.append(ledger_row(capture, verdict, cost_of(capture)))
        last_at = max(last_at, capture.fetched_at) if last_at else capture.fetched_at
        last_sequence = max(last_sequence, capture.sequence)
        if len(ledger) >= ROWS_AT_ONCE:
            chunks.append(pa.Table.from_pylist(ledger, schema=FETCHES.schema))
            ledger.clear()
    chunks.append(pa.Table.from_pylist(ledger, schema=FETCHES.schema))
    tables = gathering.tables()
    if damaged:
        found_at = last_at or row_from_name(run_id)["started_at"]  # all it landed may be damaged
        rows = [file.finding(found_at) for file in damaged]
        tables[FINDINGS.name] = pa.concat_tables([tables[FINDINGS.name], pa.Table.from_pylist(rows, schema=FINDINGS.schema)])
    return Gathered(tables=tables, fetches=pa.concat_tables(chunks), files=list(files), last_at=last_at, last_sequence=last_sequence)


def verdict_of(capture: CaptureView) -> str:
    """What a landed answer is taken for today; judged anew at every load so that a mended classifier mends history too."""
    return judge(
        source=capture.source,
        facet=capture.facet,
        status=capture.status,
        headers=capture.headers,
        body=capture.body,
        error=capture.error,
    ).verdict


def cost_of(capture: CaptureView) -> int:
    """What a landed answer cost of its meter."""
    return units(facet=capture.facet, source=capture.source, status=capture.status, identity=capture.identity, body=capture.body)


def counts_of(gathered: Gathered) -> dict[str, Any]:
    """What the ledger and the outcomes of a run sum up to: columns of ``runs``."""
    rows = gathered.fetches.select(["source", "facet", "verdict", "units_count", "bytes_count"]).to_pylist()
    return {
        "answered_count": sum(outcome in SETTLED | {"unchanged"} for outcome in gathered.outcomes().values()),
        "requests_count": len(rows),
        "github_units_count": sum(row["units_count"] for row in rows if row["source"] == GITHUB and row["facet"] not in BATCHED),
        "graphql_points_count": sum(row["units_count"] for row in rows if row["facet"] in BATCHED),
        "pypi_requests_count": sum(row["source"] == PYPI for row in rows),
        "unchanged_count": sum(row["verdict"] == "unchanged" for row in rows),
        "received_bytes": sum(row["bytes_count"] for row in rows),
    }


def load(store: Store, gathered: Gathered, run: Mapping[str, Any] | None) -> None:
    """Let a run join the history, with its row of ``runs``; loading it again changes nothing."""
    store.load(run=run, tables=gathered.tables, fetches=gathered.fetches, files=gathered.files)


def load_catalogs(folder: DataFolder, store: Store) -> None:
    """Let the versions of the catalog that were in force join the history of its entries, oldest first; a damaged one is left out."""
    loaded = store.loaded_files()
    for name in landed_catalogs(folder):
        if name not in loaded and (found := read_landed_catalog(folder, name, on_damaged=lambda _file: None)):
            known_at, catalog = found
            store.load_catalog(file=name, known_at=known_at, entries=catalog.entries_at(known_at))


def spent_by_facet(fetches: pa.Table) -> dict[str, dict[str, int]]:
    """Requests and quota units of a ledger, by facet."""
    spent: dict[str, dict[str, int]] = {}
    for row in fetches.select(["facet", "units_count"]).to_pylist():
        counts = spent.setdefault(row["facet"], {"requests": 0, "units": 0})
        counts["requests"] += 1
        counts["units"] += row["units_count"]
    return spent


def slowest(fetches: pa.Table) -> list[dict[str, Any]]:
    """The slowest answers of a ledger."""
    rows: list[dict[str, Any]] = (
        fetches.sort_by([("duration_ms", "descending")]).slice(0, SLOWEST_SHOWN).select(["url", "duration_ms"]).to_pylist()
    )
    return rows


def runs_without_report(folder: DataFolder, reports: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row of ``runs`` for every run that landed answers and whose report is lost or damaged, oldest first."""
    reported = {report["run_id"] for report in reports}
    return [row_from_name(run_id) for run_id in sorted({run_of(file) for file in landed_files(folder)} - reported)]


def row_from_name(run_id: str) -> dict[str, Any]:
    """The row of a run of which nothing but its landed files is left."""
    started_at = datetime.strptime(run_id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return {"run_id": run_id, "kind": "harvest", "started_at": started_at, "outcome": FAILED, "detail": "its report is lost"}
