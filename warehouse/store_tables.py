"""The tables of the store: how they are made, and whether those of a file are the ones this packhouse knows."""

from __future__ import annotations

from pathlib import Path

import duckdb

from transforms.schemas import STORE_TABLES
from warehouse.database import ddl
from warehouse.errors import StoreOutdated, StoreUnusable
from warehouse.history import STANDINGS_DDL
from warehouse.listings import LISTINGS_DDL
from warehouse.migrations import steps_from, tables_before

SCHEMA_VERSION = 4

_OWN_DDL = (
    STANDINGS_DDL,
    LISTINGS_DDL,
    "CREATE TABLE store.main.landed_files (file VARCHAR NOT NULL)",
    "CREATE TABLE store.main.store_schema (version INTEGER NOT NULL)",
    "COMMENT ON TABLE store.main.standings IS 'What was heard last of each subject and facet, and under which series.'",
    "COMMENT ON TABLE store.main.listings IS 'When each project was last listed.'",
    "COMMENT ON TABLE store.main.landed_files IS 'Which sealed files of the landing were loaded.'",
    "COMMENT ON TABLE store.main.store_schema IS 'The version of the tables of this store.'",
)


def has_tables(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the attached ``store`` has any; one that was made by a process killed at once has none."""
    return bool(connection.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'store' LIMIT 1").fetchall())


def make_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Make every table, with COMMENTs, where there are none."""
    if has_tables(connection):
        return
    connection.begin()
    for statement in (*_OWN_DDL, *[line for table in STORE_TABLES for line in ddl("store", table, has_primary_key=False)]):
        connection.execute(statement)
    connection.execute("INSERT INTO store.main.store_schema VALUES (?)", [SCHEMA_VERSION])
    connection.commit()


def refuse_other_schema(connection: duckdb.DuckDBPyConnection, path: Path | None) -> None:
    """Raise StoreOutdated where the tables can be carried over, StoreUnusable where they are others, or of a newer packhouse."""
    found = connection.execute(
        "SELECT table_name, list(column_name ORDER BY column_index) FROM duckdb_columns() WHERE database_name = 'store' GROUP BY ALL"
    )
    columns = {name: tuple(names) for name, names in found.fetchall()}
    version = None
    if "store_schema" in columns:
        version = connection.execute("SELECT max(version) FROM store.main.store_schema").fetchall()[0][0]
    if version is not None and version > SCHEMA_VERSION:
        raise StoreUnusable(
            f"the store {path} was written by a newer packhouse (schema {version}, this one knows {SCHEMA_VERSION}); it was not touched. "
            "Next: update packhouse, or rebuild the store for this version with: packhouse replay"
        )
    steps = None if version is None else steps_from(version, SCHEMA_VERSION)
    expected = tables_before(steps or (), {table.name: table.names for table in STORE_TABLES})
    is_as_told = all(columns.get(name) == names for name, names in expected.items())
    if steps and version and is_as_told:
        raise StoreOutdated(
            f"the store {path} is of an earlier packhouse (schema {version}, this one writes {SCHEMA_VERSION}); nothing is lost. "
            f"Next: packhouse publish, or the next harvest, carries it over and keeps the former file as store.duckdb.schema-{version}.bak",
            version=version,
        )
    if version != SCHEMA_VERSION or not is_as_told:
        raise StoreUnusable(
            f"the store {path} has other tables than this packhouse (schema {version or 'unknown'}, expected {SCHEMA_VERSION}); "
            "it was not touched. Next: rebuild it from the landing with: packhouse replay"
        )
