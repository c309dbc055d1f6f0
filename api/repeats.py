"""Answers kept as bytes for questions that come again in the same words, as most questions to a catalog do.

Such a question is answered where its head was read (``connections.py``): no task, no routing, one write. All that an answer
depends on is in its key: the target as sent, where links lead, what the asker accepts. Whatever else could matter, a body or a second
Host for instance, has no key and goes the whole way. Pure but for what is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple, Protocol

from starlette.types import Scope

from api.delivery import Delivery, not_modified
from api.encodings import choose_encoding
from api.negotiation import ANYTHING
from api.proxies import Headers, Network, forwarded_origin, is_trusted

LONGEST_KEY = 1024  # bytes of what an asker chooses
LARGEST_KEPT = 262_144  # bytes of an answer
MOST_HEADERS = 100  # gunicorn's limit
LARGEST_HEADERS = 32_768  # bytes of all of them

Key = tuple[bytes, str, bytes, bytes, str | None]


class Call(NamedTuple):
    """The head of a GET over HTTP/1.1 on a connection that stays open; names of headers are in lower case."""

    target: bytes
    headers: Headers
    scheme: str
    client: str | None


class Told(NamedTuple):
    """What was sent: for which decoded path, with which status, how many bytes of body."""

    path: str
    status: int
    size: int


class AnswersAtOnce(Protocol):
    """An application that can answer some calls where their heads are read."""

    def at_once(self, call: Call, send: Callable[[int, bytes], None]) -> Told | None:
        """Give ``send`` status and all bytes after the Date header, body included; None, and nothing sent, for another call."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """An answer of 200 as it goes over the wire after its Date header, and the 304 in its place."""

    told: Told
    tag: bytes
    whole: bytes
    unchanged: bytes

    def give(self, if_none_match: bytes | None) -> tuple[Told, bytes] | None:
        """Give what to send; None when the whole way has to decide."""
        if if_none_match is None:
            return self.told, self.whole
        if if_none_match.removeprefix(b"W/") == self.tag:
            return Told(self.told.path, HTTPStatus.NOT_MODIFIED, 0), self.unchanged
        return None


def to_call(scope: Scope) -> Call:
    """Turn a request into what ``at_once`` is asked when it comes again."""
    query = scope["query_string"]
    target = scope["raw_path"] + b"?" + query if query else scope["raw_path"]
    return Call(target, scope["headers"], scope["scheme"], (scope.get("client") or (None,))[0])


def is_flood(headers: Headers) -> bool:
    """Tell whether a request has more headers than anyone needs."""
    return len(headers) > MOST_HEADERS or sum([len(name) + len(value) for name, value in headers]) > LARGEST_HEADERS


def has_body(headers: Headers) -> bool:
    """Tell whether a request announces a body."""
    return any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in headers)


def repeat_key(call: Call, trusted_proxies: Sequence[Network]) -> tuple[Key, bytes | None] | None:
    """Take from a call what its answer depends on, and its If-None-Match; None when it has to go the whole way."""
    told: dict[bytes, bytes] = {}
    size = 0
    for name, value in call.headers:
        size += len(name) + len(value)
        if name in _TELLING:
            if name in told or name in _FAR_REACHING:
                return None
            told[name] = value
    if b"host" not in told or len(call.headers) > MOST_HEADERS or size > LARGEST_HEADERS:
        return None
    scheme, host, accept = call.scheme, told[b"host"], told.get(b"accept", _ANYTHING)
    if trusted_proxies and is_trusted(call.client, trusted_proxies):
        scheme, named = forwarded_origin(call.headers, scheme, host.decode("latin-1"))
        host = named.encode("latin-1")
    if len(call.target) + len(host) + len(accept) > LONGEST_KEY:
        return None
    return (call.target, scheme, host, accept, choose_encoding(told.get(b"accept-encoding"))), told.get(b"if-none-match")


def to_repeat(delivery: Delivery, path: str) -> Repeat | None:
    """Write a delivery as bytes; None for one that is not worth keeping: no 200, without a tag, or too large."""
    body: bytes = delivery.body["body"]
    if delivery.tag is None or delivery.start["status"] != HTTPStatus.OK or len(body) > LARGEST_KEPT:
        return None
    told = Told(path, int(HTTPStatus.OK), len(body))
    return Repeat(told, delivery.tag, _head(delivery) + body, _head(not_modified(delivery)))


def _head(delivery: Delivery) -> bytes:
    return b"".join([b"%s: %s\r\n" % header for header in delivery.start["headers"]]) + b"\r\n"


_ANYTHING = ANYTHING.encode()
_FAR_REACHING = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})
_TELLING = _FAR_REACHING | {b"host", b"accept", b"accept-encoding", b"if-none-match"}
