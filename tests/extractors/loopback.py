"""A tiny real HTTP/1.1 server on 127.0.0.1 whose answers a test writes, and a clock that passes only when slept on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

START = datetime(2026, 11, 24, 13, 23, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request as it arrived."""

    target: str
    headers: Mapping[str, str]
    method: str = "GET"
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer; ``wire`` replaces it by raw bytes, after which the connection is closed."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    wire: bytes | None = None

    def encode(self) -> bytes:
        """Write it as HTTP/1.1."""
        if self.wire is not None:
            return self.wire
        headers = {"content-length": str(len(self.body)), **self.headers} if self.status not in (204, 304) else self.headers
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {self.status} X\r\n{lines}\r\n".encode() + self.body


Handler = Callable[[Request], Awaitable[Reply]]


class Loopback:
    """Serves ``handler`` while entered; ``requests`` lists what arrived, ``most_at_once`` the most connections open at a time."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.requests: list[Request] = []
        self.connections = 0
        self.open_connections = 0
        self.most_at_once = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open_connections += 1
        self.most_at_once = max(self.most_at_once, self.open_connections)
        try:
            while request := await _read(reader):
                self.requests.append(request)
                reply = await self.handler(request)
                writer.write(reply.encode())
                await writer.drain()
                if reply.wire is not None:
                    break
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.open_connections -= 1
            self._tasks.discard(task)
            writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, target, _ = first.split(" ")
    return Request(target=target, headers=headers, method=method, body=body)


def answering(*replies: Reply) -> Handler:
    """Answer with each reply once, then with the last one for ever."""
    left = list(replies)

    async def handler(_: Request) -> Reply:
        return left.pop(0) if len(left) > 1 else left[0]

    return handler


class VirtualClock:
    """Time passes only while somebody sleeps, and then at once; sleepers side by side sleep at the same time."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        """Return the start plus what was slept."""
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Return what was slept."""
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        until = self.seconds + seconds
        await asyncio.sleep(0)
        self.seconds = max(self.seconds, until)
