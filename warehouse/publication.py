"""Publications: what readers see, immutable, and one link that leads to the last good one.

    published/<name>/packhouse.duckdb           every table of PUBLIC_TABLES, sorted by its key, and the views (views.py), with COMMENTs
    published/<name>/parquet/<table>.parquet    the same rows, zstd
    published/<name>/manifest.json              schema version, run, as-of, rows per table, checks, size and SHA-256 of each file

``<name>`` is the run id; a run published once more gets ``<run_id>-02`` and so on, for a published folder is never touched again (its
files are read-only). Everything is written in ``.<name>.staging``, judged (checks.py), synced and renamed; only then ``current`` moves, in
one step. A process killed before that leaves ``current`` as it was, and the next one sweeps. The newest two are kept, and the current
one whatever its age; a reader that has an older one open goes on reading it, because an open file outlives its name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from transforms.schemas import (
    CATEGORIES,
    FETCHES,
    FINDINGS,
    GRID_PACKAGES,
    GRIDS,
    PACKAGES,
    PUBLIC_TABLES,
    PUBLICATION,
    PUBLICATIONS,
    RUNS,
    STORE_TABLES,
    Table,
)
from warehouse.as_of import as_of_macros
from warehouse.checks import CheckResult, evaluate_checks
from warehouse.database import DUCKDB_ERRORS, attach, columns_of, ddl, fill, first_line
from warehouse.durable import make_folder, point, remove_tree, sync_file, sync_folder
from warehouse.errors import PublicationFailed
from warehouse.expectations import Expectation, load_expectations
from warehouse.folder import DataFolder, checked_name
from warehouse.hindsight import hindsight_macros
from warehouse.store import Store
from warehouse.views import make_views

SCHEMA_VERSION = 4
STORAGE_VERSION = "v1.4.0"  # DuckDB 1.4 is the oldest client that is promised to open it
KEEP = 2
RECENT = timedelta(days=92)  # how far back a publication tells of single requests and findings; the store has all
DATABASE = "packhouse.duckdb"
MANIFEST = "manifest.json"
# What the store does not have and the caller brings.
BROUGHT = tuple(table for table in PUBLIC_TABLES if table not in STORE_TABLES)
# An index has to fit in memory (https://duckdb.org/docs/stable/guides/performance/indexing), so tables that outgrow the catalog are
# sorted by their key and have no index on it.
INDEXED = (PACKAGES, CATEGORIES, GRIDS, GRID_PACKAGES, PUBLICATION, RUNS)

# A value that was confirmed before that keeps the answer that did.
_FETCHES = """(
    FROM store.main.fetches WHERE NOT coalesce(fetched_at < $1, false)
    UNION ALL BY NAME
    SELECT f.* FROM store.main.fetches f SEMI JOIN (
        SELECT max(row(fetched_at, run_id, sequence)) AS newest FROM store.main.fetches
        WHERE status BETWEEN 200 AND 399 GROUP BY source, subject, facet
    ) n ON f.fetched_at < $1 AND row(f.fetched_at, f.run_id, f.sequence) = n.newest
)"""
_FINDINGS = "(FROM store.main.findings WHERE found_at >= $1)"
_RECENT = {FETCHES.name: _FETCHES, FINDINGS.name: _FINDINGS}
_COPY = "INSERT INTO staged.main.$table BY NAME SELECT $columns FROM $origin ORDER BY $key"
_EXPORT = "COPY (SELECT * FROM staged.main.$table ORDER BY $key) TO ? (FORMAT parquet, COMPRESSION zstd)"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationInfo:
    """What became of a publication.

    Attributes:
        run_id: the run it speaks for.
        path: its folder; does not exist when it was refused.
        as_of_at: the moment it speaks of.
        counts: rows of each table.
        checks: every expectation measured.
        is_current: no check refused it (or it was forced) and ``current`` leads to it.
    """

    run_id: str
    path: Path
    as_of_at: datetime
    counts: Mapping[str, int]
    checks: tuple[CheckResult, ...]
    is_current: bool

    @property
    def unmet(self) -> tuple[CheckResult, ...]:
        """The expectations it does not meet, those that stop first."""
        return tuple(sorted((check for check in self.checks if not check.is_met), key=lambda check: not check.refuses))


def publish(
    folder: DataFolder,
    *,
    run: Mapping[str, Any],
    tables: Mapping[str, pa.Table],
    store: Store,
    entry: Mapping[str, Any] | None = None,
    is_forced: bool = False,
    expectations: Sequence[Expectation] | None = None,
) -> PublicationInfo:
    """Write a publication, judge it, and let ``current`` lead to it unless a check refuses it.

    Args:
        folder: the data folder; hold its lock.
        run: the row of ``runs`` that stands in the publication for this run, whatever the store has; needs ``run_id`` and ``as_of_at``.
        tables: packages, categories, grids, grid_packages and participants, in the schemas of ``transforms/schemas.py``.
        store: the rest, copied inside DuckDB.
        entry: its row of ``publications``, which the store does not have yet.
        is_forced: publish although a check refuses it.
        expectations: those in force; by default all of ``expectations.toml``.

    Raises PublicationFailed when it cannot be written; nothing is left of it and ``current`` has not moved.
    """
    name = _free_name(folder, checked_name(run["run_id"]))
    staging = folder.published / f".{name}.staging"
    try:
        with _attached(store, staging) as connection:
            counts = _fill_database(connection, run, tables, entry)
            checks = _judge(connection, folder, run, load_expectations() if expectations is None else expectations)
            is_current = is_forced or not any(check.refuses for check in checks)
            if is_current:
                _export(connection, staging / "parquet")
        if is_current:
            _write_manifest(staging, run, counts, checks)
            _settle(folder, staging, name)
    except (*DUCKDB_ERRORS, OSError, pa.ArrowException) as error:
        raise _failed(folder, error) from error
    finally:
        remove_tree(staging)
    if is_current:
        _prune(folder)
    return PublicationInfo(
        run_id=run["run_id"], path=folder.published / name, as_of_at=run["as_of_at"], counts=counts, checks=checks, is_current=is_current
    )


def make_public_table(connection: duckdb.DuckDBPyConnection, catalog: str, table: Table) -> None:
    """Make one empty table of a publication in an attached database."""
    for statement in ddl(catalog, table, has_primary_key=table in INDEXED):
        connection.execute(statement)


def _free_name(folder: DataFolder, run_id: str) -> str:
    names = (run_id, *(f"{run_id}-{number:02}" for number in range(2, 1000)))
    return next(name for name in names if not (folder.published / name).exists())


@contextmanager
def _attached(store: Store, staging: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The store's connection with an empty ``staged`` database; the file is whole and closed afterwards."""
    remove_tree(staging)
    make_folder(staging)
    connection = store.connection
    try:
        attach(connection, staging / DATABASE, "staged", storage_version=STORAGE_VERSION)
        yield connection
        connection.execute("CHECKPOINT staged")
        connection.execute("DETACH staged")
    except BaseException:
        # After a full disk DuckDB refuses the whole connection, the store's part of it included.
        store.reopen()
        raise


