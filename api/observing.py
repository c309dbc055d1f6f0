"""What is seen of each request from outside: how it was answered and how long that took, counted and, if wished, written as a line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.current import Current
from api.metrics import CONTENT_TYPE, METRICS, Metrics


class Observed:
    """An application whose requests are counted; it answers ``/metrics`` itself.

    ``write`` takes the line of each request; without it none is made. The address in it is as sent, with what does not print escaped.
    """

    def __init__(self, app: ASGIApp, current: Current, metrics: Metrics, write: Callable[[str], None] | None = None) -> None:
        self._app = app
        self._current = current
        self._metrics = metrics
        self._write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request be answered, then count it, also when that failed (status 0: nothing was sent)."""
        began = self._current.monotonic()
        status, size = 0, 0

        async def observed(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            if scope["path"] == METRICS and scope["method"] in ("GET", "HEAD"):
                await self._tell(observed)
            else:
                await self._app(scope, receive, observed)
        finally:
            seconds = self._current.monotonic() - began
            self._metrics.count(scope["path"], scope["method"], status, seconds)
            if self._write is not None:
                self._write(access_line(scope, status, size, seconds, datetime.now(UTC)))

    async def _tell(self, send: Send) -> None:
        bodies = await self._current.bodies()
        body = self._metrics.tell(bodies.snapshot, self._current.complaint).encode()
        headers = [(b"content-type", CONTENT_TYPE), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": int(HTTPStatus.OK), "headers": headers})
        await send({"type": "http.response.body", "body": body})


def access_line(scope: Scope, status: int, size: int, seconds: float, now: datetime) -> str:
    """Write one request: time, asker, method, address, status, bytes of the body, milliseconds."""
    query = scope["query_string"]
    target = ascii((scope["raw_path"] + (b"?" + query if query else b"")).decode("latin-1"))[1:-1]
    client = (scope.get("client") or ("-",))[0]
    at = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z"
    return f"{at} {client} {scope['method']} {target} {status} {size} B {seconds * 1000:.1f} ms"
