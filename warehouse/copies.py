"""Copies of a store: its rows in another file, table by table, what both have.

A file of DuckDB never shrinks: what an update or a delete freed is used again, but not given back. A copy has only what counts.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from warehouse.database import DUCKDB_ERRORS, columns_of, fill
from warehouse.folder import DataFolder
from warehouse.store import Store, open_store, rebuilt_store

_COLUMNS = """
SELECT o.table_name, list(o.column_name ORDER BY o.column_index)
FROM duckdb_columns() o JOIN duckdb_columns() n ON n.table_name = o.table_name AND n.column_name = o.column_name
WHERE o.database_name = 'former' AND n.database_name = 'store' AND o.table_name <> 'store_schema'
GROUP BY ALL ORDER BY ALL
"""
_COPY = "INSERT INTO store.main.$table ($names) SELECT $names FROM former.main.$table"


def adopt(store: Store, path: Path) -> None:
    """Copy the rows of another store file into an empty store; raises errors of DuckDB."""
    connection = store.connection
    connection.execute("ATTACH ? AS former (READ_ONLY)", [str(path)])
    try:
        connection.begin()
        try:
            for table, columns in connection.execute(_COLUMNS).fetchall():
                connection.execute(fill(_COPY, table=table, names=columns_of(columns)))
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
