"""Clocks tell aware UTC time, and the fixed one stands still without stopping anything."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta

from extractors.clock import FixedClock, SystemClock
from tests.extractors.loopback import START


def test_the_system_clock():
    """Its time is aware and in UTC, its counter never runs backwards."""
    clock = SystemClock()
    assert clock.now().utcoffset() == timedelta(0)
    before = clock.monotonic()
    asyncio.run(clock.sleep(0))
    assert clock.monotonic() >= before


def test_the_fixed_clock():
    """Its wall clock stands still while its counter goes on."""
    clock = FixedClock(START)
    before = clock.monotonic()
    asyncio.run(clock.sleep(0.001))
    assert clock.monotonic() > before
    assert clock.now() == START
    assert clock.now().tzinfo is UTC
