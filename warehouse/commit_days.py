"""How readings of commits become days that are kept: the newest reading that covers a day wins, also where it says there were none.

A *reading* says how many commits were authored on each UTC day from one day to another, whole days only: a day it covers and does not
list had none. ``commit_reach`` keeps which days are known and when they were read last, as spans that never overlap within a series;
``commit_days`` has a row for each known day with commits. A day inside a span without a row is 0, a day outside every span is unknown.

Readings come from

- week observations that list days: the 52 weeks before the day they were read on;
- the newest of those whose head was seen again: they hold until then, for no commit has come since;
- backfilled windows.

What is older than the newest reading of a day never touches it, so the order of loads does not matter and loading twice changes nothing.
A rewritten past replaces every day the new reading covers, and nothing before it. Two readings of a series never have one ``observed_at``
(the same answer read for two addresses says the same).
"""

from __future__ import annotations

from datetime import date

import duckdb
import pyarrow as pa

from transforms.commits import DAYS_A_WEEK, WEEKS_COUNT
from transforms.schemas import COMMIT_READINGS, WEEK_OBSERVATIONS
from warehouse.database import fill

WINDOW_DAYS = WEEKS_COUNT * DAYS_A_WEEK

# A repository without commits is told without days: that none were made is known of every day of its window.
_OF_WEEKS = """
INSERT INTO offered BY NAME
SELECT series, subject, CAST(observed_at AS DATE) - ? AS from_on, CAST(confirmed_at AS DATE) - 1 AS until_on, confirmed_at AS observed_at,
    coalesce(days_on, []) AS days_on, coalesce(day_counts, []) AS day_counts
FROM $weeks WHERE outcome = 'ok' AND weeks_source = 'history'
"""

_HELD_WEEKS = """
CREATE OR REPLACE TEMP TABLE held_weeks AS
WITH tips AS (
    SELECT * FROM store.main.$weeks WHERE series IN (SELECT series FROM seen_heads)
    QUALIFY row_number() OVER (PARTITION BY series ORDER BY confirmed_at DESC, observed_at DESC) = 1
)
FROM tips WHERE confirmed_at > observed_at
"""

_SPANS = """
CREATE OR REPLACE TEMP TABLE spans AS
WITH numbered AS (
    SELECT *, row_number() OVER (ORDER BY series, observed_at, from_on, until_on, subject) AS reading FROM offered WHERE from_on <= until_on
), hulls AS (
    SELECT series, min(from_on) AS from_on, max(until_on) AS until_on FROM numbered GROUP BY series
)
SELECT * FROM numbered
UNION ALL BY NAME
SELECT r.*, 0 AS reading FROM store.main.commit_reach r
JOIN hulls h ON r.series = h.series AND r.from_on <= h.until_on + 1 AND r.until_on >= h.from_on - 1
"""

# Between two bounds that follow each other, every day has the same readings; the newest of them has won it.
_WON = """
CREATE OR REPLACE TEMP TABLE won AS
WITH bounds AS (
    SELECT series, from_on AS bound FROM spans UNION SELECT series, until_on + 1 FROM spans
), pieces AS (
    SELECT series, bound AS from_on, lead(bound) OVER (PARTITION BY series ORDER BY bound) - 1 AS until_on FROM bounds
)
SELECT p.series, p.from_on, p.until_on, max(s.observed_at) AS observed_at,
    arg_max(s.reading, row(s.observed_at, s.reading = 0, s.reading)) AS reading
FROM pieces p JOIN spans s ON s.series = p.series AND s.from_on <= p.from_on AND s.until_on >= p.until_on
WHERE p.until_on IS NOT NULL
GROUP BY p.series, p.from_on, p.until_on
"""

_FORGET_REACH = """
DELETE FROM store.main.commit_reach r USING spans s WHERE s.reading = 0 AND r.series = s.series AND r.from_on = s.from_on
"""

_ADD_REACH = """
INSERT INTO store.main.commit_reach BY NAME
WITH steps AS (
    SELECT *, row(observed_at, from_on - 1) IS DISTINCT FROM lag(row(observed_at, until_on)) OVER (PARTITION BY series ORDER BY from_on)
        AS is_step FROM won
), islands AS (
    SELECT *, count(*) FILTER (is_step) OVER (PARTITION BY series ORDER BY from_on) AS island FROM steps
)
SELECT series, min(from_on) AS from_on, max(until_on) AS until_on, any_value(observed_at) AS observed_at
FROM islands GROUP BY series, island
"""

_TOLD = """
CREATE OR REPLACE TEMP TABLE told AS
SELECT t.series, t.subject, t.authored_on, t.commits_count FROM (
    SELECT series, subject, reading, unnest(days_on) AS authored_on, CAST(unnest(day_counts) AS BIGINT) AS commits_count FROM spans
    WHERE reading > 0
) t JOIN won w ON w.reading = t.reading AND t.authored_on BETWEEN w.from_on AND w.until_on
WHERE t.commits_count > 0
"""

_FORGET_DAYS = """
DELETE FROM store.main.commit_days d USING won w
WHERE w.reading > 0 AND d.series = w.series AND d.authored_on BETWEEN w.from_on AND w.until_on AND NOT EXISTS (
    FROM told t
    WHERE t.series = d.series AND t.authored_on = d.authored_on AND t.commits_count = d.commits_count AND t.subject = d.subject
)
"""

_ADD_DAYS = "INSERT INTO store.main.commit_days BY NAME FROM told t ANTI JOIN store.main.commit_days d USING (series, authored_on)"


def join_commit_days(connection: duckdb.DuckDBPyConnection, *, weeks: pa.Table, heads: pa.Table, readings: pa.Table) -> None:
    """Let what one load tells of commits by day join the days that are kept in the attached ``store``.

    ``weeks`` and ``heads`` are its week and head observations, ``readings`` its backfilled windows, each in the schema of its table.
    Run inside a transaction, when the histories have been joined and the heads have confirmed them.
    """
    if not (weeks.num_rows or heads.num_rows or readings.num_rows):
        return
    connection.register("read_windows", readings.select(COMMIT_READINGS.names).cast(COMMIT_READINGS.schema))
    connection.register("read_weeks", weeks.select(WEEK_OBSERVATIONS.names).cast(WEEK_OBSERVATIONS.schema))
    connection.register("seen_heads", heads.select(["series"]))
    connection.execute("CREATE OR REPLACE TEMP TABLE offered AS FROM read_windows")
    connection.execute(fill(_OF_WEEKS, weeks="read_weeks"), [WINDOW_DAYS])
    connection.execute(fill(_HELD_WEEKS, weeks=WEEK_OBSERVATIONS.name))
    connection.execute(fill(_OF_WEEKS, weeks="held_weeks"), [WINDOW_DAYS])
    for statement in (_SPANS, _WON, _FORGET_REACH, _ADD_REACH, _TOLD, _FORGET_DAYS, _ADD_DAYS):
        connection.execute(statement)
    for view in ("read_windows", "read_weeks", "seen_heads"):
        connection.unregister(view)


def known_spans(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[date, date]]]:
    """Which days of each series are known in the attached ``store``: spans of first and last day, oldest first."""
    spans: dict[str, list[tuple[date, date]]] = {}
    for series, from_on, until_on in connection.execute(
        "SELECT series, from_on, until_on FROM store.main.commit_reach ORDER BY series, from_on"
    ).fetchall():
        spans.setdefault(series, []).append((from_on, until_on))
    return spans
