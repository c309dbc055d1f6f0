"""All of it at once: lines and published files, their tags, their parts."""

from __future__ import annotations

import gzip
import json
from hashlib import sha256
from io import BytesIO

import duckdb
import pyarrow.parquet as pq
import pytest

from api.app import create_app
from api.encodings import zstd
from tests.api.publishing import publish_rows
from tests.api.running import app_over, ask, running, send
from tests.api.sample_rows import BASE, NEW_YORK, ODD, SCHEDULER, Rows, many
from tests.api.test_delivery import fetch

MANY = Rows(package_rows=[*many(450), SCHEDULER, ODD | {"id": 1000}])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Publish many rows."""
    data = tmp_path_factory.mktemp("data")
    publish_rows(data, MANY, "20260215T222000Z-a")
    return data


@pytest.fixture(scope="module")
def port(folder):
    """Serve them."""
    with running(create_app(folder, zone=NEW_YORK, base_url=BASE)) as number:
        yield number


def unchunked(body: bytes) -> bytes:
    """Join a body that was sent in chunks."""
    joined = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        joined, body = joined + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return joined


def test_lines_are_the_records_of_the_list(port):
    """Each line is, byte for byte, the record at its own address, in the order of the list; HEAD has the same head."""
    status, headers, body = fetch(port, "/bulk/packages.ndjson")
    assert (status, headers["content-type"], headers["content-length"]) == (200, "application/x-ndjson", str(len(body)))
    lines = body.removesuffix(b"\n").split(b"\n")
    listed = json.loads(ask(port, "GET", "/api/v4/packages/?limit=1000")[2])
    assert [json.loads(line) for line in lines] == listed["results"]
    assert lines[0] == ask(port, "GET", "/api/v4/packages/1776/")[2]
    head = fetch(port, "/bulk/packages.ndjson", method="HEAD")
    assert (head[0], head[1] | {"date": ""}, head[2]) == (200, headers | {"date": ""}, b"")


def test_lines_follow_the_host_and_its_tag(tmp_path):
    """Without a base address lines link to the host asked, and another host has another tag; no rows are no lines."""
    with running(app_over(MANY, tmp_path)) as port:
        told = send(port, b"GET /bulk/packages.ndjson HTTP/1.1\r\nHost: b.example\r\nConnection: close\r\n\r\n")
        assert b'"http://b.example/api/v4/categories/1/"' in told
        tag = fetch(port, "/bulk/packages.ndjson")[1]["etag"]
        assert f"\r\netag: {tag}\r\n".encode() not in told
        assert send(port, b"GET /bulk/packages.ndjson HTTP/1.1\r\nHost: a b\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    (tmp_path / "empty").mkdir()
    with running(app_over(Rows(package_rows=[]), tmp_path / "empty")) as port:
        assert fetch(port, "/bulk/packages.ndjson")[2] == b""
        assert [file["name"] for file in json.loads(fetch(port, "/bulk/")[2])["files"]] == ["packages.ndjson"]
        assert fetch(port, "/bulk/packhouse.duckdb")[0] == 404


def test_lines_are_compressed_for_who_can_read_them(port):
    """Gzip and zstd give the same lines with a weak tag; either tag, sent back, is 304."""
    plain = fetch(port, "/bulk/packages.ndjson")
    for encoding, unpack in (("gzip", gzip.decompress), ("zstd", zstd.decompress)):
        status, headers, body = fetch(port, "/bulk/packages.ndjson", f"Accept-Encoding: {encoding}")
        assert (status, headers["content-encoding"], headers["etag"]) == (200, encoding, f"w/{plain[1]['etag']}")
        assert unpack(unchunked(body)) == plain[2]
    for tag in (plain[1]["etag"], f"W/{plain[1]['etag']}"):
        told = fetch(port, "/bulk/packages.ndjson", "Accept-Encoding: gzip", f"If-None-Match: {tag}")
        assert (told[0], told[1]["etag"], told[1]["vary"], told[2]) == (304, plain[1]["etag"], "accept-encoding", b"")


@pytest.mark.parametrize("name", ["packhouse.duckdb", "packages.parquet", "releases.parquet"])
def test_published_files_are_sent_as_they_are(port, folder, name):
    """The very bytes, with their length and SHA-256 as tag; HEAD the same head; who has it is told so."""
    path = folder / "current" / (name if name.endswith("duckdb") else f"parquet/{name}")
    status, headers, body = fetch(port, f"/bulk/{name}")
    assert (status, body == path.read_bytes(), headers["content-length"]) == (200, True, str(len(body)))
    assert (headers["etag"], headers["accept-ranges"]) == (f'"{sha256(body).hexdigest()}"', "bytes")
    assert fetch(port, f"/bulk/{name}", method="HEAD")[1] | {"date": ""} == headers | {"date": ""}
    assert fetch(port, f"/bulk/{name}", f"If-None-Match: {headers['etag']}")[0::2] == (304, b"")
    listed = {file["name"]: file for file in json.loads(fetch(port, "/bulk/")[2])["files"]}
    assert listed[name] == {
        "name": name,
        "url": f"{BASE}/bulk/{name}",
        "bytes": len(body),
        "sha256": sha256(body).hexdigest(),
    }


@pytest.mark.parametrize(
    ("wished", "part"),
    [
        ("bytes=0-99", slice(0, 100)),
        ("bytes=5-5", slice(5, 6)),
        ("bytes=1000-", slice(1000, None)),
        ("bytes=-8", slice(-8, None)),
        ("bytes=0-999999999", slice(0, None)),
    ],
)
def test_a_part_can_be_asked_for(port, folder, wished, part):
    """A range is 206 with the bytes of that part and where they are from; If-Range with another tag is the whole file."""
    whole = (folder / "current" / "packhouse.duckdb").read_bytes()
    status, headers, body = fetch(port, "/bulk/packhouse.duckdb", f"Range: {wished}")
    start, end, _ = part.indices(len(whole))
    assert (status, body == whole[part], headers["content-length"]) == (206, True, str(len(whole[part])))
    assert headers["content-range"] == f"bytes {start}-{end - 1}/{len(whole)}"
    assert fetch(port, "/bulk/packhouse.duckdb", f"Range: {wished}", f"If-Range: {headers['etag']}")[0] == 206
    assert fetch(port, "/bulk/packhouse.duckdb", f"Range: {wished}", 'If-Range: "x"')[0] == 200


def test_what_is_no_part_is_refused(port, folder):
    """Beyond the end is 416 with the length; a unit that is unknown or words that are no range are an error or the whole file."""
    size = (folder / "current" / "packhouse.duckdb").stat().st_size
    status, headers, _ = fetch(port, "/bulk/packhouse.duckdb", f"Range: bytes={size}-")
    assert (status, headers["content-range"]) == (416, f"bytes */{size}")
    assert fetch(port, "/bulk/packhouse.duckdb", "Range: bytes=a-b")[0] in (200, 400)


def test_readers_can_use_what_they_got(port, tmp_path):
    """The database opens in DuckDB and the table in pyarrow, with all rows."""
    (tmp_path / "it.duckdb").write_bytes(fetch(port, "/bulk/packhouse.duckdb")[2])
    with duckdb.connect(str(tmp_path / "it.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM packages").fetchall() == [(452,)]
    assert pq.read_table(BytesIO(fetch(port, "/bulk/packages.parquet")[2])).num_rows == 452


@pytest.mark.parametrize("name", ["manifest.json", "../manifest.json", "parquet/packages.parquet", "none", "packages.ndjson/", "%2e%2e/x"])
def test_nothing_else_is_a_file(port, name):
    """A name that is not in the manifest is 404, whatever lies in the folder."""
    assert fetch(port, f"/bulk/{name}")[0] == 404


def test_nothing_is_written(port):
    """Another method is 405; a request with a body is the last on its connection."""
    assert fetch(port, "/bulk/packages.ndjson", method="DELETE")[0] == 405
    request = b"GET /bulk/packages.parquet HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n{x}"
    assert b"\r\nconnection: close\r\n" in send(port, request).lower()


def test_a_removed_publication_is_told(tmp_path):
    """When the folder is gone from under the server, its files are 503, and the lines go on."""
    path = publish_rows(tmp_path, MANY, "20260215T222000Z-a")
    with running(create_app(tmp_path, zone=NEW_YORK, base_url=BASE)) as port:
        path.rename(tmp_path / "elsewhere")
        assert fetch(port, "/bulk/packages.parquet")[0] == 503
        assert fetch(port, "/bulk/packages.ndjson")[0] == 200


def test_scripts_may_read_parts_where_sharing_is_on(folder):
    """With sharing on, every answer says so, and which headers a script may see; a question beforehand is answered."""
    with running(create_app(folder, zone=NEW_YORK, base_url=BASE, is_shared=True)) as port:
        for name in ("packages.ndjson", "packhouse.duckdb", ""):
            assert fetch(port, f"/bulk/{name}")[1]["access-control-allow-origin"] == "*"
        assert "content-range" in fetch(port, "/bulk/packhouse.duckdb", "Range: bytes=0-1")[1]["access-control-expose-headers"]
        assert fetch(port, "/bulk/packhouse.duckdb", method="OPTIONS")[0] == 204
