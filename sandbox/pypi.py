"""PyPI's JSON API and simple index as far as packhouse asks them: https://docs.pypi.org/api/."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import orjson

from sandbox.reply import Asked, Draft, Reply, draft
from sandbox.subjects import Project
from sandbox.validators import is_known
from sandbox.world import World

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
DOCUMENT = re.compile(r"/pypi/([^/]+)/json(/?)")
INDEX_PAGE = re.compile(r"/simple/([^/]+)(/?)")


def normalised(name: str) -> str:
    """The name as PEP 503 has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


class PyPI:
    """Answers for one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._root: tuple[int, bytes, int] = (-1, b"", 0)

    def answer(self, asked: Asked) -> Reply:
        """The reply to one request, as PyPI behind its edge would give it."""
        made = self._routed(asked)
        made.meter = "pypi"
        if made.status == HTTPStatus.OK:
            _validate(asked, made)
        return made.finish()

    def _routed(self, asked: Asked) -> Draft:
        if asked.method not in ("GET", "HEAD"):
            return draft(405, {"message": "Method Not Allowed"}, allow="GET, HEAD")
        if match := DOCUMENT.fullmatch(asked.path):
            name = normalised(unquote(match[1]))
            return _redirect(asked, f"/pypi/{name}/json") if match[2] else self._document(name)
        if asked.path in ("/simple/", "/simple"):
            return self._index_root(asked) if asked.path.endswith("/") else _redirect(asked, "/simple/")
        if match := INDEX_PAGE.fullmatch(asked.path):
            name = normalised(unquote(match[1]))
            is_canonical = name == match[1] and match[2]
            return self._index_page(name, asked) if is_canonical else _redirect(asked, f"/simple/{name}/")
        return _not_found()

    def _document(self, name: str) -> Draft:
        """The edge lowers and normalises the name, so any spelling answers 200; quarantined or empty projects answer 404."""
        project = self.world.project(name)
        if project is None or project.status == "quarantined" or not project.document["releases"]:
            return _not_found()
        made = draft(200, None, content_type="application/json", cache_control="max-age=900, public")
        made.headers["x-pypi-last-serial"] = str(project.serial)
        made.body = document_body(project)
        return made

    def _index_root(self, asked: Asked) -> Draft:
        """Every project with its serial (JSON only); the HTML form has no serials."""
        if SIMPLE_JSON not in asked.headers.get("accept", ""):
            anchors = "".join(f'<a href="/simple/{name}/">{name}</a><br/>\n' for name, _ in self.world.serials())
            made = draft(200, None, content_type="text/html; charset=UTF-8")
            made.body = f"<!DOCTYPE html>\n<html><body>\n{anchors}</body></html>\n".encode()
            return made
        if self._root[0] != self.world.revision:
            serials = list(self.world.serials())
            newest = max((serial for _, serial in serials), default=0)
            rows = [{"_last-serial": serial, "name": name} for name, serial in serials]
            content = {"meta": {"_last-serial": newest, "api-version": "1.4"}, "projects": rows}
            self._root = (self.world.revision, orjson.dumps(content), newest)
        made = draft(200, None, content_type=SIMPLE_JSON, cache_control="max-age=600, public", vary="Accept")
        made.body = self._root[1]
        made.headers["x-pypi-last-serial"] = str(self._root[2])
        return made

    def _index_page(self, name: str, asked: Asked) -> Draft:
        project = self.world.project(name)
        if project is None:
            return _not_found()
        if SIMPLE_JSON not in asked.headers.get("accept", ""):
            made = draft(200, None, content_type="text/html; charset=UTF-8")
            made.body = f"<!DOCTYPE html>\n<html><body><h1>Links for {name}</h1></body></html>\n".encode()
            return made
        made = draft(200, index_page(project), cache_control="max-age=600, public", vary="Accept")
        made.headers |= {"content-type": SIMPLE_JSON, "x-pypi-last-serial": str(project.serial)}
        return made


@lru_cache(maxsize=128)
def document_body(project: Project) -> bytes:
    """The document as bytes, in the order of keys it was recorded in, with PyPI's final newline."""
    return orjson.dumps(project.document) + b"\n"


def index_page(project: Project) -> dict[str, Any]:
    """The project's page of the simple index, version 1.4 (PEP 691, 700, 792); releases without files are in no version list."""
    releases = {} if project.status == "quarantined" else project.document["releases"]
    files = [
        {
            "core-metadata": file["core-metadata"],
            "data-dist-info-metadata": file["core-metadata"],
            "filename": file["filename"],
            "hashes": {"sha256": file["digests"]["sha256"]},
            "provenance": None,
            "requires-python": file["requires_python"],
            "size": file["size"],
            "upload-time": file["upload_time_iso_8601"],
            "url": file["url"],
            "yanked": (file["yanked_reason"] or True) if file["yanked"] else False,
        }
        for release in releases.values()
        for file in release
    ]
    return {
        "files": files,
        "meta": {"_last-serial": project.serial, "api-version": "1.4"},
        "name": project.name,
        "project-status": {"status": project.status},
        "versions": [version for version, release in releases.items() if release],
    }


def _not_found() -> Draft:
    made = draft(404, None, content_type="application/json")
    made.body = b'{"message": "Not Found"}'
    return made


def _redirect(asked: Asked, path: str) -> Draft:
    return draft(301, None, location=f"{asked.base_url}{path}")


def _validate(asked: Asked, made: Draft) -> None:
    """A strong ETag, base64 MD5 of the body as PyPI makes it; 304 for those who have it."""
    etag = f'"{base64.b64encode(hashlib.md5(made.body, usedforsecurity=False).digest()).decode().rstrip("=")}"'
    made.headers["etag"] = etag
    if is_known(asked.headers, etag=etag, last_modified=None):
        made.status, made.body = HTTPStatus.NOT_MODIFIED.value, b""
        made.headers.pop("content-type", None)
