"""What an import adds to a catalog: rows with ids and slugs of their own, beside rows that stay as they are.

A row that is there is never changed, and no id is ever given again: new ids follow the largest. A project is there when a package names
it, whatever else that package says; a foreign record is there when its slug is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from transforms.catalog import COLUMNS, Catalog
from transforms.foreign_catalog import LISTS, ForeignCatalog
from transforms.references import ProjectName

_LARGEST_ID = 2**63 - 1
_PROJECT_PAGE = "https://pypi.org/project/{}/"
FIRST_CATEGORY = "packages"

Row = tuple[Any, ...]


class CannotAdd(Exception):
    """Rows cannot be added; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A project that is to be in the catalog: its PEP 503 name, how it is shown, and its repository, if one is known."""

    name: ProjectName
    title: str
    repo_url: str | None


@dataclass(slots=True, kw_only=True)
class Additions:
    """Rows to be appended, by table, values in the order of ``COLUMNS``."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in COLUMNS})

    @property
    def counts(self) -> dict[str, int]:
        """Rows by table."""
        return {name: len(rows) for name, rows in self.rows.items()}


@dataclass(slots=True)
class _Register:
    """The ids and slugs of one table."""

    slugs: set[str]
    ids: set[int]
    next_id: int = 1

    def __post_init__(self) -> None:
        self.next_id = max(self.ids, default=0) + 1

    def take_id(self, wanted: int | None = None) -> int:
        """Give the wanted id where it is free, else the one after the largest."""
        if wanted is not None and wanted not in self.ids:
            taken = wanted
        elif self.next_id > _LARGEST_ID:
            raise CannotAdd(f"the catalog has the id {_LARGEST_ID}, and none comes after it: give that row another id")
        else:
            taken = self.next_id
        self.ids.add(taken)
        self.next_id = max(self.next_id, taken + 1)
        return taken

    def take_slug(self, name: str) -> str:
        """Give a slug nobody has: the name, and a number behind it where it is taken or digits alone."""
        slug, count = name, 1
        while slug in self.slugs or slug.isdigit():
            count += 1
            slug = f"{name}-package" if count == 2 and name.isdigit() else f"{name}-{count}"  # noqa: PLR2004 - the first try
        self.slugs.add(slug)
        return slug


def known_projects(catalog: Catalog | None) -> set[ProjectName]:
    """Give the projects that a catalog has."""
    return {entry.project for entry in catalog.entries if entry.project is not None} if catalog else set()


def known_slugs(catalog: Catalog | None) -> set[str]:
    """Give the slugs of packages without a project: one that is called as a project may be that project."""
    return {entry.slug for entry in catalog.entries if entry.project is None} if catalog else set()


def add(
    catalog: Catalog | None, foreign: Sequence[ForeignCatalog], found: Iterable[Found], *, category: str | None, at: datetime
) -> Additions:
    """Make the rows that a catalog lacks: foreign records first, then projects in the order given.

    New categories, packages and their times are as of ``at`` (aware UTC); foreign records keep theirs. A project that is there, in the
    catalog or among the foreign, is left out. ``category`` is the slug of that of the projects. Raises CannotAdd.
    """
    additions = Additions()
    registers = {name: _Register(*_taken(catalog, name)) for name in LISTS}
    pairs = set(catalog.memberships) if catalog else set()
    projects = known_projects(catalog)
    for each in foreign:
        _add_foreign(each, additions, registers, pairs)
        projects |= each.projects
    chosen: str | None = None
    for item in found:
        if item.name in projects:
            continue
        projects.add(item.name)
        if chosen is None:
            chosen = _category(category, additions, registers["categories"], at)
        register = registers["packages"]
        page = _PROJECT_PAGE.format(item.name)
        row = (register.take_id(), item.title, register.take_slug(item.name), chosen, item.repo_url or "", page, "", at, at)
        additions.rows["packages"].append(row)
    if catalog is None and chosen is None and not registers["categories"].slugs:
        _category(category, additions, registers["categories"], at)
    return additions


def check_category(catalog: Catalog | None, foreign: Sequence[ForeignCatalog], category: str | None) -> None:
    """Raise CannotAdd when ``add`` would not know where projects belong, before anything is asked."""
    slugs = _taken(catalog, "categories")[0] | {row[2] for each in foreign for row in each.rows["categories"]}
    _category(category, Additions(), _Register(slugs, set()), datetime.min)  # noqa: DTZ901 - the row is thrown away


def _taken(catalog: Catalog | None, name: str) -> tuple[set[str], set[int]]:
    rows: Iterable[Any] = () if catalog is None else {"categories": catalog.categories, "grids": catalog.grids}.get(name, catalog.entries)
    listed = [(row.slug, row.id) for row in rows]
    return {slug for slug, _ in listed}, {identifier for _, identifier in listed}


def _add_foreign(foreign: ForeignCatalog, additions: Additions, registers: dict[str, _Register], pairs: set[tuple[str, str]]) -> None:
    for name in LISTS:
        register = registers[name]
        fresh = [row for row in foreign.rows[name] if row[2] not in register.slugs]
        ids = {row[0] for row in fresh}
        register.next_id = max(register.next_id, max(ids, default=0) + 1)  # an id that has to be another is not one of these
        for row in fresh:
            register.slugs.add(row[2])
            additions.rows[name].append((register.take_id(row[0]), *row[1:]))
    for pair in foreign.memberships:
        if pair not in pairs:
            pairs.add(pair)
            additions.rows["grid_packages"].append(pair)


def _category(wanted: str | None, additions: Additions, register: _Register, at: datetime) -> str:
    """The slug of the category of projects; a catalog without categories gets one."""
    if wanted in register.slugs:
        return wanted
    if not register.slugs:
        slug = wanted or FIRST_CATEGORY
        title = slug.replace("-", " ").replace("_", " ").strip().capitalize() or slug
        row = (register.take_id(), title, register.take_slug(slug), "", title, True, at, at)
        additions.rows["categories"].append(row)
        return slug
    listed = ", ".join(sorted(register.slugs))
    if wanted is not None:
        raise CannotAdd(f"{wanted!r} is no category of the catalog: name one of {listed} with --category, or add it to categories first")
    if len(register.slugs) > 1:
        raise CannotAdd(f"the catalog has several categories: name that of the new packages with --category, one of {listed}")
    return next(iter(register.slugs))
