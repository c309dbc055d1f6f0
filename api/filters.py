"""Choosing and ordering in the list of packages, which v4 cannot. Pure.

Without one of these parameters the list is v4's. With one, a value that means nothing is an error that names the parameter: an ignored
filter would answer another question than was asked. Of repeated parameters the last counts, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from api.links import Parameters
from api.records import Records
from api.routes import CATEGORIES, GRIDS
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


def choose_packages(snapshot: Snapshot, parameters: Parameters) -> Records:
    """Give the packages that the parameters ask for, in the order they ask for; raises InvalidParameter."""
    rows = snapshot.packages.rows
    for name, narrow in _FILTERS.items():
        if name in parameters:
            rows = narrow(snapshot, rows, parameters[name][-1])
    return rows


def _of_category(snapshot: Snapshot, rows: Records, text: str) -> Records:
    category = _entry(snapshot, CATEGORIES, CATEGORY, text)
    return _where(rows, pc.equal(rows.column("category_id"), category["id"]))


def _of_grid(snapshot: Snapshot, rows: Records, text: str) -> Records:
    grid = _entry(snapshot, GRIDS, GRID, text)
    lists = rows.column("grid_ids").combine_chunks()
    places = pc.list_parent_indices(lists).to_numpy()
    return rows.chosen(places[pc.equal(pc.list_flatten(lists), grid["id"]).to_numpy(zero_copy_only=False)])


def _entry(snapshot: Snapshot, kind: str, name: str, text: str) -> Row:
    """Find a category or a grid by slug, or by its id in digits."""
    shelf = snapshot.shelf(kind)
    found = shelf.find(int(text)) if text.isascii() and text.isdigit() and len(text) < _LONGEST_ID else shelf.find(text)
    if found is None:
        raise InvalidParameter(name, f"There is no {name} {text!r}; give the slug or the id of one in /api/v4/{kind}/.")
    return found


def _updated_since(_snapshot: Snapshot, rows: Records, text: str) -> Records:
    moment = parse_time(UPDATED_SINCE, text)
    return _where(rows, pc.greater_equal(rows.column("last_commit_at"), pa.scalar(moment, pa.timestamp("us", "UTC"))))


def _where(rows: Records, truth: pa.ChunkedArray) -> Records:
    """Leave the rows of which something is true; of what is unknown nothing is."""
    return rows.chosen(np.flatnonzero(pc.fill_null(truth, False).to_numpy()))  # noqa: FBT003 - the value for unknown


def _ordered(_snapshot: Snapshot, rows: Records, text: str) -> Records:
    """Order by one field after another, ``-`` for the greatest first; what is unknown comes last, equals the highest id first."""
    keys: dict[str, str] = {}
    for field in text.split(","):
        column = ORDERED_BY.get(field.removeprefix("-"))
        if column is None:
            known = ", ".join(ORDERED_BY)
            raise InvalidParameter(ORDERING, f"{field!r} is no field to order by; choose from {known}, with - for the greatest first.")
        keys.setdefault(column, "descending" if field.startswith("-") else "ascending")
    table = pa.table({column: rows.column(column) for column in keys})
    return rows.chosen(pc.sort_indices(table, sort_keys=[(column, order, "at_end") for column, order in keys.items()]).to_numpy())


def parse_time(name: str, text: str) -> datetime:
    """Read the time that a parameter gives; raises InvalidParameter."""
    try:
        return parse_moment(text)
    except ValueError as error:
        hint = " (+ in an address is written %2B)" if " " in text.strip() else ""
        raise InvalidParameter(name, f"{error}{hint}.") from None


_LONGEST_ID = 19  # digits; more is no id of ours
_FILTERS: Mapping[str, Callable[[Snapshot, Records, str], Records]] = {
    CATEGORY: _of_category,
    GRID: _of_grid,
    UPDATED_SINCE: _updated_since,
    ORDERING: _ordered,
}
