"""A catalog as rows of its four files again: values in the order of ``COLUMNS``, addresses as they were curated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transforms.catalog import COLUMNS, Catalog

_FIELDS = {"created": "created_at", "modified": "modified_at"}


def catalog_rows(catalog: Catalog, name: str) -> Iterator[tuple[Any, ...]]:
    """Give the rows of one table."""
    if name == "grid_packages":
        yield from catalog.memberships
        return
    fields = [_FIELDS.get(column, column) for column in COLUMNS[name]]
    listed: tuple[Any, ...] = {"categories": catalog.categories, "grids": catalog.grids, "packages": catalog.entries}[name]
    for row in listed:
        yield tuple(getattr(row, field) for field in fields)
