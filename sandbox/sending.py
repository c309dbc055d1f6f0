"""How a reply goes out: whole and compressed, or badly, as a fault has it."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import lru_cache

import orjson
from starlette.types import Send

from sandbox import shapes
from sandbox.faults import Fault, Mishap
from sandbox.reply import JSON, Asked, Draft, Reply

SMALLEST_COMPRESSED = 1024
CHUNK = 1 << 20
PIECES = 20
HTML = "text/html; charset=utf-8"
HTML_PAGE = b"<!DOCTYPE html>\n<html><head><title>Unicorn!</title></head><body><p>This page is taking too long to load.</p></body></html>\n"
BODILESS = (204, 304)
# Mishaps of the sending; the others change the reply itself.
IN_SENDING = (Mishap.CUT_OFF, Mishap.SLOW, Mishap.HUGE, Mishap.BOMB)


def spoiled(fault: Fault, whole: Reply) -> Reply:
    """The reply a fault puts in the place of the whole one; a mishap of the sending keeps what it needs of it."""
    return replace(_spoiled(fault, whole), meter=whole.meter, units=whole.units)


def _spoiled(fault: Fault, whole: Reply) -> Reply:
    match fault.mishap:
        case Mishap.STATUS:
            return _error(fault)
        case Mishap.HTML:
            return Reply(status=200, headers=(("content-type", HTML),), body=HTML_PAGE)
        case Mishap.FORGED:
            return _forged(fault)
        case Mishap.HUGE | Mishap.BOMB | Mishap.DROPPED:  # of the last nobody gets to see anything
            return Reply(status=0 if fault.mishap is Mishap.DROPPED else 200, headers=(("content-type", JSON),))
        case Mishap.TRUNCATED:
            return Reply(status=whole.status, headers=whole.headers, body=whole.body[: len(whole.body) // 2])
        case _:
            return whole


def gateway_error(status: int) -> Draft:
    """The page GitHub's front sends when what is behind it took too long."""
    return Draft(status=status, body=HTML_PAGE, headers={"content-type": HTML})


def _forged(fault: Fault) -> Reply:
    location = (("location", fault.location),) if fault.location is not None else ()
    return Reply(status=fault.status, headers=(("content-type", JSON), *location), body=fault.body)


def _error(fault: Fault) -> Reply:
    headers = [("retry-after", str(fault.retry_after))] if fault.retry_after is not None else []
    if fault.is_json:
        body = orjson.dumps(shapes.problem("Server Error", shapes.DOCS, fault.status))
        return Reply(status=fault.status, headers=(("content-type", JSON), *headers), body=body)
    return Reply(status=fault.status, headers=(("content-type", HTML), *headers), body=HTML_PAGE)


async def send_whole(send: Send, reply: Reply, asked: Asked) -> None:
    """Send it, compressed for those who accept that, without a body for HEAD and for statuses that have none."""
    body, headers = reply.body, list(reply.headers)
    if len(body) >= SMALLEST_COMPRESSED and "gzip" in asked.headers.get("accept-encoding", ""):
        body = _compressed(body)
        headers.append(("content-encoding", "gzip"))
    if reply.status not in BODILESS:
        headers.append(("content-length", str(len(body))))
    await _start(send, reply.status, headers)
    await send({"type": "http.response.body", "body": b"" if asked.method == "HEAD" or reply.status in BODILESS else body})


async def send_badly(send: Send, reply: Reply, fault: Fault, hang_up: Callable[[], Awaitable[None]]) -> None:
    """Send the head, then the body as the fault has it; the fault is one of ``IN_SENDING``."""
    headers = list(reply.headers)
    if fault.mishap in (Mishap.CUT_OFF, Mishap.SLOW):
        headers.append(("content-length", str(len(reply.body))))
    if fault.mishap is Mishap.BOMB:
        headers.append(("content-encoding", "gzip"))
    await _start(send, reply.status, headers)
    if fault.mishap is Mishap.CUT_OFF:
        await send({"type": "http.response.body", "body": reply.body[: len(reply.body) // 2], "more_body": True})
        await asyncio.sleep(0.02)  # let the half go out before the end
        await hang_up()
    elif fault.mishap is Mishap.SLOW:
        await _trickle(send, reply.body, fault.seconds)
    elif fault.mishap is Mishap.HUGE:
        for _ in range(max(fault.size // CHUNK, 1)):
            await send({"type": "http.response.body", "body": b" " * CHUNK, "more_body": True})
        await send({"type": "http.response.body", "body": b"{}"})
    else:
        await send({"type": "http.response.body", "body": _bomb(fault.size)})


async def _start(send: Send, status: int, headers: list[tuple[str, str]]) -> None:
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


async def _trickle(send: Send, body: bytes, seconds: float) -> None:
    size = max(-(-len(body) // PIECES), 1)
    for start in range(0, len(body), size):
        await asyncio.sleep(seconds / PIECES)
        await send({"type": "http.response.body", "body": body[start : start + size], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@lru_cache(maxsize=256)
def _compressed(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=1, mtime=0)


@lru_cache(maxsize=2)
def _bomb(size: int) -> bytes:
    return gzip.compress(b" " * size, mtime=0)
