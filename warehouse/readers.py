"""Reading the current publication: rows as dicts for the API and the command line, and any query in a locked room.

A publication is opened read-only by the name it has behind ``current``, so it stays the same however often ``current`` moves, and
stays readable when its folder is removed. DuckDB's connection is closed to files, network and settings before anyone's SQL reaches it.
"""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import duckdb
import pyarrow as pa

from transforms.schemas import CATEGORIES, GRID_PACKAGES, GRIDS, PACKAGES, Table
from warehouse.database import DUCKDB_ERRORS, columns_of, connect, fill, first_line
from warehouse.errors import InvalidQuery, NothingPublished
from warehouse.folder import DataFolder
from warehouse.publication import DATABASE, MANIFEST, SCHEMA_VERSION
from warehouse.spill import SpillFolder, make_spill_folder
from warehouse.statements import invalid_query, reading_statement

_ROWS_AT_ONCE = 2048
_ROWS = "SELECT $columns FROM publication.main.$table WHERE $condition ORDER BY $key"
_COLUMNS_AT_ONCE = 65_536
_COLUMNS = "SELECT $columns FROM publication.main.$table"  # written by its key, and DuckDB keeps the order
_ROWS_IN_HINDSIGHT = "FROM packages_in_hindsight(?::TIMESTAMPTZ) WHERE $name = ?"
_ROWS_AS_OF = "SELECT $columns FROM packages_as_of(?::TIMESTAMPTZ) WHERE $name = ?"
# What a query may put on the disk when its work does not fit in memory; without a bound that is nearly all of it.
SPILL_LIMIT = "8GB"
_STOP_TRIES, _STOP_SECONDS = 50, 0.1

Answer = TypeVar("Answer")


class Publication:
    """An open publication; a context manager, usable from several threads. Made by ``open_current`` and ``open_publication``."""

    def __init__(self, path: Path, manifest: Mapping[str, Any], connection: duckdb.DuckDBPyConnection, spill: SpillFolder | None) -> None:
        self.path = path
        self.manifest = manifest
        self._connection = connection
        self._forget = weakref.finalize(self, _forget, spill)  # also when nobody closes it, and when the process ends

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def run_id(self) -> str:
        """The run it speaks for."""
        return str(self.manifest["run_id"])

    @property
    def as_of_at(self) -> datetime:
        """The moment it speaks of."""
        return datetime.fromisoformat(self.manifest["as_of_at"])

    def close(self) -> None:
        """Close the file; what did not fit in memory goes with it."""
        self._connection.close()
        self._forget()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own for one thread or request."""
        cursor = self._connection.cursor()
        cursor.execute("USE publication.main")
        return cursor

    def package(self, *, id: int | None = None, slug: str | None = None) -> dict[str, Any] | None:  # noqa: A002 - the column's name
        """The row of one package by its id or its slug; ``None`` when there is none."""
        found = _rows(self.cursor(), PACKAGES, "id = ?", [id]) if id is not None else _rows(self.cursor(), PACKAGES, "slug = ?", [slug])
        return next(found, None)

    def package_as_of(self, at: datetime, *, id: int | None = None, slug: str | None = None) -> dict[str, Any] | None:  # noqa: A002 - as above
        """The row of one package as it was published at ``at`` (aware); ``None`` when there was none."""
        name, value = ("id", id) if id is not None else ("slug", slug)
        text = fill(_ROWS_AS_OF, columns=columns_of(PACKAGES.names), name=name)
        return next(_fetched(self.cursor(), text, [at, value], PACKAGES), None)

    def package_in_hindsight(self, at: datetime, *, id: int | None = None, slug: str | None = None) -> dict[str, Any] | None:  # noqa: A002 - as above
        """What is known now of one package at ``at`` (aware): the columns of ``hindsight.py``; ``None`` when there was none."""
        name, value = ("id", id) if id is not None else ("slug", slug)
        with self.cursor() as cursor:
            rows = cursor.sql(fill(_ROWS_IN_HINDSIGHT, name=name), params=[at, value]).to_arrow_table()
        return next(iter(rows.to_pylist()), None)

    def packages(self) -> Iterator[dict[str, Any]]:
        """Every package, by id."""
        return self.rows(PACKAGES)

    def categories(self) -> Iterator[dict[str, Any]]:
        """Every category, by id."""
        return self.rows(CATEGORIES)

    def grids(self) -> Iterator[dict[str, Any]]:
        """Every grid, by id."""
        return self.rows(GRIDS)

    def grid_packages(self) -> Iterator[dict[str, Any]]:
        """Which packages stand in which grid, by grid."""
        return self.rows(GRID_PACKAGES)

    def columns(self, table: Table, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Some columns of a public table by its key, in pieces, read as they are asked for."""
        wanted = pa.schema([table.schema.field(name) for name in names])
        text = fill(_COLUMNS, columns=columns_of(names), table=table.name)
        with self.cursor() as cursor:
            for batch in cursor.sql(text).to_arrow_reader(_COLUMNS_AT_ONCE):
                yield batch.cast(wanted)

    def rows(self, table: Table) -> Iterator[dict[str, Any]]:
        """The rows of any public table by its key, read as they are asked for."""
        return _rows(self.cursor(), table, "true", [])


