"""One publication in memory, arranged for the questions v4 asks. Read once, never changed.

``take_snapshot`` is pure; ``load_snapshot`` fills it from the current publication through ``warehouse.readers``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from api.routes import CATEGORIES, GRIDS, PACKAGES
from transforms.payload import Row
from warehouse.folder import DataFolder
from warehouse.readers import open_current
from warehouse.search_index import Entry, SearchIndex

# The columns of `packages` that the payload prints; the rest stays on disk.
PACKAGE_COLUMNS = (
    "id",
    "slug",
    "title",
    "category_id",
    "grid_ids",
    "repo_url",
    "pypi_url",
    "documentation_url",
    "created_at",
    "modified_at",
    "fetched_at",
    "repo_description",
    "stars_count",
    "forks_count",
    "last_commit_at",
    "weeks",
    "participants",
    "latest_version",
    "latest_released_at",
)


class Tables(Protocol):
    """What a snapshot needs of a publication: rows as plain mappings, in any order."""

    def packages(self) -> Iterable[Row]:
        """Rows of ``packages``."""

    def categories(self) -> Iterable[Row]:
        """Rows of ``categories``."""

    def grids(self) -> Iterable[Row]:
        """Rows of ``grids``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """All rows of one kind: in the order of its list, by id, and by slug."""

    rows: Sequence[Row]
    by_id: Mapping[int, Row]
    by_slug: Mapping[str, Row]

    def find(self, key: int | str) -> Row | None:
        """Return the row with this id or slug, if there is one."""
        return self.by_id.get(key) if isinstance(key, int) else self.by_slug.get(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A whole publication: ``shelves`` by kind, for each grid's id the ids of its packages by title, and what search finds.

    The entries of ``index`` are ``findable``: kind and row. ``run_id``, ``as_of_at``, its folder ``path`` and ``files`` (relative name to
    ``bytes`` and ``sha256``) are the publication's, where it is one.
    """

    shelves: Mapping[str, Shelf]
    members: Mapping[int, Sequence[int]]
    index: SearchIndex
    findable: Sequence[tuple[str, Row]]
    run_id: str | None = None
    as_of_at: datetime | None = None
    path: Path | None = None
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def category_title(self, row: Row) -> str:
        """Title of the category of a package; empty for one that is not among the categories."""
        category = self.shelves[CATEGORIES].by_id.get(row["category_id"])
        return category["title"] if category is not None else ""


def take_snapshot(tables: Tables, *, is_searchable: bool = True) -> Snapshot:
    """Arrange the rows of a publication; lists run from the highest id down, packages of a grid by title, then id.

    Search finds nothing in it unless ``is_searchable``.
    """
    packages = [{column: row[column] for column in PACKAGE_COLUMNS} for row in tables.packages()]
    members: dict[int, list[int]] = {}
    for row in sorted(packages, key=lambda row: (row["title"], row["id"])):
        for grid in row["grid_ids"] or ():
            members.setdefault(grid, []).append(row["id"])
    shelves = {PACKAGES: _shelve(packages), GRIDS: _shelve(tables.grids()), CATEGORIES: _shelve(tables.categories())}
    findable = [(kind, row) for kind in (PACKAGES, GRIDS) for row in shelves[kind].rows] if is_searchable else []
    index = SearchIndex(_entry(kind, row, shelves) for kind, row in findable)
    return Snapshot(shelves=shelves, members=members, index=index, findable=findable)


def load_snapshot(folder: DataFolder) -> Snapshot:
    """Read the current publication; raises NothingPublished when there is none that can be read."""
    with open_current(folder) as publication:
        return replace(
            take_snapshot(publication),
            run_id=publication.run_id,
            as_of_at=publication.as_of_at,
            path=publication.path,
            files=publication.manifest["files"],
        )


def _shelve(rows: Iterable[Mapping[str, Any]]) -> Shelf:
    ordered = sorted(rows, key=lambda row: row["id"], reverse=True)
    return Shelf(rows=ordered, by_id={row["id"]: row for row in ordered}, by_slug={row["slug"]: row for row in ordered})


def _entry(kind: str, row: Row, shelves: Mapping[str, Shelf]) -> Entry:
    if kind == GRIDS:
        return Entry(title=row["title"], slug=row["slug"], description=row["description"] or "")
    grids = [grid for identifier in row["grid_ids"] or () if (grid := shelves[GRIDS].by_id.get(identifier)) is not None]
    category = shelves[CATEGORIES].by_id.get(row["category_id"])
    return Entry(
        title=row["title"],
        slug=row["slug"],
        description=row["repo_description"] or "",
        grids=" ".join(grid["title"] for grid in grids),
        category=category["title"] if category is not None else "",
        participants=" ".join(row["participants"] or ()),
        stars=int(row["stars_count"] or 0),
    )
