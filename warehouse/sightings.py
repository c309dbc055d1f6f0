"""Sightings: every time an answer said something of a subject, kept as spans of numbers, for there are millions of them.

``sighted_series`` numbers, for each facet, every subject with the series it was heard under, in the order of their first sighting.
``sighting_spans`` says which numbers were seen at one moment by one run: one row for each unbroken stretch. Subjects asked about together
the first time mostly are so again, so a year of daily answers takes some rows a batch and day instead of one row an answer.
The view ``sightings`` of a publication (views.py) gives them one by one.
"""

from __future__ import annotations

import duckdb

from warehouse.database import fill

# One row for each sighting. $home stands before the names of the tables: a schema and a dot, or nothing.
EACH_SIGHTING = """
SELECT s.seen_at, s.facet, k.subject, k.series, s.run_id
FROM (SELECT seen_at, facet, run_id, unnest(range(first_number, last_number + 1)) AS number FROM ${home}sighting_spans WHERE $condition) s
JOIN ${home}sighted_series k ON k.facet = s.facet AND k.number = s.number
"""

# When each subject was first and last seen under each series, and the last time until $until (null when it was not seen by then).
# Equal spans are taken together before they are spread out, which spares most of the work.
SEEN = """
SELECT k.facet, k.subject, k.series, min(s.first_at) AS first_at, max(s.last_at) AS seen_at
FROM (
    SELECT facet, first_at, last_at, unnest(range(first_number, last_number + 1)) AS number FROM (
        SELECT facet, first_number, last_number, min(seen_at) AS first_at, max(seen_at) FILTER (WHERE seen_at <= $until) AS last_at
        FROM ${home}sighting_spans GROUP BY ALL
    )
) s JOIN ${home}sighted_series k ON k.facet = s.facet AND k.number = s.number GROUP BY ALL
"""

_NUMBER = """
INSERT INTO store.main.sighted_series BY NAME
SELECT h.facet, n.count + row_number() OVER (ORDER BY h.first_at, h.subject, h.series) AS number, h.subject, h.series
FROM (SELECT ?::VARCHAR AS facet, subject, series, min(confirmed_at) AS first_at FROM heard GROUP BY ALL) h
ANTI JOIN store.main.sighted_series k ON k.facet = h.facet AND k.subject = h.subject AND k.series = h.series,
(SELECT count(*) AS count FROM store.main.sighted_series WHERE facet = ?) n
"""

_SIGHT = """
INSERT INTO store.main.sighting_spans BY NAME
WITH seen AS (
    SELECT DISTINCT ON (h.confirmed_at, h.subject) h.confirmed_at AS seen_at, h.subject, h.run_id, k.number
    FROM heard h JOIN store.main.sighted_series k ON k.facet = ? AND k.subject = h.subject AND k.series = h.series
    ORDER BY h.confirmed_at, h.subject, h.series, h.run_id
), known AS (
    $known
), placed AS (
    SELECT *, number - row_number() OVER (PARTITION BY seen_at, run_id ORDER BY number) AS stretch
    FROM seen s ANTI JOIN known k ON k.seen_at = s.seen_at AND k.subject = s.subject
)
SELECT seen_at, ? AS facet, run_id, min(number) AS first_number, max(number) AS last_number FROM placed
GROUP BY seen_at, run_id, stretch ORDER BY seen_at, first_number
"""
_IN_WINDOW = "facet = ? AND seen_at BETWEEN (SELECT min(confirmed_at) FROM heard) AND (SELECT max(confirmed_at) FROM heard)"


def add_sightings(connection: duckdb.DuckDBPyConnection, facet: str) -> None:
    """Let what is in the table ``heard`` (history.py) count as sightings of a facet; twice is once."""
    connection.execute(_NUMBER, [facet, facet])
    known = fill(EACH_SIGHTING, home="store.main.", condition=_IN_WINDOW)
    connection.execute(fill(_SIGHT, known=known), [facet, facet, facet])
