"""Rows of one snapshot as JSON bytes, rendered when first asked for and kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from api.links import Links
from api.routes import GRIDS, PACKAGES
from api.snapshot import Snapshot
from transforms.payload import (
    Payload,
    Row,
    category_payload,
    grid_found_payload,
    grid_payload,
    list_payload,
    package_found_payload,
    package_payload,
    render,
)

MOST_KEPT = 64_000_000  # bytes of records, and as many of whole answers
OVERHEAD = 400  # bytes of an entry beside its value, about
MOST_FOUND = 20

Key = TypeVar("Key")
Value = TypeVar("Value")


class Shelter(Generic[Key, Value]):
    """Keeps at most ``most`` bytes: callers choose the host in the links, and must not choose our size."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._kept: dict[Key, Value] = {}
        self.get = self._kept.get

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, key: Key, value: Value, size: int) -> None:
        """Keep one value more, of ``size`` bytes; when they are too many, begin anew. What is kept stays, and counts once."""
        if key in self._kept:
            return
        self._size += size + OVERHEAD
        if self._size > self._most:
            self._kept.clear()
            self._size = size + OVERHEAD
        self._kept[key] = value


class Bodies:
    """The records of one snapshot as bytes, for any base address; ``repeats`` has room for whole answers made of them."""

    def __init__(self, snapshot: Snapshot, zone: ZoneInfo, *, most_kept: int = MOST_KEPT) -> None:
        self.snapshot = snapshot
        self.zone = zone
        self._records: Shelter[tuple[str, str, int], bytes] = Shelter(most_kept)
        self.repeats: Shelter[Any, Any] = Shelter(most_kept)

    def record(self, kind: str, row: Row, links: Links) -> bytes:
        """Render one row."""
        key = (links.base, kind, row["id"])
        body = self._records.get(key) if links.are_plain else None
        if body is None:
            body = render(self._payload(kind, row, links))
            if links.are_plain:
                self._records.keep(key, body, len(body))
        return body

    def page(self, kind: str, rows: Sequence[Row], count: int, pages: tuple[str | None, str | None], links: Links) -> bytes:
        """Render one page of a list of ``count``; ``pages`` are the addresses of the next and the previous one."""
        frame = render(list_payload(count=count, next_url=pages[0], previous_url=pages[1], results=[]))
        records = b",".join([self.record(kind, row, links) for row in rows])
        return frame.removesuffix(b"]}") + records + b"]}"

    def found(self, question: str) -> bytes:
        """Render what search finds: at most 20 packages and grids, best first; nothing for a question without words."""
        return render([self._found(kind, row) for kind, row in self.snapshot.search(question, MOST_FOUND)])

    def _found(self, kind: str, row: Row) -> Payload:
        if kind == PACKAGES:
            return package_found_payload(row, self.snapshot.category_title(row), zone=self.zone)
        return grid_found_payload(row, zone=self.zone)

    def _payload(self, kind: str, row: Row, links: Links) -> Payload:
        if kind == PACKAGES:
            return package_payload(row, base_url=links.base, ending=links.ending, zone=self.zone)
        if kind == GRIDS:
            members = self.snapshot.members.get(row["id"], ())
            return grid_payload(row, members, base_url=links.base, ending=links.ending, zone=self.zone)
        return category_payload(row, zone=self.zone)
