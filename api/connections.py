"""What a connection may cost: the head of a request is small and complete within some seconds, and a body ends the connection.

A request whose answer the application knows at once (``repeats.py``) is answered where its head was read, without a task.
Nothing here reads bodies. So no byte of one can ever be taken for the next request, whatever a proxy in front made of its length.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.repeats import AnswersAtOnce, Call

PATIENCE = 20.0  # seconds for the head of a request, counted from the connection or from the last answer
LARGEST_HEAD = 65_536  # bytes

_CLOSED = b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout" + _CLOSED
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large" + _CLOSED


class HurriedProtocol(HttpToolsProtocol):
    """uvicorn's fast HTTP/1.1, which alone would wait for ever for a head that has begun, and take one of any size."""

    patience = PATIENCE
    _deadline: asyncio.TimerHandle | None = None
    _since = 0.0  # when the wait for a head began, on the loop's clock
    _waited_for = 0  # bytes of a head that is not complete
    _has_read = False  # a whole head, or a part of a body, since bytes came last
    _is_ended = False  # the asker has sent all it will
    _swift: AnswersAtOnce | None = None
    _address: str | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if hasattr(self.app, "at_once"):
            self._swift = self.app

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Begin to wait."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else None
        self._since = self.loop.time()
        self._deadline = self.loop.call_later(self.patience, self._look)

    def data_received(self, data: bytes) -> None:
        """Refuse a head that grows too large, also one that is sent ahead while an answer is on its way."""
        self._has_read = False
        super().data_received(data)
        self._waited_for = 0 if self._has_read else self._waited_for + len(data)
        if self._waited_for > LARGEST_HEAD:
            self._refuse(_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Answer now what is known at once; for anything else begin a task."""
        self._has_read = True
        if not self._answer_at_once():
            self._unset_keepalive_if_required()  # an answer given at once in the same bytes has set it
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body, unless its request is answered already."""
        self._has_read = True
        if self.cycle is not None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Know that a request is whole, unless it is answered already."""
        if self.cycle is not None:
            super().on_message_complete()

    def _answer_at_once(self) -> bool:
        parser = self.parser
        if self._swift is None or not self._is_waiting() or self.flow.write_paused or self.transport.is_closing():
            return False
        if parser.get_method() != b"GET" or not parser.should_keep_alive() or parser.get_http_version() != "1.1":
            return False
        call = Call(self.url, self.headers, self.scheme or "http", self._address)
        if self._swift.at_once(call, self._send_at_once) is None:
            return False
        self.on_response_complete()
        return True

    def _send_at_once(self, status: int, written: bytes) -> None:
        dates = [b"%s: %s\r\n" % header for header in self.server_state.default_headers]
        self.transport.write(b"".join([STATUS_LINE[status], *dates, written]))

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn closes at once, before what was asked is answered
        """Answer what was asked before the asker closed its side; returns whether the connection must stay open for it."""
        self._is_ended = True
        return not self._is_waiting()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, if one can come."""
        super().on_response_complete()
        self._since = self.loop.time()
        if self._is_ended and self._is_waiting():
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting for good."""
        self._stop()
        super().connection_lost(exc)

    def _is_waiting(self) -> bool:
        return (self.cycle is None or self.cycle.response_complete) and not self.pipeline

    def _look(self) -> None:
        """See whether a head is late, and when to look again: a timer for each answer would cost more than the answer."""
        late = self._since + self.patience - self.loop.time()
        if self._is_waiting() and late <= 0:
            self._refuse(_TOO_SLOW)
        else:
            self._deadline = self.loop.call_later(late if late > 0 else self.patience, self._look)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, answer: bytes) -> None:
        self._stop()
        if not self._is_waiting():
            self.transport.abort()  # in the middle of another answer there is no place for this one
        elif not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()
