"""Reading what a publication knows of other times: its tables as they were at a moment, and what it keeps of one package."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from transforms.schemas import CATEGORIES, CATEGORY_ENTRIES, GRID_ENTRIES, GRIDS, PACKAGES, Table
from warehouse.database import columns_of, fill
from warehouse.history import GOOD
from warehouse.readers import Publication

_PUBLISHED = "SELECT max(published_at) AS published_at FROM publications WHERE published_at <= ?"
_PACKAGES = "SELECT $columns FROM packages_as_of(?::TIMESTAMPTZ)"
_IN_FORCE = "SELECT $columns FROM $table WHERE known_at <= ? AND (ended_at IS NULL OR ended_at > ?) ORDER BY $key"

_SOURCES = "SELECT repo_subject, project FROM packages WHERE id = ?"
# The history that a subject belongs to now: a repository keeps its own through renames.
_STOOD = """stood AS (
    SELECT arg_max(k.series, row(s.seen_at, k.facet = 'repo')) AS series FROM sighted_series k
    JOIN sighting_spans s ON s.facet = k.facet AND k.number BETWEEN s.first_number AND s.last_number WHERE k.subject = ?
)"""
_FIGURES = """WITH $stood
SELECT observed_at, confirmed_at, stars_count, forks_count FROM repo_observations
WHERE series IN (SELECT series FROM stood) AND outcome IN $good ORDER BY observed_at"""
_VERSIONS = """
SELECT version, released_at, is_prerelease, is_yanked FROM releases WHERE project = ? AND ended_at IS NULL ORDER BY position"""
# A week is told when each of its seven days is known; a known day without a row had no commits.
_WEEKS = """WITH $stood, known AS (
    SELECT unnest(range(from_on::TIMESTAMP, until_on::TIMESTAMP + INTERVAL 1 DAY, INTERVAL 1 DAY))::DATE AS known_on
    FROM commit_reach WHERE series IN (SELECT series FROM stood)
), counted AS (
    SELECT authored_on, sum(commits_count) AS commits_count FROM commit_days WHERE series IN (SELECT series FROM stood) GROUP BY ALL
)
SELECT date_trunc('week', known_on)::DATE AS week_on, sum(coalesce(commits_count, 0))::BIGINT AS commits_count
FROM known LEFT JOIN counted ON authored_on = known_on GROUP BY ALL HAVING count(*) = 7 ORDER BY week_on"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageHistory:
    """What is kept of one package: rows as mappings, oldest first.

    Attributes:
        figures: ``stars_count`` and ``forks_count`` from ``observed_at`` until ``confirmed_at``, one row per change of anything said.
        versions: those that PyPI lists now, lowest first: ``version``, ``released_at``, ``is_prerelease``, ``is_yanked``.
        weeks: ``commits_count`` of the week that begins on the Monday ``week_on`` (UTC), of those that are known whole.
    """

    figures: tuple[dict[str, Any], ...]
    versions: tuple[dict[str, Any], ...]
    weeks: tuple[dict[str, Any], ...]


class Tables:
    """The records and the catalog as they were published at ``published_at``, the time of a publication."""

    def __init__(self, publication: Publication, published_at: datetime) -> None:
        self._publication = publication
        self._at = published_at

    def packages(self) -> Iterator[dict[str, Any]]:
        """Every package."""
        return _rows(self._publication, fill(_PACKAGES, columns=columns_of(PACKAGES.names)), self._at)

    def categories(self) -> Iterator[dict[str, Any]]:
        """Every category, as curated then."""
        return self._in_force(CATEGORIES, CATEGORY_ENTRIES)

    def grids(self) -> Iterator[dict[str, Any]]:
        """Every grid, as curated then."""
        return self._in_force(GRIDS, GRID_ENTRIES)

    def _in_force(self, table: Table, entries: Table) -> Iterator[dict[str, Any]]:
        text = fill(_IN_FORCE, columns=columns_of(table.names), table=entries.name, key=columns_of(table.key))
        return _rows(self._publication, text, self._at, self._at)


def published_by(publication: Publication, at: datetime) -> datetime | None:
    """When the publication that was current at ``at`` became so; ``None`` before the first."""
    found: datetime | None = next(_rows(publication, _PUBLISHED, at))["published_at"]
    return found


def package_history(publication: Publication, package_id: int) -> PackageHistory:
    """Read what is kept of the package with this id; nothing for one that has no such source."""
    sources = next(_rows(publication, _SOURCES, package_id), {"repo_subject": None, "project": None})
    return PackageHistory(
        figures=tuple(_rows(publication, fill(_FIGURES, stood=_STOOD, good=GOOD), sources["repo_subject"])),
        versions=tuple(_rows(publication, _VERSIONS, sources["project"])),
        weeks=tuple(_rows(publication, fill(_WEEKS, stood=_STOOD), sources["repo_subject"])),
    )


def _rows(publication: Publication, text: str, *values: Any) -> Iterator[dict[str, Any]]:
    cursor = publication.cursor()
    rows: pa.Table = cursor.sql(text, params=list(values)).to_arrow_table()
    yield from rows.to_pylist()
    cursor.close()
