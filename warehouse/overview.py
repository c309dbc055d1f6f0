"""Reads what the report shows from a publication, and from the one published before it what has changed since.

Counts are over the whole publication. Packages are listed up to a limit, the most starred first, so that the page of a large catalog
can still be opened.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from transforms.overview import Changes, Overview, Row, Stars, compare_packages
from warehouse.database import DUCKDB_ERRORS, fill, first_line
from warehouse.errors import NothingPublished
from warehouse.freshness import oldest_packages, published_states
from warehouse.readers import Publication, open_publication

PACKAGES_LISTED = 5_000
CHARTS = 24
RUNS_LISTED = 30

# A repository several packages share counts once in each total; `weeks` is empty while unknown.
_COUNTED = """
    count(DISTINCT p.id) AS packages_count,
    count(DISTINCT p.repository) AS repositories_count,
    count(DISTINCT p.repository) FILTER (WHERE p.stars_count IS NOT NULL) AS stars_known_count,
    sum(p.stars_count) FILTER (WHERE p.is_first) AS stars_count,
    count(DISTINCT p.repository) FILTER (WHERE p.commits_count IS NOT NULL) AS weeks_known_count,
    sum(p.commits_count) FILTER (WHERE p.is_first) AS commits_count
"""

_REPOSITORIES = """
    SELECT *, row_number() OVER (PARTITION BY grouped, repository ORDER BY id) = 1 AS is_first FROM (
        SELECT $group AS grouped, p.id, p.stars_count, p.project, p.latest_version,
            coalesce(CAST(p.repo_id AS VARCHAR), p.repo_subject) AS repository,
            CASE WHEN len(p.weeks) > 0 THEN list_sum(p.weeks) END AS commits_count
        FROM $origin)
"""

_TOTALS = "SELECT $counted, count(p.project) AS projects_count, count(p.latest_version) AS versions_known_count FROM ($repositories) p"

_CATEGORIES = """
SELECT c.slug, c.title, $counted FROM categories c LEFT JOIN ($repositories) p ON p.grouped = c.id
GROUP BY c.id, c.slug, c.title ORDER BY lower(c.title), c.id
"""

_GRIDS = """
SELECT g.slug, g.title, $counted FROM grids g LEFT JOIN ($repositories) p ON p.grouped = g.id
GROUP BY g.id, g.slug, g.title ORDER BY lower(g.title), g.id
"""

_PACKAGES = """
SELECT id, slug, title, category, repo_url, documentation_url, repo_subject, project, repo_description, summary, stars_count, forks_count,
    is_archived, last_commit_at, weeks, weeks_end_on, participants_count, latest_version, latest_released_at, fetched_at,
    repo_state, head_state, weeks_state, participants_state, project_state
FROM packages ORDER BY stars_count DESC NULLS LAST, slug LIMIT ?
"""

_MEMBERSHIPS = "SELECT grid, package_id FROM grid_packages ORDER BY grid_id"

_SERIES = "(split_part(p.repo_subject, ':', 1) || ':' || p.repo_id, p.repo_subject)"

_OBSERVED = """
SELECT DISTINCT p.id, r.observed_at, r.confirmed_at, r.stars_count FROM packages p JOIN repo_observations r ON r.series IN $series
WHERE list_contains(?, p.id) ORDER BY p.id, r.observed_at
"""

# The weeks a star was given in are enough for a drawing; the count is of all days up to the last one of the week.
_RETAINED = """
SELECT DISTINCT ON (id, date_trunc('week', starred_on)) id, starred_on, given_count FROM (
    SELECT p.id, s.starred_on, CAST(sum(s.retained_count) OVER (PARTITION BY p.id ORDER BY s.starred_on) AS BIGINT) AS given_count
    FROM packages p JOIN star_days s ON s.series IN $series WHERE list_contains(?, p.id))
ORDER BY id, date_trunc('week', starred_on), starred_on DESC
"""

_RUNS = """
SELECT run_id, kind, started_at, outcome, requests_count, github_units_count, graphql_points_count, pypi_requests_count,
    forecast_units_count, forecast_points_count, forecast_pypi_requests_count, unchanged_count, waited_seconds, detail,
    count(*) OVER () AS runs_count
