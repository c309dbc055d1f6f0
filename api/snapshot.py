"""One publication in memory, arranged for the questions v4 asks. Read once, never changed.

``take_snapshot`` is pure; ``load_snapshot`` fills it from the current publication through ``warehouse.readers``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from api.records import AT_ONCE, PACKAGE_COLUMNS, Columns, Record, Records, to_columns
from api.routes import CATEGORIES, GRIDS, PACKAGES
from transforms.payload import Row
from transforms.schemas import PACKAGES as PACKAGES_TABLE
from warehouse.folder import DataFolder
from warehouse.readers import open_current
from warehouse.search_index import Entry, SearchIndex


class Tables(Protocol):
    """What a snapshot needs of a publication: rows as plain mappings, in any order."""

    def packages(self) -> Iterable[Row]:
        """Rows of ``packages``."""

    def categories(self) -> Iterable[Row]:
        """Rows of ``categories``."""

    def grids(self) -> Iterable[Row]:
        """Rows of ``grids``."""


class Shelf(Protocol):
    """All rows of one kind."""

    @property
    def rows(self) -> Sequence[Row]:
        """In the order of their list, from the highest id down."""

    def find(self, key: int | str) -> Row | None:
        """Return the row with this id or slug, if there is one."""


class RowShelf:
    """Rows as they are, for the kinds of which there are few."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = sorted(rows, key=lambda row: row["id"], reverse=True)
        self._found: dict[int | str, Row] = {row[name]: row for name in ("id", "slug") for row in self.rows}

    def find(self, key: int | str) -> Row | None:
        """Return the row with this id or slug, if there is one."""
        return self._found.get(key)


class PackageShelf:
    """Packages in columns."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.rows = Records(columns, np.arange(len(columns))[::-1])

    def find(self, key: int | str) -> Row | None:
        """Return the row with this id or slug, if there is one."""
        number = self.columns.number_of(key)
        return None if number is None else Record(self.columns, number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A whole publication: its rows by kind, for each grid's id the ids of its packages by title, and what search finds.

    ``run_id``, ``as_of_at``, its folder ``path`` and ``files`` (relative name to ``bytes`` and ``sha256``) are the publication's, where it
    is one.
    """

    packages: PackageShelf
    grids: RowShelf
    categories: RowShelf
    members: Mapping[int, Sequence[int]]
    index: SearchIndex
    run_id: str | None = None
    as_of_at: datetime | None = None
    path: Path | None = None
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def shelf(self, kind: str) -> Shelf:
        """All rows of this kind."""
        shelves: Mapping[str, Shelf] = {PACKAGES: self.packages, GRIDS: self.grids, CATEGORIES: self.categories}
        return shelves[kind]

    def search(self, question: str, limit: int) -> list[tuple[str, Row]]:
        """Find at most so many packages and grids, best first: kind and row."""
        packages = self.packages.rows
        places = self.index.find(question, limit)
        return [(PACKAGES, packages[n]) if n < len(packages) else (GRIDS, self.grids.rows[n - len(packages)]) for n in places]

    def category_title(self, row: Row) -> str:
        """Title of the category of a package; empty for one that is not among the categories."""
        category = self.categories.find(row["category_id"])
        return category["title"] if category is not None else ""


def take_snapshot(tables: Tables, *, is_searchable: bool = True) -> Snapshot:
    """Arrange the rows of a publication; search finds nothing in it unless ``is_searchable``."""
    return arrange(to_columns(tables.packages()), tables.grids(), tables.categories(), is_searchable=is_searchable)


def arrange(columns: Columns, grids: Iterable[Row], categories: Iterable[Row], *, is_searchable: bool = True) -> Snapshot:
    """Arrange packages, grids and categories; lists run from the highest id down, packages of a grid by title, then id.

    What search needs is made beside, by a thread that ends by itself; until then a question waits for it.
    """
    shelves = PackageShelf(columns), RowShelf(grids), RowShelf(categories)
    index = SearchIndex(search_entries(*shelves) if is_searchable else ())
    return Snapshot(packages=shelves[0], grids=shelves[1], categories=shelves[2], members=_members(columns), index=index)


def load_snapshot(folder: DataFolder) -> Snapshot:
    """Read the current publication; raises NothingPublished when there is none that can be read."""
    with open_current(folder) as publication:
        columns = Columns(publication.columns(PACKAGES_TABLE, PACKAGE_COLUMNS))
        return replace(
            arrange(columns, publication.grids(), publication.categories()),
            run_id=publication.run_id,
            as_of_at=publication.as_of_at,
            path=publication.path,
            files=publication.manifest["files"],
        )


def _members(columns: Columns) -> Mapping[int, Sequence[int]]:
    """Order the packages of each grid by title, by code point, and id."""
    lists = columns.table["grid_ids"].combine_chunks()
    rows = pc.list_parent_indices(lists)
    pairs = pa.table({"grid": pc.list_flatten(lists), "title": columns.table["title"].take(rows), "id": columns.table["id"].take(rows)})
    pairs = pairs.sort_by([(name, "ascending") for name in ("grid", "title", "id")])
    grids, starts = np.unique(pairs["grid"].to_numpy(), return_index=True)
    ids = pairs["id"].to_numpy()
    return {int(grid): part.tolist() for grid, part in zip(grids, np.split(ids, starts[1:]), strict=len(grids) > 0)}


def search_entries(packages: PackageShelf, grids: RowShelf, categories: RowShelf) -> Iterator[Entry]:
    """Give what is to be found, in the order of ``Snapshot.search``."""
    titles = {row["id"]: row["title"] for row in grids.rows}
    kinds = {row["id"]: row["title"] for row in categories.rows}
    rows = packages.rows
    for start in range(0, len(rows), AT_ONCE):
        table = packages.columns.table.select(_SEARCHED).take(pa.array(rows.numbers[start : start + AT_ONCE]))
        values = [column.to_pylist() for column in table.columns]
        for title, slug, description, grid_ids, category, people, stars in zip(*values, strict=True):
            yield Entry(
                title=title,
                slug=slug,
                description=description or "",
                grids=" ".join(titles[grid] for grid in grid_ids or () if grid in titles),
                category=kinds.get(category, ""),
                participants=" ".join(people or ()),
                stars=stars or 0,
            )
    for row in grids.rows:
        yield Entry(title=row["title"], slug=row["slug"], description=row["description"] or "")


_SEARCHED = ["title", "slug", "repo_description", "grid_ids", "category_id", "participants", "stars_count"]
