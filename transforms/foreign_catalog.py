"""The catalog that a Django Packages v4 API shows: pages of its lists in, rows of our four files out.

Ids, slugs, titles, flags and times stay as they are; links between records (``/categories/1/``) become slugs. What v4 shows beside the
catalog (stars, commits, participants) is a harvest's to find out and is not read. The lists: ``docs/api.md``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from transforms.answers import InvalidAnswer, decode_object
from transforms.catalog import COLUMNS
from transforms.cells import KINDS
from transforms.references import ProjectName, parse_project_reference
from transforms.sheets import Mistake

LISTS = ("categories", "grids", "packages")
OPTIONAL = frozenset({"repo_url", "pypi_url", "documentation_url"})  # an unusable one may be left empty
_LINK = re.compile(r".*/(?:categories|grids|packages)/([0-9]{1,19})(?:\.json|/)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list: its records, the address of the next page, and how many records the whole list has."""

    records: Sequence[dict[str, Any]]
    next_url: str | None
    count: int


@dataclass(slots=True, kw_only=True)
class ForeignCatalog:
    """A catalog of somebody else's.

    Attributes:
        rows: of ``categories``, ``grids`` and ``packages``, by table; values in the order of ``COLUMNS``, sorted by id.
        memberships: (slug of grid, slug of package).
        mistakes: what cannot be in a catalog; the row or the cell is left out.
    """

    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    memberships: list[tuple[str, str]] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)

    @property
    def projects(self) -> set[ProjectName]:
        """The projects its packages name."""
        return {parse_project_reference(row[5]) for row in self.rows["packages"] if row[5]}


def read_page(body: bytes) -> Page:
    """Read one page of a list as Django REST framework writes it; raises InvalidAnswer."""
    document = decode_object(body)
    records, next_url, count = document.get("results"), document.get("next"), document.get("count")
    problems = []
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        problems.append("results: expected a list of objects")
    if next_url is not None and not isinstance(next_url, str):
        problems.append("next: expected an address or null")
    if type(count) is not int or count < 0:
        problems.append("count: expected a whole number")
    if problems:
        raise InvalidAnswer(problems)
    return Page(records=records or [], next_url=next_url or None, count=count or 0)


def local_target(next_url: str, base_url: str) -> str | None:
    """Give the path and query of the next page below ``base_url``; ``None`` when it leads to another host or out of the API."""
    try:
        own, led = urlsplit(base_url), urlsplit(next_url)
        is_same = (led.hostname, led.port or None) == (own.hostname, own.port or None) and led.username is None
    except ValueError:
        return None
    path = led.path.removeprefix(own.path)
    if not is_same or not led.path.startswith(f"{own.path}/api/v4/") or ".." in path.split("/"):
        return None
    return f"{path}?{led.query}" if led.query else path


def read_foreign(records: Mapping[str, Iterable[dict[str, Any]]], host: str) -> ForeignCatalog:
    """Make rows of the records of the three lists; every mistake is told with the list and the record's id or place."""
    foreign = ForeignCatalog()
    slugs: dict[str, dict[int, str]] = {}
    members: set[tuple[str, str]] = set()
    for name in LISTS:
        reading = _Reading(name=name, host=host, foreign=foreign, categories=slugs.get("categories", {}))
        listed = list(records.get(name, ()))
        rows = [row for place, record in enumerate(listed, start=1) if (row := reading.row(record, place)) is not None]
        foreign.rows[name] = sorted(rows, key=lambda row: row[0])
        slugs[name] = {row[0]: row[2] for row in rows}
        if name == "grids":
            links = [(record, "packages") for record in listed]
        elif name == "packages":
            links += [(record, "grids") for record in listed]
    for record, key in links:
        own, other = ("grids", "packages") if key == "packages" else ("packages", "grids")
        for pair in _pairs(record, key, slugs[own], slugs[other]):
            members.add(pair if own == "grids" else (pair[1], pair[0]))
    grid_ids = {slug: identifier for identifier, slug in slugs["grids"].items()}
    package_ids = {slug: identifier for identifier, slug in slugs["packages"].items()}
    foreign.memberships = sorted(members, key=lambda pair: (grid_ids[pair[0]], package_ids[pair[1]]))
    return foreign


def _pairs(record: Mapping[str, Any], key: str, own: Mapping[int, str], other: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    """The slugs of a record and of those it links to; records that are not in the catalog are in no pair."""
    identifier = record.get("id")
    slug = own.get(identifier) if type(identifier) is int else None
    links = record.get(key)
    for link in links if slug is not None and isinstance(links, list) else ():
        linked = other.get(_id_of(link) or 0)
        if slug is not None and linked is not None:
            yield slug, linked


def _id_of(link: object) -> int | None:
    found = _LINK.fullmatch(link) if isinstance(link, str) else None
    return int(found[1]) if found else None


@dataclass(slots=True, kw_only=True)
class _Reading:
    """The reading of one list."""

    name: str
    host: str
    foreign: ForeignCatalog
    categories: Mapping[int, str]
    seen: set[tuple[str, Any]] = field(default_factory=set)

    def row(self, record: Mapping[str, Any], place: int) -> tuple[Any, ...] | None:
        """Read one record as a row; ``None`` when a cell that must be there is no good, or its id or slug was there before."""
        shown = record.get("id") if type(record.get("id")) is int else f"number {place}"
        values: dict[str, Any] = {}
        for column in COLUMNS[self.name]:
            value = self.categories.get(_id_of(record.get(column)) or 0) if column == "category" else record.get(column)
            try:
                values[column] = _parsed(column, value)
            except ValueError as error:
                self._refuse(column, f"record {shown}: {error}")
                values[column] = None
        is_whole = all(values[column] is not None or column in OPTIONAL for column in values)
        keys = {("id", values["id"]), ("slug", values["slug"])}
        if is_whole and keys & self.seen:
            self._refuse("slug", f"record {shown}: its id or slug was told before, with another record")
            return None
        if not is_whole:
            return None
        self.seen |= keys
        return tuple(values.values())

    def _refuse(self, column: str, message: str) -> None:
        self.foreign.mistakes.append(Mistake(file=f"{self.host} {self.name}", line=None, column=column, message=message))


def _parsed(column: str, value: Any) -> Any:
    kind = KINDS[column]
    if value is not None and type(value) not in kind.types:
        raise ValueError(f"is of type {type(value).__name__}, expected {kind.advice}")
    parsed = kind.parse(value)
    return parsed[0] if isinstance(parsed, tuple) else parsed  # as curated, without what it points at
