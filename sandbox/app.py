"""The sandbox as an ASGI application: GitHub below ``/github``, PyPI below ``/pypi``, its own ledger below ``/sandbox``."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from sandbox import shapes
from sandbox.faults import Fault, Faults, Mishap
from sandbox.github import GitHub
from sandbox.ledger import KEPT_HEADERS, Ledger, Line, as_row
from sandbox.pypi import PyPI
from sandbox.quota import Limits, Quotas, fingerprint
from sandbox.reply import JSON, Asked, Reply
from sandbox.world import World

SMALLEST_COMPRESSED = 1024
CHUNK = 1 << 20
HTML_PAGE = b"<!DOCTYPE html>\n<html><head><title>Unicorn!</title></head><body><p>This page is taking too long to load.</p></body></html>\n"


def system_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def create_app(
    world: World,
    *,
    faults: Faults | None = None,
    limits: Limits | None = None,
    ledger: Ledger | None = None,
    clock: Callable[[], datetime] = system_clock,
    drop: Callable[[Scope], None] | None = None,
) -> Starlette:
    """The application over one world.

    Args:
        world: what it tells of.
        faults: what goes wrong; nothing by default.
        limits: GitHub's quotas.
        ledger: where requests are written down.
        clock: dates the quota windows; give the caller's clock when that is not the system's.
        drop: ends the connection of a request at once; the server provides it.
    """
    faults = Faults() if faults is None else faults
    ledger = Ledger() if ledger is None else ledger
    github = GitHub(world, Quotas(limits or Limits()), clock)
    began = time.monotonic()
    doors = [Door(service, github, PyPI(world), faults, ledger, began, drop) for service in ("github", "pypi")]

    async def show_ledger(request: Request) -> Response:
        since = int(request.query_params.get("since", "0"))
        return JSONResponse([as_row(line) for line in ledger.lines(since=since)])

    async def show_summary(_request: Request) -> Response:
        return JSONResponse(ledger.summary())

    return Starlette(
        routes=[
            *(Mount(f"/{door.service}", app=door) for door in doors),
            Route("/sandbox/ledger", show_ledger),
            Route("/sandbox/summary", show_summary),
        ]
    )


class Door:
    """Where requests to one service come in: counts, delays, spoils, answers and writes them down."""

    def __init__(  # noqa: PLR0913 - the parts of one request's way, wired once
        self, service: str, github: GitHub, pypi: PyPI, faults: Faults, ledger: Ledger, began: float, drop: Callable[[Scope], None] | None
    ) -> None:
        self.service = service
        self._github = github
        self._answer = github.answer if service == "github" else pypi.answer
        self._faults = faults
        self._ledger = ledger
        self._began = began
        self._drop = drop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        if scope["type"] != "http":
            return
        at = time.monotonic() - self._began
        asked = _asked(scope, self.service)
        target = f"{asked.path}?{asked.query_text}" if asked.query_text else asked.path
        quotas = self._github.quotas
        quotas.in_flight += self.service == "github"
        try:
            fault = self._faults.meet(f"/{self.service}{target}")
            delay = self._faults.delay_seconds()
            if delay:
                await asyncio.sleep(delay)
            reply = self._spoiled(asked, fault) if fault else self._answer(asked)
            is_dropped = fault is not None and fault.mishap is Mishap.DROPPED
            self._ledger.add(_line(at, self.service, target, asked, reply, fault))
            if is_dropped:
                await self._hang_up(scope)
            elif fault and fault.mishap in (Mishap.CUT_OFF, Mishap.SLOW, Mishap.HUGE, Mishap.BOMB):
                await self._send_badly(scope, send, reply, fault)
            else:
                await _send(send, reply, asked)
        finally:
            quotas.in_flight -= self.service == "github"

    def _spoiled(self, asked: Asked, fault: Fault) -> Reply:
        """The answer after its mishap; those that concern the sending only are left whole."""
        match fault.mishap:
            case Mishap.SECONDARY:
                return self._github.limited(asked, retry_after=fault.retry_after)
            case Mishap.STATUS:
                return _error(fault)
            case Mishap.HTML:
                return Reply(status=200, headers=(("content-type", "text/html; charset=utf-8"),), body=HTML_PAGE)
            case Mishap.DROPPED:
                return Reply(status=0)
            case Mishap.HUGE | Mishap.BOMB:
                return Reply(status=200, headers=(("content-type", JSON),))
            case Mishap.TRUNCATED:
                whole = self._answer(asked)
                return Reply(status=whole.status, headers=whole.headers, body=whole.body[: len(whole.body) // 2])
            case Mishap.CUT_OFF | Mishap.SLOW:
                return self._answer(asked)

    async def _hang_up(self, scope: Scope) -> None:
        if self._drop is None:
            message = "this server cannot drop connections: start it with sandbox.server"
            raise RuntimeError(message)
        self._drop(scope)
        await asyncio.sleep(0)

    async def _send_badly(self, scope: Scope, send: Send, reply: Reply, fault: Fault) -> None:
        """Send the head, then the body as the fault has it."""
        headers = list(reply.headers)
        if fault.mishap in (Mishap.CUT_OFF, Mishap.SLOW):
            headers.append(("content-length", str(len(reply.body))))
        if fault.mishap is Mishap.BOMB:
            headers.append(("content-encoding", "gzip"))
        await send({"type": "http.response.start", "status": reply.status, "headers": _encoded(headers)})
        if fault.mishap is Mishap.CUT_OFF:
            await send({"type": "http.response.body", "body": reply.body[: len(reply.body) // 2], "more_body": True})
            await asyncio.sleep(0.02)
            await self._hang_up(scope)
        elif fault.mishap is Mishap.SLOW:
            await _trickle(send, reply.body, fault.seconds)
        elif fault.mishap is Mishap.HUGE:
            for _ in range(max(fault.size // CHUNK, 1)):
                await send({"type": "http.response.body", "body": b" " * CHUNK, "more_body": True})
            await send({"type": "http.response.body", "body": b"{}"})
        else:
            await send({"type": "http.response.body", "body": _bomb(fault.size)})


def _asked(scope: Scope, service: str) -> Asked:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    query_text = scope["query_string"].decode("latin-1")
    raw = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    return Asked(
        method=scope["method"],
        path=raw[len(service) + 1 :],
        query=dict(reversed(parse_qsl(query_text, keep_blank_values=True))) if query_text else {},
        query_text=query_text,
        headers=headers,
        base_url=f"{scope['scheme']}://{headers.get('host', 'sandbox')}/{service}",
    )


def _line(at: float, service: str, target: str, asked: Asked, reply: Reply, fault: Fault | None) -> Line:
    _, _, token = asked.headers.get("authorization", "").partition(" ")
    return Line(
        at=at,
        service=service,
        method=asked.method,
        path=target,
        identity=fingerprint(token.strip()),
        headers={name: asked.headers[name] for name in KEPT_HEADERS if name in asked.headers},
        status=reply.status,
        mishap=fault.mishap.value if fault else "",
        bytes_count=len(reply.body),
    )


def _error(fault: Fault) -> Reply:
    headers = [("retry-after", str(fault.retry_after))] if fault.retry_after is not None else []
    if fault.is_json:
        body = JSONResponse(shapes.problem("Server Error", shapes.DOCS, fault.status)).body
        return Reply(status=fault.status, headers=(("content-type", JSON), *headers), body=bytes(body))
    return Reply(status=fault.status, headers=(("content-type", "text/html; charset=utf-8"), *headers), body=HTML_PAGE)


async def _send(send: Send, reply: Reply, asked: Asked) -> None:
    """Send a whole reply, compressed for those who accept it, without a body for HEAD and for statuses that have none."""
    body, headers = reply.body, list(reply.headers)
    if len(body) >= SMALLEST_COMPRESSED and "gzip" in asked.headers.get("accept-encoding", ""):
        body = _compressed(body)
        headers.append(("content-encoding", "gzip"))
    if reply.status not in (204, 304):
        headers.append(("content-length", str(len(body))))
    await send({"type": "http.response.start", "status": reply.status, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": b"" if asked.method == "HEAD" or reply.status in (204, 304) else body})


async def _trickle(send: Send, body: bytes, seconds: float) -> None:
    pieces = 20
    size = max(-(-len(body) // pieces), 1)
    for start in range(0, len(body), size):
        await asyncio.sleep(seconds / pieces)
        await send({"type": "http.response.body", "body": body[start : start + size], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _encoded(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


@lru_cache(maxsize=256)
def _compressed(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=1, mtime=0)


@lru_cache(maxsize=2)
def _bomb(size: int) -> bytes:
    return gzip.compress(b" " * size, mtime=0)
