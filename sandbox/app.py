"""The sandbox as an ASGI application: GitHub below ``/github``, PyPI below ``/pypi``, its own ledger below ``/sandbox``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from sandbox.clock import RunningClock
from sandbox.control import day_route, ledger_routes
from sandbox.faults import IN_QUERY, IN_TELLING, Fault, Faults, Mishap
from sandbox.github import GitHub, token_of
from sandbox.graphql import Spoil
from sandbox.index import Index
from sandbox.ledger import KEPT_HEADERS, Ledger, Line
from sandbox.pypi import PyPI
from sandbox.quota import GRAPHQL, Limits, Quotas, fingerprint
from sandbox.reply import Asked, Reply
from sandbox.retelling import retold, unconditional
from sandbox.sending import IN_SENDING, send_badly, send_whole, spoiled
from sandbox.validators import http_date
from sandbox.world import World


def system_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def create_app(
    world: World,
    *,
    faults: Faults | None = None,
    limits: Limits | None = None,
    ledger: Ledger | None = None,
    index: Index | None = None,
    clock: Callable[[], datetime] = system_clock,
    drop: Callable[[Scope], None] | None = None,
) -> Starlette:
    """The application over one world.

    Args:
        world: what it tells of.
        faults: what goes wrong; nothing by default.
        limits: GitHub's quotas.
        ledger: where requests are written down.
        index: how PyPI is handed on; faithfully by default.
        clock: dates the quota windows and every answer; give the caller's clock when that is not the system's. With a
            ``RunningClock``, the ledger's times are its own, and a day may be let pass.
        drop: ends the connection of a request at once; the server provides it.
    """
    faults = Faults() if faults is None else faults
    ledger = Ledger() if ledger is None else ledger
    github = GitHub(world, Quotas(limits or Limits()), clock)
    pypi = PyPI(world, index)
    elapsed = clock.elapsed if isinstance(clock, RunningClock) else _since_now()
    doors = [
        Door(service=service, answer=answer, github=github, faults=faults, ledger=ledger, elapsed=elapsed, drop=drop)
        for service, answer in (("github", github.answer), ("pypi", pypi.answer))
    ]
    routes = [*ledger_routes(ledger), day_route(world, clock)]
    return Starlette(routes=[*(Mount(f"/{door.service}", app=door) for door in doors), *routes])


def _since_now() -> Callable[[], float]:
    began = time.monotonic()
    return lambda: time.monotonic() - began


@dataclass(slots=True, kw_only=True)
class Door:
    """Where requests to one service come in: counted, held, answered or spoiled, written down and sent."""

    service: str
    answer: Callable[[Asked], Reply]
    github: GitHub
    faults: Faults
    ledger: Ledger
    elapsed: Callable[[], float]
    drop: Callable[[Scope], None] | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        at = self.elapsed()
        asked = _asked(scope, self.service, await _body(receive) if scope["method"] == "POST" else b"")
        fault = self.faults.meet(f"/{self.service}{_target(asked)}")
        quotas = self.github.quotas
        quotas.in_flight += self.service == "github"
        try:
            if delay := self.faults.delay_seconds():
                await asyncio.sleep(delay)
            reply = self._reply(asked, fault)
            if self.faults.repository_ms and reply.repositories_count:
                await asyncio.sleep(self.faults.repository_ms * reply.repositories_count / 1000)
            self._write_down(at, asked, reply, fault)
            reply = replace(reply, headers=(*reply.headers, ("date", http_date(self.github.clock()))))
            if fault and fault.mishap is Mishap.DROPPED:
                await self._hang_up(scope)
            elif fault and fault.mishap in IN_SENDING:
                await send_badly(send, reply, fault, lambda: self._hang_up(scope))
            else:
                await send_whole(send, reply, asked)
        finally:
            quotas.in_flight -= self.service == "github"

    def _reply(self, asked: Asked, fault: Fault | None) -> Reply:
        if fault is None:
            return self.answer(asked)
        if fault.mishap in IN_QUERY:
            return self.github.answer(asked, Spoil(fault.mishap, lambda count: self.faults.chosen(count, fault.share)))
        if fault.mishap is Mishap.SECONDARY:
            return self.github.limited(asked, retry_after=fault.retry_after)
        if fault.mishap in IN_TELLING:
            return retold(fault, self.answer(unconditional(asked)))
        needs_whole = fault.mishap in (Mishap.TRUNCATED, Mishap.CUT_OFF, Mishap.SLOW)
        return spoiled(fault, self.answer(asked) if needs_whole else Reply(status=0))

    def _write_down(self, at: float, asked: Asked, reply: Reply, fault: Fault | None) -> None:
        token, seconds = token_of(asked), self.elapsed() - at
        if reply.meter == GRAPHQL and reply.units:
            self.github.quotas.spend(token, self.github.clock(), seconds)
        self.ledger.add(
            Line(
                at=at,
                seconds=seconds,
                service=self.service,
                method=asked.method,
                path=_target(asked),
                identity=fingerprint(token),
                headers={name: asked.headers[name] for name in KEPT_HEADERS if name in asked.headers},
                asked_bytes_count=len(asked.body),
                status=reply.status,
                meter=reply.meter,
                units=reply.units,
                mishap=fault.mishap.value if fault else "",
                bytes_count=len(reply.body),
            )
        )

    async def _hang_up(self, scope: Scope) -> None:
        if self.drop is None:
            message = "this server cannot drop connections: start it with sandbox.running"
            raise RuntimeError(message)
        self.drop(scope)
        await asyncio.sleep(0)


async def _body(receive: Receive) -> bytes:
    pieces = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)


def _asked(scope: Scope, service: str, body: bytes) -> Asked:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    query_text = scope["query_string"].decode("latin-1")
    raw = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    return Asked(
        method=scope["method"],
        path=raw[len(service) + 1 :],
        query=dict(parse_qsl(query_text, keep_blank_values=True)) if query_text else {},
        query_text=query_text,
        headers=headers,
        base_url=f"{scope['scheme']}://{headers.get('host', 'sandbox')}/{service}",
        body=body,
    )


def _target(asked: Asked) -> str:
    return f"{asked.path}?{asked.query_text}" if asked.query_text else asked.path
