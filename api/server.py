"""The API as a process, or several: one socket, one event loop in each, a clean end on Ctrl-C and SIGTERM."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from zoneinfo import ZoneInfo

import uvicorn
from starlette.types import ASGIApp

from api.app import create_app
from api.connections import HurriedProtocol
from api.metrics import Metrics
from api.proxies import Network
from api.workers import serve_together
from transforms.payload import API_PATH
from warehouse.folder import DataFolder
from warehouse.readers import open_current

LINGER = 5  # seconds an open request may take after the signal to end


class CannotServe(Exception):
    """The address cannot be listened at; the message says why and what to do."""


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What is served and how, as a value that other processes can be given; ``create_app`` says what each means."""

    data: Path
    zone: ZoneInfo
    base_url: str | None = None
    trusted_proxies: Sequence[Network] = ()
    is_shared: bool = False
    has_access_log: bool = False

    def app(self, metrics: Metrics) -> ASGIApp:
        """Load the current publication; raises what keeps it from being read."""
        return create_app(
            self.data,
            zone=self.zone,
            base_url=self.base_url,
            trusted_proxies=self.trusted_proxies,
            is_shared=self.is_shared,
            metrics=metrics,
            write_access=_to_stderr if self.has_access_log else None,
        )


def serve(served: Served, *, host: str, port: int, workers: int = 1, announce: Callable[[str], None] = _to_stderr) -> None:
    """Serve the current publication until SIGINT or SIGTERM, then finish open requests and return.

    Port 0 takes a free one; ``announce`` is told the address once requests can come. With several ``workers`` as many processes share
    the port. Raises CannotServe when the address cannot be had, and before that NothingPublished or whatever else keeps the publication
    from being read.
    """
    app = None
    if workers == 1:
        app = served.app(Metrics())
    else:
        open_current(DataFolder(served.data)).close()  # each worker loads it; a folder without one is told here
    with _listen(host, port) as listener:
        where = f"serving {served.data} at {_address(listener)}"
        if app is not None:
            _run(app, listener, lambda: announce(f"{where} (Ctrl-C ends)"))
        else:
            announce(f"{where} with {workers} workers (Ctrl-C ends)")
            serve_together(partial(work, served), listener, workers)


def work(served: Served, listener: socket.socket, metrics: Metrics) -> None:
    """Be one of several workers."""
    _run(served.app(metrics), listener, lambda: None)


def _run(app: ASGIApp, listener: socket.socket, announce: Callable[[], None]) -> None:
    server = uvicorn.Server(configure(app))
    with _signals_end(server):
        announce()
        server.run(sockets=[listener])


def configure(app: ASGIApp) -> uvicorn.Config:
    """Tell uvicorn how to serve the application: HTTP/1.1 in a hurry on uvloop, no access log, no Server header."""
    return uvicorn.Config(
        app,
        http=HurriedProtocol,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",  # a line for every request that is no HTTP would be written by whoever sends them
        access_log=False,
        server_header=False,
        proxy_headers=False,  # api.proxies decides whom to believe
        timeout_graceful_shutdown=LINGER,
    )


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port < 2**16:
        raise CannotServe(f"cannot listen at {host} port {port}: ports run from 0 to 65535; choose another with --port")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CannotServe(f"cannot listen at {host} port {port}: {reason}; choose another with --host and --port") from error
    # asyncio sends without delay (TCP_NODELAY) only on sockets that name their protocol; otherwise each answer on a kept
    # connection waits 40 ms for the caller's delayed acknowledgement of its head.
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=listener.detach())


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{API_PATH}"


@contextmanager
def _signals_end(server: uvicorn.Server) -> Iterator[None]:
    """End the server on a signal, also before uvicorn listens to signals and when it repeats one after a clean end."""

    def end(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    former = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
