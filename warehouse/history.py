"""How new observations join a history: one row per change, whatever order or number of times they arrive.

For each series (one repository or project) of a history table:

- said again without change: the newest row's ``confirmed_at`` moves and its ``sighting_count`` grows;
- said otherwise: a new row. Equal neighbours within one load are folded the same way (gaps and islands), so the history does not
  depend on how answers were split into loads;
- already known (same ``observed_at``, or within the span of a row that says the same): nothing;
- older than the newest row's ``confirmed_at`` and not known: a row of its own, nothing else changes;
- said several times in one run (two addresses of one repository): one sighting;
- ``outcome`` ``unchanged`` (a 304, an unmoved serial): what the last good row before it said, said again; dropped when there is none.

"Says the same" compares outcome and values: not ``detail``, ``subject``, ``run_id`` or ``source_url``, nor the columns of ``REFRESHED``,
which follow from when it was said (the day weeks end on) and move on the newest row as it is confirmed. All else has to be known as it
was at any time.

Every answer, new or said again, is a *sighting* (sightings.py): they tell what ``confirmed_at`` was at any earlier moment.
"Newest" is the row confirmed last.

``standings`` keeps for each subject and facet what was heard last, under which series and in which run: a subject whose repository was
replaced by another follows the new series from then on, and two addresses of one repository share a series. What was heard under the
bare subject stays true when its first id becomes known, and a subject never asked about follows the repository that bears its name.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from transforms.schemas import HISTORY, Table
from warehouse.database import columns_of, fill
from warehouse.sightings import add_sightings

GOOD = "('ok', 'capped', 'empty')"
# Values that follow from when it was said: no change of what was said.
REFRESHED = frozenset({"node_id", "listed_at", "weeks_end_on"})

# At which commit and by which way something was read: a change of what is said, but no value that a validator vouches for.
CIRCUMSTANCES = frozenset({"weeks_head_oid", "participants_head_oid", "participants_source"})

STANDINGS_DDL = """
CREATE TABLE store.main.standings (
    subject VARCHAR NOT NULL, facet VARCHAR NOT NULL, series VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL, heard_at TIMESTAMPTZ NOT NULL, run_id VARCHAR NOT NULL
)
"""

_RESOLVE = """
CREATE OR REPLACE TEMP TABLE heard AS
WITH good AS (
    SELECT series, observed_at, $values FROM store.main.$table
    WHERE outcome IN $good AND series IN (SELECT series FROM incoming WHERE outcome = 'unchanged')
    UNION ALL BY NAME
    SELECT series, observed_at, $values FROM incoming WHERE outcome IN $good
)
SELECT * FROM incoming WHERE outcome <> 'unchanged'
UNION ALL BY NAME
SELECT u.* REPLACE ($good_values) FROM (FROM incoming WHERE outcome = 'unchanged') u
ASOF JOIN good g ON u.series = g.series AND u.observed_at >= g.observed_at
"""

_STAND = """
CREATE OR REPLACE TEMP TABLE newest AS
SELECT subject, series, outcome, confirmed_at AS heard_at, run_id FROM heard
QUALIFY row_number() OVER (PARTITION BY subject ORDER BY confirmed_at DESC, series) = 1
"""

_OFFER = """
CREATE OR REPLACE TEMP TABLE offered AS
SELECT o.* FROM (
    FROM heard QUALIFY row_number() OVER (PARTITION BY series, observed_at ORDER BY subject, run_id) = 1
) o
WHERE NOT EXISTS (
    FROM store.main.$table h
    WHERE h.series = o.series AND (
        h.observed_at = o.observed_at
        OR (o.observed_at BETWEEN h.observed_at AND h.confirmed_at AND row($stored_said) IS NOT DISTINCT FROM row($offered_said))
    )
)
"""

_TIP = """
CREATE OR REPLACE TEMP TABLE tips AS
SELECT * FROM store.main.$table WHERE series IN (SELECT series FROM offered)
QUALIFY row_number() OVER (PARTITION BY series ORDER BY confirmed_at DESC, observed_at DESC) = 1
"""

_FOLD = """
CREATE OR REPLACE TEMP TABLE islands AS
WITH line AS (
    SELECT *, true AS is_tip FROM tips
    UNION ALL BY NAME
    SELECT o.*, false AS is_tip FROM offered o LEFT JOIN tips t ON t.series = o.series
    WHERE t.series IS NULL OR o.observed_at > t.confirmed_at
), steps AS (
    SELECT *, row($said) IS DISTINCT FROM lag(row($said)) OVER (PARTITION BY series ORDER BY observed_at) AS is_step FROM line
), numbered AS (
    SELECT *, count(*) FILTER (is_step) OVER (PARTITION BY series ORDER BY observed_at) AS island FROM steps
)
SELECT * EXCLUDE (is_step, island, tip_run_id) REPLACE (
    max(confirmed_at) OVER (PARTITION BY series, island) AS confirmed_at,
    coalesce(max(sighting_count) FILTER (is_tip) OVER (PARTITION BY series, island), 0)
        + count(DISTINCT run_id) FILTER (NOT is_tip AND run_id <> tip_run_id) OVER (PARTITION BY series, island) AS sighting_count
    $refreshed
) FROM (
    SELECT *, coalesce(max(run_id) FILTER (is_tip) OVER (PARTITION BY series, island), '') AS tip_run_id FROM numbered
)
QUALIFY row_number() OVER (PARTITION BY series, island ORDER BY observed_at) = 1
"""

_NEWEST = ", arg_max($column, observed_at) OVER (PARTITION BY series, island) AS $column"

_GROW = """
UPDATE store.main.$table AS h SET confirmed_at = i.confirmed_at, sighting_count = i.sighting_count $grown
FROM islands i WHERE i.is_tip AND h.series = i.series AND h.observed_at = i.observed_at AND i.confirmed_at > h.confirmed_at
"""

_APPEND = "INSERT INTO store.main.$table BY NAME SELECT $columns FROM islands WHERE NOT is_tip"

_APPEND_LATE = """
INSERT INTO store.main.$table BY NAME
SELECT o.* FROM offered o JOIN tips t ON t.series = o.series AND o.observed_at <= t.confirmed_at
"""

_FORGET_STANDINGS = """
DELETE FROM store.main.standings s USING newest n WHERE s.facet = ? AND s.subject = n.subject AND s.heard_at <= n.heard_at
"""

_ADD_STANDINGS = """
INSERT INTO store.main.standings BY NAME
SELECT n.*, ? AS facet FROM newest n
WHERE NOT EXISTS (FROM store.main.standings s WHERE s.facet = ? AND s.subject = n.subject)
"""

# Which series each subject follows, and under which series its rows were written: before its id was known, under the subject itself.
# A subject never asked about (a catalog that was edited after a rename) follows the repository that bears its name now.
_FOLLOWED = """
WITH stood AS (
    SELECT subject, arg_max(series, row(heard_at, facet = 'repo')) AS series FROM store.main.standings GROUP BY subject
), named AS (
    SELECT lower('github:' || full_name) AS subject, series, confirmed_at FROM store.main.repo_observations WHERE outcome IN $good
    QUALIFY row_number() OVER (PARTITION BY series ORDER BY confirmed_at DESC, observed_at DESC) = 1
), current AS (
    FROM stood
    UNION ALL
    SELECT subject, arg_max(series, confirmed_at) FROM named WHERE subject NOT IN (SELECT subject FROM stood) GROUP BY subject
), known AS (
    SELECT subject, series FROM store.main.repo_observations UNION SELECT subject, series FROM store.main.standings
), followed AS (
    SELECT subject, series, series AS written FROM current
    UNION
    SELECT c.subject, c.series, c.subject FROM current c
    WHERE NOT EXISTS (FROM known k WHERE k.subject = c.subject AND k.series <> c.subject AND k.series <> c.series)
)
"""

# The rows are chosen by their keys alone: windows over whole rows, with the days of weeks in them, do not fit for a million repositories.
_CHOSEN = """, chosen AS (
    SELECT t.rowid AS place, f.subject, f.series, t.outcome IN $good AS is_good
    FROM store.main.$table t JOIN followed f ON f.written = t.series
    QUALIFY row_number() OVER (PARTITION BY f.subject ORDER BY t.confirmed_at DESC, t.observed_at DESC) = 1
    OR (is_good AND row_number() OVER (PARTITION BY f.subject, is_good ORDER BY t.confirmed_at DESC, t.observed_at DESC) = 1)
)
"""

LATEST = (
    _FOLLOWED
    + _CHOSEN
    + """
