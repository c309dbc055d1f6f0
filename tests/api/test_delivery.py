"""Tags and 304, sharing with scripts, health: what v4 does not have."""

from __future__ import annotations

import gzip
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.app import create_app
from api.encodings import choose_encoding, zstd
from tests.api.publishing import publish_rows
from tests.api.running import app_over, running, send
from tests.api.sample_rows import BASE, NEW_YORK, SAMPLE, SCHEDULER, Rows


def fetch(port: int, target: str, *headers: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Ask once; returns status, headers and body."""
    lines = [f"{method} {target} HTTP/1.1", "Host: a", "Connection: close", *headers, "", ""]
    head, _, body = send(port, "\r\n".join(lines).encode()).partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in rest), body


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """Serve the sample rows."""
    with running(app_over(SAMPLE, tmp_path_factory.mktemp("data"), BASE)) as number:
        yield number


@pytest.mark.parametrize("target", ["/api/v4/packages/1776/", "/api/v4/packages/?limit=2", "/api/v4/search/?q=zebra", "/api/v4/"])
def test_who_has_it_already_is_told_so(port, target):
    """The tag of an answer, sent back, is 304 without a body; another tag is the whole answer."""
    status, headers, body = fetch(port, target)
    assert (status, bool(body)) == (200, True)
    tag = headers["etag"]
    for sent in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        status, headers, body = fetch(port, target, f"If-None-Match: {sent}")
        assert (status, body, headers["etag"], headers["vary"]) == (304, b"", tag, "accept")
    assert fetch(port, target, 'If-None-Match: "x"')[0] == 200
    assert fetch(port, target, f"If-None-Match: {tag}", method="HEAD")[0] == 304


def test_each_form_has_its_tag(port):
    """JSON, indented JSON and the page have tags of their own; errors and descriptions have none."""
    accepts = ("application/json", "application/json; indent=4", "text/html")
    assert len({fetch(port, "/api/v4/packages/1776/", f"Accept: {accept}")[1]["etag"] for accept in accepts}) == 3
    assert "etag" not in fetch(port, "/api/v4/packages/999/")[1]
    assert "etag" not in fetch(port, "/api/v4/", method="OPTIONS")[1]


def test_a_tag_outlives_a_publication_that_changed_nothing(tmp_path):
    """The tag is that of the bytes: another publication of the same record keeps it, a changed record has another."""
    app = create_app(tmp_path, zone=NEW_YORK, base_url=BASE) if publish_rows(tmp_path, SAMPLE, "20260215T222000Z-a") else None
    with running(app) as number:
        first = fetch(number, "/api/v4/packages/1776/")[1]["etag"]
    publish_rows(tmp_path, Rows(package_rows=[SCHEDULER]), "20260216T222000Z-b")
    with running(create_app(tmp_path, zone=NEW_YORK, base_url=BASE)) as number:
        assert fetch(number, "/api/v4/packages/1776/")[1]["etag"] == first
        ready = json.loads(fetch(number, "/health/ready")[2])
    assert ready == {"status": "ready", "run_id": "20260216T222000Z-b", "as_of_at": "2026-02-15T22:20:00+00:00", "complaint": None}
    publish_rows(tmp_path, Rows(package_rows=[SCHEDULER | {"stars_count": 1332}]), "20260217T222000Z-c")
    with running(create_app(tmp_path, zone=NEW_YORK, base_url=BASE)) as number:
        assert fetch(number, "/api/v4/packages/1776/")[1]["etag"] != first


def test_sharing_is_off_unless_set(port, tmp_path):
    """Without the setting no script of another page may read; with it any may, its questions beforehand are answered, 304 too."""
    assert not [name for name in fetch(port, "/api/v4/")[1] if name.startswith("access-control")]
    with running(app_over(SAMPLE, tmp_path, BASE, is_shared=True)) as shared:
        headers = fetch(shared, "/api/v4/packages/1776/", "Origin: https://b.example")[1]
        assert headers["access-control-allow-origin"] == "*"
        assert fetch(shared, "/api/v4/packages/1776/", f"If-None-Match: {headers['etag']}")[1]["access-control-allow-origin"] == "*"
        before = fetch(shared, "/api/v4/packages/", "Origin: https://b.example", "Access-Control-Request-Method: GET", method="OPTIONS")
    assert (before[0], before[1]["access-control-allow-methods"]) == (200, "get, head, options")


UNPACK = {"gzip": gzip.decompress, "zstd": zstd.decompress, None: bytes}


@pytest.mark.parametrize(
    ("wish", "encoding"),
    [
        ("gzip", "gzip"),
        ("br, GZIP;q=0.5", "gzip"),
        ("x-gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.5, gzip;q=0.9", "gzip"),
        ("zstd;q=0, *", "gzip"),
        ("*", "zstd"),
        ("gzip;q=0", None),
        ("gzip; q=0.000", None),
        ("*;q=0", None),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=high", None),
        ("br", None),
        ("identity", None),
        ("", None),
    ],
)
def test_long_answers_are_compressed_for_who_can_read_them(port, wish, encoding):
    """What is liked best and worth it: the same bytes inside, a true length, a weak tag that the whole answer knows too, twice alike."""
    plain = fetch(port, "/api/v4/packages/1776/")
    assert plain[1]["vary"] == "accept", "v4's, for who says nothing of encodings"
    for _ in range(2):
        status, headers, body = fetch(port, "/api/v4/packages/1776/", f"Accept-Encoding: {wish}")
        assert (status, headers["content-length"]) == (200, str(len(body)))
        assert (headers.get("content-encoding"), UNPACK[encoding](body)) == (encoding, plain[2])
        assert (headers["vary"], headers["etag"].removeprefix("w/")) == ("accept, accept-encoding", plain[1]["etag"])
        assert headers["etag"].startswith("w/") is (encoding is not None)
    again = fetch(port, "/api/v4/packages/1776/", f"Accept-Encoding: {wish}", f"If-None-Match: W/{plain[1]['etag']}")
    assert (again[0], again[1]["vary"], again[2]) == (304, "accept, accept-encoding", b"")
    assert "content-encoding" not in fetch(port, "/api/v4/categories/3/", f"Accept-Encoding: {wish}")[1]


@given(st.binary(max_size=60) | st.from_regex(rb"((gzip|zstd|identity|\*|br)(;q=[0-9.]{0,5})?[, ]{1,2}){0,4}", fullmatch=True))
def test_any_wish_chooses_one_of_three(wish):
    """Whatever is sent as Accept-Encoding, it chooses an encoding there is, and none that it forbids by name."""
    chosen = choose_encoding(wish)
    assert chosen in ("zstd", "gzip", "identity")
    if re.fullmatch(rb"(gzip|zstd);q=0", wish):
        assert chosen == "identity"


def test_health(port):
    """Alive is a word, not to be kept; other methods and addresses below it are what they are elsewhere."""
    status, headers, body = fetch(port, "/health/live")
    assert (status, json.loads(body), headers["cache-control"]) == (200, {"status": "live"}, "no-store")
    assert fetch(port, "/health/")[0] == 404
    assert fetch(port, "/health/live", method="DELETE")[0] == 405
    assert fetch(port, "/health/ready", method="OPTIONS")[1]["allow"] == "get, head, options"
    assert re.fullmatch(rb'\{"status":"ready",.*\}', fetch(port, "/health/ready")[2])
