"""What becomes of releases between two harvests: yanks, removals and returns, from PyPI to the publication."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.conftest import Bench

NAME = "django-scheduler"
LATEST, NEXT = "0.12.0", "0.13.0"


def _harvest(bench: Bench) -> str:
    """Harvest a day later, and give the latest version then published."""
    bench.now += timedelta(days=1)
    bench.harvest(NAME)
    return str(bench.package(NAME)["latest_version"])


def _states(bench: Bench) -> list[tuple[Any, ...]]:
    """Every state the release ever had: is it yanked, why, since when, until when."""
    rows = bench.rows(
        f"select is_yanked, yanked_reason, observed_at, ended_at from releases "  # noqa: S608 - ours
        f"where project = '{NAME}' and version = '{NEXT}' order by observed_at"
    )
    return [(row["is_yanked"], row["yanked_reason"], row["observed_at"], row["ended_at"]) for row in rows]


def test_a_yank_its_end_a_removal_and_a_return_are_in_the_history(bench: Bench) -> None:
    """Each state of a release has its row with its time, and the latest version is what PyPI calls it that day."""
    world = bench.services.world
    days: list[datetime] = []
    latest: list[str] = []
    for happens in (
        lambda: world.release(NAME, NEXT, at=bench.now),
        lambda: world.yank(NAME, NEXT, reason="broken"),
        lambda: world.unyank(NAME, NEXT),
        lambda: world.remove_release(NAME, NEXT),
        lambda: world.release(NAME, NEXT, at=bench.now),
    ):
        happens()
        latest.append(_harvest(bench))
        days.append(bench.now)
    added, yanked, returned, removed, added_again = days
    assert latest == [NEXT, LATEST, NEXT, LATEST, NEXT]
    assert _states(bench) == [
        (False, None, added, yanked),
        (True, "broken", yanked, returned),
        (False, None, returned, removed),
        (False, None, added_again, None),
    ]
