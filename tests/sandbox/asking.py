"""How the sandbox's tests ask: plain blocking requests over real HTTP, redirects not followed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx

from sandbox import Faults, Index, Limits, Running, World, curious_world, running

TOKEN = {"authorization": "Bearer a-token"}
PLAIN = "/repos/curious/plain"


class Clock:
    """Stands still until moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 2, 16, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The moment it stands at."""
        return self.now

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


@contextmanager
def asking(
    world: World | None = None,
    *,
    faults: Faults | None = None,
    limits: Limits | None = None,
    index: Index | None = None,
    clock: Callable[[], datetime] | None = None,
) -> Iterator[tuple[Running, httpx.Client]]:
    """A running sandbox (the curious world by default) and a client for it."""
    with (
        running(world or curious_world(), faults=faults, limits=limits, index=index, clock=clock or Clock()) as sandbox,
        httpx.Client(trust_env=False, timeout=20) as client,
    ):
        yield sandbox, client