SELECT t.* REPLACE (c.subject AS subject, c.series AS series), c.is_good
FROM store.main.$table t JOIN chosen c ON c.place = t.rowid
ORDER BY c.subject, t.confirmed_at
"""
)

LAST_OUTCOMES = (
    _FOLLOWED
    + """
SELECT s.subject, s.facet, s.outcome, s.heard_at, s.run_id FROM store.main.standings s
JOIN followed f ON f.subject = s.subject AND f.written = s.series
"""
)


def said_columns(table: Table) -> list[str]:
    """The columns of a history table in which two answers differ when they do not say the same."""
    return ["outcome", *[c.name for c in table.columns if c not in HISTORY and c.name not in REFRESHED]]


def join_history(connection: duckdb.DuckDBPyConnection, table: Table, facet: str, observations: pa.Table) -> None:
    """Let observations (schema of ``table``) join its history in the attached ``store``; run inside a transaction."""
    values = ("outcome", *[c.name for c in table.columns if c not in HISTORY])
    said = said_columns(table)
    refreshed = [name for name in values if name in REFRESHED]
    parts = {
        "table": table.name,
        "columns": columns_of(table.names),
        "good": GOOD,
        "said": columns_of(said),
        "values": columns_of(values),
        "good_values": ", ".join(
            f"coalesce(u.{name}, g.{name}) AS {name}" if name != "outcome" else "g.outcome AS outcome" for name in values
        ),
        "refreshed": "".join(fill(_NEWEST, column=name) for name in refreshed),
        "grown": "".join(f", {name} = i.{name}" for name in refreshed),
        "stored_said": columns_of(said, alias="h"),
        "offered_said": columns_of(said, alias="o"),
    }
    connection.register("incoming", observations.select(table.names).cast(table.schema))
    for template in (_RESOLVE, _STAND, _OFFER, _TIP, _FOLD, _GROW, _APPEND, _APPEND_LATE):
        connection.execute(fill(template, **parts))
    add_sightings(connection, facet)
    connection.execute(_FORGET_STANDINGS, [facet])
    connection.execute(_ADD_STANDINGS, [facet, facet])
    connection.unregister("incoming")
