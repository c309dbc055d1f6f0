"""What is known *now* of how the records were at a time, as SQL that every publication carries: ``packages_in_hindsight`` and its payload.

Beside ``packages_as_of``, which knows only what was known then, this takes facts learnt since: commits by the day they were made on and
releases by the time they were uploaded, backfilled ones included. Both are never mixed: they are two macros. What leaves no trace (stars,
forks, descriptions, participants) is that of an observation before the time, and unknown where nobody was watching. Releases count as
they stand in the newest listing of those made by then; what was yanked or deleted since, and not seen before, does not.
The catalog is that of the time; before its first version, the first version's entries that had been created by then.
"""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa

from warehouse.as_of import payload_macro
from warehouse.database import fill
from warehouse.history import GOOD
from warehouse.sightings import SEEN
from warehouse.store import Store

# Name and meaning of every column of ``packages_in_hindsight``, in order.
COLUMNS: dict[str, str] = {
    "id": "packages.id.",
    "slug": "Short name, as curated then.",
    "title": "Title, as curated then.",
    "category_id": "categories.id.",
    "category": "Slug of the category.",
    "grid_ids": "grids.id of every grid that listed it.",
    "grids": "Slugs of those grids.",
    "repo_url": "Repository address, as curated then.",
    "pypi_url": "PyPI address or name, as curated then.",
    "documentation_url": "Documentation link, as curated then.",
    "created_at": "When the entry was created.",
    "modified_at": "When the entry was last edited, as curated then.",
    "fetched_at": "Null: nobody fetched the record so.",
    "repo_description": "As last observed by then; null where nobody was watching.",
    "stars_count": "As last observed by then; null where nobody was watching.",
    "forks_count": "As last observed by then; null where nobody was watching.",
    "last_commit_at": "As last observed by then; null where nobody was watching.",
    "weeks": "Commits in 52 windows of 7 days by author date, by all that is known now; empty unless each of the days is known.",
    "weeks_end_on": "The windows end at the UTC midnight that begins this day.",
    "participants": "As last observed by then; empty where nobody was watching.",
    "latest_version": "Newest stable release uploaded by then and not yanked, else the next best.",
    "latest_released_at": "Its upload time.",
    "retained_stars_count": "Stars given before that day and still held when last asked; null unless all days are known. No past total.",
}

