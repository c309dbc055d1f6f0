"""All of it at once, so that nobody pages through a list to have it: the published files as they are, and the records as lines.

    /bulk/                    which files there are, with size and SHA-256
    /bulk/packages.ndjson     the records of /api/v4/packages/, one a line, in its order; rendered as they are sent
    /bulk/packhouse.duckdb    the published database
    /bulk/<table>.parquet     one table of it

A published file never changes, so its tag is its SHA-256, and any part of it can be asked for (RFC 9110, 14). Only names that stand in
the manifest are files.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC
from hashlib import blake2b
from http import HTTPStatus
from typing import Any

from starlette.responses import FileResponse, StreamingResponse
from starlette.types import ASGIApp

from api.answers import Asked, refuse
from api.bodies import Bodies
from api.delivery import TAG_BYTES, Delivery, deliver, has_already, not_modified
from api.encodings import IDENTITY, choose_encoding, packer
from api.links import Links
from api.replies import Reply, failure, json_reply, not_found, refuse_writing
from api.routes import PACKAGES
from api.snapshot import Snapshot
from transforms.payload import Row, render
from warehouse.publication import DATABASE

BULK = "/bulk/"
LINES = "packages.ndjson"
AT_ONCE = 200  # records rendered before others get their turn

_PARQUET = "parquet/"
_NDJSON = "application/x-ndjson"
_SHARED = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "ETag, Accept-Ranges, Content-Range, Content-Length",
}


async def find_bulk(
    asked: Asked, bodies: Bodies, base_url: str, *, if_none_match: bytes | None, accept_encoding: bytes | None, is_shared: bool
) -> Delivery | ASGIApp:
    """Find what a path below ``/bulk/`` names: a short answer, or an application that sends a long one."""
    name = asked.path.removeprefix(BULK)
    reply = _refuse(asked, name, bodies.snapshot)
    if reply is None and not name:
        reply = json_reply(_listing(bodies.snapshot, base_url))
    if reply is not None:
        return deliver(reply, asked.method, is_shared=is_shared)
    headers = dict(_SHARED) if is_shared else {}
    if name != LINES:
        headers["etag"] = f'"{published_files(bodies.snapshot)[name]["sha256"]}"'
        return _kept(headers, if_none_match) or _file(bodies.snapshot, name, headers)
    tag, length = await _measure(bodies, Links(base=base_url))
    headers |= {"etag": f'"{tag}"', "vary": "Accept-Encoding"}
    return _kept(headers, if_none_match) or _stream(
        bodies, Links(base=base_url), headers, length, encoding=choose_encoding(accept_encoding) or IDENTITY, is_head=asked.method == "HEAD"
    )


def _refuse(asked: Asked, name: str, snapshot: Snapshot) -> Reply | None:
    refusal = refuse(asked)
    if refusal is not None:
        return refusal
    if name not in ("", LINES, *published_files(snapshot)):
        return not_found(is_resource=False)
    return refuse_writing(asked.method)


def _stream(bodies: Bodies, links: Links, headers: dict[str, str], length: int, *, encoding: str, is_head: bool) -> ASGIApp:
    lines = _lines(bodies, links, () if is_head else bodies.snapshot.shelf(PACKAGES).rows)
    if encoding != IDENTITY:
        headers = headers | {"etag": f"W/{headers['etag']}", "content-encoding": encoding}
        lines = _pack(lines, encoding)
    else:
        headers = headers | {"content-length": str(length)}
    return StreamingResponse(lines, headers=headers, media_type=_NDJSON)


def published_files(snapshot: Snapshot) -> Mapping[str, Mapping[str, Any]]:
    """Name the files of a publication that can be had, each with ``bytes`` and ``sha256``; the database and one file a table."""
    return {name.removeprefix(_PARQUET): known for name, known in snapshot.files.items() if name == DATABASE or name.startswith(_PARQUET)}


def _file(snapshot: Snapshot, name: str, headers: dict[str, str]) -> Delivery | ASGIApp:
    assert snapshot.path is not None  # noqa: S101 - where there are files there is a folder
    path = snapshot.path / (name if name == DATABASE else f"{_PARQUET}{name}")
    media_type = "application/vnd.apache.parquet" if name.endswith(".parquet") else "application/octet-stream"
    try:
        return FileResponse(path, headers=headers, media_type=media_type, stat_result=path.stat())
    except OSError:
        return deliver(failure(HTTPStatus.SERVICE_UNAVAILABLE, "The file of this publication is gone; ask again later."), "")


def _listing(snapshot: Snapshot, base_url: str) -> bytes:
    files: list[dict[str, Any]] = [
        {"name": LINES, "url": f"{base_url}{BULK}{LINES}", "bytes": None, "sha256": None}
    ]  # depends on who asks: links
    files += [{"name": name, "url": f"{base_url}{BULK}{name}", **known} for name, known in published_files(snapshot).items()]
    as_of = snapshot.as_of_at.astimezone(UTC).isoformat() if snapshot.as_of_at is not None else None
    return render({"run_id": snapshot.run_id, "as_of_at": as_of, "files": files})


async def _measure(bodies: Bodies, links: Links) -> tuple[str, int]:
    """Tag and length of the lines, made of their bytes once for each base address."""
    kept: tuple[str, int] | None = bodies.repeats.get((LINES, links.base))
    if kept is None:
        digest, length = blake2b(digest_size=TAG_BYTES), 0
        async for chunk in _lines(bodies, links, bodies.snapshot.shelf(PACKAGES).rows):
            digest.update(chunk)
            length += len(chunk)
        kept = digest.hexdigest(), length
        bodies.repeats.keep((LINES, links.base), kept, len(links.base))
    return kept


async def _lines(bodies: Bodies, links: Links, rows: Sequence[Row]) -> AsyncIterator[bytes]:
    for start in range(0, len(rows), AT_ONCE):
        yield b"".join([bodies.record(PACKAGES, row, links) + b"\n" for row in rows[start : start + AT_ONCE]])
        await asyncio.sleep(0)


async def _pack(chunks: AsyncIterator[bytes], encoding: str) -> AsyncIterator[bytes]:
    packing = packer(encoding)
    async for chunk in chunks:
        yield packing.compress(chunk)
    yield packing.flush()


def _kept(headers: dict[str, str], if_none_match: bytes | None) -> Delivery | None:
    """Say 304 to who has what these headers tag."""
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    start = {"type": "http.response.start", "status": int(HTTPStatus.OK), "headers": raw}
    delivery = Delivery(tag=headers["etag"].encode(), start=start, body={"type": "http.response.body", "body": b""})
    return not_modified(delivery) if has_already(delivery, if_none_match) else None
