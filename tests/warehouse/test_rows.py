from __future__ import annotations

import json

import duckdb
import pytest

from tests.warehouse.scenes import child
from warehouse.errors import InvalidQuery
from warehouse.rows import write_rows


def answer(sql):
    """What DuckDB answers, streaming."""
    return duckdb.connect().sql(sql).to_arrow_reader(100)


@pytest.mark.parametrize(
    ("style", "name", "sql"),
    [
        ("csv", "CSV", "SELECT INTERVAL 1 day AS a"),
        ("parquet", "Parquet", "SELECT INTERVAL 1 day AS a"),
        ("parquet", "Parquet", "SELECT union_value(a := 1) AS a"),
        ("table", "A table", "SELECT DATE 'infinity' AS a"),
        ("json", "JSON", "SELECT DATE 'infinity' AS a"),
        ("json", "JSON", "SELECT TIMESTAMP 'infinity' AS a"),
        ("csv", "CSV", "SELECT [DATE '0044-03-15 (BC)'] AS a"),
    ],
)
def test_a_value_that_a_style_cannot_carry_is_told(tmp_path, style, name, sql):
    """The message names the style and the way out, and the file that was there stays."""
    output = tmp_path / "answer"
    output.write_text("before")
    with pytest.raises(InvalidQuery, match=rf"{name} cannot carry a value of this answer .*AS VARCHAR"):
        write_rows(answer(sql), style, output)
    assert output.read_text() == "before"
    assert list(tmp_path.iterdir()) == [output]


def test_decimals_are_numbers_in_json(tmp_path):
    """Sums are whole numbers whatever their size, other decimals keep their places, also within a list."""
    output = tmp_path / "answer.json"
    write_rows(
        answer(
            "SELECT sum(r) AS total, 170141183460469231731687303715884105::DECIMAL(38,0) AS large, 1.50 AS a, [0.1] AS b FROM range(4) t(r)"
        ),
        "json",
        output,
    )
    assert json.loads(output.read_text()) == [{"total": 6, "large": 170141183460469231731687303715884105, "a": 1.5, "b": [0.1]}]
    assert '"a":1.50' in output.read_text()


@pytest.mark.parametrize(("style", "expected"), [("csv", b'"a"\n1\n'), ("json", b'[\n  {"a":1}\n]\n'), ("table", b"a\n-\n1\n(1 row)\n")])
def test_an_ordinary_answer_is_written(tmp_path, style, expected):
    """The styles for reading, to the byte."""
    output = tmp_path / "answer"
    write_rows(answer("SELECT 1 AS a"), style, output)
    assert output.read_bytes() == expected


WITHOUT_PANDAS = """
    import sys
    from pathlib import Path
    from warehouse.database import connect
    from warehouse.rows import write_rows
    with connect(spill=None) as connection:
        sql = "SELECT TIMESTAMPTZ '2026-02-15 22:19:55.437989+00' AS a, TIMESTAMP '1969-12-31 23:59:59' AS b, NULL::TIMESTAMPTZ AS c"
        for style in ("table", "json"):
            write_rows(connection.sql(sql).to_arrow_reader(10), style, None)
    print("pandas" in sys.modules)
"""


def test_times_are_told_without_pandas():
    """Moments with and without a zone, before 1970 and null, as Arrow would tell them, but without half a second of imports."""
    with child(WITHOUT_PANDAS) as process:
        told = process.stdout.read()
    assert told == (
        "a                                 b                    c\n"
        "--------------------------------  -------------------  ----\n"
        "2026-02-15 22:19:55.437989+00:00  1969-12-31 23:59:59  NULL\n"
        "(1 row)\n"
        '[\n  {"a":"2026-02-15T22:19:55.437989+00:00","b":"1969-12-31T23:59:59","c":null}\n]\n'
        "False\n"
    )
