"""The data dictionary: every table and column of a publication with its COMMENT, as Markdown; ``docs/build.py`` writes the page."""

from __future__ import annotations

import duckdb

from transforms.schemas import PUBLIC_TABLES
from warehouse.database import connect
from warehouse.publication import make_public_table

_HEAD = """<!-- Written by docs/build.py; run `make docs` after a change of the code. -->

# Data dictionary

Every table of a publication, in `packhouse.duckdb` and as `parquet/<table>.parquet`.
These are the COMMENTs of the published database; DuckDB shows them in `duckdb_tables()` and `duckdb_columns()`.

Times are UTC. Names end in their unit: `_at` a moment, `_on` a day, `_count`, `_days`, `_url`; `is_` is a yes or no.
"""

_TABLES = "SELECT table_name, comment FROM duckdb_tables() WHERE database_name = ? AND schema_name = 'main' AND NOT temporary"
_COLUMNS = """
SELECT column_name, data_type, comment FROM duckdb_columns()
WHERE database_name = ? AND schema_name = 'main' AND table_name = ? ORDER BY column_index
"""


def data_dictionary(connection: duckdb.DuckDBPyConnection, *, catalog: str) -> str:
    """The dictionary of the tables in one attached database, in the order of ``PUBLIC_TABLES``."""
    comments = dict(connection.execute(_TABLES, [catalog]).fetchall())
    parts = [_HEAD]
    for table in PUBLIC_TABLES:
        key = ", ".join(f"`{column}`" for column in table.key)
        parts.append(f"\n## {table.name}\n\n{comments[table.name]}\n\nSorted by its key: {key}.\n")
        parts.append("\n| column | type | meaning |\n| --- | --- | --- |\n")
        for column, kind, comment in connection.execute(_COLUMNS, [catalog, table.name]).fetchall():
            parts.append(f"| `{column}` | {_short(kind)} | {comment.replace('|', chr(92) + '|')} |\n")
    return "".join(parts)


def dictionary_of_schema() -> str:
    """The dictionary of an empty publication of this version."""
    with connect(spill=None) as connection:
        connection.execute("ATTACH ':memory:' AS publication")
        for table in PUBLIC_TABLES:
            make_public_table(connection, "publication", table)
        return data_dictionary(connection, catalog="publication")


def _short(kind: str) -> str:
    return kind.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")
