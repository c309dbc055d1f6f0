"""Choosing and ordering in the list of packages, which v4 cannot. Pure.

Without one of these parameters the list is v4's. With one, a value that means nothing is an error that names the parameter: an ignored
filter would answer another question than was asked. Of repeated parameters the last counts, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from api.links import Parameters
from api.routes import CATEGORIES, GRIDS, PACKAGES
from api.snapshot import Snapshot
from transforms.payload import Row
from transforms.times import parse_moment

CATEGORY = "category"
GRID = "grid"
ORDERING = "ordering"
UPDATED_SINCE = "updated_since"

# What a list can be ordered by, as the payload spells it -> column.
ORDERED_BY: Mapping[str, str] = {
    "id": "id",
    "title": "title",
    "slug": "slug",
    "created": "created_at",
    "modified": "modified_at",
    "last_updated": "last_commit_at",
    "last_fetched": "fetched_at",
    "repo_watchers": "stars_count",
    "repo_forks": "forks_count",
}


class InvalidParameter(ValueError):
    """The value of the parameter ``name`` means nothing; ``problem`` says why, and what would."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name
        self.problem = problem


def choose_packages(snapshot: Snapshot, parameters: Parameters) -> Sequence[Row]:
    """Give the packages that the parameters ask for, in the order they ask for; raises InvalidParameter."""
    rows = snapshot.shelves[PACKAGES].rows
    for name, narrow in _FILTERS.items():
        if name in parameters:
            rows = narrow(snapshot, rows, parameters[name][-1])
    return rows


def _of_category(snapshot: Snapshot, rows: Sequence[Row], text: str) -> Sequence[Row]:
    category = _entry(snapshot, CATEGORIES, CATEGORY, text)
    return [row for row in rows if row["category_id"] == category["id"]]


def _of_grid(snapshot: Snapshot, rows: Sequence[Row], text: str) -> Sequence[Row]:
    grid = _entry(snapshot, GRIDS, GRID, text)
    return [row for row in rows if grid["id"] in (row["grid_ids"] or ())]


def _entry(snapshot: Snapshot, kind: str, name: str, text: str) -> Row:
    """Find a category or a grid by slug, or by its id in digits."""
    shelf = snapshot.shelves[kind]
    found = shelf.find(int(text)) if text.isascii() and text.isdigit() and len(text) < _LONGEST_ID else shelf.find(text)
    if found is None:
        raise InvalidParameter(name, f"There is no {name} {text!r}; give the slug or the id of one in /api/v4/{kind}/.")
    return found


def _updated_since(_snapshot: Snapshot, rows: Sequence[Row], text: str) -> Sequence[Row]:
    moment = parse_time(UPDATED_SINCE, text)
    return [row for row in rows if row["last_commit_at"] is not None and row["last_commit_at"] >= moment]


def _ordered(_snapshot: Snapshot, rows: Sequence[Row], text: str) -> Sequence[Row]:
    """Order by one field after another, ``-`` for the greatest first; what is unknown comes last, equals the highest id first."""
    for field in reversed(text.split(",")):
        column = ORDERED_BY.get(field.removeprefix("-"))
        if column is None:
            known = ", ".join(ORDERED_BY)
            raise InvalidParameter(ORDERING, f"{field!r} is no field to order by; choose from {known}, with - for the greatest first.")
        rows = _by(rows, column, is_falling=field.startswith("-"))
    return rows


def _by(rows: Sequence[Row], column: str, *, is_falling: bool) -> Sequence[Row]:
    known: list[Row] = [row for row in rows if row[column] is not None]
    value: Callable[[Row], Any] = lambda row: row[column]  # noqa: E731 - a name for its type
    return [*sorted(known, key=value, reverse=is_falling), *(row for row in rows if row[column] is None)]


def parse_time(name: str, text: str) -> datetime:
    """Read the time that a parameter gives; raises InvalidParameter."""
    try:
        return parse_moment(text)
    except ValueError as error:
        hint = " (+ in an address is written %2B)" if " " in text.strip() else ""
        raise InvalidParameter(name, f"{error}{hint}.") from None


_LONGEST_ID = 19  # digits; more is no id of ours
_FILTERS: Mapping[str, Callable[[Snapshot, Sequence[Row], str], Sequence[Row]]] = {
    CATEGORY: _of_category,
    GRID: _of_grid,
    UPDATED_SINCE: _updated_since,
    ORDERING: _ordered,
}
