"""From a reply to what ASGI sends: the tag that lets an asker keep what it has, sharing with scripts, compression. Pure.

A tag is made of the bytes it stands for (RFC 9110, 8.8.3), so it outlives a publication that changed nothing in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from http import HTTPStatus

from starlette.types import Message, Send

from api.encodings import IDENTITY, pack
from api.replies import METHODS, Reply

TAG_BYTES = 12
SMALLEST_COMPRESSED = 1024  # bytes; below, a packet is a packet

_SHARED = ((b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", b"ETag"))
_PREFLIGHT = ((b"access-control-allow-methods", METHODS.encode()), (b"access-control-allow-headers", b"*"))
_KEPT_BY_304 = (b"vary", b"etag", b"access-control-allow-origin", b"access-control-expose-headers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An answer ready to be sent, head and body; ``tag`` is None for what is not worth keeping."""

    tag: bytes | None
    start: Message
    body: Message


def deliver(reply: Reply, method: str, *, is_shared: bool = False) -> Delivery:
    """Make a reply ready; answers of 200 to GET and HEAD get a tag, and with ``is_shared`` scripts of any page may read all."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    tag = None
    if reply.status == HTTPStatus.OK and method in ("GET", "HEAD"):
        tag = b'"%s"' % blake2b(reply.body, digest_size=TAG_BYTES).hexdigest().encode()
        headers.append((b"etag", tag))
    if is_shared:
        headers += _SHARED if method != "OPTIONS" else [*_SHARED, *_PREFLIGHT]
    start = {"type": "http.response.start", "status": int(reply.status), "headers": headers}
    return Delivery(tag=tag, start=start, body={"type": "http.response.body", "body": reply.body})


def not_modified(delivery: Delivery) -> Delivery:
    """Say that the asker has it already: 304, without a body."""
    headers = [header for header in delivery.start["headers"] if header[0] in _KEPT_BY_304]
    start = {"type": "http.response.start", "status": int(HTTPStatus.NOT_MODIFIED), "headers": headers}
    return Delivery(tag=delivery.tag, start=start, body={"type": "http.response.body", "body": b""})


def has_already(delivery: Delivery, if_none_match: bytes | None) -> bool:
    """Tell whether an If-None-Match header names this answer; weak tags count, as RFC 9110, 13.1.2 wants."""
    if if_none_match is None or delivery.tag is None:
        return False
    tags = [tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")]
    return delivery.tag in tags or b"*" in tags


def encode(delivery: Delivery, encoding: str | None) -> Delivery:
    """Give an answer that is long enough the encoding its asker chose; compressed, its tag is a weak one, since the bytes are others.

    ``Vary`` says so to everyone who sends an Accept-Encoding, also when that asks for the answer as it is.
    """
    body: bytes = delivery.body["body"]
    if encoding is None or len(body) < SMALLEST_COMPRESSED:
        return delivery
    changed, added = {b"vary": b"Accept, Accept-Encoding"}, []
    if encoding != IDENTITY:
        body = pack(encoding, body)
        changed[b"content-length"] = str(len(body)).encode()
        added.append((b"content-encoding", encoding.encode()))
        if delivery.tag is not None:
            changed[b"etag"] = b"W/" + delivery.tag
    headers = [(name, changed.get(name, value)) for name, value in delivery.start["headers"]]
    return Delivery(tag=delivery.tag, start={**delivery.start, "headers": [*headers, *added]}, body={**delivery.body, "body": body})


def closing(delivery: Delivery) -> Delivery:
    """Make it the last answer on its connection."""
    start = {**delivery.start, "headers": [*delivery.start["headers"], (b"connection", b"close")]}
    return Delivery(tag=delivery.tag, start=start, body=delivery.body)


def close_after(send: Send) -> Send:
    """Make what is sent the last answer on its connection, for answers that are sent piece by piece."""

    async def send_closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await send(message)

    return send_closing
