"""Whatever is asked is answered: no request, however odd, is an error of ours."""

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from api.answers import Asked, answer
from api.bodies import Bodies
from api.snapshot import take_snapshot
from tests.api.sample_rows import SAMPLE, Rows, many

BODIES = Bodies(take_snapshot(SAMPLE), ZoneInfo("America/New_York"))
METHODS = st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "DELETE"]) | st.text(min_size=1)
PIECES = st.sampled_from(
    ["", "api", "v4", "packages", "grids", "categories", "search", "1776", "62", "django-scheduler", "..", "9" * 30, "²", "\0"]
)
PATHS = st.lists(PIECES | st.text(max_size=5), max_size=6).map("/".join) | st.text()
RECORDS = st.tuples(st.sampled_from(["packages", "grids", "categories"]), st.text(max_size=8)).map(lambda p: f"/api/v4/{p[0]}/{p[1]}/")
NUMBERS = st.integers() | st.sampled_from(["", "x", "1_0", "+3", "%20", "9" * 5000, "%D9%A3", "NaN", "1e9"])
QUERIES = st.text() | st.lists(st.tuples(st.sampled_from(["limit", "offset", "a"]), NUMBERS), max_size=4).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)
HOSTS = st.sampled_from(["djangopackages.org", "127.0.0.1:8000", "[::1]:80", "[::", "a b", "", "[1:2:3]", "..."]) | st.text()


ACCEPTS = (
    st.sampled_from(["*/*", "application/json;indent=3", "text/html", ";", "a;b*=x'y'z", "", "application/json;a*=\x00''%ff"]) | st.text()
)


@given(METHODS, PATHS | RECORDS, QUERIES, HOSTS, ACCEPTS)
def test_every_request_is_answered(method, path, query, host, accept):
    """Any request gets a status below 500 with a Content-Length that is true, and nothing in a header breaks its line."""
    reply = answer(Asked(method=method, scheme="http", host=host, path=path, query=query, accept=accept), BODIES, None)
    assert reply.status < 500
    assert dict(reply.headers)["Content-Length"] == str(len(reply.body))
    for name, value in reply.headers:
        assert f"{name}{value}".isascii()
        assert "\r" not in value
        assert "\n" not in value
    if reply.body and dict(reply.headers)["Content-Type"] == "application/json":
        json.loads(reply.body)


@given(st.integers(0, 12), st.integers(1, 12))
def test_pages_are_cut_from_the_same_records(offset, limit):
    """A record has the same bytes in a list as on its own."""
    asked = Asked(method="GET", scheme="https", host="h", path="/api/v4/packages/", query=f"limit={limit}&offset={offset}")
    page = json.loads(answer(asked, BODIES, None).body)
    for record in page["results"]:
        alone = Asked(method="GET", scheme="https", host="h", path=f"/api/v4/packages/{record['id']}/", query="")
        assert json.loads(answer(alone, BODIES, None).body) == record


def test_kept_bytes_are_bounded():
    """Asking under ever new hosts does not make the kept records grow beyond their limit, nor answers differ."""
    bodies = Bodies(take_snapshot(Rows(package_rows=many(4))), ZoneInfo("UTC"), most_kept=10_000)
    for number in range(100):
        reply = answer(Asked(method="GET", scheme="http", host=f"h{number}", path="/api/v4/packages/"), bodies, None)
        assert reply.status == 200
        assert f"http://h{number}/api/v4/categories/1/".encode() in reply.body
        assert 4 <= len(bodies._records) <= 20
