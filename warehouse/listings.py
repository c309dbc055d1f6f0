"""How PyPI's listings of releases become a history: a row stands until a listing says otherwise.

A *listing* is every release of one project at one moment. The rows still standing (``ended_at`` null) are compared with the newest
listing: a release said otherwise or no longer listed ends at the listing's time, a new or changed one begins there. ``position`` is a
rank within the project and moves with every new release, so it is refreshed in place and is no change. A listing already known changes
nothing; one older than the newest known adds rows that have ended, for what it says and no other listing said, and touches none.
``listings`` keeps the time of each project's newest listing.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from transforms.schemas import PROJECT_OBSERVATIONS, RELEASES
from warehouse.database import columns_of, fill

LISTINGS_DDL = "CREATE TABLE store.main.listings (project VARCHAR NOT NULL, listed_at TIMESTAMPTZ NOT NULL)"

_VALUES = tuple(n for n in RELEASES.names if n not in ("project", "version", "observed_at", "ended_at", "position", "run_id"))

_LISTED = """
CREATE OR REPLACE TEMP TABLE listed AS
SELECT l.project, l.listed_at, k.listed_at AS known_at,
    row_number() OVER (PARTITION BY l.project, l.listed_at > k.listed_at ORDER BY l.listed_at) AS round
FROM (
    SELECT DISTINCT project, observed_at AS listed_at FROM incoming_releases
    UNION
    SELECT substr(series, 6), observed_at FROM incoming_projects WHERE outcome IN ('ok', 'empty') AND releases_count = 0
) l LEFT JOIN store.main.listings k ON k.project = l.project
WHERE l.listed_at IS DISTINCT FROM k.listed_at
"""

_DUE = """
CREATE OR REPLACE TEMP TABLE due AS
SELECT project, listed_at FROM listed WHERE round = ? AND (known_at IS NULL OR listed_at > known_at)
"""

_SAID = """
CREATE OR REPLACE TEMP TABLE said AS
SELECT i.* FROM incoming_releases i JOIN $listings d ON d.project = i.project AND d.listed_at = i.observed_at
QUALIFY row_number() OVER (PARTITION BY i.project, i.version, i.observed_at ORDER BY i.run_id) = 1
"""

_END = """
UPDATE store.main.releases AS r SET ended_at = d.listed_at FROM due d
WHERE r.project = d.project AND r.ended_at IS NULL AND NOT EXISTS (
    FROM said s WHERE s.project = r.project AND s.version = r.version AND row($said) IS NOT DISTINCT FROM row($stored)
)
"""

_RANK = """
UPDATE store.main.releases AS r SET position = s.position FROM said s
WHERE r.project = s.project AND r.version = s.version AND r.ended_at IS NULL AND r.position IS DISTINCT FROM s.position
"""

_BEGIN = """
INSERT INTO store.main.releases BY NAME
SELECT s.* REPLACE (NULL::TIMESTAMPTZ AS ended_at) FROM said s
WHERE NOT EXISTS (FROM store.main.releases r WHERE r.project = s.project AND r.version = s.version AND r.ended_at IS NULL)
"""

_NOTE = """
DELETE FROM store.main.listings k USING due d WHERE k.project = d.project;
INSERT INTO store.main.listings BY NAME SELECT project, listed_at FROM due
"""

_LATE = "CREATE OR REPLACE TEMP TABLE late AS SELECT project, listed_at, known_at FROM listed WHERE listed_at < known_at"

_ADD_LATE = """
INSERT INTO store.main.releases BY NAME
SELECT s.* REPLACE (coalesce(
    (SELECT min(r.observed_at) FROM store.main.releases r
     WHERE r.project = s.project AND r.version = s.version AND r.observed_at > s.observed_at),
    l.known_at
) AS ended_at)
FROM said s JOIN late l ON l.project = s.project AND l.listed_at = s.observed_at
WHERE NOT EXISTS (
    FROM store.main.releases r WHERE r.project = s.project AND r.version = s.version AND (
        r.observed_at = s.observed_at
        OR (s.observed_at >= r.observed_at AND (r.ended_at IS NULL OR s.observed_at < r.ended_at)
            AND row($said) IS NOT DISTINCT FROM row($stored))
    )
)
"""


def join_listings(connection: duckdb.DuckDBPyConnection, releases: pa.Table, projects: pa.Table) -> None:
    """Let listings join the history of releases in the attached ``store``; run inside a transaction.

    ``projects`` are the project observations of the same answers: they tell of a project that lists no release at all.
    """
    connection.register("incoming_releases", releases.select(RELEASES.names).cast(RELEASES.schema))
    connection.register("incoming_projects", projects.select(PROJECT_OBSERVATIONS.names))
    parts = {"said": columns_of(_VALUES, alias="s"), "stored": columns_of(_VALUES, alias="r")}
    connection.execute(_LISTED)
    rounds = connection.execute("SELECT coalesce(max(round), 0) FROM listed").fetchall()[0][0]
    for number in range(1, rounds + 1):
        connection.execute(_DUE, [number])
        connection.execute(fill(_SAID, listings="due"))
        for template in (_END, _RANK, _BEGIN, _NOTE):
            connection.execute(fill(template, **parts))
    connection.execute(_LATE)
    connection.execute(fill(_SAID, listings="late"))
    connection.execute(fill(_ADD_LATE, **parts))
    connection.unregister("incoming_releases")
    connection.unregister("incoming_projects")
