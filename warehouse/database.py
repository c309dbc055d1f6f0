"""DuckDB as this house uses it: how a connection is opened, how a table of ``transforms/schemas.py`` becomes DDL and COMMENTs.

Database files are attached to an in-memory connection, never opened directly: two handles on one path in one process would share
DuckDB's cache of instances and show the older file. Files are written in a storage version that older clients can open too.
Values are bound; the only text put into a statement is an identifier or a comment from ``transforms/schemas.py``.
"""

from __future__ import annotations

import resource
from collections.abc import Iterable
from pathlib import Path
from string import Template

import duckdb
import pyarrow as pa

from transforms.schemas import Table

# Of the store, whose file cannot be lowered to an older one; what is published is written for older clients (publication.py).
STORAGE_VERSION = "v1.5.0"
# A column of a small table takes a block or more; with DuckDB's own 256 KiB a publication of 5,000 packages is two thirds larger.
BLOCK_SIZE = 65_536
MEMORY_LIMIT = "1GB"
THREADS = 2
# MEMORY_LIMIT bounds what DuckDB keeps in its buffers; a single value, and its copy for Arrow, it makes outside of them.
PROCESS_BYTES = 4 << 30
# What DuckDB can raise when a file is not what it should be: damaged pages surface as any of these.
DUCKDB_ERRORS = (duckdb.Error, RuntimeError)

_SCALARS = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.bool_(): "BOOLEAN",
    pa.float64(): "DOUBLE",
    pa.date32(): "DATE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
}


def connect(*, spill: Path | None) -> duckdb.DuckDBPyConnection:
    """An empty in-memory connection with bounded memory, two threads, UTC; ``spill`` is where it may put what does not fit."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY_LIMIT,
        "threads": THREADS,
        "temp_directory": str(spill) if spill else "",
        "autoload_known_extensions": False,
        "autoinstall_known_extensions": False,
        "python_enable_replacements": False,
    }
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("SET GLOBAL TimeZone = 'UTC'")  # global: a cursor does not inherit what its connection was told
    return connection


def bound_memory() -> None:
    """Let this process have ``PROCESS_BYTES`` and no more: a query that wants them fails, and nothing else on the machine does."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (PROCESS_BYTES if most == resource.RLIM_INFINITY else min(PROCESS_BYTES, most), most))


def attach(connection: duckdb.DuckDBPyConnection, path: Path, name: str, *, storage_version: str = STORAGE_VERSION) -> None:
    """Attach a database file for writing under an identifier; made in that storage version when missing. Raises errors of DuckDB."""
    block = "" if path.exists() else f", BLOCK_SIZE {BLOCK_SIZE}"  # that of an existing file is what it is
    connection.execute(fill(f"ATTACH ? AS $name (STORAGE_VERSION '{storage_version}'{block})", name=name), [str(path)])


def fill(template: str, **identifiers: str) -> str:
    """Put identifiers (or lists of them) from ``transforms/schemas.py`` into the ``$names`` of a statement; never values."""
    return Template(template).substitute(identifiers)


def columns_of(names: Iterable[str], *, alias: str | None = None) -> str:
    """A list of columns for ``fill``."""
    return ", ".join(f"{alias}.{name}" if alias else name for name in names)


def sql_type(kind: pa.DataType) -> str:
    """The DuckDB type of an Arrow type used in ``transforms/schemas.py``."""
    if pa.types.is_list(kind):
        return f"{sql_type(kind.value_type)}[]"
    return _SCALARS[kind]


def ddl(catalog: str, table: Table, *, has_primary_key: bool) -> list[str]:
    """The statements that make one table with its COMMENTs in an attached database."""
    name = f"{catalog}.main.{table.name}"
    lines = [f"{c.name} {sql_type(c.type)}{' NOT NULL' if c.name in table.key else ''}" for c in table.columns]
    if has_primary_key:
        lines.append(f"PRIMARY KEY ({columns_of(table.key)})")
    comments = [f"COMMENT ON COLUMN {name}.{c.name} IS {literal(c.comment)}" for c in table.columns]
    return [f"CREATE TABLE {name} ({', '.join(lines)})", f"COMMENT ON TABLE {name} IS {literal(table.comment)}", *comments]


def arrow(connection: duckdb.DuckDBPyConnection, query: str, schema: pa.Schema) -> pa.Table:
    """The answer to a query, cast to a schema."""
    return connection.sql(query).to_arrow_table().cast(schema)


def first_line(error: BaseException) -> str:
    """What DuckDB said, without the drawing of the statement."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def literal(text: str) -> str:
    """A text of ours as SQL, where DuckDB takes no bound value (COMMENT)."""
    return "'" + text.replace("'", "''") + "'"
