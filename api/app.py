"""The read API as an ASGI application: sockets on one side, values on the other."""

from __future__ import annotations

import asyncio
import codecs
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes
from zoneinfo import ZoneInfo

from starlette.types import ASGIApp, Receive, Scope, Send

from api.answers import Asked, answer, link_base
from api.bodies import Bodies
from api.bulk import BULK, find_bulk
from api.current import Current
from api.delivery import Delivery, close_after, closing, deliver, encode, has_already, not_modified
from api.encodings import choose_encoding
from api.health import health
from api.metrics import Metrics
from api.negotiation import ANYTHING
from api.observing import Answers, Observed
from api.openapi import describe
from api.past import Past
from api.past_answers import answer_past
from api.proxies import Network, forwarded_origin, is_trusted
from api.repeats import LARGEST_HEADERS, MOST_HEADERS, Call, Repeat, Told, has_body, is_flood, repeat_key, to_call, to_repeat
from api.replies import failure
from api.routes import SEARCH
from api.snapshot import load_snapshot
from transforms.payload import API_PATH
from warehouse.folder import DataFolder

SEARCHES = f"{API_PATH}{SEARCH}"

_FLOOD = f"The request has more than {MOST_HEADERS} headers or {LARGEST_HEADERS} bytes of them."

log = logging.getLogger("packhouse.api")


