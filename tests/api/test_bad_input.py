"""Bad input of every kind, in raw bytes to the real server: a 4xx or a closed connection, never a 5xx, never a trace, and it lives on."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import time
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.connections import LARGEST_HEAD, HurriedProtocol
from api.repeats import Told
from tests.api.running import app_over, ask, running, send
from tests.api.sample_rows import BASE, SAMPLE

GET = b"GET /api/v4/packages/1776/ HTTP/1.1\r\nHost: a\r\n"
SMUGGLED = b"GET /api/v4/grids/62/ HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """Serve the sample rows."""
    with running(app_over(SAMPLE, tmp_path_factory.mktemp("data"), BASE)) as number:
        yield number


@pytest.fixture(autouse=True)
def no_trace(caplog):
    """Nothing that was asked may leave a trace in the log."""
    with caplog.at_level(logging.WARNING):
        yield
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR], caplog.text


def statuses(said: bytes) -> list[int]:
    """Read the status of every answer in what a connection said."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/api/v4/packages/" + "9" * 30 + "/", 404),
        ("/api/v4/packages/" + "9" * 20_000 + "/", 404),
        ("/api/v4/categories/" + "9" * 5000 + "/", 404),
        ("/api/v4/packages/%00/", 404),
        ("/api/v4/packages/%C3%28/", 404),
        ("/api/v4/packages/%ED%A0%80/", 404),
        ("/api/v4/packages/%/", 404),
        ("/api/v4/packages/..%2F..%2Fetc%2Fpasswd/", 404),
        ("/api/v4/../../etc/passwd", 404),
        ("/api/v4/packages/%0D%0ASet-Cookie:x/", 404),
        ("/api/v4/packages/?" + "&" * 1001, 400),
        ("/api/v4/packages/?q=" + "x" * 60_000, 414),
        ("/api/v4/packages/?format=%00", 404),
        ("/api/v4/search/?q=%00%FF%22%27*()%20OR%20NEAR", 200),
        ("/api/v4/search/?q=" + "a%20" * 2000, 200),
        ("/api/v4/search/?q=title:%20-x%20%22", 200),
        ("/api/v4/packages/?limit=" + "9" * 8000, 200),
        ("http://a/api/v4/", 200),
        ("*", 404),
    ],
)
def test_odd_targets_are_answered(port, target, status):
    """A target in bytes that HTTP allows is answered by what it says, whatever that is."""
    said = send(port, b"GET " + target.encode("latin-1") + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert statuses(said) == [status]
    json.loads(said.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /api/v4/\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /api/v4/\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /api/v4/ x HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /api/v4/ HTTP/1.1\r\n\r\n",
        b"BREW /api/v4/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"get /api/v4/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /api/v4/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /api/v4/ HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET /api/v4/ HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
        b"GET /api/v4/ HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        b"GET /api/v4/?" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /api/v4/ HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(20_000)) + b"\r\n",
        b"GET /api/v4/ HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        GET + b"".join(b"X-%d: y\r\n" % number for number in range(101)) + b"\r\n",
        GET + b"X: " + b"y" * 33_000 + b"\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
        b"\r\n\r\n\r\nhello\r\n\r\n",
        b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        GET + b"Accept: " + b"a;b," * 5000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(port, request_bytes):
    """What HTTP does not allow is 4xx, or the connection is reset while more is still on its way."""
    said = send(port, request_bytes)
    assert all(400 <= status < 500 for status in statuses(said))
    assert statuses(said) or not said
    assert b"Traceback" not in said
    assert ask(port, "GET", "/api/v4/")[0] == 200


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n",
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"Content-Length: 3, 4\r\n\r\nabc",
        b"Content-Length: +3\r\n\r\nabc",
        b"Content-Length: 0x3\r\n\r\nabc",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: " + b"9" * 100 + b"\r\n\r\n",
        b"Content-Length: 3\r\n\r\nabc",
        b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        b" Folded: yes\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_no_body_becomes_a_request(port, framing, method):
    """Whatever a request says of its body, what follows it is never taken for another request."""
    said = send(port, GET.replace(b"GET", method) + framing + SMUGGLED)
    assert len(statuses(said)) <= 1, said
    assert all(status in (200, 400, 405) for status in statuses(said))
    assert b'"calendars"' not in said


@pytest.mark.parametrize(
    "accept",
    ["application/json; a*=; a*0=b", "text/html;indent*=;indent*0=indent", "application/json; a*0=1; a=2; a*=3", ";", ";;=", "a/b;*0*="],
)
def test_odd_media_ranges_match_nothing(port, accept):
    """Parameters in parts that no order can be given to are none of ours."""
    assert statuses(send(port, GET + b"Accept: " + accept.encode() + b"\r\nConnection: close\r\n\r\n")) == [406]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("[a:b]", 400),
        ("[::ffff:1.2.3.4.5]", 400),
        ("[:::]", 400),
        ("[fe80:1]:80", 400),
        ("[]", 400),
        ("[::1]", 200),
        ("[fe80::1]:8000", 200),
    ],
)
def test_a_host_in_brackets_is_an_address(port, host, status):
    """A list has links to its further pages, which lead to the host that was asked."""
    head = f"GET /api/v4/packages/?limit=1 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    assert statuses(send(port, head.encode())) == [status]


