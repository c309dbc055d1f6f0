"""The views of a publication: questions people have, as data; each with a COMMENT on itself and on every column.

A view is kept in the file as the text DuckDB makes of it, so it is written in what the oldest client we name knows as well
(``STORAGE_VERSION`` in publication.py). It names tables alone, never the database they are in, so it holds under whatever name a file
is attached. "Now" is ``publication.as_of_at``, and days are counted in seconds: no clock and no session's time zone changes an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from warehouse.database import fill, literal
from warehouse.sightings import EACH_SIGHTING


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One view: name, one sentence for its COMMENT, what each column means, in order, and the SELECT that gives them."""

    name: str
    comment: str
    columns: Mapping[str, str]
    query: str


_COMMITS = {
    "commits_52_weeks_count": "Commits of the last 52 weeks; null while unknown.",
    "commits_12_weeks_count": "Commits of the last 12 weeks; null while unknown.",
    "commits_4_weeks_count": "Commits of the last 4 weeks; null while unknown.",
}
_STATE = "State of {}; packages has the words."

PACKAGES_CURRENT = View(
    name="packages_current",
    comment="One row per package with the columns people use; packages has all of them.",
    columns={
        "id": "packages.id.",
        "slug": "Short name, unique.",
        "title": "Title.",
        "category": "Slug of the category.",
        "about": "What it is in one line: the summary on PyPI, else the description on the forge.",
        "repo_full_name": "owner/name on the forge.",
        "stars_count": "Stargazers.",
        "forks_count": "Forks.",
        "is_archived": "The repository is archived.",
        "last_commit_at": "Committer date of the newest commit on the default branch.",
        "commits_52_weeks_count": _COMMITS["commits_52_weeks_count"],
        "participants_count": "People who have committed; null while unknown.",
        "project": "Its project on PyPI.",
        "latest_version": "PyPI's own latest version.",
        "latest_released_at": "When that was released.",
        "requires_python": "Requires-Python of that release.",
        "license": "Licence declared on PyPI, else the one the forge detected.",
        "project_status": "Status on PyPI (PEP 792).",
        "fetched_at": "The oldest of the times its sources were last confirmed; null until all were.",
    },
    query="""
SELECT id, slug, title, category, coalesce(nullif(summary, ''), nullif(repo_description, '')) AS about, repo_full_name,
       stars_count, forks_count, is_archived, last_commit_at,
       CASE WHEN len(weeks) = 52 THEN list_sum(weeks)::BIGINT END AS commits_52_weeks_count,
       participants_count, project, latest_version, latest_released_at, requires_python, license, project_status, fetched_at
FROM packages
""",
)

GRID_COMPARISON = View(
    name="grid_comparison",
    comment="Grids side by side: one row per grid and package.",
    columns={
        "grid": "Slug of the grid.",
        "grid_title": "Title of the grid.",
        "package": "Slug of the package.",
        "title": "Title of the package.",
        "stars_count": "Stargazers.",
        "forks_count": "Forks.",
        **_COMMITS,
        "participants_count": "People who have committed; null while unknown.",
        "last_commit_at": "Committer date of the newest commit on the default branch.",
        "latest_version": "PyPI's own latest version.",
        "latest_released_at": "When that was released.",
        "license": "Licence declared on PyPI, else the one the forge detected.",
        "is_archived": "The repository is archived.",
        "repo_state": _STATE.format("stars, forks and description"),
        "head_state": _STATE.format("last_commit_at"),
        "weeks_state": _STATE.format("the commits"),
        "participants_state": _STATE.format("the participants"),
        "project_state": _STATE.format("the PyPI values"),
    },
    query="""
SELECT g.slug AS grid, g.title AS grid_title, p.slug AS package, p.title, p.stars_count, p.forks_count,
       CASE WHEN len(p.weeks) = 52 THEN list_sum(p.weeks)::BIGINT END AS commits_52_weeks_count,
       CASE WHEN len(p.weeks) = 52 THEN list_sum(p.weeks[41:52])::BIGINT END AS commits_12_weeks_count,
       CASE WHEN len(p.weeks) = 52 THEN list_sum(p.weeks[49:52])::BIGINT END AS commits_4_weeks_count,
       p.participants_count, p.last_commit_at, p.latest_version, p.latest_released_at, p.license, p.is_archived,
       p.repo_state, p.head_state, p.weeks_state, p.participants_state, p.project_state
FROM grid_packages m JOIN grids g ON g.id = m.grid_id JOIN packages p ON p.id = m.package_id
""",
)

