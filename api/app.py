"""The read API as an ASGI application: sockets on one side, values on the other."""

from __future__ import annotations

import codecs
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes
from zoneinfo import ZoneInfo

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.answers import Asked, answer
from api.bodies import Bodies
from api.current import Current
from api.negotiation import ANYTHING
from api.proxies import Network, forwarded_origin, is_trusted
from api.replies import Reply, failure
from api.snapshot import load_snapshot
from warehouse.folder import DataFolder

LARGEST_KEPT = 8192  # bytes of an answer that is worth keeping whole

log = logging.getLogger("packhouse.api")

Sendable = tuple[Message, Message]


def create_app(
    data: Path,
    *,
    zone: ZoneInfo,
    base_url: str | None,
    trusted_proxies: Sequence[Network] = (),
    monotonic: Callable[[], float] = time.monotonic,
) -> ASGIApp:
    """Serve the current publication of a data folder, and each later one from at most a second after ``current`` moves.

    Times are printed in ``zone``; links begin with ``base_url``, or with the scheme and host of each request, which
    ``trusted_proxies`` may tell. The first publication is loaded here: raises NothingPublished when there is none that can be read.
    """
    folder = DataFolder(data)
    current = Current(folder.current, partial(load_snapshot, folder), zone=zone, monotonic=monotonic)
    return wrap(current, base_url, trusted_proxies)


def wrap(current: Current, base_url: str | None, trusted_proxies: Sequence[Network] = ()) -> ASGIApp:
    """Build the application over publications that are loaded already."""
    base = base_url.rstrip("/") if base_url else None

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        bodies = await current.bodies()
        try:
            start, body = _answer(to_asked(scope, trusted_proxies), bodies, base)
        except Exception:
            log.exception("cannot answer %s %r", scope["method"], scope["raw_path"])
            start, body = to_sendable(failure(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error.", is_resource=False))
        await send(start)
        await send(body)

    return app


def _answer(asked: Asked, bodies: Bodies, base_url: str | None) -> Sendable:
    """Answer, from what was answered to the same question before if it was a small and plain one."""
    kept: Sendable | None = bodies.answers.get(asked)
    if kept is not None:
        return kept
    reply = answer(asked, bodies, base_url)
    sendable = to_sendable(reply)
    if reply.status == HTTPStatus.OK and not asked.query and len(reply.body) <= LARGEST_KEPT:
        bodies.answers.keep(asked, sendable)
    return sendable


def to_asked(scope: Scope, trusted_proxies: Sequence[Network] = ()) -> Asked:
    """Take from a request what an answer depends on; without a Host header (HTTP/1.0) the socket's address stands for it."""
    host = accept = None
    for name, value in scope["headers"]:
        if name == b"host":
            host = value.decode("latin-1")
        elif name == b"accept":
            accept = value.decode("latin-1") if accept is None else f"{accept},{value.decode('latin-1')}"
    scheme = scope["scheme"]
    if host is None:
        host = _own_host(scope)
    if trusted_proxies and is_trusted((scope.get("client") or (None,))[0], trusted_proxies):
        scheme, host = forwarded_origin(scope["headers"], scheme, host)
    return Asked(
        method=scope["method"],
        scheme=scheme,
        host=host,
        path=decode_path(scope["raw_path"]),
        query=scope["query_string"].decode("latin-1"),
        accept=ANYTHING if accept is None else accept,
    )


def decode_path(raw: bytes) -> str:
    """Undo percent-encoding; bytes that are no UTF-8 stay encoded, as Django leaves them."""
    decoded = unquote_to_bytes(raw) if b"%" in raw else raw
    return decoded.decode("utf-8", _STAY_ENCODED)


def to_sendable(reply: Reply) -> Sendable:
    """Turn a reply into the two messages ASGI sends, its headers in their order."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    return {"type": "http.response.start", "status": int(reply.status), "headers": headers}, {
        "type": "http.response.body",
        "body": reply.body,
    }


def _own_host(scope: Scope) -> str:
    address, port = scope.get("server") or ("localhost", None)
    is_usual = port is None or port == {"http": 80, "https": 443}.get(scope["scheme"])
    host = f"[{address}]" if ":" in address else address
    return host if is_usual else f"{host}:{port}"


def _encode_again(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)  # noqa: S101 - only decode_path uses it
    return quote_from_bytes(error.object[error.start : error.end]), error.end


_STAY_ENCODED = "packhouse.stay_encoded"
codecs.register_error(_STAY_ENCODED, _encode_again)
