"""What is seen of each request from outside: how it was answered and how long that took, counted and, if wished, written as a line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Protocol

from starlette.types import Message, Receive, Scope, Send

from api.current import Current
from api.delivery import close_after, deliver
from api.metrics import CONTENT_TYPE, METRICS, Metrics
from api.repeats import AnswersAtOnce, Call, Told, has_body, to_call
from api.replies import Reply, refuse_writing


class Answers(AnswersAtOnce, Protocol):
    """An application of ASGI that knows some answers at once."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""


class Observed:
    """An application whose requests are counted; it answers ``/metrics`` itself.

    ``write`` takes the line of each request; without it none is made. The address in it is as sent, with what does not print escaped.
    """

    def __init__(self, app: Answers, current: Current, metrics: Metrics, write: Callable[[str], None] | None = None) -> None:
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
            if scope["path"] == METRICS:
                await self._tell(scope["method"], close_after(observed) if has_body(scope["headers"]) else observed)
            else:
                await self._app(scope, receive, observed)
        finally:
            seconds = self._current.monotonic() - began
            self._metrics.count(scope["path"], scope["method"], status, seconds)
            if self._write is not None:
                self._write(access_line(to_call(scope), scope["method"], status, size, seconds, datetime.now(UTC)))

    def at_once(self, call: Call, send: Callable[[int, bytes], None]) -> Told | None:
        """Let one be answered whose answer is known, and count it."""
        began = self._current.monotonic()
        told = self._app.at_once(call, send)
        if told is not None:
            seconds = self._current.monotonic() - began
            self._metrics.count(told.path, "GET", told.status, seconds)
            if self._write is not None:
                self._write(access_line(call, "GET", told.status, told.size, seconds, datetime.now(UTC)))
        return told

    async def _tell(self, method: str, send: Send) -> None:
        reply = refuse_writing(method)
        if reply is None:
            bodies = await self._current.bodies()
            body = self._metrics.tell(bodies.snapshot, self._current.complaint).encode()
            reply = Reply(status=HTTPStatus.OK, headers=(("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(body)))), body=body)
        delivery = deliver(reply, "")
        await send(delivery.start)
        await send(delivery.body)


def access_line(call: Call, method: str, status: int, size: int, seconds: float, now: datetime) -> str:
    """Write one request: time, asker, method, address, status, bytes of the body, milliseconds."""
    target = ascii(call.target.decode("latin-1"))[1:-1]
    at = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z"
    return f"{at} {call.client or '-'} {method} {target} {status} {size} B {seconds * 1000:.1f} ms"