def open_current(folder: DataFolder) -> Publication:
    """Open the publication that ``current`` leads to; raises NothingPublished when there is none that can be read."""
    failure: NothingPublished | None = None
    for _ in range(2):  # `current` may move, and the old folder go, between looking and opening
        try:
            path = folder.current.resolve(strict=True)
        except OSError:
            break
        try:
            return open_publication(path)
        except NothingPublished as error:
            failure = error
    if failure is not None:
        raise failure
    what = "the link `current` leads nowhere" if folder.current.is_symlink() else "there is no publication yet"
    raise NothingPublished(
        f"nothing to read in the data folder {folder.root}: {what}. Next: run packhouse harvest, or packhouse replay after a loss"
    )


class OtherSchema(ValueError):
    """A publication was written by another version of packhouse, with other tables."""


def open_publication(path: Path) -> Publication:
    """Open one published folder; raises NothingPublished when it is not a whole publication."""
    spill = make_spill_folder()
    connection = connect(spill=spill.path if spill else None)
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        if manifest["schema_version"] != SCHEMA_VERSION:
            raise OtherSchema(f"it has the tables of schema {manifest['schema_version']}, this packhouse reads those of {SCHEMA_VERSION}")
        connection.execute("ATTACH ? AS publication (READ_ONLY)", [str(path / DATABASE)])
        connection.execute("USE publication.main")
        if spill is not None:
            connection.execute(f"SET max_temp_directory_size = '{SPILL_LIMIT}'")
        for setting in ("enable_external_access = false", "lock_configuration = true"):
            connection.execute(f"SET {setting}")
    except (*DUCKDB_ERRORS, OSError, ValueError, KeyError, TypeError) as error:
        connection.close()
        _forget(spill)
        raise NothingPublished(
            f"the publication {path} cannot be read ({first_line(error)}); the store and the landing are not touched by that. "
            "Next: write a new one with packhouse publish"
        ) from error
    return Publication(path, manifest, connection, spill)


def _forget(spill: SpillFolder | None) -> None:
    if spill is not None:
        spill.remove()


def query(publication: Publication, sql: str) -> pa.RecordBatchReader:
    """Answer one reading statement over the public tables and views, streaming.

    Raises InvalidQuery for anything but one SELECT (or FROM, WITH, VALUES, SHOW, DESCRIBE, SUMMARIZE, PIVOT, EXPLAIN), and for what
    DuckDB cannot answer; also while the answer is being read. Ctrl-C stops DuckDB and comes out as KeyboardInterrupt; the publication
    stays usable.
    """
    cursor = publication.cursor()

    def begin() -> pa.RecordBatchReader:
        relation = cursor.sql(reading_statement(cursor, sql))
        if relation is None:
            raise InvalidQuery("the statement gives no rows. Next: write one SELECT")
        return relation.to_arrow_reader(_ROWS_AT_ONCE)

    try:
        reader = _interruptible(cursor, begin)
    except DUCKDB_ERRORS as error:
        raise invalid_query(error) from error
    return pa.RecordBatchReader.from_batches(reader.schema, _batches(reader, cursor))


def _batches(reader: pa.RecordBatchReader, cursor: duckdb.DuckDBPyConnection) -> Iterator[pa.RecordBatch]:
    batches = iter(reader)
    try:
        while (batch := _interruptible(cursor, lambda: next(batches, None))) is not None:
            yield batch
    except (*DUCKDB_ERRORS, OSError, pa.ArrowException) as error:
        raise invalid_query(error) from error
    finally:
        cursor.close()


def _interruptible(cursor: duckdb.DuckDBPyConnection, step: Callable[[], Answer]) -> Answer:
    """Let DuckDB work beside this thread, for it does not hear Ctrl-C itself; told to stop, it does so between two pieces of work."""
    outcome: Future[Answer] = Future()

    def work() -> None:
        try:
            outcome.set_result(step())
        except BaseException as error:  # noqa: BLE001 - handed to who waits
            outcome.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        return outcome.result()
    except KeyboardInterrupt:
        for _ in range(_STOP_TRIES):  # one may come too early, before DuckDB has begun
            cursor.interrupt()
            if wait([outcome], timeout=_STOP_SECONDS).done:
                break
        raise


def _rows(cursor: duckdb.DuckDBPyConnection, table: Table, condition: str, values: list[Any]) -> Iterator[dict[str, Any]]:
    text = fill(_ROWS, columns=columns_of(table.names), table=table.name, condition=condition, key=columns_of(table.key))
    yield from _fetched(cursor, text, values, table)


def _fetched(cursor: duckdb.DuckDBPyConnection, text: str, values: list[Any], table: Table) -> Iterator[dict[str, Any]]:
    for batch in cursor.sql(text, params=values).to_arrow_reader(_ROWS_AT_ONCE):
        yield from pa.Table.from_batches([batch]).cast(table.schema).to_pylist()
    cursor.close()
