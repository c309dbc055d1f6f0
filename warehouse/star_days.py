"""Retained stars by day, kept: of each day what was told last stands, also when that is fewer, for stars are taken back.

The order of loads does not matter, and loading twice changes nothing.
"""

from __future__ import annotations

from datetime import date

import duckdb
import pyarrow as pa

from transforms.schemas import STAR_DAYS

_NEWEST = """
CREATE OR REPLACE TEMP TABLE newest_stars AS
FROM told_stars QUALIFY row_number() OVER (PARTITION BY series, starred_on ORDER BY observed_at DESC, subject, run_id) = 1
"""

_FORGET = """
DELETE FROM store.main.star_days d USING newest_stars n
WHERE d.series = n.series AND d.starred_on = n.starred_on AND d.observed_at < n.observed_at
"""

_ADD = "INSERT INTO store.main.star_days BY NAME FROM newest_stars n ANTI JOIN store.main.star_days d USING (series, starred_on)"

_KNOWN = """
SELECT series, min(starred_on), max(starred_on), count(*) FROM store.main.star_days WHERE starred_on BETWEEN ? AND ? GROUP BY series
"""


def join_star_days(connection: duckdb.DuckDBPyConnection, stars: pa.Table) -> None:
    """Let rows of ``star_days`` join those in the attached ``store``; run inside a transaction."""
    if not stars.num_rows:
        return
    connection.register("told_stars", stars.select(STAR_DAYS.names).cast(STAR_DAYS.schema))
    for statement in (_NEWEST, _FORGET, _ADD):
        connection.execute(statement)
    connection.unregister("told_stars")


def known_stars(connection: duckdb.DuckDBPyConnection, from_on: date, until_on: date) -> dict[str, tuple[date, date, int]]:
    """First day, last day and number of days told between two days (both included), by series."""
    rows = connection.execute(_KNOWN, [from_on, until_on]).fetchall()
    return {series: (first, last, count) for series, first, last, count in rows}
