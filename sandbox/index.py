"""PyPI's simple index: its root, its pages, and how faithfully what stands in front of it hands them on.

PEP 503, 691, 700, 792; https://docs.pypi.org/api/index-api/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from sandbox.subjects import QUARANTINED, Project
from sandbox.world import World

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"


class Serials(StrEnum):
    """How serials are spelt: as numbers (PyPI), as text (bandersnatch's mirrors), or not at all."""

    NUMBERS = "numbers"
    TEXT = "text"
    NONE = "none"


@dataclass(slots=True, kw_only=True)
class Index:
    """The knobs of what stands between PyPI and its callers; may be turned while the server runs.

    Attributes:
        serials: how they are spelt in bodies; with ``NONE`` they are in no header either.
        is_mirror: a plain copy: no ETag, no serial in a header, the root as HTML only, 404 without a body.
        stale_answers: how many times a document still has its former content, serial and ETag after a change.
        stale_root_answers: likewise for the root; while documents are stale and it is not, it leads them.
    """

    serials: Serials = Serials.NUMBERS
    is_mirror: bool = False
    stale_answers: int = 0
    stale_root_answers: int = 0

    @property
    def tells_serials(self) -> bool:
        """Whether answers name the serial in a header."""
        return not self.is_mirror and self.serials is not Serials.NONE

    def spelt(self, key: str, serial: int) -> dict[str, int | str]:
        """The serial under this key, or nothing."""
        match self.serials:
            case Serials.NUMBERS:
                return {key: serial}
            case Serials.TEXT:
                return {key: str(serial)}
            case _:
                return {}


class Root:
    """The root of the index as it is handed out: made when the world changed, and perhaps shown later."""

    def __init__(self, world: World, index: Index) -> None:
        self._world = world
        self._index = index
        self._made_for: tuple[int, Serials] | None = None
        self._shown: tuple[bytes, int] | None = None
        self._waiting: tuple[bytes, int] | None = None
        self._stale_left = 0

    def content(self) -> tuple[bytes, int]:
        """Body and newest serial of the next answer."""
        if self._made_for != (self._world.revision, self._index.serials):
            self._made_for = (self._world.revision, self._index.serials)
            made = self._made()
            if self._shown is None or made == self._shown:
                self._shown, self._waiting = made, None
            elif made != self._waiting:
                self._waiting, self._stale_left = made, self._index.stale_root_answers
        if self._waiting is not None:
            if self._stale_left <= 0:
                self._shown, self._waiting = self._waiting, None
            self._stale_left -= 1
        return self._shown or self._made()

    def _made(self) -> tuple[bytes, int]:
        spelt = self._index.spelt
        serials = list(self._world.serials())
        newest = max((serial for _, serial in serials), default=0)
        rows = [{**spelt("_last-serial", serial), "name": name} for name, serial in serials]
        return orjson.dumps({"meta": {**spelt("_last-serial", newest), "api-version": "1.4"}, "projects": rows}), newest


def html_root(world: World) -> bytes:
    """The root for people and for old installers: names only."""
    anchors = "".join(f'<a href="/simple/{name}/">{name}</a><br/>\n' for name, _ in world.serials())
    return f"<!DOCTYPE html>\n<html><body>\n{anchors}</body></html>\n".encode()


def page(project: Project, index: Index) -> dict[str, Any]:
    """The project's page, version 1.4; releases without files are in no version list, quarantined projects show no files."""
    releases: Mapping[str, Any] = {} if project.status == QUARANTINED else project.document["releases"]
    files = [
        {
            "core-metadata": file.get("core-metadata", False),
            "data-dist-info-metadata": file.get("core-metadata", False),
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
        "meta": {**index.spelt("_last-serial", project.serial), "api-version": "1.4"},
        "name": project.name,
        "project-status": {"status": project.status},
        "versions": [version for version, release in releases.items() if release],
    }
