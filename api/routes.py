"""Which of the v4 addresses a path is, and what a lookup in it means. Pure: no rows, no sockets."""

from __future__ import annotations

import re
from dataclasses import dataclass

PACKAGES = "packages"
GRIDS = "grids"
CATEGORIES = "categories"
SEARCH = "search"
ROOT = "root"

# Django's router takes a dot for the start of a format suffix, so no lookup has one.
_PATH = re.compile(r"/api/v4(?:/(?P<kind>packages|grids|categories|search)(?:/(?P<lookup>[^/.]+))?)?(?P<slash>/?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A known address: the root, a list of some kind, or with ``lookup`` one record of that kind."""

    kind: str
    lookup: str | None
    has_slash: bool


def match(path: str) -> Route | None:
    """Tell what a decoded path asks for; None for a path that v4 does not have."""
    found = _PATH.fullmatch(path)
    if found is None or (found["kind"] == SEARCH and found["lookup"] is not None):
        return None
    return Route(kind=found["kind"] or ROOT, lookup=found["lookup"], has_slash=found["slash"] == "/")


def parse_lookup(kind: str, text: str) -> int | str | None:
    """Read the last part of a record's address: an id, a slug, or None where it can be neither.

    For packages and grids digits always mean an id, of any script that ``int`` reads; ``²`` is a digit that it does not
    read. Categories have no slugs here and take whatever ``int`` takes (``+1``, ``1_0``).
    """
    if kind != CATEGORIES and not text.isdigit():
        return text
    try:
        return int(text)
    except ValueError:
        return None
