"""From a request to a reply, in the order in which v4 decides: host, address, slash, form, method, lookup. Pure but for kept bytes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv6Address
from urllib.parse import parse_qs, urlsplit

from api.bodies import Bodies
from api.browsing import Shown, render_page
from api.filters import InvalidParameter, choose_packages
from api.links import FORMAT, Links, Parameters, escape_address, escape_path, link_ending
from api.negotiation import ANYTHING, Form, NotAcceptable, UnknownFormat, negotiate
from api.pages import page_links, parse_window
from api.replies import Reply, description_body, detail_body, failure, json_reply, not_found, page_reply, redirect
from api.routes import CATEGORIES, GRIDS, PACKAGES, ROOT, SEARCH, Route, match, parse_lookup
from transforms.payload import render, root_payload

LONGEST_QUERY = 8190  # bytes; Apache's limit for a request line
LONGEST_ACCEPT = 8190  # bytes; Apache's limit for a header
MOST_PARAMETERS = 1000  # Django's DATA_UPLOAD_MAX_NUMBER_FIELDS
LONGEST_HOST = 261  # a DNS name of 255 and a port

_HOST = re.compile(r"(?:[a-z0-9.-]+|\[(?P<six>[a-f0-9]*:[a-f0-9.:]+)\])(?::[0-9]+)?")
_NOUNS = {PACKAGES: "Package", GRIDS: "Grid", CATEGORIES: "Category", SEARCH: "Search V3"}
_DESCRIPTIONS = {  # v4's words, though nothing is edited and no PostgreSQL is near
    ROOT: "The default basic root view for DefaultRouter",
    PACKAGES: "API endpoint that allows packages to be viewed or edited.",
    SEARCH: "Accepts a 'q' GET parameter.\n\nReturns SearchV3 (PostgreSQL FTS) results.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as a value: ``path`` percent-decoded, ``query`` as sent, ``host`` from the Host header or the socket."""

    method: str
    scheme: str
    host: str
    path: str
    query: str = ""
    accept: str = ANYTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a question comes to, before it is given a form: JSON, compact."""

    status: int
    body: bytes


def answer(asked: Asked, bodies: Bodies, base_url: str | None) -> Reply:
    """Answer any request, with links below ``base_url`` or else below the host asked; whatever is asked wrongly is a 4xx."""
    refusal = refuse(asked)
    if refusal is not None:
        return refusal
    route = match(asked.path)
    if route is None:
        return not_found(is_resource=False)
    if not route.has_slash:
        return redirect(with_slash(asked, base_url))
    parameters = parse_qs(asked.query, keep_blank_values=True) if asked.query else {}
    try:
        form = negotiate(asked.accept, route.suffix or parameters.get(FORMAT, [""])[-1])
    except UnknownFormat:
        return not_found()
    except NotAcceptable:
        return failure(HTTPStatus.NOT_ACCEPTABLE, "Could not satisfy the request Accept header.")
    base = link_base(asked, base_url)
    links = Links(base=base, ending=link_ending(route.suffix, parameters))
    outcome = _decide(asked, route, parameters, bodies, links)
    return _give(outcome, form, asked, route, "" if base_url is None else urlsplit(base_url).path)


def link_base(asked: Asked, base_url: str | None) -> str:
    """How links begin: as configured, or with the scheme and host asked."""
    return f"{asked.scheme}://{asked.host}" if base_url is None else base_url


def refuse(asked: Asked) -> Reply | None:
    """Refuse what no address is answered to: a host that is none, too much of a query or of an Accept header."""
    if not _is_host(asked.host):
        return failure(HTTPStatus.BAD_REQUEST, "The Host header names no host.", is_resource=False)
    if len(asked.query) > LONGEST_QUERY:
        return failure(HTTPStatus.REQUEST_URI_TOO_LONG, f"The query is longer than {LONGEST_QUERY} bytes.", is_resource=False)
    if asked.query.count("&") >= MOST_PARAMETERS:
        return failure(HTTPStatus.BAD_REQUEST, f"The query has more than {MOST_PARAMETERS} parameters.", is_resource=False)
    if len(asked.accept) > LONGEST_ACCEPT:
        detail = f"The Accept header is longer than {LONGEST_ACCEPT} bytes."
        return failure(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail, is_resource=False)
    return None


def _is_host(host: str) -> bool:
    found = _HOST.fullmatch(host.lower()) if len(host) <= LONGEST_HOST else None
    if found is None or found["six"] is None:
        return found is not None
    try:
        IPv6Address(found["six"])
    except ValueError:
        return False
    return True


def _decide(asked: Asked, route: Route, parameters: Parameters, bodies: Bodies, links: Links) -> Outcome:
    if asked.method == "OPTIONS":
        return Outcome(status=HTTPStatus.OK, body=description_body(_name(route), _DESCRIPTIONS.get(route.kind, "")))
    if asked.method not in ("GET", "HEAD"):
        return _failed(HTTPStatus.METHOD_NOT_ALLOWED, f'Method "{asked.method}" not allowed.')
    if route.lookup is not None:
        return _record(route.kind, route.lookup, bodies, links)
    if route.kind == ROOT:
        return Outcome(status=HTTPStatus.OK, body=render(root_payload(base_url=links.base, ending=links.ending)))
    if route.kind == SEARCH:
        return Outcome(status=HTTPStatus.OK, body=bodies.found(parameters.get("q", [""])[-1]))
    return _list(asked, route, parameters, bodies, links)


def _list(asked: Asked, route: Route, parameters: Parameters, bodies: Bodies, links: Links) -> Outcome:
    try:
        rows = choose_packages(bodies.snapshot, parameters) if route.kind == PACKAGES else bodies.snapshot.shelf(route.kind).rows
    except InvalidParameter as error:
        return Outcome(status=HTTPStatus.BAD_REQUEST, body=render({error.name: [error.problem]}))
    window = parse_window(parameters)
    pages = page_links(f"{links.base}{escape_path(asked.path)}", asked.query, window, len(rows))
    return Outcome(status=HTTPStatus.OK, body=bodies.page(route.kind, rows[window.span], len(rows), pages, links))


def _record(kind: str, lookup: str, bodies: Bodies, links: Links) -> Outcome:
    key = parse_lookup(kind, lookup)
    if key is None:
        return _failed(HTTPStatus.NOT_FOUND, "Not found.")
    row = bodies.snapshot.shelf(kind).find(key)
    if row is None:
        return _failed(HTTPStatus.NOT_FOUND, f"No {_NOUNS[kind]} matches the given query.")
    return Outcome(status=HTTPStatus.OK, body=bodies.record(kind, row, links))


def _failed(status: int, detail: str) -> Outcome:
    return Outcome(status=status, body=detail_body(detail))


def _give(outcome: Outcome, form: Form, asked: Asked, route: Route, prefix: str) -> Reply:
    """Give an outcome the form that was negotiated; what is not compact is made from what is."""
    if form.indent is None:
        return json_reply(outcome.body, status=outcome.status)
    indented = render(json.loads(outcome.body), indent=form.indent)
    if not form.is_page:
        return json_reply(indented, status=outcome.status)
    target = escape_path(asked.path) + (f"?{escape_address(asked.query)}" if asked.query else "")
    shown = Shown(
        name=_name(route),
        description=_DESCRIPTIONS.get(route.kind, ""),
        method=asked.method,
        target=target,
        status=outcome.status,
        prefix=prefix,
    )
    return page_reply(render_page(shown, indented.decode()), status=outcome.status)


def _name(route: Route) -> str:
    if route.kind == ROOT:
        return "Api Root"
    return f"{_NOUNS[route.kind]} {'Instance' if route.lookup is not None else 'List'}"


def with_slash(asked: Asked, base_url: str | None) -> str:
    """Write the same address with a slash at its end, relative to the host; characters are escaped as Django escapes them."""
    prefix = urlsplit(base_url).path if base_url is not None else ""
    query = f"?{asked.query}" if asked.query else ""
    return escape_address(f"{prefix}{escape_path(asked.path)}/{query}")
