"""Which of the v4 addresses a path is, and what a lookup in it means. Pure: no rows, no sockets."""

from __future__ import annotations

import re
from dataclasses import dataclass

PACKAGES = "packages"
GRIDS = "grids"
CATEGORIES = "categories"
SEARCH = "search"
ROOT = "root"

# A dot begins a format suffix, after which the slash is optional; so no lookup has a dot.
_END = r"(?:\.(?P<{name}>[a-z0-9]+)/?|(?P<{name}_slash>/?))"
_PATH = re.compile(
    r"/api/v4(?:(?P<root_slash>/?)|/\.(?P<root>[a-z0-9]+)/?"
    r"|/(?P<kind>packages|grids|categories)(?:/(?P<lookup>[^/.]+))?"
    + _END.format(name="listed")
    + r"|/search"
    + _END.format(name="search")
    + ")"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A known address: the root, a list of some kind, or with ``lookup`` one record of that kind; ``suffix`` names a format."""

    kind: str
    lookup: str | None = None
    suffix: str | None = None
    has_slash: bool = True


def match(path: str) -> Route | None:
    """Tell what a decoded path asks for; None for a path that v4 does not have. With a suffix the slash may be missing."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    suffix = found["root"] or found["listed"] or found["search"]
    if found["kind"] is not None:
        kind, slash = found["kind"], found["listed_slash"]
    elif found["search"] is not None or found["search_slash"] is not None:
        kind, slash = SEARCH, found["search_slash"]
    else:
        kind, slash = ROOT, found["root_slash"]
    return Route(kind=kind, lookup=found["lookup"], suffix=suffix, has_slash=slash == "/" or suffix is not None)


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
