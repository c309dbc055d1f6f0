"""What a connection may cost: the head of a request is small and complete within some seconds, and a body ends the connection.

Nothing here reads bodies. So no byte of one can ever be taken for the next request, whatever a proxy in front made of its length.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

PATIENCE = 20.0  # seconds for the head of a request, counted from the connection or from the last answer
LARGEST_HEAD = 65_536  # bytes

_CLOSED = b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout" + _CLOSED
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large" + _CLOSED


class HurriedProtocol(HttpToolsProtocol):
    """uvicorn's fast HTTP/1.1, which alone would wait for ever for a head that has begun, and take one of any size."""

    patience = PATIENCE
    _deadline: asyncio.TimerHandle | None = None
    _waited_for = 0  # bytes of a head that is not complete
    _is_ended = False  # the asker has sent all it will

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Begin to wait."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Stop waiting if the head is complete; refuse one that grows too large."""
        super().data_received(data)
        self._waited_for = self._waited_for + len(data) if self._is_waiting() else 0
        if self._waited_for > LARGEST_HEAD:
            self._refuse(_TOO_LARGE)
        self._watch()

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn closes at once, before what was asked is answered
        """Answer what was asked before the asker closed its side; returns whether the connection must stay open for it."""
        self._is_ended = True
        return not self._is_waiting()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, if one can come."""
        super().on_response_complete()
        if self._is_ended and self._is_waiting():
            self.transport.close()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting for good."""
        self._stop()
        super().connection_lost(exc)

    def _is_waiting(self) -> bool:
        return (self.cycle is None or self.cycle.response_complete) and not self.pipeline

    def _watch(self) -> None:
        if not self._is_waiting() or self.transport.is_closing():
            self._stop()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.patience, self._refuse, _TOO_SLOW)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, answer: bytes) -> None:
        self._stop()
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()
