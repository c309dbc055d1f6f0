"""The application over a real socket: status, headers in their order, bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.running import app_over, ask, running, send
from tests.api.sample_rows import BASE, SAMPLE, SCHEDULER, Rows, many

GOLDEN = Path(__file__).parent.parent / "golden"
SECURITY = [("x-content-type-options", "nosniff"), ("referrer-policy", "same-origin"), ("cross-origin-opener-policy", "same-origin")]


def json_headers(length: int, *, is_resource: bool = True) -> list[tuple[str, str]]:
    """List the headers of a JSON answer in order."""
    allow = [("allow", "GET, HEAD, OPTIONS")] if is_resource else []
    head = [("content-type", "application/json"), ("vary", "Accept"), *allow, ("x-frame-options", "DENY")]
    return [*head, ("content-length", str(length)), *SECURITY]


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """Serve the sample rows with links below the sample's site."""
    with running(app_over(SAMPLE, tmp_path_factory.mktemp("data"), BASE)) as number:
        yield number


@pytest.mark.parametrize(
    ("method", "target", "name"),
    [
        ("GET", "/api/v4/", "root"),
        ("GET", "/api/v4/packages/1776/", "package-1776"),
        ("GET", "/api/v4/packages/001776/", "package-1776"),
        ("GET", "/api/v4/packages/django-scheduler/", "package-1776"),
        ("GET", "/api/v4/packages/odd-one/", "package-77"),
        ("GET", "/api/v4/packages/?z=1&limit=2&offset=1&a=%C3%A9+x", "packages-page"),
        ("GET", "/api/v4/grids/", "grids"),
        ("GET", "/api/v4/grids/62/", "grid-62"),
        ("GET", "/api/v4/grids/%D9%A6%D9%A2/", "grid-62"),
        ("GET", "/api/v4/grids/calendars/", "grid-62"),
        ("GET", "/api/v4/categories/", "categories"),
        ("GET", "/api/v4/categories/3/", "category-3"),
        ("OPTIONS", "/api/v4/", "options-root"),
        ("OPTIONS", "/api/v4/packages/", "options-packages"),
        ("OPTIONS", "/api/v4/packages/999/", "options-packages-record"),
        ("OPTIONS", "/api/v4/grids/", "options-grids"),
        ("OPTIONS", "/api/v4/grids/1/", "options-grids-record"),
        ("OPTIONS", "/api/v4/categories/", "options-categories"),
        ("OPTIONS", "/api/v4/categories/1/", "options-categories-record"),
    ],
)
def test_answer_is_golden(port, method, target, name):
    """Every kind of answer has the framework's bytes and its headers in its order."""
    golden = (GOLDEN / f"v4-{name}.json").read_bytes()
    assert ask(port, method, target) == (200, json_headers(len(golden)), golden)


@pytest.mark.parametrize(
    ("target", "detail"),
    [
        ("/api/v4/packages/999/", "No Package matches the given query."),
        ("/api/v4/packages/" + "9" * 30 + "/", "No Package matches the given query."),
        ("/api/v4/packages/Django-Scheduler/", "No Package matches the given query."),
        ("/api/v4/packages/x%00y/", "No Package matches the given query."),
        ("/api/v4/packages/a.b/", "Not found."),
        ("/api/v4/packages/%FF%FE/", "No Package matches the given query."),
        ("/api/v4/packages/%C2%B2/", "Not found."),
        ("/api/v4/grids/none/", "No Grid matches the given query."),
        ("/api/v4/categories/9/", "No Category matches the given query."),
        ("/api/v4/categories/app/", "Not found."),
    ],
)
def test_miss_is_worded_by_kind(port, target, detail):
    """A record that is not there is 404 with v4's words, and the address still allows its methods."""
    body = json.dumps({"detail": detail}, separators=(",", ":")).encode()
    assert ask(port, "GET", target) == (404, json_headers(len(body)), body)


@pytest.mark.parametrize(
    "target", ["/", "/api/", "/api/v5/", "/api/v4/users/", "/api/v4/packages/../grids/", "/api/v4/search/1/", "/x%0Ay"]
)
def test_unknown_address_is_not_found(port, target):
    """An address v4 does not have is 404 in JSON and allows nothing."""
    body = b'{"detail":"Not found."}'
    assert ask(port, "GET", target) == (404, json_headers(len(body), is_resource=False), body)


def test_search_is_a_bare_list(port):
    """Search answers what it finds without pages, and nothing for an empty question."""
    status, headers, body = ask(port, "GET", "/api/v4/search/?q=scheduler")
    assert (status, [row["slug"] for row in json.loads(body)]) == (200, ["django-scheduler"])
    assert headers == json_headers(len(body))
    assert body == (GOLDEN / "v4-search-scheduler.json").read_bytes()
    for target in ("/api/v4/search/", "/api/v4/search/?q=", "/api/v4/search/?q=%20%22%2B", "/api/v4/search/?q=nowhere"):
        assert ask(port, "GET", target) == (200, json_headers(2), b"[]")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("target", ["/api/v4/", "/api/v4/packages/", "/api/v4/grids/999/", "/api/v4/categories/no/"])
def test_other_methods_are_refused_first(port, method, target):
    """Any other method is 405 before the record is looked for."""
    body = json.dumps({"detail": f'Method "{method}" not allowed.'}, separators=(",", ":")).encode()
    assert ask(port, method, target) == (405, json_headers(len(body)), body)


