"""A question that comes again in the same words gets the same bytes by the short way, and only such a question does."""

from __future__ import annotations

import itertools
import re
import socket
import time
from contextlib import contextmanager
from ipaddress import ip_network

import pytest

from api.app import create_app
from api.bodies import Shelter
from api.current import LOOK_EVERY
from api.repeats import LARGEST_HEADERS, MOST_HEADERS, Call, repeat_key
from tests.api.publishing import publish_rows
from tests.api.running import app_over, running
from tests.api.sample_rows import BASE, NEW_YORK, SAMPLE, SCHEDULER, Rows

RECORD = "/api/v4/packages/1776/"


class Line:
    """One connection that is kept open."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._file = self._socket.makefile("rb")

    def ask(self, target: str, *headers: str, method: str = "GET", host: str = "a") -> tuple[int, list[str], bytes]:
        """Ask once; returns status, lines of the head without Date, and body."""
        self._socket.sendall("\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {host}", *headers, "", ""]).encode("latin-1"))
        head = list(iter(lambda: self._file.readline().decode().rstrip(), ""))
        status = int(head[0].split()[1])
        length = next((int(line.split()[1]) for line in head if line.startswith("content-length: ")), 0)
        body = b"" if method == "HEAD" or status == 304 else self._file.read(length)
        return status, [line for line in head if not line.startswith("date: ")], body

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()


@contextmanager
def lines_to(app, count: int = 1):
    """Serve and open connections."""
    with running(app) as port:
        lines = [Line(port) for _ in range(count)]
        yield lines
        for line in lines:
            line.close()


class Counted:
    """An application that counts what it answers at once."""

    def __init__(self, app) -> None:
        self._app = app
        self.at_once_count = 0

    async def __call__(self, scope, receive, send) -> None:
        """Answer the long way."""
        await self._app(scope, receive, send)

    def at_once(self, call, send):
        """Answer the short way, if it can."""
        told = self._app.at_once(call, send)
        self.at_once_count += told is not None
        return told


@pytest.mark.parametrize("manner", [{}, {"is_shared": True}], ids=["", "shared"])
def test_the_short_way_gives_what_the_long_one_gave(tmp_path, manner):
    """Of every kind of address, in every form and encoding: the second answer is the first, word for word, and so is its 304."""
    targets = (RECORD, "/api/v4/packages/odd-one/", "/api/v4/packages/?limit=2", "/api/v4/grids/62/", "/api/v4/search/?q=zebra", "/api/v4/")
    accepts = ("application/json", "text/html", "application/json; indent=4")
    encodings = ("", "Accept-Encoding: gzip", "Accept-Encoding: zstd, gzip", "Accept-Encoding: identity")
    app = Counted(app_over(SAMPLE, tmp_path, None, **manner))
    with lines_to(app) as [line]:
        for target, accept, encoding in itertools.product(targets, accepts, encodings):
            headers = [f"Accept: {accept}", *([encoding] if encoding else [])]
            before = app.at_once_count
            first = line.ask(target, *headers)
            tag = next(line.removeprefix("etag: ") for line in first[1] if line.startswith("etag: "))
            unchanged = line.ask(target, *headers, f'If-None-Match: "x", {tag}')
            assert (first[0], unchanged[0], app.at_once_count) == (200, 304, before)
            assert line.ask(target, *headers) == first
            assert line.ask(target, *headers, f"If-None-Match: {tag}") == unchanged
            assert line.ask(target, *headers, 'If-None-Match: "x"') == first
            assert app.at_once_count == before + 2


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: 1"],
        ["Transfer-Encoding: chunked"],
        ["Expect: 100-continue"],
        ["Upgrade: h2c", "Connection: Upgrade"],
        ["Accept: text/html", "Accept: application/json"],
        ["Accept-Encoding: gzip", "Accept-Encoding: zstd"],
        ["Host: b"],
        [f"X-{number}: 1" for number in range(MOST_HEADERS)],
        [f"X: {'x' * 8000}"] * (LARGEST_HEADERS // 8000 + 1),
    ],
)
def test_whatever_else_is_in_a_head_goes_the_long_way(headers):
    """Bodies, doubled headers and floods have no key."""
    made = [(name.lower().encode(), value.encode()) for name, _, value in (line.partition(": ") for line in ["Host: a", *headers])]
    assert repeat_key(Call(RECORD.encode(), made, "http", "127.0.0.1"), ()) is None
    assert repeat_key(Call(RECORD.encode(), made[:1], "http", "127.0.0.1"), ()) is not None


@pytest.mark.parametrize("manner", [{"method": "HEAD"}, {"method": "POST"}, {"host": "b c"}, {"host": "other.example"}])
def test_only_the_same_question_is_the_same(tmp_path, manner):
    """Another method or host is another question: what was kept for GET is not theirs."""
    app = Counted(app_over(SAMPLE, tmp_path))
    with lines_to(app) as [line]:
        first = line.ask(RECORD)
        assert line.ask(RECORD) == first
        other = line.ask(RECORD, **manner)
        assert app.at_once_count == 1
        assert other[2] != first[2]


def test_the_last_question_on_a_connection_is_the_last(tmp_path):
    """Connection: close closes, and HTTP/1.0 does, also when the answer is known."""
    with running(app_over(SAMPLE, tmp_path, BASE)) as port:
        for text in (f"GET {RECORD} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", f"GET {RECORD} HTTP/1.0\r\nHost: a\r\n\r\n"):
            line = Line(port)
            assert line.ask(RECORD) == line.ask(RECORD)
            line._socket.sendall(text.encode())
            said = line._file.read()
            line.close()
            assert said.startswith(b"HTTP/1.1 200 OK\r\n")
            assert said.lower().count(b"connection: close") == 1


def test_questions_sent_ahead_are_answered_in_order(tmp_path):
    """Known and unknown answers asked for in one breath come in the order of the questions."""
    targets = [RECORD, "/api/v4/grids/62/", "/api/v4/packages/5/", RECORD, "/nowhere/", RECORD, "/api/v4/packages/5/"] * 20
    with lines_to(app_over(SAMPLE, tmp_path, BASE), 2) as [line, ahead]:
        wanted = {target: line.ask(target)[2] for target in targets}
        ahead._socket.sendall(b"".join(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for target in targets[:-1]))
        ahead._socket.sendall(f"GET {targets[-1]} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        said = ahead._file.read()
    for target in targets:
        head, _, said = said.partition(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head)[1])
        assert said[:length] == wanted[target]
        said = said[length:]
    assert said == b""


def test_what_a_trusted_proxy_forwards_is_part_of_the_question(tmp_path):
    """Two hosts behind one proxy get links of their own, the second time too."""
    app = Counted(app_over(SAMPLE, tmp_path, None, trusted_proxies=(ip_network("127.0.0.1/32"),)))
    with lines_to(app) as [line]:
        for host in ("one.example", "two.example") * 2:
            body = line.ask(RECORD, "X-Forwarded-Proto: https", f"X-Forwarded-Host: {host}")[2]
            assert f"https://{host}/api/v4/categories/1/".encode() in body
    assert app.at_once_count == 2


def test_it_is_counted_and_written_like_any_other(tmp_path):
    """/metrics and the access log tell of answers of either way."""
    publish_rows(tmp_path, SAMPLE, "20260215T222000Z-a")
    written: list[str] = []
    with lines_to(create_app(tmp_path, zone=NEW_YORK, base_url=BASE, write_access=written.append)) as [line]:
        tag = next(text.removeprefix("etag: ") for text in line.ask(RECORD)[1] if text.startswith("etag: "))
        line.ask(RECORD)
        line.ask(RECORD, f"If-None-Match: {tag}")
        told = line.ask("/metrics")[2].decode()
    assert 'requests_total{address="packages_record",method="GET",status="200"} 2' in told
    assert 'requests_total{address="packages_record",method="GET",status="304"} 1' in told
    assert [text.split(" GET ")[1].rpartition(" B ")[0] for text in written[:3]] == [
        f"{RECORD} 200 1527",
        f"{RECORD} 200 1527",
        f"{RECORD} 304 0",
    ]


def test_another_publication_is_another_answer(tmp_path):
    """What was kept of one publication is not given once another is served."""
    publish_rows(tmp_path, SAMPLE, "20260215T222000Z-a")
    with lines_to(create_app(tmp_path, zone=NEW_YORK, base_url=BASE)) as [line]:
        assert b'"repo_watchers":1331,' in line.ask(RECORD)[2]
        publish_rows(tmp_path, Rows(package_rows=[SCHEDULER | {"stars_count": 1400}]), "20260216T222000Z-b")
        end = time.monotonic() + 20
        while b'"repo_watchers":1400,' not in line.ask(RECORD)[2]:
            assert time.monotonic() < end
            time.sleep(LOOK_EVERY / 10)
        assert b'"repo_watchers":1400,' in line.ask(RECORD)[2]


def test_what_is_kept_counts_once():
    """An answer that is written again and again does not push out the others."""
    shelter: Shelter[str, bytes] = Shelter(10_000)
    shelter.keep("other", b"o", 100)
    for _ in range(50):
        shelter.keep("same", b"s", 4_000)
    assert (shelter.get("other"), shelter.get("same")) == (b"o", b"s")
    shelter.keep("third", b"t", 9_000)
    assert (shelter.get("other"), shelter.get("third"), len(shelter)) == (None, b"t", 1)