class Slow:
    """Answers ``/api/v4/`` in pieces, after half a second and longer than a connection is kept, anything else at once."""

    def at_once(self, call, send):
        """Whatever is not that path."""
        if call.target == b"/api/v4/":
            return None
        send(200, b"content-length: 4\r\n\r\nkept")
        return Told("/", 200, 4)

    async def __call__(self, scope, receive, send):
        """Take one's time."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        for _ in range(5):
            await asyncio.sleep(0.1)
            await send({"type": "http.response.body", "body": b"so", "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def test_a_long_answer_behind_a_kept_one_is_whole(monkeypatch):
    """The clock of a connection that is kept for a next request stops when that request is there already."""
    begin = HurriedProtocol.connection_made

    def connection_made(self, transport):
        self.timeout_keep_alive = 0.15
        begin(self, transport)

    monkeypatch.setattr(HurriedProtocol, "connection_made", connection_made)
    kept = GET.replace(b"/api/v4/packages/1776/", b"/kept/") + b"\r\n"
    slow = GET.replace(b"/api/v4/packages/1776/", b"/api/v4/") + b"Connection: close\r\n\r\n"
    with running(Slow()) as own:
        said = send(own, kept + slow)
    assert statuses(said) == [200, 200]
    assert said.endswith(b"so" * 5)


@pytest.mark.parametrize("more", [b"X: " + b"x" * 4096, b"a: b\r\n" * 700], ids=["one header", "many"])
def test_a_head_sent_ahead_is_bounded_too(more):
    """While an answer is on its way, a head without an end cannot fill the memory: the connection is cut."""
    slow = GET.replace(b"/api/v4/packages/1776/", b"/api/v4/") + b"\r\n"
    with running(Slow()) as own, socket.create_connection(("127.0.0.1", own), timeout=30) as connection:
        connection.sendall(slow + GET)
        time.sleep(0.05)
        sent = 0
        with suppress(ConnectionError):
            while sent < 40 * LARGEST_HEAD:
                connection.sendall(more)
                sent += len(more)
        said = b""
        with suppress(ConnectionError):
            while chunk := connection.recv(65536):
                said += chunk
    assert statuses(said) in ([], [200])
    assert b"431" not in said, "no answer in the middle of another"
    assert not said.endswith(b"so" * 5)


def test_pipelined_requests_are_answered_in_order(port):
    """Requests without bodies that arrive at once each get their answer."""
    said = send(port, GET + b"\r\n" + SMUGGLED + GET + b"Connection: close\r\n\r\n")
    assert statuses(said) == [200, 200, 200]
    assert said.index(b'"django-scheduler"') < said.index(b'"calendars"') < said.rindex(b'"django-scheduler"')


def test_slow_clients_are_sent_away(port, monkeypatch):
    """Who takes too long for a request is answered 408, however the bytes drip, and others are answered meanwhile."""
    monkeypatch.setattr(HurriedProtocol, "patience", 0.5)
    slow = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(40)]
    try:
        for connection in slow:
            connection.sendall(GET)
        assert ask(port, "GET", "/api/v4/packages/1776/")[0] == 200
        for connection in slow:
            assert statuses(connection.recv(65536)) == [408]
            assert connection.recv(65536) == b""
    finally:
        for connection in slow:
            connection.close()


def test_a_kept_connection_is_not_hurried(port, monkeypatch):
    """A connection that asks and asks again gets all its answers, longer than a head may take and in more bytes than it may have."""
    monkeypatch.setattr(HurriedProtocol, "patience", 0.4)
    request = GET + b"X: " + b"x" * 2000 + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        for _ in range(2 * LARGEST_HEAD // len(request)):
            connection.sendall(request)
            said = b""
            while not said.endswith(b"]}"):
                said += connection.recv(65536)
            assert statuses(said) == [200]
            time.sleep(0.01)


def test_forwarded_headers_of_strangers_count_for_nothing(port, tmp_path):
    """A stranger's X-Forwarded-Host does not choose the links, nor the status."""
    with running(app_over(SAMPLE, tmp_path)) as own:
        said = send(
            own, b"GET /api/v4/ HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n"
        )
    assert b'"grids":"http://a/api/v4/grids/"' in said


PIECES = st.sampled_from(
    b"GET|POST| |/api/v4/|packages/|1776/|?|&|limit=1| HTTP/1.1|\r\n|\n|Host: a|:|\t|Content-Length: 5|Transfer-Encoding: chunked"
    b"|0\r\n\r\n|Accept: text/html|Connection: keep-alive|Upgrade: websocket|Connection: upgrade|%00|%ff|#|,".split(b"|")
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([b"", b"GET ", GET, GET.partition(b"Host")[0]]), st.lists(PIECES | st.binary(max_size=8), max_size=24).map(b"".join))
def test_no_bytes_are_an_error_of_ours(port, begun, sent):
    """Whatever bytes are sent, every answer that comes is 2xx, 3xx or 4xx and shows nothing of the inside."""
    said = send(port, begun + sent + b"\r\n\r\n")
    assert all(200 <= status < 500 for status in statuses(said))
    assert b"Traceback" not in said
