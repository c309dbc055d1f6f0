"""The v4 payload of Django Packages: literal dictionaries in its order of keys, and the bytes they become.

Nothing outside this module and ``api`` knows the v4 spellings. Rows come from a publication: plain mappings with the
columns of ``transforms/schemas.py``. A value of the wrong type stops the rendering: NaN, a float where a count belongs
or a naive time would otherwise become JSON that looks right and is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

Row = Mapping[str, Any]
Payload = dict[str, Any]
Value = TypeVar("Value")

API_PATH = "/api/v4/"
SLASH = "/"  # how links end, unless a format was asked for in the address: `.json`, `/?format=json`

# v4's name of each field of a package, in its order, and the column it comes from.
PACKAGE_COLUMNS: Mapping[str, str] = {
    "category": "category_id",
    "grids": "grid_ids",
    "id": "id",
    "title": "title",
    "slug": "slug",
    "last_updated": "last_commit_at",
    "last_fetched": "fetched_at",
    "repo_url": "repo_url",
    "pypi_version": "latest_version",
    "created": "created_at",
    "modified": "modified_at",
    "repo_forks": "forks_count",
    "repo_description": "repo_description",
    "pypi_url": "pypi_url",
    "documentation_url": "documentation_url",
    "repo_watchers": "stars_count",
    "commits_over_52": "weeks",
    "participants": "participants",
}
NEVER_NULL = frozenset({"repo_url", "pypi_url"})  # v4 prints the empty text


class UnprintableValue(TypeError):
    """A row holds a value that the payload has no honest spelling for; ``column`` names it."""

    def __init__(self, column: str, value: object, wanted: str) -> None:
        super().__init__(f"{column} is {value!r} ({type(value).__name__}), not {wanted}")
        self.column = column


def package_payload(row: Row, *, base_url: str, zone: ZoneInfo, ending: str = SLASH) -> Payload:
    """Spell one row of ``packages`` as v4 does; links begin with ``base_url`` and end with ``ending``, times are printed in ``zone``.

    Raises UnprintableValue for a value that is not of its column's type.
    """
    return {
        "category": resource_url(base_url, "categories", _given(row, "category_id", int), ending),
        "grids": [resource_url(base_url, "grids", identifier, ending) for identifier in _list(row, "grid_ids", int)],
        "id": _given(row, "id", int),
        "title": _given(row, "title", str),
        "slug": _given(row, "slug", str),
        "last_updated": _time(row, "last_commit_at", zone),  # v4: the newest commit, not an edit of the record
        "last_fetched": _time(row, "fetched_at", zone),
        "repo_url": _known(row, "repo_url", str) or "",  # v4 has no null here
        "pypi_version": _known(row, "latest_version", str),
        "created": _time(row, "created_at", zone),
        "modified": _time(row, "modified_at", zone),
        "repo_forks": _known(row, "forks_count", int),  # v4 prints 0 while unknown; here unknown is null
        "repo_description": _known(row, "repo_description", str),  # "" when the forge has none, null while unknown
        "pypi_url": _known(row, "pypi_url", str) or "",  # v4 has no null here
        "documentation_url": _known(row, "documentation_url", str),
        "repo_watchers": _known(row, "stars_count", int),  # v4 calls stars watchers; null while unknown
        "commits_over_52": _list(row, "weeks", int),  # [] while unknown: 52 zeros would claim silence
        "participants": _list(row, "participants", str),
    }


def grid_payload(row: Row, package_ids: Iterable[int], *, base_url: str, zone: ZoneInfo, ending: str = SLASH) -> Payload:
    """Spell one row of ``grids``, with links to its packages in the order given (v4: by title)."""
    return {
        "id": _given(row, "id", int),
        "title": _given(row, "title", str),
        "slug": _given(row, "slug", str),
        "description": _known(row, "description", str) or "",
        "is_locked": _given(row, "is_locked", bool),
        "packages": [resource_url(base_url, "packages", identifier, ending) for identifier in package_ids],
        "header": _given(row, "header", bool),
        "created": _time(row, "created_at", zone),
        "modified": _time(row, "modified_at", zone),
    }


def category_payload(row: Row, *, zone: ZoneInfo) -> Payload:
    """Spell one row of ``categories``; it has no links."""
    return {
        "id": _given(row, "id", int),
        "title": _given(row, "title", str),
        "slug": _given(row, "slug", str),
        "description": _known(row, "description", str) or "",
        "title_plural": _known(row, "title_plural", str) or "",
        "show_pypi": _given(row, "show_pypi", bool),
        "created": _time(row, "created_at", zone),
        "modified": _time(row, "modified_at", zone),
    }


def root_payload(*, base_url: str, ending: str = SLASH) -> Payload:
    """Say where everything else is: the entry page."""
    return {kind: f"{base_url}{API_PATH}{kind}{ending}" for kind in ("packages", "search", "grids", "categories")}


def package_found_payload(row: Row, category: str, *, zone: ZoneInfo) -> Payload:
    """Spell one row of ``packages`` as search finds it; ``category`` is the title of its category.

    v4 has a weight, a score, downloads and a usage of its own making, which nobody publishes: they are null here.
    """
    return _found_payload(row, zone) | {
        "description": _known(row, "repo_description", str),
        "absolute_url": f"/packages/p/{row['slug']}/",  # a page of the Django Packages site
        "item_type": "package",
        "category": category,
        "repo_watchers": _known(row, "stars_count", int),
        "repo_forks": _known(row, "forks_count", int),
        "participants": ",".join(_list(row, "participants", str)),  # one text here, a list in the record of a package
        "last_committed": _time(row, "last_commit_at", zone),
        "last_released": _time(row, "latest_released_at", zone),
    }


def grid_found_payload(row: Row, *, zone: ZoneInfo) -> Payload:
    """Spell one row of ``grids`` as search finds it; a grid has no stars and no downloads, for which v4 prints 0."""
    zeros = dict.fromkeys(("repo_watchers", "repo_forks", "pypi_downloads", "score", "usage"), 0)
    own = {"description": _known(row, "description", str) or "", "absolute_url": f"/grids/g/{row['slug']}/", "item_type": "grid"}
    return _found_payload(row, zone) | zeros | own


def _found_payload(row: Row, zone: ZoneInfo) -> Payload:
    title, slug = _given(row, "title", str), _given(row, "slug", str)
    return {
        "description": None,
        "title": title,
        "title_no_prefix": title,  # v4 has kept the name, not the cutting of prefixes
        "slug_no_prefix": slug,
        "clean_title": title,
        "absolute_url": None,
        "created": _time(row, "created_at", zone),
        "modified": _time(row, "modified_at", zone),
        "weight": None,
        "item_type": None,
        "slug": slug,
        "category": "",
        "repo_watchers": None,
        "repo_forks": None,
        "pypi_downloads": None,
        "score": None,
        "usage": None,
        "participants": "",
        "last_committed": None,
        "last_released": None,
    }


def list_payload(*, count: int, next_url: str | None, previous_url: str | None, results: Sequence[Payload]) -> Payload:
    """Wrap one page of a list; ``count`` is the length of the whole list."""
    return {"count": count, "next": next_url, "previous": previous_url, "results": results}


def resource_url(base_url: str, kind: str, identifier: int, ending: str = SLASH) -> str:
    """Address one record of ``packages``, ``grids`` or ``categories``; v4 links by id, never by slug."""
    return f"{base_url}{API_PATH}{kind}/{identifier}{ending}"


def print_time(instant: datetime, zone: ZoneInfo) -> str:
    """Print an aware time as v4 does: ISO 8601 in ``zone``, microseconds only when there are any, ``Z`` for +00:00."""
    try:
        local = instant.astimezone(zone)
    except OverflowError:  # within a day of year 1 or 9999 there is no local time to print
        local = instant
    text = local.isoformat()
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def render(payload: object, *, indent: int | None = None) -> bytes:
    """Write UTF-8 JSON as Django REST framework does: compact, or indented for people.

    Text stays as it is except U+2028 and U+2029, which JavaScript once took for line ends; no newline at the end.
    Raises ValueError for NaN and infinity, TypeError for what JSON has no word for.
    """
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(payload, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode()


# Exact types, not isinstance: True is an int, pandas' NaT is a datetime, and neither may pass.
def _known(row: Row, column: str, kind: type[Value]) -> Value | None:
    value = row[column]
    if value is None or type(value) is kind:
        return value
    raise UnprintableValue(column, value, f"{kind.__name__} or None")


def _given(row: Row, column: str, kind: type[Value]) -> Value:
    value = _known(row, column, kind)
    if value is None:
        raise UnprintableValue(column, value, kind.__name__)
    return value


def _list(row: Row, column: str, kind: type[Value]) -> list[Value]:
    values = _known(row, column, list) or []
    for value in values:
        if type(value) is not kind:
            raise UnprintableValue(column, value, f"a list of {kind.__name__}")
    return values


def _time(row: Row, column: str, zone: ZoneInfo) -> str | None:
    instant = _known(row, column, datetime)
    if instant is None:
        return None
    if instant.tzinfo is None:
        raise UnprintableValue(column, instant, "a time with its zone")
    return print_time(instant, zone)
