"""Rows of one snapshot as JSON bytes, rendered when first asked for and kept."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from api.routes import GRIDS, PACKAGES
from api.snapshot import Snapshot
from transforms.payload import Payload, Row, category_payload, grid_payload, list_payload, package_payload, render

KEPT = 20_000  # records, about 50 MB


class Bodies:
    """The records of one snapshot as bytes, for any base address; holds at most ``KEPT`` of them at a time."""

    def __init__(self, snapshot: Snapshot, zone: ZoneInfo) -> None:
        self.snapshot = snapshot
        self._zone = zone
        self._kept: dict[tuple[str, str, int], bytes] = {}

    def record(self, kind: str, row: Row, base_url: str) -> bytes:
        """Render one row, with links that begin with ``base_url``."""
        key = (base_url, kind, row["id"])
        body = self._kept.get(key)
        if body is None:
            body = render(self._payload(kind, row, base_url))
            if len(self._kept) >= KEPT:
                self._kept.clear()  # callers choose the host in the links: do not let them choose our size
            self._kept[key] = body
        return body

    def page(self, kind: str, rows: Sequence[Row], links: tuple[str | None, str | None], base_url: str) -> bytes:
        """Render one page of a list; ``links`` are the next and the previous page."""
        count = len(self.snapshot.shelves[kind].rows)
        frame = render(list_payload(count=count, next_url=links[0], previous_url=links[1], results=[]))
        records = b",".join([self.record(kind, row, base_url) for row in rows])
        return frame.removesuffix(b"]}") + records + b"]}"

    def _payload(self, kind: str, row: Row, base_url: str) -> Payload:
        if kind == PACKAGES:
            return package_payload(row, base_url=base_url, zone=self._zone)
        if kind == GRIDS:
            return grid_payload(row, self.snapshot.members.get(row["id"], ()), base_url=base_url, zone=self._zone)
        return category_payload(row, zone=self._zone)
