"""The data dictionary: every table, view and column of a publication with its COMMENT, as Markdown; ``docs/build.py`` writes the page."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb

from transforms.schemas import PUBLIC_TABLES
from warehouse.database import connect
from warehouse.publication import make_public_table
from warehouse.views import VIEWS, make_views

_HEAD = """<!-- Written by docs/build.py; run `make docs` after a change of the code. -->

# Data dictionary

Every table of a publication, in `packhouse.duckdb` and as `parquet/<table>.parquet`, and at the end its [views](#views).
These are the COMMENTs of the published database; DuckDB shows them in `duckdb_tables()`, `duckdb_views()` and `duckdb_columns()`,
and the prompt of `packhouse sql` with `.schema`.

Times are UTC. Names end in their unit: `_at` a moment, `_on` a day, `_count`, `_days`, `_url`; `is_` is a yes or no.
"""

_VIEWS_HEAD = """
# Views

Questions people have, answered from the tables above, in `packhouse.duckdb` alone.
Their "now" is `publication.as_of_at`. They have no order: say `ORDER BY`. `.schema NAME` at the prompt shows how one is made.
"""

_TABLES = "SELECT table_name, comment FROM duckdb_tables() WHERE database_name = ? AND schema_name = 'main' AND NOT temporary"
_VIEWS = "SELECT view_name, comment FROM duckdb_views() WHERE database_name = ? AND schema_name = 'main' AND NOT internal"
_COLUMNS = """
SELECT column_name, data_type, comment FROM duckdb_columns()
WHERE database_name = ? AND schema_name = 'main' AND table_name = ? ORDER BY column_index
"""


def data_dictionary(connection: duckdb.DuckDBPyConnection, *, catalog: str) -> str:
    """The dictionary of one attached database, tables in the order of ``PUBLIC_TABLES``, then views in that of ``VIEWS``."""
    comments = dict(connection.execute(_TABLES, [catalog]).fetchall() + connection.execute(_VIEWS, [catalog]).fetchall())
    parts = [_HEAD]
    for table in PUBLIC_TABLES:
        key = ", ".join(f"`{column}`" for column in table.key)
        parts += [f"\n## {table.name}\n\n{comments[table.name]}\n\nSorted by its key: {key}.\n", *_columns(connection, catalog, table.name)]
    parts.append(_VIEWS_HEAD)
    for view in VIEWS:
        parts += [f"\n## {view.name}\n\n{comments[view.name]}\n", *_columns(connection, catalog, view.name)]
    return "".join(parts)


def _columns(connection: duckdb.DuckDBPyConnection, catalog: str, name: str) -> Iterator[str]:
    yield "\n| column | type | meaning |\n| --- | --- | --- |\n"
    for column, kind, comment in connection.execute(_COLUMNS, [catalog, name]).fetchall():
        yield f"| `{column}` | {_short(kind)} | {comment.replace('|', chr(92) + '|')} |\n"


def dictionary_of_schema() -> str:
    """The dictionary of an empty publication of this version."""
    with connect(spill=None) as connection:
        connection.execute("ATTACH ':memory:' AS empty")
        for table in PUBLIC_TABLES:
            make_public_table(connection, "empty", table)
        make_views(connection, "empty")
        return data_dictionary(connection, catalog="empty")


def _short(kind: str) -> str:
    return kind.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")
