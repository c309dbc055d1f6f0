"""The application behind a real socket, and raw questions to it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from api.app import wrap
from api.current import Current
from api.server import _listen, configure
from api.snapshot import take_snapshot
from tests.api.sample_rows import NEW_YORK, Rows


def app_over(rows: Rows, folder: Path, base_url: str | None = None, **manner: Any) -> ASGIApp:
    """Make the application over a publication that is only rows."""
    pointer = folder / "current"
    pointer.symlink_to("published/first")
    return wrap(Current(pointer, lambda: take_snapshot(rows), zone=NEW_YORK, monotonic=time.monotonic), base_url, **manner)


@contextmanager
def running(app: ASGIApp) -> Iterator[int]:
    """Serve ``app`` on loopback as `packhouse serve` does; yields the port."""
    server = uvicorn.Server(configure(app))
    with _listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def ask(port: int, method: str, target: str, *, host: str = "djangopackages.org") -> tuple[int, list[tuple[str, str]], bytes]:
    """Ask once; returns status, headers in order with names in lower case (without Date and ETag), body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host)
        connection.endheaders()
        answer = connection.getresponse()
        headers = [(name.lower(), value) for name, value in answer.getheaders() if name.lower() not in ("date", "etag")]
        return answer.status, headers, answer.read()
    finally:
        connection.close()


def send(port: int, request: bytes) -> bytes:
    """Send raw bytes and read until the server closes or resets; returns everything it said."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection, suppress(OSError):
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        while chunk := connection.recv(65536):
            said += chunk
    return said
