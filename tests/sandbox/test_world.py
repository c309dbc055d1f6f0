from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import Repository, World, curious_world
from sandbox.subjects import UnknownSubject, spread_weeks, weekly_commits

DAYS = st.dates(date(2020, 1, 1), date(2030, 1, 1))
WEEKS = st.lists(st.integers(0, 60), min_size=52, max_size=52)


def _plain() -> Repository:
    repo = curious_world().repository("curious/plain")
    assert repo is not None
    return repo


@given(weeks=WEEKS, today=DAYS)
def test_weeks_spread_over_days_add_up_again(weeks: list[int], today: date) -> None:
    """Commit days made from 52 windows give those windows on that day."""
    repo = replace(_plain(), commit_days=spread_weeks(weeks, today))
    assert weekly_commits(repo, today) == weeks


@given(weeks=WEEKS, today=DAYS, days=st.integers(1, 120))
def test_windows_move_with_the_day_and_lose_only_what_is_old(weeks: list[int], today: date, days: int) -> None:
    """A week later every count stands one place further left."""
    repo = replace(_plain(), commit_days=spread_weeks(weeks, today))
    later = weekly_commits(repo, today + timedelta(days=7 * (days % 52)))
    assert later == weeks[days % 52 :] + [0] * (days % 52)
    assert sum(weekly_commits(repo, today + timedelta(days=days))) <= sum(weeks)


def test_newest_release_is_listed_first_seen_last() -> None:
    """A release of a project becomes its latest and leaves the others as they were."""
    world = curious_world()
    before = world.project("curious-plain")
    after = world.release("curious-plain", "50.1", at=datetime(2026, 2, 16, tzinfo=UTC))
    assert before is not None
    assert after.document["info"]["version"] == "50.1"
    assert {key: after.document["releases"][key] for key in before.document["releases"]} == before.document["releases"]
    assert before.document["info"]["version"] != "50.1"


def _latest(world: World) -> str:
    project = world.project("curious-plain")
    assert project is not None
    return str(project.document["info"]["version"])


@pytest.mark.parametrize("version", ["51.0rc1", "51.0.dev1", "0.0.1"])
def test_a_prerelease_or_a_backport_is_not_the_latest(version: str) -> None:
    """PyPI goes on naming the newest stable release, with its files."""
    world = curious_world()
    world.release("curious-plain", "50.1", at=datetime(2026, 2, 16, tzinfo=UTC))
    after = world.release("curious-plain", version, at=datetime(2026, 2, 17, tzinfo=UTC))
    assert after.document["info"]["version"] == "50.1"
    assert after.document["urls"] == after.document["releases"]["50.1"]
    assert version in after.document["releases"]


def test_a_yank_hands_the_latest_on_and_back() -> None:
    """A yanked release stays listed with its reason, is not the latest while another is not yanked, and may return."""
    world = curious_world()
    before = _latest(world)
    world.release("curious-plain", "50.1", at=datetime(2026, 2, 16, tzinfo=UTC))
    yanked = world.yank("curious-plain", "50.1", reason="broken")
    assert [(file["yanked"], file["yanked_reason"]) for file in yanked.document["releases"]["50.1"]] == [(True, "broken")]
    assert _latest(world) == before
    back = world.unyank("curious-plain", "50.1")
    assert [(file["yanked"], file["yanked_reason"]) for file in back.document["releases"]["50.1"]] == [(False, None)]
    assert _latest(world) == "50.1"
    assert back.serial == yanked.serial + 1


def test_a_prerelease_is_the_latest_when_all_stable_ones_are_yanked_and_a_yanked_one_when_all_are() -> None:
    """PyPI's order of choice: stable, pre-release, yanked."""
    world = curious_world()
    project = world.release("curious-plain", "51.0rc1", at=datetime(2026, 2, 16, tzinfo=UTC))
    for version in project.document["releases"]:
        if version != "51.0rc1":
            project = world.remove_release("curious-plain", version)
    world.release("curious-plain", "50.0", at=datetime(2026, 2, 16, tzinfo=UTC))
    world.yank("curious-plain", "50.0")
    assert _latest(world) == "51.0rc1"
    last = world.yank("curious-plain", "51.0rc1", reason="worse")
    assert (last.document["info"]["version"], last.document["info"]["yanked"], last.document["info"]["yanked_reason"]) == (
        "51.0rc1",
        True,
        "worse",
    )


def test_a_removed_release_is_gone_from_the_document() -> None:
    """What is left decides the latest; a version that is not there cannot be removed."""
    world = curious_world()
    before = _latest(world)
    world.release("curious-plain", "50.1", at=datetime(2026, 2, 16, tzinfo=UTC))
    after = world.remove_release("curious-plain", "50.1")
    assert "50.1" not in after.document["releases"]
    assert _latest(world) == before
    with pytest.raises(UnknownSubject):
        world.remove_release("curious-plain", "50.1")
    with pytest.raises(UnknownSubject):
        world.yank("curious-plain", "50.1")
