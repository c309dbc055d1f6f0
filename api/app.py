"""The read API as an ASGI application: sockets on one side, values on the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.answers import Asked, answer
from api.current import Current
from api.replies import Reply, failure
from api.snapshot import load_snapshot
from warehouse.folder import DataFolder


def create_app(data: Path, *, zone: ZoneInfo, base_url: str | None, monotonic: Callable[[], float] = time.monotonic) -> Starlette:
    """Serve the current publication of a data folder, and each later one from at most a second after ``current`` moves.

    Times are printed in ``zone``; links begin with ``base_url``, or with the scheme and host of each request. The first
    publication is loaded here: raises NothingPublished when there is none that can be read.
    """
    folder = DataFolder(data)
    current = Current(folder.current, partial(load_snapshot, folder), zone=zone, monotonic=monotonic)
    return wrap(current, base_url)


def wrap(current: Current, base_url: str | None) -> Starlette:
    """Build the application over publications that are loaded already."""
    base = base_url.rstrip("/") if base_url else None

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        bodies = await current.bodies()
        await to_response(answer(to_asked(Request(scope)), bodies, base))(scope, receive, send)

    async def crash(_request: Request, _error: Exception) -> Response:
        return to_response(failure(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error.", is_resource=False))

    app = Starlette(exception_handlers={Exception: crash})
    app.router.default = endpoint  # every path, also those Starlette's routes cannot express
    return app


def to_asked(request: Request) -> Asked:
    """Take from a request what an answer depends on; without a Host header (HTTP/1.0) the socket's address stands for it."""
    scope = request.scope
    address, port = scope.get("server") or ("localhost", None)
    is_usual = port is None or port == {"http": 80, "https": 443}.get(scope["scheme"])
    host = f"[{address}]" if ":" in address else address
    return Asked(
        method=scope["method"],
        scheme=scope["scheme"],
        host=request.headers.get("host", host if is_usual else f"{host}:{port}"),
        path=scope["path"],
        query=scope["query_string"].decode("utf-8", "replace"),
    )


def to_response(reply: Reply) -> Response:
    """Turn a reply into the one thing ASGI sends, with its headers in their order."""
    return Response(reply.body, status_code=reply.status, headers=dict(reply.headers))