@pytest.mark.parametrize(
    "target", ["/api/v4/", "/api/v4/packages/", "/api/v4/packages/1776/", "/api/v4/packages/999/", "/api/v4/none/", "/api/v4/grids"]
)
def test_head_is_get_without_body(port, target):
    """HEAD has the status and every header of GET, Content-Length included, and no body."""
    status, headers, body = ask(port, "GET", target)
    assert ask(port, "HEAD", target) == (status, headers, b"")
    assert dict(headers)["content-length"] == str(len(body))


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/api/v4", "/api/v4/"),
        ("/api/v4/packages?limit=2", "/api/v4/packages/?limit=2"),
        ("/api/v4/packages/none", "/api/v4/packages/none/"),
        ("/api/v4/grids/caf%C3%A9?q=%22a%22+b", "/api/v4/grids/caf%C3%A9/?q=%22a%22+b"),
        ("/api/v4/packages/x%0D%0ASet-Cookie:%20a", "/api/v4/packages/x%0D%0ASet-Cookie:%20a/"),
    ],
)
def test_missing_slash_redirects(port, method, target, location):
    """Without its slash an address answers 301 to the same with it, query kept and nothing smuggled."""
    headers = [("content-type", "text/html; charset=utf-8"), ("location", location), ("content-length", "0"), *SECURITY]
    assert ask(port, method, target) == (301, headers, b"")


def test_links_follow_the_host_asked(tmp_path):
    """Without a base address links begin with the host and port of the request."""
    with running(app_over(SAMPLE, tmp_path)) as port:
        body = json.loads(ask(port, "GET", "/api/v4/packages/1776/", host="LocalHost:8000")[2])
        page = json.loads(ask(port, "GET", "/api/v4/packages/?limit=1", host="[::1]:8000")[2])
    assert body["category"] == "http://LocalHost:8000/api/v4/categories/1/"
    assert page["next"] == "http://[::1]:8000/api/v4/packages/?limit=1&offset=1"


def test_links_without_host_header(tmp_path):
    """An HTTP/1.0 request without Host gets links to the socket it came in by."""
    with running(app_over(SAMPLE, tmp_path)) as port:
        answer = send(port, b"GET /api/v4/ HTTP/1.0\r\n\r\n")
    assert f'"grids":"http://127.0.0.1:{port}/api/v4/grids/"'.encode() in answer


def test_base_address_with_a_path(tmp_path):
    """A base address below a path leads links and redirects there."""
    with running(app_over(SAMPLE, tmp_path, "https://example.org/dp/")) as port:
        root = json.loads(ask(port, "GET", "/api/v4/")[2])
        redirect = dict(ask(port, "GET", "/api/v4/grids")[1])
    assert root["grids"] == "https://example.org/dp/api/v4/grids/"
    assert redirect["location"] == "/dp/api/v4/grids/"


@pytest.mark.parametrize("host", ["", "a b", "a/b", "exa_mple.org", "<script>", "a@b", "a:b", "[::1", "h" * 300, "é", "a\x7fb"])
def test_illegal_host_is_refused(port, host):
    """A Host header that names no host is 400, whatever it would have done to the links."""
    answer = send(port, b"GET /api/v4/ HTTP/1.1\r\nConnection: close\r\nHost: " + host.encode("latin-1") + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Traceback" not in answer


def test_overlong_query_is_refused(port):
    """A query of more than 8190 bytes is 414, one of that length is answered."""
    assert ask(port, "GET", "/api/v4/packages/?q=" + "x" * 8188)[0] == 200
    assert ask(port, "GET", "/api/v4/packages/?q=" + "x" * 8189)[0] == 414
    said = send(port, b"GET /api/v4/?q=" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert said.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 ")) or not said  # the server may reset while the rest is still on its way
    assert ask(port, "GET", "/api/v4/")[0] == 200


def test_body_of_a_refused_method_is_never_read(port):
    """A body that is no JSON does not change a 405."""
    answer = send(port, b"POST /api/v4/packages/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\n{x}")
    assert answer.startswith(b"HTTP/1.1 405 ")


def test_no_server_header_but_a_date(port):
    """Answers are dated and do not say what made them."""
    head = send(port, b"GET /api/v4/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").split(b"\r\n\r\n")[0].lower()
    assert b"\r\ndate: " in head
    assert b"\r\nserver:" not in head


def test_list_without_limit_maximum(tmp_path):
    """A limit above the number of rows returns them all, newest id first, and what is cut from the same bytes."""
    with running(app_over(Rows(package_rows=many(300)), tmp_path, BASE)) as port:
        every = json.loads(ask(port, "GET", "/api/v4/packages/?limit=100000")[2])
        second = json.loads(ask(port, "GET", "/api/v4/packages/?offset=20")[2])
    assert [row["id"] for row in every["results"]] == list(range(300, 0, -1))
    assert (every["count"], every["next"], every["previous"]) == (300, None, None)
    assert second["results"] == every["results"][20:40]


def test_bug_is_a_plain_failure(tmp_path, caplog):
    """A row that cannot be printed is 500 without a traceback in the body, one in the log, and other rows are served."""
    rows = Rows(package_rows=[SCHEDULER, {**SCHEDULER, "id": 2, "slug": "bad", "title": None}])
    with running(app_over(rows, tmp_path, BASE)) as port:
        status, _, body = ask(port, "GET", "/api/v4/packages/2/")
        assert ask(port, "GET", "/api/v4/packages/1776/")[0] == 200
    assert (status, body) == (500, b'{"detail":"Internal server error."}')
    assert "title is None" in caplog.text
