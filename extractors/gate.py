"""The gate before the network: asks of one budget pass one after the other, as soon as it allows."""

from __future__ import annotations

import asyncio
import math

from extractors.budget import Budget
from extractors.session import Session

SLICE = 0.5  # seconds; how long a sleeper does not look at the stop flag
FALLBACK_WAIT = 60.0  # seconds; a plan that has to ask anonymously beside a token is not worth a longer wait


class Gate:
    """Admits the asks that are paid from one budget; only the first in the queue waits for the budget, the others for it."""

    def __init__(self, session: Session, meter: str, *, is_anonymous: bool) -> None:
        self.budget: Budget = session.budget(meter, is_anonymous=is_anonymous)
        self._is_fallback = self.budget is not session.budget(meter)
        self._session = session
        self._meter = meter
        self._lock = asyncio.Lock()
        self._settled = asyncio.Event()

    def note_settled(self) -> None:
        """Wake whoever waits for an answer to come back."""
        self._settled.set()

    async def admit(self, price: int = 1) -> float | None:
        """Wait until the budget allows one more request, which is expected to cost ``price``, and take it.

        Returns when that was, on the monotonic counter, or ``None`` when it will not be in this run: the run was stopped, the
        meter has ended, or the wait is not worth it (which ends the meter, unless only a fallback is waited for).
        """
        session, budget, clock = self._session, self.budget, self._session.clock
        async with self._lock:
            while not session.is_over(self._meter):
                at = clock.monotonic()
                delay = budget.delay(at, price)
                if delay <= 0:
                    budget.spend(at, price)
                    return at
                if budget.ended is not None or self._is_too_long(delay):
                    return None
                await self._wait(delay)
        return None

    def _is_too_long(self, delay: float) -> bool:
        if math.isinf(delay) or delay <= (FALLBACK_WAIT if self._is_fallback else self._session.max_wait):
            return False
        if not self._is_fallback:
            self.budget.end(f"{self.budget.service} would make us wait {math.ceil(delay / 60)} min, longer than this run may wait")
        return True

    async def _wait(self, delay: float) -> None:
        """Wait a slice of the delay, or for an answer to come back when only that helps."""
        if math.isinf(delay):
            self._settled.clear()
            await _settled_or_slice(self._settled)
            return
        clock = self._session.clock
        started = clock.monotonic()
        if delay >= 1:
            self._session.progress(self._meter, self.budget.describe(started))
        await clock.sleep(min(delay, SLICE))
        self._session.tally(self._meter).waited_seconds += clock.monotonic() - started


async def _settled_or_slice(settled: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(SLICE):
            await settled.wait()
    except TimeoutError:
        return