STALENESS = View(
    name="staleness",
    comment="How old each value is: one row per package and facet, left out where the package has no such source.",
    columns={
        "package": "Slug of the package.",
        "source": "github or pypi.",
        "facet": "Which question: repo, head, weeks, participants, project.",
        "state": "State of its values; packages has the words.",
        "observed_at": "When they were last confirmed; null when they never were.",
        "age_hours": "Whole hours from then to the publication's moment; null when they never were confirmed.",
    },
    query="""
SELECT p.slug AS package, f.source, f.facet, f.state, f.observed_at,
       (epoch_us(n.as_of_at) - epoch_us(f.observed_at)) // 3600000000 AS age_hours
FROM publication n CROSS JOIN packages p CROSS JOIN LATERAL (VALUES
    ('github', 'repo', p.repo_state, p.repo_observed_at),
    ('github', 'head', p.head_state, p.head_observed_at),
    ('github', 'weeks', p.weeks_state, p.weeks_observed_at),
    ('github', 'participants', p.participants_state, p.participants_observed_at),
    ('pypi', 'project', p.project_state, p.project_observed_at)
) AS f(source, facet, state, observed_at)
WHERE f.state IS NOT NULL
""",
)

RELEASE_CADENCE = View(
    name="release_cadence",
    comment="How often a project releases: one row per project with releases; pre-releases and yanked releases are not counted.",
    columns={
        "project": "PEP 503 name of the project.",
        "releases_count": "Releases listed on PyPI now.",
        "releases_year_count": "Those of the 365 days before the publication's moment.",
        "first_released_at": "When the first of them was released.",
        "last_released_at": "When the last of them was released.",
        "median_gap_days": "Median of the days from one to the next; null with fewer than two.",
        "since_last_days": "Whole days from the last one to the publication's moment.",
    },
    query="""
WITH counted AS (
    SELECT r.project, r.released_at, (epoch_us(n.as_of_at) - epoch_us(r.released_at)) // 86400000000 AS since_days,
           (epoch_us(r.released_at) - epoch_us(lag(r.released_at) OVER (PARTITION BY r.project ORDER BY r.released_at)))
               / 86400000000 AS gap_days
    FROM releases r CROSS JOIN publication n
    WHERE r.ended_at IS NULL AND r.is_yanked IS NOT TRUE AND r.is_prerelease IS NOT TRUE AND r.released_at <= n.as_of_at
)
SELECT project, count(*) AS releases_count, count(*) FILTER (WHERE since_days < 365) AS releases_year_count,
       min(released_at) AS first_released_at, max(released_at) AS last_released_at,
       round(median(gap_days), 1) AS median_gap_days, min(since_days) AS since_last_days
FROM counted GROUP BY project
""",
)

RELEASE_LAG = View(
    name="release_lag",
    comment="The newest commit against the latest release: one row per package where both are known.",
    columns={
        "package": "Slug of the package.",
        "project": "Its project on PyPI.",
        "latest_version": "PyPI's own latest version.",
        "latest_released_at": "When that was released.",
        "last_commit_at": "Committer date of the newest commit on the default branch.",
        "release_lag_days": "Whole days from the release to the commit; negative when the release is newer.",
        "since_release_days": "Whole days from the release to the publication's moment.",
        "since_commit_days": "Whole days from the commit to the publication's moment.",
        "head_state": _STATE.format("last_commit_at"),
        "project_state": _STATE.format("the PyPI values"),
    },
    query="""
SELECT p.slug AS package, p.project, p.latest_version, p.latest_released_at, p.last_commit_at, p.release_lag_days,
       (epoch_us(n.as_of_at) - epoch_us(p.latest_released_at)) // 86400000000 AS since_release_days,
       (epoch_us(n.as_of_at) - epoch_us(p.last_commit_at)) // 86400000000 AS since_commit_days,
       p.head_state, p.project_state
FROM packages p CROSS JOIN publication n
WHERE p.latest_released_at IS NOT NULL AND p.last_commit_at IS NOT NULL
""",
)

BUS_FACTOR = View(
    name="bus_factor",
    comment="On how few people a package rests: one row per package whose participants are known.",
    columns={
        "package": "Slug of the package.",
        "bus_factor": "The smallest number of participants who together made half of the commits.",
        "logins": "Who they are, most commits first; bots count like people.",
        "commits_count": "Commits of all participants.",
        "participants_count": "Number of participants.",
        "participants_state": _STATE.format("the participants; capped means that the forge lists only some of them"),
    },
    query="""
WITH ranked AS (
    SELECT package_id, login, commits_count, sum(commits_count) OVER (PARTITION BY package_id) AS total,
           sum(commits_count) OVER (PARTITION BY package_id ORDER BY commits_count DESC, position
                                    ROWS UNBOUNDED PRECEDING) - commits_count AS before,
           row_number() OVER (PARTITION BY package_id ORDER BY commits_count DESC, position) AS place
    FROM participants
), counted AS (
    SELECT package_id, count(*) FILTER (WHERE before * 2 < total) AS bus_factor,
           list(login ORDER BY place) FILTER (WHERE before * 2 < total) AS logins,
           sum(commits_count)::BIGINT AS commits_count, count(*) AS participants_count
    FROM ranked WHERE total > 0 GROUP BY package_id
)
SELECT p.slug AS package, c.bus_factor, c.logins, c.commits_count, c.participants_count, p.participants_state
FROM counted c JOIN packages p ON p.id = c.package_id
""",
)

