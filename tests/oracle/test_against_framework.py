"""Our API and Django REST framework's, asked the same: status, headers in their order, bytes of the body.

All headers are compared, but ``Date`` and ``Connection``, which are the server's, and ``ETag``, which v4 does not send.
Where both answer with a page for people only the page's own text may differ.
The differences that are meant stand in ``docs/api.md`` and in ``differs_as_documented``.
"""

from __future__ import annotations

import re
import socket
from http.client import HTTPResponse
from typing import Self

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.running import app_over, running
from tests.api.sample_rows import SAMPLE, SCHEDULER, Rows, grid, many, package
from tests.oracle.asking import PYTHON, Answer, Incumbent

EXAMPLES = 5000
ROWS = Rows(
    package_rows=[
        *SAMPLE.package_rows,
        *many(34)[6:],
        package(60, "1234"),
        package(61, "café", title="Café"),
        SCHEDULER | {"id": 99, "slug": "twin"},
    ],
    grid_rows=[*SAMPLE.grid_rows, *[grid(n, f"grid-{n}") for n in range(1, 25)]],
)

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="the incumbent's stack is not installed: `make check` does it, in .cache/oracle; it needs the package index"
)

METHODS = st.sampled_from(["GET"] * 8 + ["HEAD", "HEAD", "OPTIONS", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
KINDS = st.sampled_from(["packages", "packages", "grids", "categories"])
KNOWN = st.sampled_from(["1776", "62", "1", "2", "3", "77", "99", "django-scheduler", "odd-one", "calendars", "caf%C3%A9", "twin"])
LOOKUPS = st.one_of(
    st.sampled_from(["1776", "001776", "62", "1", "2", "3", "77", "999", "0", "-1", "+1", "1_0", "%D9%A1", "%C2%B2", "9" * 30, "1234"]),
    st.sampled_from(
        ["django-scheduler", "Django-Scheduler", "odd-one", "calendars", "caf%C3%A9", "caf%E9", "app", "twin", "a%2Fb", "a%00b"]
    ),
    st.sampled_from(
        ["a.b", "..", ".", "%2E%2E", "a b", "%20", "%0A", "1%0A", "%", "%zz", "%FF%FE", "%F0%9F%90%8D", "*", "@", "a;b", "a:b", "a//b"]
    ),
    st.text("abz019-_.~%+é", min_size=1, max_size=6),
)
SUFFIXES = st.sampled_from([""] * 8 + [".json", ".json", ".json", ".api", ".api", ".xml", ".JSON", ".html", "."])
ENDINGS = st.sampled_from(["/"] * 12 + ["", "//", "/x/"])
PATHS = st.one_of(
    st.tuples(KINDS, SUFFIXES, ENDINGS).map(lambda p: f"/api/v4/{p[0]}{p[1]}{p[2]}"),
    st.tuples(KINDS, LOOKUPS, SUFFIXES, ENDINGS).map(lambda p: f"/api/v4/{p[0]}/{p[1]}{p[2]}{p[3]}"),
    st.tuples(KINDS, KNOWN, SUFFIXES).map(lambda p: f"/api/v4/{p[0]}/{p[1]}{p[2]}/"),
    st.tuples(KINDS, SUFFIXES).map(lambda p: f"/api/v4/{p[0]}{p[1]}/"),
    st.tuples(SUFFIXES, ENDINGS).map(lambda p: f"/api/v4/{p[0]}{p[1]}"),
    st.tuples(SUFFIXES, ENDINGS).map(lambda p: f"/api/v4/search{p[0]}{p[1]}"),
    st.sampled_from(["/api/v4", "/api/v4/search/1/", "/api/", "/", "/api/v4x/", "/API/v4/", "/api/v4/users/", "//api/v4/", "/api//v4/"]),
)
NUMBERS = st.one_of(
    st.integers(-3, 60).map(str),
    st.sampled_from(
        ["", "x", "+5", "%205%20", "1_0", "1e3", "0x10", "007", "9" * 17, "9" * 30, "%D9%A3", "5.0", "-0", "%00", "NaN", "1000"]
    ),
)
PAIRS = st.one_of(
    st.tuples(st.sampled_from(["limit", "offset", "limit", "offset", "page"]), NUMBERS),
    st.tuples(st.just("format"), st.sampled_from(["json", "json", "api", "xml", "", "JSON", "%6Ason", "json%20"])),
    st.tuples(st.just("q"), st.sampled_from(["", "%20", "scheduler", "zebra", "nothing", "+"])),
    st.tuples(
        st.sampled_from(["a", "z", "é", "%C3%A9", "A", "a[]", "a%26b", ""]),
        st.sampled_from(["", "1", "%FF", "+", "%2B", "a=b", "~", "%7E", "'", "/?"]),
    ),
)
QUERIES = st.one_of(
    st.just(None),
    st.just(None),
    st.lists(PAIRS, max_size=5).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)),
    st.text("aflimt=&;%+0123456789?/.~!*'()[]{}|\\^`\"<>@:,$-_", max_size=24),
)
RANGES = st.one_of(
    st.sampled_from(
        ["application/json", "text/html", "*/*", "application/*", "text/*", "application/xml", "text/plain", "*", "", "image/png", "*/json"]
    ),
    st.sampled_from(
        [
            "application/json; indent=4",
            "application/json;indent=2",
            "*/*; indent=3",
            "application/*;indent=99",
            "application/json; indent=0",
        ]
    ),
    st.sampled_from(
        ["application/json; indent=x", "application/json;q=0.1", "text/html;q=0.9", "*/*;q=0.8", "text/html; indent=2", "APPLICATION/JSON"]
    ),
    st.sampled_from(
        [
            'application/json; indent="2"',
            "application/json; Indent=2",
            "application/json;version=1",
            ";indent=2",
            "application/json;",
            "text/html;level=1",
        ]
    ),
    st.sampled_from(
        [
            "application/json;indent*=utf-8''3",
            "application/json;=;indent=1",
            "application / json",
            "text/html ; q=1",
            "application/json;indent=-3",
        ]
    ),
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ACCEPTS = st.one_of(
    st.none(), st.none(), st.sampled_from(["*/*", "application/json", BROWSER]), st.lists(RANGES, min_size=1, max_size=3).map(", ".join)
)
HOSTS = st.sampled_from(
    ["djangopackages.org"] * 60
    + ["localhost:8000", "EXAMPLE.org", "[::1]:80", "127.0.0.1", "a..b", "a_b", "a/b", "[::1", "h:x", "x:", "h:99999"]
)
BODIES = st.sampled_from(["", "", "{}", "{x", "a=1"])


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Serve the same rows twice."""
    folder = tmp_path_factory.mktemp("oracle")
    with Incumbent(ROWS, folder) as incumbent, running(app_over(ROWS, folder)) as port, Line(port) as line:
        yield line, incumbent


class Line:
    """A kept connection to our server that sends targets as they are."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def ask(self, method: str, target: str, headers: list[tuple[str, str]], body: str) -> Answer:
        """Ask once; returns status, headers in order with names in lower case, body."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        self._socket.sendall(f"{method} {target} HTTP/1.1\r\n{head}\r\n{body}".encode("latin-1"))
        response = HTTPResponse(self._socket, method=method)
        response.begin()
        said = response.read()
        listed = [(name.lower(), value) for name, value in response.getheaders() if name.lower() not in ("date", "connection", "etag")]
        if response.will_close:
            self.__exit__()
        return response.status, listed, said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def can_be_sent(target: str, accept: str | None) -> bool:
    """Whether the request is one in HTTP at all (else ours is 400 before anyone looks), and one the framework answers always alike."""
    if not re.fullmatch(r"[!-~]+", target) or "#" in target:
        return False
    ranges = (accept or "").lower().split(",")
    alike = max(sum(mark in part for part in ranges) for mark in (";", "*"))
    return alike <= 1 or not any("indent" in part for part in ranges)  # of several alike it takes the first in a set, which has no order


def differs_as_documented(asked: dict, theirs: Answer) -> str | None:
    """Name the difference of docs/api.md under which a request falls, if any."""
    status, headers, _ = theirs
    types = [value for name, value in headers if name == "content-type"]
    if status == 400:
        return "worded in JSON"
    if status == 404 and types == ["text/html; charset=utf-8"] and ("allow", "GET, HEAD, OPTIONS") not in headers:
        return "an address v4 does not have"
    if status == 500:
        return "no input is an error of ours"
    return None


@pytest.mark.timeout(1200)
@settings(max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(method=METHODS, path=PATHS, query=QUERIES, accept=ACCEPTS, host=HOSTS, body=BODIES)
def test_every_answer_is_the_frameworks(both, method, path, query, accept, host, body):
    """Whatever is asked, both answer alike."""
    line, incumbent = both
    target = (path if query is None else f"{path}?{query}").encode("utf-8").decode("latin-1")
    if not can_be_sent(target, accept):
        return
    headers = [("Host", host), *([] if accept is None else [("Accept", accept)])]
    if body:
        headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    asked = {"method": method, "target": target, "headers": headers, "body": body}
    ours, theirs = line.ask(**asked), incumbent.ask(**asked)
    known = differs_as_documented(asked, theirs)
    if known is not None:
        assert (ours[0] == theirs[0]) or (theirs[0] == 500 and ours[0] < 500), known
        return
    assert _comparable(ours) == _comparable(theirs), asked


def _comparable(answer: Answer) -> Answer:
    """Leave out of a page its text and the length of it, and of a redirect the length of its empty body."""
    status, headers, body = answer
    if status == 301:
        headers = [(name, value) for name, value in headers if name != "content-length"]  # Django leaves it to the server
    if ("content-type", "text/html; charset=utf-8") not in headers or ("vary", "Accept") not in headers:
        return status, headers, body
    return status, [(name, value if name != "content-length" else "") for name, value in headers], body[:0]
