"""The data dictionary: every table and column of a publication with its COMMENT, as Markdown.

``python -m warehouse.dictionary docs/data-dictionary.md`` writes it; a test keeps the file in step.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb

from transforms.schemas import PUBLIC_TABLES
from warehouse.database import connect, ddl

_HEAD = """# Data dictionary

Every table of a publication, in `packhouse.duckdb` and as `parquet/<table>.parquet`. Generated from the COMMENTs of the published database
by `python -m warehouse.dictionary docs/data-dictionary.md`; in DuckDB the same is in `duckdb_tables()` and `duckdb_columns()`.

Times are UTC. Names end in their unit: `_at` a moment, `_on` a day, `_count`, `_days`, `_url`; `is_` is a yes or no.
"""

_TABLES = "SELECT table_name, comment FROM duckdb_tables() WHERE database_name = ? AND schema_name = 'main' AND NOT temporary"
_COLUMNS = """
SELECT column_name, data_type, is_nullable, comment FROM duckdb_columns()
WHERE database_name = ? AND schema_name = 'main' AND table_name = ? ORDER BY column_index
"""
_KEYS = """
SELECT constraint_column_names FROM duckdb_constraints()
WHERE database_name = ? AND table_name = ? AND constraint_type = 'PRIMARY KEY'
"""


def data_dictionary(connection: duckdb.DuckDBPyConnection, *, catalog: str) -> str:
    """The dictionary of the tables in one attached database, in the order of ``PUBLIC_TABLES``."""
    comments = dict(connection.execute(_TABLES, [catalog]).fetchall())
    parts = [_HEAD]
    for name in [table.name for table in PUBLIC_TABLES if table.name in comments]:
        keys = connection.execute(_KEYS, [catalog, name]).fetchall()
        parts.append(f"\n## {name}\n\n{comments[name]}\n")
        if keys:
            parts.append(f"\nKey: {', '.join(f'`{column}`' for column in keys[0][0])}.\n")
        parts.append("\n| column | type | meaning |\n| --- | --- | --- |\n")
        for column, kind, _, comment in connection.execute(_COLUMNS, [catalog, name]).fetchall():
            parts.append(f"| `{column}` | {_short(kind)} | {comment.replace('|', chr(92) + '|')} |\n")
    return "".join(parts)


def dictionary_of_schema() -> str:
    """The dictionary of an empty publication of this version."""
    with connect(spill=None) as connection:
        connection.execute("ATTACH ':memory:' AS publication")
        for table in PUBLIC_TABLES:
            for statement in ddl("publication", table, has_primary_key=True):
                connection.execute(statement)
        return data_dictionary(connection, catalog="publication")


def main(arguments: Sequence[str]) -> int:
    """Write the dictionary to the file named."""
    Path(arguments[0]).write_text(dictionary_of_schema(), encoding="utf-8")
    return 0


def _short(kind: str) -> str:
    return kind.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