def _fill_database(
    connection: duckdb.DuckDBPyConnection, run: Mapping[str, Any], tables: Mapping[str, pa.Table], entry: Mapping[str, Any] | None
) -> dict[str, int]:
    connection.begin()  # one commit for two hundred statements, each of which would wait for the disk
    for table in PUBLIC_TABLES:
        make_public_table(connection, "staged", table)
    connection.execute("USE staged.main")  # where the macros' tables are
    for statement in (*as_of_macros("staged"), *hindsight_macros("staged")):
        connection.execute(statement)
    connection.execute("USE memory.main")
    make_views(connection, "staged")
    connection.commit()
    tables = {**tables, PUBLICATION.name: _row_of(PUBLICATION, run)}
    counts = {}
    for table in PUBLIC_TABLES:
        if table in BROUGHT:
            _copy_arrow(connection, table, tables[table.name])
        elif table.name in _RECENT:
            _copy(connection, table, _RECENT[table.name], [run["as_of_at"] - RECENT])
        else:
            _copy(connection, table, f"store.main.{table.name}")
        if table is RUNS:
            connection.execute("DELETE FROM staged.main.runs WHERE run_id = ?", [run["run_id"]])
            _copy_arrow(connection, RUNS, _row_of(RUNS, run))
        if table is PUBLICATIONS and entry is not None:
            connection.execute("DELETE FROM staged.main.publications WHERE published_at = ?", [entry["published_at"]])
            _copy_arrow(connection, PUBLICATIONS, _row_of(PUBLICATIONS, entry))
        counts[table.name] = connection.execute(fill("SELECT count(*) FROM staged.main.$table", table=table.name)).fetchall()[0][0]
    return counts


