"""The publication being served: the one ``current`` points at, loaded whole, and the last one that could be loaded after that.

``current`` is looked at when a request comes, at most once a second. When it has moved, the request that noticed waits
for the new publication to load; others are answered meanwhile from the old one. A publication that cannot be read is
reported in one line of the log and tried again every ten seconds; whatever happens to the folder, the loaded one is served.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from zoneinfo import ZoneInfo

from api.bodies import Bodies
from api.snapshot import Snapshot
from warehouse.publication import MANIFEST

LOOK_EVERY = 1.0  # seconds
RETRY_EVERY = 10.0  # seconds

log = logging.getLogger("packhouse.api")


class Current:
    """Holds the bodies of the current publication.

    Args:
        pointer: the symbolic link that moves with each publication.
        load: reads the publication that the pointer names; runs in a thread.
        zone: in which times are printed.
        monotonic: seconds that only grow.
    """

    def __init__(self, pointer: Path, load: Callable[[], Snapshot], *, zone: ZoneInfo, monotonic: Callable[[], float]) -> None:
        """Load the first publication; raises what ``load`` raises."""
        self._pointer = pointer
        self._load = load
        self.zone = zone
        self.monotonic = monotonic
        self._target: str | None = None
        with suppress(OSError):  # load says it better
            self._target = self._look()
        self._bodies = Bodies(load(), zone)
        self._next_look = monotonic() + LOOK_EVERY
        self._is_loading = False
        self.complaint: str | None = None  # why the newest publication is not the one served

    async def bodies(self) -> Bodies:
        """Return the bodies to answer one whole request from."""
        if not self._is_loading and self.monotonic() >= self._next_look:
            self._is_loading = True
            try:
                wait = await self._follow()
            finally:
                self._is_loading = False
            self._next_look = self.monotonic() + wait
        return self._bodies

    def at_hand(self) -> Bodies | None:
        """Return them at once; None when it is time to look for another publication first."""
        return self._bodies if self._is_loading or self.monotonic() < self._next_look else None

    async def _follow(self) -> float:
        """Load the publication if ``current`` has moved; returns the seconds until the next look."""
        try:
            target = self._look()
            if target != self._target:
                self._bodies = Bodies(await asyncio.to_thread(self._load), self.zone)
                self._target = target
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the new publication, the loaded one is still good
            self._complain(f"cannot read the current publication ({error}); serving the one loaded before")
            return RETRY_EVERY
        self.complaint = None
        return LOOK_EVERY

    def _look(self) -> str:
        """What tells one publication from another: its name, and its manifest, since one made again may get the same name."""
        name = str(self._pointer.readlink())
        with suppress(OSError):  # a vanished folder is another publication too, one that cannot be loaded
            manifest = (self._pointer / MANIFEST).stat()
            return f"{name} {manifest.st_ino} {manifest.st_mtime_ns}"
        return name

    def _complain(self, complaint: str) -> None:
        if complaint != self.complaint:
            self.complaint = complaint
            log.warning("%s", complaint)
