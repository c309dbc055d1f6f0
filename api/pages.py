"""Cutting a list into pages by ``limit`` and ``offset``, and the links from one page to the next, as Django REST framework does.

https://www.django-rest-framework.org/api-guide/pagination/#limitoffsetpagination. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from api.links import Parameters, escape_address

DEFAULT_LIMIT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which part of a list is asked for: ``limit`` is at least 1 and has no maximum, ``offset`` is at least 0."""

    limit: int
    offset: int

    @property
    def span(self) -> slice:
        """The part as a slice."""
        return slice(self.offset, self.offset + self.limit)


def parse_window(parameters: Parameters) -> Window:
    """Read ``limit`` and ``offset``; of repeated ones the last counts, an unusable one is ignored."""
    limit = _whole(parameters, "limit")
    offset = _whole(parameters, "offset")
    return Window(limit=limit or DEFAULT_LIMIT, offset=offset or 0)


def page_links(address: str, query: str, window: Window, count: int) -> tuple[str | None, str | None]:
    """Link to the next and the previous page of a list of ``count``; None where there is none.

    ``address`` is the list's own, without a query. The links keep every other parameter of ``query``, blank ones too, but
    sort and re-encode them. The link to the first page has no ``offset``.
    """
    end = window.offset + window.limit
    start = window.offset - window.limit
    following = _link(address, query, window.limit, end) if end < count else None
    if window.offset <= 0:
        return following, None
    return following, _link(address, query, window.limit, start if start > 0 else None)


def _whole(parameters: Parameters, name: str) -> int | None:
    """Read a number as ``int`` does (``+5``, `` 5 `` and ``1_0`` are numbers); None if it is missing, negative or none."""
    try:
        number = int(parameters[name][-1])
    except (KeyError, ValueError):
        return None
    return number if number >= 0 else None


def _link(address: str, query: str, limit: int, offset: int | None) -> str:
    scheme, host, path, given, fragment = urlsplit(f"{address}?{escape_address(query)}")
    parameters = parse_qs(given, keep_blank_values=True)
    parameters["limit"] = [str(limit)]
    parameters.pop("offset", None)
    if offset is not None:
        parameters["offset"] = [str(offset)]
    return urlunsplit((scheme, host, path, urlencode(sorted(parameters.items()), doseq=True), fragment))
