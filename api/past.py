"""The past of what is served: the API as it was at a time (``?as_of=``), and what is kept of one package.

Both are read from the database of the publication that is served, one after another and beside the event loop. The newest times asked
for are kept, by the publication that was current then: every time it was is the same answer.
"""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from api.bodies import Bodies
from api.snapshot import take_snapshot
from warehouse.past_readers import PackageHistory, Tables, package_history, published_by
from warehouse.readers import Publication, open_publication

MOST_KEPT = 2  # whole publications of the past in memory


class Past:
    """Reads other times from one publication, and begins anew with another."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._path: Path | None = None
        self._publication: Publication | None = None
        self._kept: dict[datetime, Bodies] = {}
        self._opening = threading.Lock()
        self._turn = asyncio.Lock()

    async def bodies(self, path: Path, at: datetime) -> Bodies | None:
        """Give what was published at ``at``, by the publication in the folder ``path``; None before the first publication.

        Raises NothingPublished when that cannot be read.
        """
        async with self._turn:
            return await asyncio.to_thread(self._load, path, at)

    async def history(self, path: Path, package_id: int) -> PackageHistory:
        """Give what that publication keeps of one package; raises NothingPublished when it cannot be read."""
        async with self._turn:
            return await asyncio.to_thread(lambda: package_history(self._open(path), package_id))

    def _load(self, path: Path, at: datetime) -> Bodies | None:
        publication = self._open(path)
        published_at = published_by(publication, at)
        if published_at is None:
            return None
        bodies = self._kept.pop(published_at, None)
        if bodies is None:
            bodies = Bodies(take_snapshot(Tables(publication, published_at), is_searchable=False), self._zone)
        self._kept[published_at] = bodies  # now the newest
        for old in list(self._kept)[:-MOST_KEPT]:
            del self._kept[old]
        return bodies

    def _open(self, path: Path) -> Publication:
        with self._opening:
            if self._publication is None or path != self._path:
                self._publication, self._path = open_publication(path), path
                self._kept.clear()
            return self._publication
