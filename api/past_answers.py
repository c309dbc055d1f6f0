"""Questions about other times than the publication's own, which v4 cannot be asked: ``?as_of=`` and the history of a package."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from urllib.parse import parse_qs

from api.answers import Asked, answer, refuse, with_slash
from api.bodies import Bodies
from api.filters import InvalidParameter, parse_time
from api.history import history_lookup, history_payload
from api.links import Parameters
from api.past import Past
from api.replies import Reply, description_body, failure, json_reply, redirect
from api.routes import PACKAGES, ROOT, SEARCH, Route, match, parse_lookup
from transforms.payload import render
from warehouse.errors import NothingPublished

AS_OF = "as_of"

_GONE = "The past cannot be read from this publication any more; ask again later."
_SEARCH_HAS_NO_PAST = "Search knows the present alone; leave it out, or ask /api/v4/packages/."


async def answer_past(asked: Asked, bodies: Bodies, past: Past, base_url: str | None) -> Reply | None:
    """Answer a question about other times from what the publication in ``bodies`` keeps; None for any other question."""
    if history_lookup(asked.path) is not None:
        return refuse(asked) or await _answer_history(asked, bodies, past, base_url)
    if not asked.query or asked.method not in ("GET", "HEAD") or refuse(asked) is not None:
        return None
    parameters = parse_qs(asked.query, keep_blank_values=True)
    route = match(asked.path)
    if AS_OF not in parameters or route is None or not route.has_slash or route.kind == ROOT:
        return None
    try:
        at = _time_asked(route, parameters)
    except InvalidParameter as error:
        return json_reply(render({error.name: [error.problem]}), status=HTTPStatus.BAD_REQUEST)
    return await _answer_as_of(asked, at, bodies, past, base_url)


def _time_asked(route: Route, parameters: Parameters) -> datetime:
    if route.kind == SEARCH:
        raise InvalidParameter(AS_OF, _SEARCH_HAS_NO_PAST)
    return parse_time(AS_OF, parameters[AS_OF][-1])


async def _answer_as_of(asked: Asked, at: datetime, bodies: Bodies, past: Past, base_url: str | None) -> Reply:
    path = bodies.snapshot.path
    try:
        then = None if path is None else await past.bodies(path, at)
    except NothingPublished:
        return failure(HTTPStatus.SERVICE_UNAVAILABLE, _GONE)
    return failure(HTTPStatus.NOT_FOUND, "Nothing was published by then.") if then is None else answer(asked, then, base_url)


async def _answer_history(asked: Asked, bodies: Bodies, past: Past, base_url: str | None) -> Reply:
    lookup, has_slash = history_lookup(asked.path) or ("", False)
    if not has_slash:
        return redirect(with_slash(asked, base_url))
    if asked.method == "OPTIONS":
        return json_reply(description_body("Package History", ""))
    if asked.method not in ("GET", "HEAD"):
        return failure(HTTPStatus.METHOD_NOT_ALLOWED, f'Method "{asked.method}" not allowed.')
    key = parse_lookup(PACKAGES, lookup)
    row = None if key is None else bodies.snapshot.shelf(PACKAGES).find(key)
    path = bodies.snapshot.path
    if row is None or path is None:
        return failure(HTTPStatus.NOT_FOUND, "No Package matches the given query.")
    try:
        history = await past.history(path, row["id"])
    except NothingPublished:
        return failure(HTTPStatus.SERVICE_UNAVAILABLE, _GONE)
    return json_reply(render(history_payload(row, history, bodies.zone)))
