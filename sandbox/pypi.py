"""PyPI's JSON API and simple index as far as packhouse asks them: https://docs.pypi.org/api/."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import unquote

import orjson

from sandbox.index import SIMPLE_JSON, Index, Root, Serials, html_root, page
from sandbox.reply import Asked, Draft, Reply, draft
from sandbox.subjects import QUARANTINED, Project
from sandbox.validators import is_known
from sandbox.world import World

METER = "pypi"
DOCUMENT = re.compile(r"/pypi/([^/]+)/json(/?)")
INDEX_PAGE = re.compile(r"/simple/([^/]+)(/?)")


def normalised(name: str) -> str:
    """The name as PEP 503 has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


class PyPI:
    """Answers for one world, through an edge or a mirror as ``index`` has it."""

    def __init__(self, world: World, index: Index | None = None) -> None:
        self.world = world
        self.index = Index() if index is None else index
        self._root = Root(world, self.index)
        self._stale_answers: Counter[tuple[str, int]] = Counter()

    def answer(self, asked: Asked) -> Reply:
        """The reply to one request, as PyPI behind its edge would give it."""
        made = self._routed(asked)
        made.meter = METER
        if made.status == HTTPStatus.OK and not self.index.is_mirror:
            _validate(asked, made)
        if made.status == HTTPStatus.NOT_FOUND and self.index.is_mirror:
            made.body = b""
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
        project = self._at_the_edge(name)
        if project is None or project.status == QUARANTINED or not project.document["releases"]:
            return _not_found()
        made = draft(200, None, content_type="application/json", cache_control="max-age=900, public")
        made.body = document_body(project, self.index.serials)
        return self._with_serial(made, project.serial)

    def _at_the_edge(self, name: str) -> Project | None:
        """The project as the edge has it: for some answers after a change still the former one."""
        project = self.world.project(name)
        former = self.world.former_project(name) if self.index.stale_answers else None
        serial = project.serial if project else 0
        if former is None or self._stale_answers[name, serial] >= self.index.stale_answers:
            return project
        self._stale_answers[name, serial] += 1
        return former

    def _with_serial(self, made: Draft, serial: int) -> Draft:
        if self.index.tells_serials:
            made.headers["x-pypi-last-serial"] = str(serial)
        return made

    def _index_root(self, asked: Asked) -> Draft:
        """Every project with its serial (JSON only); the HTML form has no serials."""
        if SIMPLE_JSON not in asked.headers.get("accept", "") or self.index.is_mirror:
            made = draft(200, None, content_type="text/html; charset=UTF-8")
            made.body = html_root(self.world)
            return made
        made = draft(200, None, content_type=SIMPLE_JSON, cache_control="max-age=600, public", vary="Accept")
        made.body, newest = self._root.content()
        return self._with_serial(made, newest)

    def _index_page(self, name: str, asked: Asked) -> Draft:
        project = self.world.project(name)
        if project is None:
            return _not_found()
        if SIMPLE_JSON not in asked.headers.get("accept", ""):
            made = draft(200, None, content_type="text/html; charset=UTF-8")
            made.body = f"<!DOCTYPE html>\n<html><body><h1>Links for {name}</h1></body></html>\n".encode()
            return made
        made = draft(200, page(project, self.index), cache_control="max-age=600, public", vary="Accept")
        made.headers["content-type"] = SIMPLE_JSON
        return self._with_serial(made, project.serial)


@lru_cache(maxsize=128)
def document_body(project: Project, serials: Serials = Serials.NUMBERS) -> bytes:
    """The document as bytes, in the order of keys it was recorded in, with PyPI's final newline."""
    if serials is Serials.NUMBERS:
        return orjson.dumps(project.document) + b"\n"
    known = {**project.document, "last_serial": f"{project.serial}"}
    return orjson.dumps(known if serials is Serials.TEXT else {key: known[key] for key in known if key != "last_serial"}) + b"\n"


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
