"""The sandbox as a running server on loopback: inside this process for tests and the demo, or as its own for benchmarks."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import uvicorn
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox.app import create_app, system_clock
from sandbox.clock import Dial, RunningClock
from sandbox.faults import Faults
from sandbox.index import Index
from sandbox.ledger import Ledger
from sandbox.quota import Limits
from sandbox.world import World

START_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A running sandbox and everything a test may read or turn while it runs."""

    base_url: str
    github_url: str
    pypi_url: str
    world: World
    ledger: Ledger
    faults: Faults
    limits: Limits
    index: Index
    clock: Dial | RunningClock


@contextmanager
def running(
    world: World,
    *,
    faults: Faults | None = None,
    limits: Limits | None = None,
    index: Index | None = None,
    clock: Callable[[], datetime] = system_clock,
    port: int = 0,
) -> Iterator[Running]:
    """Serve the world from a thread of this process until the block ends; raises RuntimeError when it does not start."""
    faults = Faults() if faults is None else faults
    limits = Limits() if limits is None else limits
    index = Index() if index is None else index
    ledger = Ledger()
    shown = clock if isinstance(clock, RunningClock) else Dial(clock)
    listener = listen(port)
    server = build_server(world, faults=faults, limits=limits, index=index, ledger=ledger, clock=shown)
    thread = threading.Thread(target=server.serve_on, args=(listener,), name="sandbox", daemon=True)
    thread.start()
    try:
        if not server.is_settled.wait(START_SECONDS) or not server.started:
            message = "the sandbox did not start"
            raise RuntimeError(message)
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield Running(
            base_url=base_url,
            github_url=f"{base_url}/github",
            pypi_url=f"{base_url}/pypi",
            world=world,
            ledger=ledger,
            faults=faults,
            limits=limits,
            index=index,
            clock=shown,
        )
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(START_SECONDS)
        listener.close()


def listen(port: int) -> socket.socket:
    """A listening socket on loopback; port 0 takes a free one. Raises OSError when the port is taken.

    The protocol is named because asyncio sends without delay (TCP_NODELAY) only where it is: otherwise each answer whose
    head and body are written apart waits 40 ms for the caller's delayed acknowledgement.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener


class Server(uvicorn.Server):
    """uvicorn's server; ``is_settled`` is set once it accepts connections, or has failed to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_settled = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does, and say so."""
        await super().startup(sockets)
        self.is_settled.set()

    def serve_on(self, listener: socket.socket) -> None:
        """Serve until told to exit."""
        try:
            asyncio.run(self.serve(sockets=[listener]))
        finally:
            self.is_settled.set()


def build_server(
    world: World,
    *,
    faults: Faults,
    limits: Limits,
    ledger: Ledger,
    index: Index | None = None,
    clock: Callable[[], datetime] = system_clock,
) -> Server:
    """A server that can also drop connections; it writes no log of its own."""
    transports: dict[tuple[str, int], asyncio.Transport] = {}

    class Protocol(H11Protocol):
        """uvicorn's own, remembering its transport so that a fault can end it."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn says so too
            super().connection_made(transport)
            if self.client:
                transports[self.client] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            transports.pop(self.client or ("", 0), None)
            super().connection_lost(exc)

    def drop(scope: Scope) -> None:
        transports[tuple(scope["client"])].abort()

    app = create_app(world, faults=faults, limits=limits, ledger=ledger, index=index, clock=clock, drop=drop)
    settings: dict[str, Any] = {"http": Protocol, "loop": "asyncio", "ws": "none", "lifespan": "off", "log_config": None}
    return Server(uvicorn.Config(app, access_log=False, server_header=False, date_header=False, timeout_keep_alive=60, **settings))
