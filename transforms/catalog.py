"""The curated catalog: its four tables as values, and the rules a catalog must keep.

Reading files is ``warehouse/catalog_files.py``; here are only cells and what they must be. Every mistake of a catalog is
found in one pass, because a curator who is told of one mistake at a time gives up. Nothing here is written by a harvest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from transforms.references import ProjectName, RepoReference

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "categories": ("id", "title", "slug", "description", "title_plural", "show_pypi", "created", "modified"),
    "grids": ("id", "title", "slug", "description", "is_locked", "header", "created", "modified"),
    "packages": ("id", "title", "slug", "category", "repo_url", "pypi_url", "documentation_url", "created", "modified"),
    "grid_packages": ("grid", "package"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing to put right in a catalog.

    Attributes:
        file: name of the file, ``packages.csv``.
        line: 1-based physical line on which the row begins (in Parquet the row, counted from 1); ``None`` when it is
            about the whole file.
        column: name of the column; ``None`` when it is about the row or the file.
        message: what is wrong and what to write instead.
    """

    file: str
    line: int | None
    column: str | None
    message: str


class InvalidCatalog(Exception):
    """The catalog cannot be used; ``mistakes`` has every one, in the order of the files."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__(format_mistakes(mistakes))
        self.mistakes = list(mistakes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One file of the catalog as read, before any rule was applied.

    Attributes:
        file: its name, for messages.
        header: column names as spelled.
        lines: the line (or row) of each row.
        columns: the cells, one sequence per name of ``header``: text from CSV; text, int, bool, aware datetime or ``None`` from Parquet.
        mistakes: what the reader already found.
        is_complete: whether all rows were read; unknown names are only reported against complete sheets.
        stray: texts of rows whose cells could not be told apart; a name among them is not reported as unknown.
    """

    file: str
    header: tuple[str, ...]
    lines: Sequence[int]
    columns: Sequence[Sequence[object]]
    mistakes: tuple[Mistake, ...] = ()
    is_complete: bool = True
    stray: frozenset[str] = frozenset()


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
        raise NotImplementedError


def read_catalog(sheets: Mapping[str, Sheet]) -> Catalog:
    """Make a catalog of the four sheets (keys as in ``COLUMNS``); raises InvalidCatalog with every mistake in all of them."""
    raise NotImplementedError


def format_mistakes(mistakes: Iterable[Mistake]) -> str:
    """One line per mistake, ``file:line: column: message``, as compilers and editors write them."""
    raise NotImplementedError
