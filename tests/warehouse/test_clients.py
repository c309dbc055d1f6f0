"""What others open a publication with: the oldest DuckDB client promised, polars, pandas and pyarrow."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.server import running
from tests.conftest import NOW, Bench, oldest_client, prompt_world
from transforms.schemas import PUBLIC_TABLES
from warehouse.database import connect
from warehouse.publication import DATABASE
from warehouse.views import VIEWS


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a publication of the sample catalog."""
    with running(prompt_world(), clock=lambda: NOW) as services:
        bench = Bench(data=tmp_path_factory.mktemp("clients") / "data", services=services)
        bench.harvest()
        return bench.data / "current"


# What a client says of the file: version, tables and views with columns and COMMENTs, and every row of each as text.
TELL = """
import json, sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
connection.execute("SET TimeZone = 'UTC'")
named = "SELECT table_name, comment FROM duckdb_tables() UNION ALL SELECT view_name, comment FROM duckdb_views() WHERE NOT internal"
comments = dict(connection.execute(named).fetchall())
columns = "SELECT column_name, data_type, comment FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index"
told = {name: [comments[name], connection.execute(columns, [name]).fetchall()] for name in sorted(comments)}
rows = "SELECT CAST(t AS VARCHAR) AS line FROM (SELECT COLUMNS(*) FROM {}) t ORDER BY line"
lines = {name: connection.execute(rows.format(name)).fetchall() for name in told}
json.dump([duckdb.__version__, told, lines], sys.stdout)
"""


def tell(database: Path, **variables: str) -> tuple[str, dict[str, object], dict[str, list[str]]]:
    """What a process with these variables makes of the file."""
    done = subprocess.run([sys.executable, "-c", TELL, str(database)], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    version, told, lines = json.loads(done.stdout)
    return version, told, lines


def test_the_oldest_client_reads_every_table_and_view(published: Path) -> None:
    """DuckDB 1.4 opens the file and finds the tables, views, COMMENTs and rows that today's finds."""
    database = published / DATABASE
    version, told, lines = tell(database, PYTHONPATH=str(oldest_client()))
    assert version.startswith("1.4.")
    now, *today = tell(database)
    assert now.startswith("2.")
    assert today == [told, lines]
    assert sorted(told) == sorted([table.name for table in PUBLIC_TABLES] + [view.name for view in VIEWS])
    assert all(lines[view.name] for view in VIEWS)


@pytest.mark.parametrize("table", PUBLIC_TABLES, ids=lambda table: table.name)
def test_parquet_has_the_right_types_for_pyarrow_pandas_and_polars(published: Path, table) -> None:
    """Each reads every table with the types of the schema: zoned times, days, 64-bit counts, lists, nulls that stay nulls."""
    path = published / "parquet" / f"{table.name}.parquet"
    arrow = pq.read_table(path)
    assert dict(zip(arrow.schema.names, arrow.schema.types, strict=True)) == {column.name: column.type for column in table.columns}
    frame = pl.read_parquet(path)
    assert dict(frame.schema) == {column.name: polars_type(column.type) for column in table.columns}
    assert frame.to_arrow().cast(table.schema).to_pylist() == arrow.to_pylist()
    panda = pd.read_parquet(path, dtype_backend="pyarrow")
    assert {name: kind.pyarrow_dtype for name, kind in panda.dtypes.items()} == {column.name: column.type for column in table.columns}
    plain = pd.read_parquet(path)
    assert len(plain) == arrow.num_rows
    for column in table.columns:
        if pa.types.is_timestamp(column.type):
            assert str(plain[column.name].dtype) == "datetime64[us, UTC]"


def polars_type(kind: pa.DataType) -> pl.DataType:
    """The polars type a column of this Arrow type has to come as."""
    if pa.types.is_list(kind):
        return pl.List(polars_type(kind.value_type))
    known = {
        pa.string(): pl.String(),
        pa.int64(): pl.Int64(),
        pa.int32(): pl.Int32(),
        pa.bool_(): pl.Boolean(),
        pa.float64(): pl.Float64(),
        pa.date32(): pl.Date(),
        pa.timestamp("us", tz="UTC"): pl.Datetime("us", "UTC"),
    }
    return known[kind]


def test_a_query_in_polars_and_in_duckdb_says_the_same(published: Path) -> None:
    """Stars and the newest commit, by either way."""
    frame = pl.scan_parquet(published / "parquet" / "packages.parquet").filter(pl.col("stars_count") > 1000)
    rows = frame.select("slug", "stars_count", "last_commit_at").sort("stars_count", "slug").collect().rows()
    with connect(spill=None) as connection:
        connection.execute("ATTACH ? AS published (READ_ONLY)", [str(published / DATABASE)])
        sql = "SELECT slug, stars_count, last_commit_at FROM published.packages WHERE stars_count > 1000 ORDER BY stars_count, slug"
        found = connection.sql(sql).to_arrow_table().to_pylist()
    assert [tuple(row.values()) for row in found] == [(slug, count, at.astimezone(UTC)) for slug, count, at in rows]
    assert rows
