"""A small, honest double of GitHub and PyPI on loopback, shared by the demo, the tests and the benchmarks.

The demo, tests and benchmarks import from here; nothing else of packhouse may.
"""

from __future__ import annotations

from sandbox.clock import RunningClock
from sandbox.curiosities import curious_world
from sandbox.day import Event, Shares, pass_day
from sandbox.faults import Fault, Faults, Mishap
from sandbox.index import Index, Serials
from sandbox.ledger import Ledger, Line
from sandbox.limits import Published, broken_limits
from sandbox.quota import Limits, fingerprint
from sandbox.sample import SAMPLE_MOMENT, recorded_at, sample_note, sample_world
from sandbox.server import Running, running
from sandbox.subjects import NEVER_READY, Project, Repository
from sandbox.synthetic import SYNTHETIC_MOMENT, synthetic_world
from sandbox.synthetic_catalog import write_synthetic_catalog
from sandbox.world import World

__all__ = [
    "NEVER_READY",
    "SAMPLE_MOMENT",
    "SYNTHETIC_MOMENT",
    "Event",
    "Fault",
    "Faults",
    "Index",
    "Ledger",
    "Limits",
    "Line",
    "Mishap",
    "Project",
    "Published",
    "Repository",
    "Running",
    "RunningClock",
    "Serials",
    "Shares",
    "World",
    "broken_limits",
    "curious_world",
    "fingerprint",
    "pass_day",
    "recorded_at",
    "running",
    "sample_note",
    "sample_world",
    "synthetic_world",
    "write_synthetic_catalog",
]