def _row_of(table: Table, run: Mapping[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([{name: run.get(name) for name in table.names}], schema=table.schema)


def _copy_arrow(connection: duckdb.DuckDBPyConnection, table: Table, rows: pa.Table) -> None:
    connection.register("incoming", rows.select(table.names).cast(table.schema))
    _copy(connection, table, "incoming")
    connection.unregister("incoming")


def _copy(connection: duckdb.DuckDBPyConnection, table: Table, origin: str, values: Sequence[datetime] = ()) -> None:
    statement = fill(_COPY, table=table.name, columns=columns_of(table.names), origin=origin, key=columns_of(table.key))
    connection.execute(statement, list(values))


def _judge(
    connection: duckdb.DuckDBPyConnection, folder: DataFolder, run: Mapping[str, Any], expectations: Sequence[Expectation]
) -> tuple[CheckResult, ...]:
    """Measure it; a last publication that nobody can read, or not to its end, is no measure for the next one."""
    previous = _previous(folder)
    if previous is not None:
        try:
            connection.execute("ATTACH ? AS previous (READ_ONLY)", [str(previous)])
            return evaluate_checks(connection, expectations, run_id=run["run_id"], as_of=run["as_of_at"], has_previous=True)
        except DUCKDB_ERRORS:
            pass  # measured below without it: a fault that is not in the last publication shows there again
        finally:
            connection.execute("DETACH DATABASE IF EXISTS previous")
    return evaluate_checks(connection, expectations, run_id=run["run_id"], as_of=run["as_of_at"], has_previous=False)


def _previous(folder: DataFolder) -> Path | None:
    """The database of the current publication, of whatever schema: an update must not let a fault pass unseen."""
    try:
        path = folder.current.resolve(strict=True)
        json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return path / DATABASE


def _export(connection: duckdb.DuckDBPyConnection, parquet: Path) -> None:
    make_folder(parquet)
    for table in PUBLIC_TABLES:
        path = parquet / f"{table.name}.parquet"
        connection.execute(fill(_EXPORT, table=table.name, key=columns_of(table.key)), [str(path)])


def _write_manifest(staging: Path, run: Mapping[str, Any], counts: Mapping[str, int], checks: tuple[CheckResult, ...]) -> None:
    files = sorted(path for path in staging.rglob("*") if path.is_file())
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "storage_version": STORAGE_VERSION,
        "duckdb_version": duckdb.__version__,
        "run_id": run["run_id"],
        "as_of_at": run["as_of_at"].isoformat(),
        "accepted_reason": run.get("accepted_reason"),
        "counts": dict(counts),
        "checks": [check.as_dict() for check in checks],
        "files": {path.relative_to(staging).as_posix(): {"bytes": path.stat().st_size, "sha256": _sha256(path)} for path in files},
    }
    (staging / MANIFEST).write_text(json.dumps(manifest, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _settle(folder: DataFolder, staging: Path, name: str) -> None:
    """Put everything on the disk, give the folder its name, move ``current``."""
    for path in staging.rglob("*"):
        if path.is_file():
            path.chmod(0o444)  # a client that opened it for writing would lock every reader out
            sync_file(path)
    sync_folder(staging / "parquet")
    sync_folder(staging)
    path = folder.published / name
    staging.rename(path)
    try:
        sync_folder(folder.published)
        point(folder.current, path)
    except BaseException:
        if not _leads_to(folder.current, path):
            remove_tree(path)  # it would pass for a publication
        raise


def _leads_to(link: Path, path: Path) -> bool:
    return link.is_symlink() and link.resolve() == path.resolve()


def _prune(folder: DataFolder) -> None:
    current = folder.current.resolve()
    names = sorted((path for path in folder.published.iterdir() if not path.name.startswith(".")), key=lambda path: path.name)
    for path in names[:-KEEP]:
        if path.resolve() != current:
            aside = path.with_name(f".{path.name}.staging")  # swept, should the process die in between
            with suppress(OSError):
                path.rename(aside)
            remove_tree(aside)


def _failed(folder: DataFolder, error: Exception) -> PublicationFailed:
    said = first_line(error)
    is_full = any(words in said for words in ("No space left", "File too large", "Disk quota", "no space left"))
    remedy = "free some space and run: packhouse publish" if is_full else "look at the reason given, then run: packhouse publish"
    return PublicationFailed(
        f"the publication could not be written below {folder.published} ({said}); nothing of it was kept, the last good publication is "
        f"still the current one and everything loaded is kept. Next: {remedy}"
    )