FROM runs ORDER BY run_id DESC LIMIT ?
"""

_COMPARED = "SELECT id, slug, title, category, latest_version, stars_count FROM packages"


def read_overview(publication: Publication, *, listed: int = PACKAGES_LISTED) -> Overview:
    """Read everything the report shows; at most ``listed`` packages one by one."""
    packages = _rows(publication, _PACKAGES, listed)
    runs = _rows(publication, _RUNS, RUNS_LISTED)
    changes, why = read_changes(publication)
    return Overview(
        name=publication.path.name,
        as_of_at=publication.as_of_at,
        totals=_counts(publication, _TOTALS, "0", "packages p")[0],
        categories=_counts(publication, _CATEGORIES, "p.category_id", "packages p"),
        grids=_counts(publication, _GRIDS, "m.grid_id", "grid_packages m JOIN packages p ON p.id = m.package_id"),
        packages=packages,
        memberships=_memberships(publication, packages),
        stars=_stars(publication, packages[:CHARTS]),
        states=published_states(publication),
        oldest=oldest_packages(publication),
        runs=runs,
        runs_count=runs[0]["runs_count"] if runs else 0,
        changes=changes,
        why_no_changes=why,
    )


def read_changes(publication: Publication) -> tuple[Changes | None, str]:
    """Compare with the publication before this one, by the names of their folders; or say why that cannot be done."""
    path = _before(publication.path)
    if path is None:
        return None, "There is no earlier publication to compare with."
    try:
        with open_publication(path) as previous:
            before = _rows(previous, _COMPARED)
            as_of_at = previous.as_of_at
    except (NothingPublished, *DUCKDB_ERRORS) as error:
        return None, f"The publication before, {path.name}, cannot be compared with: {first_line(error)}"
    return compare_packages(before, _rows(publication, _COMPARED), previous=path.name, previous_as_of_at=as_of_at), ""


def _before(path: Path) -> Path | None:
    """The folder published before this one: names sort by time."""
    earlier = [other for other in path.parent.iterdir() if other.name < path.name and not other.name.startswith(".") and other.is_dir()]
    return max(earlier, key=lambda other: other.name, default=None)


def _counts(publication: Publication, template: str, group: str, origin: str) -> list[Row]:
    repositories = fill(_REPOSITORIES, group=group, origin=origin)
    return _rows(publication, fill(template, counted=_COUNTED, repositories=repositories))


def _memberships(publication: Publication, packages: list[Row]) -> dict[str, list[int]]:
    place = {row["id"]: index for index, row in enumerate(packages)}
    members: dict[str, list[int]] = defaultdict(list)
    for row in _rows(publication, _MEMBERSHIPS):
        if row["package_id"] in place:
            members[row["grid"]].append(row["package_id"])
    return {grid: sorted(ids, key=place.__getitem__) for grid, ids in members.items()}


def _stars(publication: Publication, packages: list[Row]) -> list[Stars]:
    ids = [row["id"] for row in packages]
    observed, retained = defaultdict(list), defaultdict(list)
    for row in _rows(publication, fill(_OBSERVED, series=_SERIES), ids):
        observed[row["id"]].append((row["observed_at"], row["confirmed_at"], row["stars_count"]))
    for row in _rows(publication, fill(_RETAINED, series=_SERIES), ids):
        retained[row["id"]].append((row["starred_on"], row["given_count"]))
    found = [Stars(package=row, observed=observed[row["id"]], retained=retained[row["id"]]) for row in packages]
    return [stars for stars in found if stars.retained or any(count is not None for _, _, count in stars.observed)]


def _rows(publication: Publication, sql: str, *values: Any) -> list[Row]:
    cursor = publication.cursor()
    cursor.execute(sql, list(values))
    names = [column[0] for column in cursor.description or ()]
    rows: list[Row] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    cursor.close()
    return rows