def create_app(
    data: Path,
    *,
    zone: ZoneInfo,
    base_url: str | None,
    trusted_proxies: Sequence[Network] = (),
    is_shared: bool = False,
    metrics: Metrics | None = None,
    write_access: Callable[[str], None] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> ASGIApp:
    """Serve the current publication of a data folder, and each later one from at most a second after ``current`` moves.

    Times are printed in ``zone``; links begin with ``base_url``, or with the scheme and host of each request, which
    ``trusted_proxies`` may tell. With ``is_shared`` scripts of any web page may read it. Requests are counted in ``metrics``, and
    each is told to ``write_access`` in one line. The first publication is loaded
    here: raises NothingPublished when there is none that can be read.
    """
    folder = DataFolder(data)
    current = Current(folder.current, partial(load_snapshot, folder), zone=zone, monotonic=monotonic)
    app = wrap(current, base_url, trusted_proxies, is_shared=is_shared)
    return Observed(app, current, metrics or Metrics(), write_access)


def wrap(current: Current, base_url: str | None, trusted_proxies: Sequence[Network] = (), *, is_shared: bool = False) -> Answers:
    """Build the application over publications that are loaded already."""
    return _Application(current, base_url.rstrip("/") if base_url else None, trusted_proxies, is_shared=is_shared)


class _Application:
    """Answers each request from the publication that is current when it comes."""

    def __init__(self, current: Current, base: str | None, trusted_proxies: Sequence[Network], *, is_shared: bool) -> None:
        self._current = current
        self._base = base
        self._trusted_proxies = trusted_proxies
        self._is_shared = is_shared
        self._past = Past(current.zone)
        self._flooded = deliver(failure(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _FLOOD, is_resource=False), "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        bodies = await self._current.bodies()
        try:
            headers = scope["headers"]
            asked, wished = to_asked(scope, self._trusted_proxies)
            delivery = self._flooded if is_flood(headers) else await self._deliver(asked, wished, bodies, scope)
            if isinstance(delivery, Delivery):
                if has_already(delivery, wished.if_none_match):
                    delivery = not_modified(delivery)
                if has_body(headers):
                    delivery = closing(delivery)
        except Exception:
            log.exception("cannot answer %s %r", scope["method"], scope["raw_path"])
            delivery = deliver(failure(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error.", is_resource=False), scope["method"])
        if isinstance(delivery, Delivery):
            await send(delivery.start)
            await send(delivery.body)
        else:
            await delivery(scope, receive, close_after(send) if has_body(headers) else send)

    def at_once(self, call: Call, send: Callable[[int, bytes], None]) -> Told | None:
        """Answer a call that was answered before, in the same words and from the same publication."""
        bodies = self._current.at_hand()
        found = None if bodies is None else repeat_key(call, self._trusted_proxies)
        if bodies is None or found is None:
            return None
        key, if_none_match = found
        repeat: Repeat | None = bodies.repeats.get(key)
        given = None if repeat is None else repeat.give(if_none_match)
        if given is None:
            return None
        told, written = given
        send(told.status, written)
        return told

    async def _deliver(self, asked: Asked, wished: Wished, bodies: Bodies, scope: Scope) -> Delivery | ASGIApp:
        base_url = link_base(asked, self._base)
        if asked.path.startswith(BULK):
            return await find_bulk(asked, bodies, base_url, **wished._asdict(), is_shared=self._is_shared)
        encoding = choose_encoding(wished.accept_encoding)
        reply = describe(asked, base_url) or await answer_past(asked, bodies, self._past, self._base)
        if reply is not None:
            return encode(deliver(reply, asked.method, is_shared=self._is_shared), encoding)
        reply = health(asked.path, asked.method, bodies.snapshot, self._current.complaint)
        if reply is not None:
            return deliver(reply, "")
        if asked.path.startswith(SEARCHES) and not bodies.snapshot.index.is_ready:
            await asyncio.to_thread(bodies.snapshot.index.wait)
        delivery = encode(deliver(answer(asked, bodies, self._base), asked.method, is_shared=self._is_shared), encoding)
        if asked.method == "GET":
            self._keep(delivery, asked.path, bodies, scope)
        return delivery

    def _keep(self, delivery: Delivery, path: str, bodies: Bodies, scope: Scope) -> None:
        """Keep an answer for ``at_once``."""
        repeat = to_repeat(delivery, path)
        found = None if repeat is None else repeat_key(to_call(scope), self._trusted_proxies)
        if repeat is not None and found is not None:
            bodies.repeats.keep(found[0], repeat, len(repeat.whole) + len(repeat.unchanged))


class Wished(NamedTuple):
    """How an asker would have its answer sent, as headers say."""

    if_none_match: bytes | None
    accept_encoding: bytes | None


def to_asked(scope: Scope, trusted_proxies: Sequence[Network] = ()) -> tuple[Asked, Wished]:
    """Take from a request what an answer depends on, and how it should be sent.

    Without a Host header (HTTP/1.0) the socket's address stands for it.
    """
    host: str | None = None
    accept = if_none_match = accept_encoding = None
    for name, value in scope["headers"]:
        if name == b"host":
            host = value.decode("latin-1") if host is None else ""  # two of them name no host
        elif name == b"accept":
            accept = value.decode("latin-1") if accept is None else f"{accept},{value.decode('latin-1')}"
        elif name == b"if-none-match":
            if_none_match = value if if_none_match is None else if_none_match + b"," + value
        elif name == b"accept-encoding":
            accept_encoding = value if accept_encoding is None else accept_encoding + b"," + value
    scheme = scope["scheme"]
    if host is None:
        host = _own_host(scope) if scope["http_version"] == "1.0" else ""
    if trusted_proxies and is_trusted((scope.get("client") or (None,))[0], trusted_proxies):
        scheme, host = forwarded_origin(scope["headers"], scheme, host)
    asked = Asked(
        method=scope["method"],
        scheme=scheme,
        host=host,
        path=decode_path(scope["raw_path"]),
        query=scope["query_string"].decode("latin-1"),
        accept=ANYTHING if accept is None else accept,
    )
    return asked, Wished(if_none_match, accept_encoding)


def decode_path(raw: bytes) -> str:
    """Undo percent-encoding; bytes that are no UTF-8 stay encoded, as Django leaves them."""
    decoded = unquote_to_bytes(raw) if b"%" in raw else raw
    return decoded.decode("utf-8", _STAY_ENCODED)


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
