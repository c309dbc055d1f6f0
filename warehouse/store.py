"""The store: everything ever observed, in ``store/store.duckdb``; what the next run and the publication read.

It holds the tables of ``STORE_TABLES`` and four of its own: ``standings`` (history.py), ``listings`` (listings.py), ``landed_files``
(which sealed files were loaded) and ``store_schema``. It is derived: the landing rebuilds it, so a store that is corrupt or of an unknown
schema is refused and never repaired in place; one of an earlier schema is carried over (migrations.py). A load is one transaction:
a process killed in it leaves the store as it was, and loading the same again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from sys import intern
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa

from transforms.schemas import (
    COMMIT_READINGS,
    FACET_TABLES,
    FETCHES,
    FINDINGS,
    HEAD_OBSERVATIONS,
    PROJECT_OBSERVATIONS,
    PUBLICATIONS,
    RELEASES,
    RUNS,
    STAR_DAYS,
    WEEK_OBSERVATIONS,
    Table,
)
from warehouse.commit_days import join_commit_days, known_spans
from warehouse.confirmation import confirm_by_heads
from warehouse.database import DUCKDB_ERRORS, arrow, attach, columns_of, connect, fill, first_line
from warehouse.durable import sync_folder
from warehouse.entries import join_entries
from warehouse.errors import DataFolderBusy, DataFolderUnusable, StoreOutdated, StoreUnusable, WarehouseError
from warehouse.folder import DataFolder, refusals_told
from warehouse.history import GOOD, LAST_OUTCOMES, LATEST, join_history
from warehouse.listings import join_listings
from warehouse.star_days import join_star_days, known_stars
from warehouse.store_tables import has_tables, make_tables, refuse_other_schema
from warehouse.validators import join_validators, validators_of

_ROWS_AT_ONCE = 10_000
_REBUILT = "rebuilt.duckdb"
_LOG = "store.duckdb.wal"
_LOG_ASIDE = ".store.duckdb.wal.aside"

_ADD_NEW_ROWS = """
INSERT INTO store.main.$table BY NAME
SELECT i.* FROM (FROM incoming QUALIFY row_number() OVER (PARTITION BY $key) = 1) i
ANTI JOIN store.main.$table t USING ($key)
"""


class Store:
    """An open store; a context manager. Made by ``open_store`` and ``rebuilt_store``."""

    def __init__(self, path: Path | None, *, spill: Path | None, is_read_only: bool) -> None:
        self._path = path
        self._spill = spill
        self._is_read_only = is_read_only
        self.connection = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the process no longer holds it."""
        self.connection.close()

    def settle(self) -> None:
        """Have everything in the file, no log beside it (a close that fails at that is silent); raises what ``explained`` tells."""
        try:
            self.connection.execute("CHECKPOINT store")
        except DUCKDB_ERRORS as error:
            raise self.explained(error) from error

    def reopen(self) -> None:
        """Close and open again; a full disk or a damaged file leaves a connection of DuckDB unusable."""
        self.connection.close()
        self.connection = self._open()

    def load(
        self,
        *,
        run: Mapping[str, Any] | None,
        tables: Mapping[str, pa.Table],
        fetches: pa.Table | Iterable[Mapping[str, Any]] = (),
        files: Iterable[str] = (),
    ) -> None:
        """Let what a run observed join the history, in one transaction; twice is once.

        Args:
            run: a row of ``runs`` (absent columns are null), replacing the one of the same run_id.
            tables: rows for the history tables, ``releases`` and ``findings``, shaped by ``transforms/schemas.py``; none is required.
            fetches: rows of the ledger.
            files: landed files of which every answer is in ``tables`` by now.

        Raises StoreUnusable or DataFolderUnusable; the store is then as before.
        """
        with self._transaction() as connection:
            for facet, table in FACET_TABLES.items():
                if table.name in tables and tables[table.name].num_rows:
                    join_history(connection, table, facet, tables[table.name])
            if HEAD_OBSERVATIONS.name in tables and tables[HEAD_OBSERVATIONS.name].num_rows:
                confirm_by_heads(connection, tables[HEAD_OBSERVATIONS.name])
            weeks, heads, windows = (_rows(tables, table) for table in (WEEK_OBSERVATIONS, HEAD_OBSERVATIONS, COMMIT_READINGS))
            join_commit_days(connection, weeks=weeks, heads=heads, readings=windows)
            join_star_days(connection, _rows(tables, STAR_DAYS))
            releases, projects = _rows(tables, RELEASES), _rows(tables, PROJECT_OBSERVATIONS)
            if releases.num_rows or projects.num_rows:
                join_listings(connection, releases, projects)
            _add_new_rows(connection, FETCHES, fetches)
            _add_new_rows(connection, FINDINGS, tables.get(FINDINGS.name, ()))
            join_validators(connection, tables)
            if run is not None:
                _replace_run(connection, run)
            _note_files(connection, files)

    def load_catalog(self, *, file: str, known_at: datetime, entries: Mapping[str, pa.Table]) -> None:
        """Let a version of the catalog (``Catalog.entries_at``) join the history of its entries, in one transaction; twice is once.

        ``file`` is the landed file it was read from. Raises StoreUnusable or DataFolderUnusable; the store is then as before.
        """
        with self._transaction() as connection:
            join_entries(connection, entries, known_at)
            _note_files(connection, [file])

    def record_run(self, run: Mapping[str, Any]) -> None:
        """Add or replace one row of ``runs``."""
        with self._transaction() as connection:
            _replace_run(connection, run)

    def record_publication(self, entry: Mapping[str, Any]) -> None:
        """Add one row of ``publications``; twice is once."""
        with self._transaction() as connection:
            _add_new_rows(connection, PUBLICATIONS, [dict.fromkeys(PUBLICATIONS.names) | dict(entry)])

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A transaction on the attached ``store``, for a module that owns a table of it; errors are explained as those of ``load``."""
        with self._transaction() as connection:
            yield connection

    def loaded_files(self) -> frozenset[str]:
        """The landed files that were loaded."""
        with self._reading():
            return frozenset(name for (name,) in self.connection.execute("SELECT file FROM store.main.landed_files").fetchall())

    def latest(self) -> dict[str, pa.Table]:
        """For each history table its newest row and its newest good row per subject, with ``is_good``; one row where they coincide.

        "Newest" is confirmed last, in the series the subject follows now; ``subject`` is the one asked about now. A series that two
        subjects share appears once for each, also for the name its repository bears now when nobody asked by that yet.
        """
        with self._reading():
            return {table.name: self._latest(table) for table in FACET_TABLES.values()}

    def known_series(self) -> dict[str, tuple[int | None, str | None]]:
        """The forge id and full name of every repository once seen: ``{"github:owner/name": (id, "Owner/Name")}``."""
        with self._reading():
            rows = self._latest(FACET_TABLES["repo"]).select(["subject", "repo_id", "full_name", "is_good"]).to_pylist()
        return {row["subject"]: (row["repo_id"], row["full_name"]) for row in rows if row["is_good"]}

    def last_outcomes(self) -> dict[tuple[str, str], tuple[str, datetime, str]]:
        """What was heard last, when and in which run: ``{(subject, facet): (outcome, confirmed_at, run_id)}``."""
        outcomes = {}
        subjects: dict[str, str] = {}  # the name of a subject is held once, however many facets it has
        with self._reading():
            for batch in self.connection.sql(fill(LAST_OUTCOMES, good=GOOD)).to_arrow_reader(_ROWS_AT_ONCE):
                for subject, facet, outcome, heard_at, run_id in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    outcomes[subjects.setdefault(subject, subject), intern(facet)] = (intern(outcome), heard_at, intern(run_id))
        return outcomes

    def known_days(self, from_on: date, until_on: date) -> tuple[dict[str, list[tuple[date, date]]], dict[str, tuple[date, date, int]]]:
        """By series, which days' commits are known (``known_spans``), and which days' stars in a window (``known_stars``)."""
        with self._reading():
            return known_spans(self.connection), known_stars(self.connection, from_on, until_on)

    def validators(self, subjects: Iterable[str]) -> dict[tuple[str, str, str], tuple[str | None, str | None]]:
        """What vouches for the newest good answers about these subjects: ``{(identity, api_version, url): (etag, last_modified)}``."""
        with self._reading():
            return validators_of(self.connection, subjects)

    def runs(self) -> list[dict[str, Any]]:
        """The rows of ``runs``, oldest first."""
        with self._reading():
            rows: list[dict[str, Any]] = arrow(self.connection, "FROM store.main.runs ORDER BY run_id", RUNS.schema).to_pylist()
        return rows

    def _latest(self, table: Table) -> pa.Table:
        schema = table.schema.append(pa.field("is_good", pa.bool_(), nullable=False))
        return arrow(self.connection, fill(LATEST, table=table.name, good=GOOD), schema)

    def _open(self) -> duckdb.DuckDBPyConnection:
        connection = connect(spill=self._spill)
        try:
            if self._path is None:
                connection.execute("ATTACH ':memory:' AS store")
            elif self._is_read_only:
                connection.execute("ATTACH ? AS store (READ_ONLY)", [str(self._path)])
                if not has_tables(connection):  # made by a process that was killed before its first tables were
                    connection.execute("DETACH store")
                    connection.execute("ATTACH ':memory:' AS store")
            else:
                attach(connection, self._path, "store")
            make_tables(connection)
            refuse_other_schema(connection, self._path)
        except DUCKDB_ERRORS as error:
            connection.close()
            raise self.explained(error) from error
        except WarehouseError:
            connection.close()
            raise
        return connection

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            self.connection.begin()
            yield self.connection
            self.connection.commit()
        except DUCKDB_ERRORS as error:
            with suppress(WarehouseError):
                self.reopen()  # which rolls back; a full disk leaves nothing else that works
            raise self.explained(error) from error
        except BaseException:
            self.connection.rollback()
            raise

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except DUCKDB_ERRORS as error:
            raise self.explained(error) from error

    def explained(self, error: BaseException) -> WarehouseError:
        """What an error of DuckDB means for whoever runs this."""
        said = first_line(error)
        if "Could not set lock" in said:
            return DataFolderBusy(
                f"the store {self._path} is being written by another process ({said}); it is whole, only busy. "
                "Next: try again when that has ended",
                pid=None,
                since=None,
            )
        if "No space left" in said or "Permission denied" in said or "Read-only file system" in said or "File too large" in said:
            return DataFolderUnusable(
                f"the store {self._path} cannot be written ({said}); it is as it was before, and everything landed is kept. "
                "Next: free some space or make the folder writable, then run the same command again"
            )
        return StoreUnusable(
            f"the store {self._path} cannot be used ({said}); what was published and landed is untouched. "
            "Next: rebuild it from the landing with: packhouse replay"
        )


def open_store(folder: DataFolder, *, is_read_only: bool) -> Store:
    """Open the store, made when missing, migrated when it is of an earlier schema; hold the folder's lock to write.

    Read-only: missing gives an empty one, of an earlier schema raises StoreOutdated. Raises StoreUnusable when it is corrupt or of an
    unknown schema, DataFolderBusy when another process has it open for writing, DataFolderUnusable when it cannot be made.
    """
    if is_read_only and not folder.store_file.exists():
        return Store(None, spill=None, is_read_only=False)
    if is_read_only:
        return Store(folder.store_file, spill=None, is_read_only=True)
    with refusals_told(folder.root):
        _settle_logs(folder)
    if not folder.store_file.exists():
        with rebuilt_store(folder):
            pass  # made aside, so that a process killed while it is made leaves none instead of half of one
    try:
        return Store(folder.store_file, spill=folder.spill, is_read_only=False)
    except StoreOutdated as error:
        from warehouse.copies import migrate_store  # noqa: PLC0415 - copies are made of stores

        migrate_store(folder, error.version)
        return Store(folder.store_file, spill=folder.spill, is_read_only=False)


@contextmanager
def rebuilt_store(folder: DataFolder) -> Iterator[Store]:
    """An empty store that takes the place of the old one when the block ends well; until then, and on an error, the old one stays.

    Hold the folder's lock. The old store may be missing, corrupt or of any schema. Raises StoreUnusable or DataFolderUnusable.
    """
    path = folder.store / _REBUILT
    with refusals_told(folder.root):
        _settle_logs(folder)
        _remove_database(path)
    with Store(path, spill=folder.spill, is_read_only=False) as store:
        yield store
        store.settle()
    with refusals_told(folder.root):
        try:
            with suppress(FileNotFoundError):
                (folder.store / _LOG).replace(folder.store / _LOG_ASIDE)
            path.replace(folder.store_file)
            sync_folder(folder.store)
        finally:
            _settle_logs(folder)
            _remove_database(path)


def _settle_logs(folder: DataFolder) -> None:
    """Give the old store its write-ahead log back unless the rebuilt one has its place: whichever was killed in between is whole.

    A log without its database would be replayed into the new one, and the old database without its log lacks what it said last.
    """
    aside = folder.store / _LOG_ASIDE
    if (folder.store / _REBUILT).exists():
        with suppress(FileNotFoundError):
            aside.replace(folder.store / _LOG)
    else:
        aside.unlink(missing_ok=True)


def _remove_database(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_name(path.name + ".wal").unlink(missing_ok=True)


def _rows(tables: Mapping[str, pa.Table], table: Table) -> pa.Table:
    return tables.get(table.name, table.schema.empty_table())


def _add_new_rows(connection: duckdb.DuckDBPyConnection, table: Table, rows: pa.Table | Iterable[Mapping[str, Any]]) -> None:
    incoming = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(list(rows), schema=table.schema)
    if incoming.num_rows:
        connection.register("incoming", incoming.select(table.names).cast(table.schema))
        connection.execute(fill(_ADD_NEW_ROWS, table=table.name, key=columns_of(table.key)))
        connection.unregister("incoming")


def _replace_run(connection: duckdb.DuckDBPyConnection, run: Mapping[str, Any]) -> None:
    row = {name: run.get(name) for name in RUNS.names}
    connection.execute("DELETE FROM store.main.runs WHERE run_id = ?", [row["run_id"]])
    _add_new_rows(connection, RUNS, [row])


def _note_files(connection: duckdb.DuckDBPyConnection, files: Iterable[str]) -> None:
    if (names := pa.table({"file": pa.array(list(files), type=pa.string())})).num_rows:
        connection.register("incoming", names)
        connection.execute(
            "INSERT INTO store.main.landed_files SELECT DISTINCT file FROM incoming ANTI JOIN store.main.landed_files USING (file)"
        )
        connection.unregister("incoming")
