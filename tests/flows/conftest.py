"""Fixtures of the tests of flows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.eventful import Scene, moving_scene

PACKAGES = 110
FEW = 50


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A synthetic world of 110 packages with its catalog, before anything was asked."""
    with moving_scene(tmp_path, PACKAGES) as scene:
        yield scene


@pytest.fixture
def small_scene(tmp_path: Path) -> Iterator[Scene]:
    """The same with fifty packages, for what is played many times."""
    with moving_scene(tmp_path, FEW) as scene:
        yield scene
