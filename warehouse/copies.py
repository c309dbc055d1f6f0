"""Copies of a store: its rows in another file, table by table, what both have; what is laid out anew migrations.py carries over.

A file of DuckDB never shrinks: what an update or a delete freed is used again, but not given back. A copy has only what counts, and
each history of observations in the order of its key: rows of one series hardly differ, and together take a third less room.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from transforms.schemas import HISTORY_TABLES
from warehouse.database import DUCKDB_ERRORS, columns_of, connect, fill
from warehouse.durable import seal
from warehouse.folder import DataFolder, unusable
from warehouse.migrations import steps_from
from warehouse.store import Store, open_store, rebuilt_store
from warehouse.store_tables import SCHEMA_VERSION

_COLUMNS = """
SELECT o.table_name, list(o.column_name ORDER BY o.column_index)
FROM duckdb_columns() o JOIN duckdb_columns() n ON n.table_name = o.table_name AND n.column_name = o.column_name
WHERE o.database_name = 'former' AND n.database_name = 'store' AND o.table_name <> 'store_schema'
GROUP BY ALL ORDER BY ALL
"""
_HAS_VERSION = "SELECT 1 FROM duckdb_tables() WHERE database_name = 'former' AND table_name = 'store_schema'"
_VERSION = "SELECT max(version) FROM former.main.store_schema"
_COPY = "INSERT INTO store.main.$table ($names) SELECT $names FROM former.main.$table $order"
_ORDERS = {table.name: f"ORDER BY {columns_of(table.key)}" for table in HISTORY_TABLES}


def adopt(store: Store, path: Path) -> None:
    """Copy the rows of another store file, of this schema or an earlier one, into an empty store; raises errors of DuckDB."""
    connection = store.connection
    connection.execute("ATTACH ? AS former (READ_ONLY)", [str(path)])
    try:
        connection.begin()
        try:
            for table, columns in connection.execute(_COLUMNS).fetchall():
                connection.execute(fill(_COPY, table=table, names=columns_of(columns), order=_ORDERS.get(table, "")))
            version = connection.execute(_VERSION).fetchall()[0][0] if connection.execute(_HAS_VERSION).fetchall() else None
            for step in steps_from(version or SCHEMA_VERSION, SCHEMA_VERSION) or ():
                for statement in step.statements:
                    connection.execute(statement)
            connection.commit()
        except BaseException:
            with suppress(*DUCKDB_ERRORS):  # after a full disk DuckDB has ended the transaction and refuses the connection
                connection.rollback()
            raise
    finally:
        with suppress(*DUCKDB_ERRORS):
            connection.execute("DETACH former")


def shrink_store(folder: DataFolder) -> None:
    """Let a copy of the store take its place, without the room it no longer needs; hold the folder's lock.

    Raises StoreUnusable or DataFolderUnusable; the store is then as before. Killed at any moment it is the old one or the new one.
    """
    open_store(folder, is_read_only=False).close()  # so that its write-ahead log is in it
    with rebuilt_store(folder) as store:
        try:
            adopt(store, folder.store_file)
        except DUCKDB_ERRORS as error:
            raise store.explained(error) from error


def migrate_store(folder: DataFolder, version: int) -> None:
    """Let a store of an earlier schema become one of today's, its former file kept beside it; hold the folder's lock.

    Raises StoreUnusable or DataFolderUnusable; the store is then as before. Killed at any moment it is the old one or the new one.
    """
    path = folder.store_file
    try:
        connection = connect(spill=folder.spill)
        connection.execute("ATTACH ? AS former", [str(path)])
        connection.execute("CHECKPOINT former")  # so that its write-ahead log is in it
        connection.close()
        seal(former_store(folder, version), aside=folder.store / ".former.aside", write=lambda aside: _double(path, aside))
    except OSError as error:
        raise unusable(folder.root, error) from error
    with rebuilt_store(folder) as store:
        try:
            adopt(store, path)
        except DUCKDB_ERRORS as error:
            raise store.explained(error) from error


def former_store(folder: DataFolder, version: int) -> Path:
    """Where a migration keeps the store as it was."""
    return folder.store / f"store.duckdb.schema-{version}.bak"


def _double(path: Path, aside: Path) -> None:
    """Give a file a second name, for it is replaced and not changed; a copy where the file system cannot."""
    aside.unlink(missing_ok=True)
    try:
        os.link(path, aside)
    except OSError:
        shutil.copyfile(path, aside)
