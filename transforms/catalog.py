"""The curated catalog: its four tables as values, and the rules a catalog must keep.

Reading files is ``warehouse/catalog_files.py``; here are only cells and what they must be. Every mistake of a catalog is
found in one pass, because a curator who is told of one mistake at a time gives up. Nothing here is written by a harvest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

import pyarrow as pa

from transforms.references import ProjectName, RepoReference, shown
from transforms.schemas import (
    CATEGORIES,
    CATEGORY_ENTRIES,
    GRID_ENTRIES,
    GRID_PACKAGE_ENTRIES,
    GRID_PACKAGES,
    GRIDS,
    PACKAGE_ENTRIES,
    Table,
)
from transforms.sheets import Mistake, Reading, Sheet, check_known, check_unique, read_sheet

__all__ = ["COLUMNS", "Catalog", "Category", "Entry", "Grid", "InvalidCatalog", "Mistake", "Sheet", "format_mistakes", "read_catalog"]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "categories": ("id", "title", "slug", "description", "title_plural", "show_pypi", "created", "modified"),
    "grids": ("id", "title", "slug", "description", "is_locked", "header", "created", "modified"),
    "packages": ("id", "title", "slug", "category", "repo_url", "pypi_url", "documentation_url", "created", "modified"),
    "grid_packages": ("grid", "package"),
}

# Columns whose field has another name.
_FIELDS = {"created": "created_at", "modified": "modified_at"}


class InvalidCatalog(Exception):
    """The catalog cannot be used; ``mistakes`` has every one, in the order of the files."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__(format_mistakes(mistakes))
        self.mistakes = list(mistakes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One row of ``categories``; times are aware UTC."""

    id: int
    slug: str
    title: str
    description: str
    title_plural: str
    show_pypi: bool
    created_at: datetime
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """One row of ``grids``; times are aware UTC."""

    id: int
    slug: str
    title: str
    description: str
    is_locked: bool
    header: bool
    created_at: datetime
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of ``packages``: what was curated, and what its addresses point at.

    Attributes:
        category: slug of its category.
        repo_url: as curated; ``None`` when empty. ``pypi_url`` and ``documentation_url`` likewise.
        created_at: aware UTC; ``modified_at`` likewise.
        repo: the repository ``repo_url`` names, on a supported forge or not.
        project: the project ``pypi_url`` names.
    """

    id: int
    slug: str
    title: str
    category: str
    repo_url: str | None
    pypi_url: str | None
    documentation_url: str | None
    created_at: datetime
    modified_at: datetime
    repo: RepoReference | None
    project: ProjectName | None

    @property
    def repo_subject(self) -> str | None:
        """``github:owner/name``; ``None`` without a repository on a supported forge."""
        return self.repo.subject if self.repo is not None and self.repo.is_supported else None

    @property
    def project_subject(self) -> str | None:
        """``pypi:name``; ``None`` without a project."""
        return None if self.project is None else f"pypi:{self.project}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """A catalog without mistakes, rows in the order of the files; ``memberships`` are (slug of grid, slug of package)."""

    categories: tuple[Category, ...]
    grids: tuple[Grid, ...]
    entries: tuple[Entry, ...]
    memberships: tuple[tuple[str, str], ...]

    @property
    def subjects(self) -> dict[str, list[str]]:
        """Every subject that can be harvested, with the slugs of the packages it serves (several for a monorepo)."""
        subjects: dict[str, list[str]] = {}
        for entry in self.entries:
            for subject in (entry.repo_subject, entry.project_subject):
                if subject is not None:
                    subjects.setdefault(subject, []).append(entry.slug)
        return subjects

    def tables(self) -> dict[str, pa.Table]:
        """``categories``, ``grids`` and ``grid_packages`` in the schemas of ``transforms/schemas.py``, sorted by key."""
        grid_ids = {grid.slug: grid.id for grid in self.grids}
        package_ids = {entry.slug: entry.id for entry in self.entries}
        memberships = sorted((grid_ids[grid], package_ids[package], grid, package) for grid, package in self.memberships)
        return {
            CATEGORIES.name: _table(CATEGORIES, sorted(self.categories, key=attrgetter("id"))),
            GRIDS.name: _table(GRIDS, sorted(self.grids, key=attrgetter("id"))),
            GRID_PACKAGES.name: pa.Table.from_arrays(
                [pa.array([row[at] for row in memberships], type=column.type) for at, column in enumerate(GRID_PACKAGES.columns)],
                schema=GRID_PACKAGES.schema,
            ),
        }

    def entries_at(self, known_at: datetime) -> dict[str, pa.Table]:
        """Everything curated, in the schemas of ``ENTRY_TABLES``, as standing from ``known_at`` (aware) on."""
        tables = self.tables()
        return {
            PACKAGE_ENTRIES.name: _in_force(self._package_entries(), PACKAGE_ENTRIES, known_at),
            CATEGORY_ENTRIES.name: _in_force(tables[CATEGORIES.name], CATEGORY_ENTRIES, known_at),
            GRID_ENTRIES.name: _in_force(tables[GRIDS.name], GRID_ENTRIES, known_at),
            GRID_PACKAGE_ENTRIES.name: _in_force(tables[GRID_PACKAGES.name], GRID_PACKAGE_ENTRIES, known_at),
        }

    def _package_entries(self) -> pa.Table:
        entries = sorted(self.entries, key=attrgetter("id"))
        category_ids = {category.slug: category.id for category in self.categories}
        columns = {
            column.name: [category_ids[e.category] if column.name == "category_id" else getattr(e, column.name) for e in entries]
            for column in PACKAGE_ENTRIES.columns[:-2]
        }
        return pa.table({column.name: pa.array(columns[column.name], column.type) for column in PACKAGE_ENTRIES.columns[:-2]})


def _in_force(rows: pa.Table, table: Table, known_at: datetime) -> pa.Table:
    rows = rows.append_column("known_at", pa.array([known_at] * rows.num_rows, table.schema.field("known_at").type))
    rows = rows.append_column("ended_at", pa.nulls(rows.num_rows, table.schema.field("ended_at").type))
    return rows.select(table.names).cast(table.schema)


def _table(table: Table, rows: Sequence[object]) -> pa.Table:
    arrays = [pa.array([getattr(row, column.name) for row in rows], type=column.type) for column in table.columns]
    return pa.Table.from_arrays(arrays, schema=table.schema)


def read_catalog(sheets: Mapping[str, Sheet]) -> Catalog:
    """Make a catalog of the four sheets (keys as in ``COLUMNS``); raises InvalidCatalog with every mistake in all of them."""
    readings = {name: read_sheet(sheets[name], columns) for name, columns in COLUMNS.items()}
    categories, grids, packages, memberships = readings.values()
    for reading in (categories, grids, packages):
        check_unique(reading, "id", reading.values.get("id", ()), lambda key: f"the id {key}")
        check_unique(reading, "slug", reading.values.get("slug", ()), lambda key: f"the slug {shown(key)}")
    check_known(packages, "category", categories)
    check_known(memberships, "grid", grids)
    check_known(memberships, "package", packages)
    slugs = {slug: slug for slug in packages.values.get("slug", ())}  # the same text is held once
    members = [slugs.get(name, name) for name in memberships.values.pop("package", ())]
    pairs = list(zip(memberships.values.get("grid", ()), members, strict=False))
    check_unique(memberships, "package", [None if None in pair else pair for pair in pairs], lambda key: f"{key[1]} in the grid {key[0]}")
    mistakes = [mistake for reading in readings.values() for mistake in _in_order(reading)]
    if mistakes:
        raise InvalidCatalog(mistakes)
    return Catalog(
        categories=tuple(Category(**row) for row in _rows(categories)),
        grids=tuple(Grid(**row) for row in _rows(grids)),
        entries=tuple(_entry(**row) for row in _rows(packages)),
        memberships=tuple(pairs),
    )


def _in_order(reading: Reading) -> list[Mistake]:
    places = {name: place for place, name in enumerate(reading.sheet.header)}
    return sorted(reading.mistakes, key=lambda mistake: (mistake.line or 0, places.get(mistake.column or "", -1)))


def _rows(reading: Reading) -> Iterator[dict[str, Any]]:
    names = [_FIELDS.get(column, column) for column in reading.values]
    for row in zip(*reading.values.values(), strict=True):
        yield dict(zip(names, row, strict=True))


def _entry(*, repo_url: tuple[str, RepoReference] | None, pypi_url: tuple[str, ProjectName] | None, **curated: Any) -> Entry:
    slug = curated["slug"]
    if curated["title"] == slug:
        curated["title"] = slug  # the same text is held once
    return Entry(
        repo_url=repo_url and repo_url[0],
        repo=repo_url and repo_url[1],
        pypi_url=pypi_url and pypi_url[0],
        project=pypi_url and (slug if pypi_url[1] == slug else pypi_url[1]),
        **curated,
    )


def format_mistakes(mistakes: Iterable[Mistake]) -> str:
    """One line per mistake, ``file:line: column: message``, as compilers and editors write them."""
    return "\n".join(": ".join(part for part in (_place(mistake), mistake.column, mistake.message) if part) for mistake in mistakes)


def _place(mistake: Mistake) -> str:
    return mistake.file if mistake.line is None else f"{mistake.file}:{mistake.line}"