_STEPS = """versions AS MATERIALIZED (
    SELECT greatest(ts, (SELECT min(known_at) FROM package_entries)) AS moment
), entries AS (
    SELECT e.* FROM package_entries e, versions m
    WHERE e.known_at <= m.moment AND (e.ended_at IS NULL OR e.ended_at > m.moment) AND e.created_at <= ts
), grid_lists AS (
    SELECT package_id, list(grid_id ORDER BY grid_id) AS grid_ids, list(g.grid ORDER BY grid_id) AS grids
    FROM grid_package_entries g, versions m
    WHERE g.known_at <= m.moment AND (g.ended_at IS NULL OR g.ended_at > m.moment) GROUP BY package_id
), followed AS MATERIALIZED (
    SELECT subject, coalesce(arg_max(series, seen_at) FILTER (WHERE seen_at IS NOT NULL), arg_min(series, first_at)) AS series
    FROM ($seen) WHERE series LIKE 'github:%' AND series <> subject GROUP BY subject
), day AS (
    SELECT (ts AT TIME ZONE 'UTC')::DATE AS ends_on
), covered AS MATERIALIZED (
    SELECT series FROM commit_reach, day WHERE until_on >= ends_on - 364 AND from_on < ends_on
    GROUP BY series, ends_on HAVING sum(least(until_on, ends_on - 1) - greatest(from_on, ends_on - 364) + 1) = 364
), counted AS (
    SELECT d.series, 51 - ((ends_on - d.authored_on - 1) // 7) AS place, sum(d.commits_count) AS commits_count
    FROM commit_days d JOIN covered USING (series), day WHERE ends_on - d.authored_on BETWEEN 1 AND 364 GROUP BY ALL
), windows AS (
    SELECT s.series, list(coalesce(c.commits_count, 0)::INTEGER ORDER BY w.place) AS weeks
    FROM covered s CROSS JOIN (SELECT unnest(range(52)) AS place) w LEFT JOIN counted c ON c.series = s.series AND c.place = w.place
    GROUP BY s.series
), made AS (
    SELECT * FROM releases WHERE released_at <= ts
    QUALIFY row_number() OVER (
        PARTITION BY project, version
        ORDER BY observed_at <= ts AND (ended_at IS NULL OR ended_at > ts) DESC, ended_at IS NULL DESC, observed_at
    ) = 1
), latest AS (
    SELECT project, version AS latest_version, released_at AS latest_released_at FROM made
    WHERE ended_at IS NULL OR ended_at > ts
    QUALIFY row_number() OVER (PARTITION BY project ORDER BY is_yanked, coalesce(is_prerelease, true), position DESC) = 1
), born AS (
    SELECT series, (max(repo_created_at) AT TIME ZONE 'UTC')::DATE AS created_on FROM repo_observations GROUP BY series
), starred AS (
    SELECT s.series, sum(s.retained_count)::BIGINT AS retained_stars_count FROM star_days s JOIN born b ON b.series = s.series, day
    WHERE s.starred_on >= b.created_on AND s.starred_on < ends_on
    GROUP BY s.series, b.created_on, ends_on HAVING count(*) = ends_on - b.created_on
), repos AS (
    FROM repo_observations WHERE outcome IN $good AND observed_at <= ts
    QUALIFY row_number() OVER (PARTITION BY series ORDER BY observed_at DESC) = 1
), heads AS (
    FROM head_observations WHERE outcome IN $good AND observed_at <= ts
    QUALIFY row_number() OVER (PARTITION BY series ORDER BY observed_at DESC) = 1
), people AS (
    FROM participant_observations WHERE outcome IN $good AND observed_at <= ts
    QUALIFY row_number() OVER (PARTITION BY series ORDER BY observed_at DESC) = 1
), records AS (
    SELECT e.*, coalesce(l.grid_ids, []) AS grid_ids, coalesce(l.grids, []) AS grids, NULL::TIMESTAMPTZ AS fetched_at,
        r.description AS repo_description, r.stars_count, r.forks_count, h.last_commit_at, coalesce(w.weeks, []) AS weeks,
        CASE WHEN w.weeks IS NOT NULL THEN ends_on END AS weeks_end_on, coalesce(p.logins, []) AS participants,
        v.latest_version, v.latest_released_at, s.retained_stars_count
    FROM entries e CROSS JOIN day
    LEFT JOIN grid_lists l ON l.package_id = e.id
    LEFT JOIN followed f ON f.subject = e.repo_subject
    LEFT JOIN repos r ON r.series = f.series
    LEFT JOIN heads h ON h.series = f.series
    LEFT JOIN people p ON p.series = f.series
    LEFT JOIN windows w ON w.series = f.series
    LEFT JOIN starred s ON s.series = f.series
    LEFT JOIN latest v ON v.project = e.project
)"""

_PACKAGES = "CREATE $kind MACRO $name(ts) AS TABLE WITH $steps SELECT $columns FROM records ORDER BY id"


def hindsight_macros(catalog: str) -> list[str]:
    """The statements that make both macros in an attached database that has the tables of a publication."""
    return [
        _packages_macro("", f"{catalog}.main.packages_in_hindsight"),
        payload_macro(catalog, "payload_in_hindsight", "packages_in_hindsight"),
    ]


def packages_in_hindsight(store: Store, at: datetime) -> pa.Table:
    """The records of ``at`` (aware) by all that the store knows now, with the columns of ``COLUMNS``."""
    connection = store.connection
    connection.execute("USE store.main")
    try:
        connection.execute(_packages_macro("OR REPLACE TEMP", "packages_in_hindsight"))
        return connection.sql("FROM packages_in_hindsight(?::TIMESTAMPTZ)", params=[at]).to_arrow_table()
    finally:
        connection.execute("USE memory.main")


def _packages_macro(kind: str, name: str) -> str:
    seen = fill(SEEN, home="", until="ts")
    return fill(_PACKAGES, kind=kind, name=name, steps=fill(_STEPS, good=GOOD, seen=seen), columns=", ".join(COLUMNS))