MOVERS = View(
    name="movers",
    comment="Stars of the last 30 days (720 hours): one row per package whose stars are known.",
    columns={
        "package": "Slug of the package.",
        "repo_full_name": "owner/name on the forge.",
        "watched_since_at": "When its stars were first observed.",
        "stars_before_count": "Stars 30 days before the publication's moment; null when it was not watched that long.",
        "stars_before_at": "When that was last known to be so, at the latest those 30 days before.",
        "stars_count": "Stars last known.",
        "stars_at": "When they were last confirmed.",
        "stars_gained_count": "The difference, negative for a loss; null when it was not watched that long.",
    },
    query="""
WITH known AS (
    SELECT o.series, o.observed_at, o.confirmed_at, o.stars_count, n.as_of_at - INTERVAL 720 HOUR AS begins_at
    FROM repo_observations o CROSS JOIN publication n
    WHERE o.stars_count IS NOT NULL AND o.observed_at <= n.as_of_at
), counted AS (
    SELECT series, min(observed_at) AS watched_since_at,
           arg_max(stars_count, observed_at) FILTER (WHERE observed_at <= begins_at) AS stars_before_count,
           arg_max(least(confirmed_at, begins_at), observed_at) FILTER (WHERE observed_at <= begins_at) AS stars_before_at,
           arg_max(stars_count, observed_at) AS stars_count, arg_max(confirmed_at, observed_at) AS stars_at
    FROM known GROUP BY series
)
SELECT p.slug AS package, p.repo_full_name, c.watched_since_at, c.stars_before_count, c.stars_before_at, c.stars_count, c.stars_at,
       c.stars_count - c.stars_before_count AS stars_gained_count
FROM packages p JOIN counted c ON c.series = 'github:' || p.repo_id
""",
)

REPO_ALIASES = View(
    name="repo_aliases",
    comment="The names each repository has borne: one row per name, through renames and transfers, by the forge's number.",
    columns={
        "series": "Identity the history follows: github:<forge id>.",
        "repo_id": "The forge's numeric id.",
        "full_name": "owner/name as the forge spelt it.",
        "first_seen_at": "When it was first seen under this name.",
        "last_seen_at": "When it was last seen under it.",
        "is_current": "It bears this name by all that is known.",
        "packages": "Slugs of the packages whose repository it is now.",
    },
    query="""
WITH named AS (
    SELECT series, repo_id, full_name, min(observed_at) AS first_seen_at, max(confirmed_at) AS last_seen_at
    FROM repo_observations WHERE full_name IS NOT NULL GROUP BY series, repo_id, full_name
)
SELECT n.series, n.repo_id, n.full_name, n.first_seen_at, n.last_seen_at,
       n.last_seen_at = max(n.last_seen_at) OVER (PARTITION BY n.series) AS is_current,
       coalesce((SELECT list(p.slug ORDER BY p.slug) FROM packages p WHERE p.repo_id = n.repo_id), []) AS packages
FROM named n
""",
)

SIGHTINGS = View(
    name="sightings",
    comment="Every time an answer said something of a subject, new or again: what a history row's confirmed_at was at any earlier time.",
    columns={
        "seen_at": "When the answer came.",
        "facet": "Which question: repo, head, weeks, participants, project or status.",
        "subject": "What was asked about.",
        "series": "The history it belongs to.",
        "run_id": "The run that asked.",
    },
    query=fill(EACH_SIGHTING, home="", condition="true"),
)

# In the order of the data dictionary.
VIEWS = (PACKAGES_CURRENT, GRID_COMPARISON, STALENESS, RELEASE_CADENCE, RELEASE_LAG, BUS_FACTOR, MOVERS, REPO_ALIASES, SIGHTINGS)


def make_views(connection: duckdb.DuckDBPyConnection, catalog: str) -> None:
    """Make every view with its COMMENTs in an attached database that has the tables."""
    came_from = connection.execute("SELECT current_database()").fetchall()[0][0]
    connection.execute(fill("USE $catalog.main", catalog=catalog))
    try:
        for view in VIEWS:
            connection.execute(fill("CREATE VIEW $name AS $query", name=view.name, query=view.query))
            connection.execute(fill("COMMENT ON VIEW $name IS $comment", name=view.name, comment=literal(view.comment)))
            for column, comment in view.columns.items():
                names = {"name": view.name, "column": column}
                connection.execute(fill("COMMENT ON COLUMN $name.$column IS $comment", **names, comment=literal(comment)))
    finally:
        connection.execute(fill("USE $catalog.main", catalog=came_from))
