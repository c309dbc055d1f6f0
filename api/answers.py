"""From a request to a reply, in the order in which v4 decides: address, slash, method, lookup. Pure but for the kept bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from api.bodies import Bodies
from api.pages import page_links, parse_window
from api.replies import Reply, describe, failure, json_reply, not_found, redirect
from api.routes import CATEGORIES, GRIDS, PACKAGES, ROOT, SEARCH, Route, match, parse_lookup
from transforms.payload import API_PATH, render, root_payload

LONGEST_QUERY = 8190  # bytes; Apache's limit for a request line
LONGEST_HOST = 261  # a DNS name of 255 and a port

_HOST = re.compile(r"(?:[a-z0-9.-]+|\[[a-f0-9]*:[a-f0-9.:]+\])(?::[0-9]+)?")
_NOUNS = {PACKAGES: "Package", GRIDS: "Grid", CATEGORIES: "Category"}
_DESCRIPTIONS = {PACKAGES: "API endpoint that allows packages to be viewed or edited."}  # v4's words, though nothing is edited


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as a value: ``path`` percent-decoded, ``query`` as sent, ``host`` from the Host header or the socket."""

    method: str
    scheme: str
    host: str
    path: str
    query: str


def answer(asked: Asked, bodies: Bodies, base_url: str | None) -> Reply:
    """Answer any request, with links below ``base_url`` or else below the host asked; whatever is asked wrongly is a 4xx."""
    if len(asked.host) > LONGEST_HOST or not _HOST.fullmatch(asked.host.lower()):
        return failure(HTTPStatus.BAD_REQUEST, "The Host header names no host.", is_resource=False)
    if len(asked.query) > LONGEST_QUERY:
        return failure(HTTPStatus.REQUEST_URI_TOO_LONG, f"The query is longer than {LONGEST_QUERY} bytes.", is_resource=False)
    route = match(asked.path)
    if route is None:
        return not_found(is_resource=False)
    if not route.has_slash:
        return redirect(_with_slash(asked, base_url))
    return _answer_route(asked, route, bodies, f"{asked.scheme}://{asked.host}" if base_url is None else base_url)


def _answer_route(asked: Asked, route: Route, bodies: Bodies, base: str) -> Reply:
    if route.kind == SEARCH:
        return failure(HTTPStatus.NOT_FOUND, "Search is not available yet.", is_resource=False)
    if asked.method == "OPTIONS":
        return _description(route)
    if asked.method not in ("GET", "HEAD"):
        return failure(HTTPStatus.METHOD_NOT_ALLOWED, f'Method "{asked.method}" not allowed.')
    if route.lookup is not None:
        return _record(route.kind, route.lookup, bodies, base)
    return json_reply(render(root_payload(base_url=base))) if route.kind == ROOT else _list(asked, route.kind, bodies, base)


def _record(kind: str, lookup: str, bodies: Bodies, base: str) -> Reply:
    key = parse_lookup(kind, lookup)
    if key is None:
        return not_found()
    row = bodies.snapshot.shelves[kind].find(key)
    if row is None:
        return failure(HTTPStatus.NOT_FOUND, f"No {_NOUNS[kind]} matches the given query.")
    return json_reply(bodies.record(kind, row, base))


def _list(asked: Asked, kind: str, bodies: Bodies, base: str) -> Reply:
    rows = bodies.snapshot.shelves[kind].rows
    window = parse_window(asked.query)
    links = page_links(f"{base}{API_PATH}{kind}/", asked.query, window, len(rows))
    return json_reply(bodies.page(kind, rows[window.span], links, base))


def _description(route: Route) -> Reply:
    if route.kind == ROOT:
        return describe("Api Root", "The default basic root view for DefaultRouter")
    suffix = "List" if route.lookup is None else "Instance"
    return describe(f"{_NOUNS[route.kind]} {suffix}", _DESCRIPTIONS.get(route.kind, ""))


def _with_slash(asked: Asked, base_url: str | None) -> str:
    """Write the same address with a slash at its end, relative to the host; characters are escaped as Django escapes them."""
    prefix = urlsplit(base_url).path if base_url is not None else ""
    path = quote(asked.path, safe="/:@&+$,-_.!~*'()")
    query = f"?{asked.query}" if asked.query else ""
    return quote(f"{prefix}{path}/{query}", safe="/#%[]=:;$&()+,!?*@'~")
