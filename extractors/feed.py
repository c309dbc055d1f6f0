"""One stream of plans, read lazily and handed out by source, so that a slow source does not hold up a quick one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import count

from extractors.conversation import Plan

TURNS = 100  # plans of other sources read in one go before others get their turn


def source_of(subject: str) -> str:
    """Return the source a subject is asked of: ``github:owner/name`` gives ``github``."""
    return subject.partition(":")[0]


class Feed:
    """Hands out (subject, plan) pairs by source, in the order of the iterable.

    Plans of another source that are met on the way are kept until asked for, at most ``lookahead`` of each source; then
    the iterable is read no further until that source has taken one. Plans of a source that ``is_ended`` are dropped.
    """

    def __init__(
        self,
        plans: Iterable[tuple[str, Plan]],
        *,
        sources: Iterable[str],
        lookahead: int,
        is_ended: Callable[[str], bool],
        drop: Callable[[str, Plan], None],
    ) -> None:
        self._plans: Iterator[tuple[str, Plan]] = iter(plans)
        self._kept: dict[str, deque[tuple[str, Plan]]] = {source: deque() for source in sources}
        self._lookahead = lookahead
        self._is_ended = is_ended
        self._drop = drop
        self._taken = asyncio.Event()

    async def take(self, source: str) -> tuple[str, Plan] | None:
        """Return the next plan of a source; ``None`` when there is none left or the source has ended."""
        for turn in count(1):
            if self._is_ended(source):
                break
            if self._kept[source]:
                self._taken.set()
                return self._kept[source].popleft()
            if self._is_full():
                self._taken.clear()
                await self._taken.wait()
            elif not self._read():
                return None
            elif turn % TURNS == 0:
                await asyncio.sleep(0)
        self._drop_kept(source)
        return None

    def drop_all(self) -> None:
        """Give up everything not yet handed out, without reading the iterable further."""
        for source in self._kept:
            self._drop_kept(source)

    def _read(self) -> bool:
        """Read one plan; ``False`` at the end of the iterable."""
        item = next(self._plans, None)
        if item is None:
            return False
        source = source_of(item[0])
        if self._is_ended(source):
            self._drop(*item)
        else:
            self._kept[source].append(item)
        return True

    def _is_full(self) -> bool:
        return any(len(kept) >= self._lookahead for kept in self._kept.values())

    def _drop_kept(self, source: str) -> None:
        while self._kept[source]:
            self._drop(*self._kept[source].popleft())
        self._taken.set()
