"""How things stand: the promise is kept only while it is kept now, and whatever an operator has to know is told in one place."""

from __future__ import annotations

import json
from datetime import timedelta

from flows.standing import describe_standing, standing
from tests.conftest import NOW, Bench
from warehouse.folder import DataFolder


def test_the_promise_is_held_against_now_and_not_against_the_day_it_was_published(bench: Bench) -> None:
    """Fresh when published, due a day later, broken when nobody harvested for two: by source, with the ten oldest."""
    bench.harvest()
    fresh, due, broken = (standing(bench.settings(), NOW + timedelta(hours=hours)) for hours in (1, 21, 41))
    assert [state["promise"]["is_kept"] for state in (fresh, due, broken)] == [True, True, False]
    github, pypi = fresh["promise"]["sources"]
    assert (github["source"], pypi["source"]) == ("github", "pypi")
    assert github["values_count"] == 96, "24 packages; the one of a forge that is not harvested was promised nothing"
    assert (github["due_count"], github["overdue_count"]) == (0, 0)
    assert fresh["promise"]["next_due_at"] == (NOW + timedelta(hours=20)).isoformat()
    assert [len(row["oldest"]) for row in broken["promise"]["sources"]] == [10, 10]
    assert [row["due_count"] for row in due["promise"]["sources"]] == [96, 24]
    assert [row["overdue_count"] for row in broken["promise"]["sources"]] == [96, 24]
    lines = "\n".join(describe_standing(broken))
    assert lines.startswith("Promise: no value older than 40 h (twice PACKHOUSE_MAX_AGE): BROKEN\n  github   96 values")
    json.dumps(broken)


def test_quota_disk_and_work_under_way_are_told(bench: Bench) -> None:
    """What the meters had left at last, what each part takes, who holds the folder, which run has no end."""
    report = bench.harvest()
    folder = DataFolder(bench.data)
    state = standing(bench.settings(), NOW + timedelta(minutes=1))
    assert 0 < state["quota"]["graphql"]["left"] < 5000
    assert standing(bench.settings(), NOW + timedelta(hours=2))["quota"] == {}, "full again"
    assert state["disk"]["bytes"]["landing"] > 100_000
    assert state["disk"]["free_bytes"] > 0
    assert state["at_work"] is None
    assert state["unfinished"] == []
    (path,) = (folder.landing / "runs").rglob("*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "ended_at": None}))
    with folder.lock():
        assert standing(bench.settings(), NOW)["unfinished"] == [], "it is at work"
        assert "has been working in it since" in standing(bench.settings(), NOW)["at_work"]
    assert [run["run_id"] for run in standing(bench.settings(), NOW)["unfinished"]] == [report.run["run_id"]]
    assert any(line.startswith("Unfinished: run") for line in describe_standing(standing(bench.settings(), NOW)))
