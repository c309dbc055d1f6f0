"""The source tells nonsense in good JSON, many at once: none of it is published, the report says what, and the next good run heals.

A synthetic catalog of a hundred packages is harvested, a service breaks, and mends again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.report import RunReport
from sandbox.faults import Fault, Mishap
from sandbox.server import running
from sandbox.subjects import weekly_commits
from sandbox.synthetic import SYNTHETIC_MOMENT, synthetic_world
from sandbox.synthetic_catalog import write_synthetic_catalog
from tests.conftest import Bench

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PACKAGES = 50
DAY = timedelta(days=1)
VALUES = "slug, stars_count, forks_count, last_commit_at, weeks_end_on, weeks, participants, latest_version, releases_count"
STARS = ("stargazers_count", "stargazerCount", "watchers_count", "watchers")
COUNTS = (*STARS, "forks_count", "forkCount", "forks", "all", "history")


@dataclass(slots=True)
class Scene:
    """A world, the bench that harvests it, and what was published when all was well."""

    bench: Bench
    today: list[date]
    good: list[dict[str, Any]] = field(default_factory=list)

    def harvest(self, *, later: timedelta = DAY) -> RunReport:
        """Harvest so much later."""
        self.bench.now += later
        self.today[0] = (self.bench.now + self.bench.skew).date()
        return self.bench.harvest()

    def values(self) -> list[dict[str, Any]]:
        """What is published."""
        return self.bench.rows(f"select {VALUES} from packages order by id")  # noqa: S608 - a constant

    def current(self) -> Path:
        """Where the link leads."""
        return (self.bench.data / "current").resolve()

    def push_everywhere(self) -> None:
        """A commit to every repository, so that weeks and participants are asked for."""
        for row in self.bench.rows("select distinct repo_full_name as name from packages where last_commit_at is not null"):
            repo = self.bench.services.world.repository(row["name"])
            if repo is not None and repo.head_at is not None and not repo.block:
                login = repo.participants[0][0] if repo.participants else "founder"
                self.bench.services.world.push(row["name"], on=self.bench.now + timedelta(hours=2), login=login)

    def break_down(self, *faults: Fault) -> None:
        """The service tells other things from now on."""
        self.bench.services.faults.add(*faults)

    def mend(self) -> None:
        """All is well again."""
        self.bench.services.faults.clear()


@contextmanager
def opened(folder: Path, graphql: str) -> Iterator[Scene]:
    """The world as it was at first, with the data folder as it lies there."""
    world = synthetic_world(PACKAGES, seed=3)
    today = [SYNTHETIC_MOMENT.date()]
    world.today = lambda: today[0]
    for repo_id in world.repository_ids():
        repo = world.repository_by_id(repo_id)
        if repo is not None and repo.pending_answers > 0:  # no test waits for a second pass
            world.change(repo.full_name, pending_answers=0)
    with running(world, clock=lambda: SYNTHETIC_MOMENT) as services:
        overrides = {"github_graphql": graphql}
        bench = Bench(data=folder / "data", services=services, now=SYNTHETIC_MOMENT, catalog=folder / "catalog", overrides=overrides)
        yield Scene(bench=bench, today=today)


@pytest.fixture(scope="module", params=["on", "off"], ids=["graphql", "rest"])
def begun(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> tuple[Path, str]:
    """Two hundred packages, harvested on two days by GraphQL or by REST, which the tests take copies of."""
    folder = tmp_path_factory.mktemp("begun")
    write_synthetic_catalog(folder / "catalog", PACKAGES, seed=3)
    with opened(folder, request.param) as scene:
        scene.bench.harvest()
        report = scene.harvest()
        assert [check["name"] for check in report.unmet()] == []
    return folder, request.param


@pytest.fixture
def scene(begun: tuple[Path, str], tmp_path: Path) -> Iterator[Scene]:
    """The second day, all well so far."""
    shutil.copytree(begun[0], tmp_path / "copy", symlinks=True)
    with opened(tmp_path / "copy", begun[1]) as scene:
        scene.bench.now += DAY
        scene.today[0] += DAY
        scene.good = scene.values()
        yield scene


def assert_refused(scene: Scene, report: RunReport, *names: str) -> None:
    """Exit 3, `current` where it was, and each check told by name, with numbers and ten examples."""
    text = "\n".join(report.sentences())
    assert (report.exit_code, report.run["outcome"]) == (3, "refused"), text
    assert report.published is None
    refusing = {check["name"]: check for check in report.unmet() if check["stops"]}
    assert set(names) <= set(refusing), text
    for name in names:
        check = refusing[name]
        assert len(check["examples"]) == min(10, check["amiss_count"]), name
        assert all(example["slug"] for example in check["examples"])
        assert f"Check {name}: " in text
        assert f"{check['amiss_count']:,} of {check['judged_count']:,}" in text
        assert check["examples"][0]["slug"] in text
        assert f"| {check['examples'][0]['slug']} |" in report.markdown()
        assert report.run["kind"] == "replay" or name in report.run["detail"]
    assert report.as_json()["checks"] == report.checks
    assert scene.values() == scene.good


def assert_healed(scene: Scene, *, later: timedelta = DAY) -> None:
    """The next run publishes by itself, and what it publishes is what the world says."""
    before = scene.current()
    report = scene.harvest(later=later)
    text = "\n".join(report.sentences())
    assert report.run["outcome"] == "done", text
    assert [check["name"] for check in report.unmet() if check["stops"]] == [], text
    assert scene.current() != before
    world = scene.bench.services.world
    for row in scene.bench.rows("from packages where repo_state in ('ok') and repo_id is not null"):
        repo = world.repository(row["repo_full_name"])
        assert repo is not None
        assert (row["stars_count"], row["forks_count"]) == (repo.stars, repo.forks), row["slug"]
        assert row["last_commit_at"] == repo.head_at, row["slug"]
        if row["participants_state"] in ("ok", "shifted"):
            assert sorted(row["participants"]) == sorted(login for login, _count in repo.participants), row["slug"]
        if row["weeks_state"] in ("ok", "shifted"):
            assert row["weeks"] == weekly_commits(repo, row["weeks_end_on"]), row["slug"]


@pytest.mark.parametrize("later", [DAY, timedelta(minutes=10)], ids=["a day later", "at once"])
def test_zeros_everywhere_are_refused(scene: Scene, later: timedelta) -> None:
    """Stars, forks and commits of all repositories read zero: refused, and asked for again by the next run, however soon."""
    scene.push_everywhere()
    scene.break_down(Fault(pattern="/github/*", mishap=Mishap.ZEROED, fields=COUNTS))
    current = scene.current()
    assert_refused(scene, scene.harvest(), "stars_held", "forks_held", "weeks_held")
    assert scene.current() == current
    assert_refused(scene, scene.harvest(), "stars_held", "forks_held", "weeks_held")
    scene.mend()
    assert_healed(scene, later=later)


def test_no_contributors_anywhere_is_refused(scene: Scene) -> None:
    """Every list of contributors is empty: refused, and the lists are asked for again although they were just given."""
    scene.bench.now += 31 * DAY
    scene.push_everywhere()
    scene.break_down(Fault(pattern="/github/*/contributors*", mishap=Mishap.EMPTIED))
    assert_refused(scene, scene.harvest(), "participants_held")
    scene.mend()
    assert_healed(scene)


VANISHED = {
    "stars": (STARS, "repo_state", "stars_count"),
    "forks": (("forks_count", "forkCount"), "repo_state", "forks_count"),
    "newest commit": (("commit", "defaultBranchRef"), "head_state", "last_commit_at"),
    "weeks": (("all", "history"), "weeks_state", "weeks_head"),
}


@pytest.mark.parametrize(("fields", "state", "column"), VANISHED.values(), ids=VANISHED)
def test_a_field_that_vanishes_is_never_a_zero(scene: Scene, fields: tuple[str, ...], state: str, column: str) -> None:
    """Published, with the old values and the state that says so; the report counts what could not be used and shows ten."""
    scene.push_everywhere()
    scene.break_down(Fault(pattern="/github/*", mishap=Mishap.WITHOUT, fields=fields))
    report = scene.harvest()
    text = "\n".join(report.sentences())
    assert (report.exit_code, report.run["outcome"]) == (3, "done"), text
    (check,) = (check for check in report.unmet() if check["name"] == "unreadable_share")
    assert check["part"] == "github"
    assert len(check["examples"]) == 10
    assert all("missing" in example["after"] or "expected" in example["after"] for example in check["examples"])
    old = {row["slug"]: row for row in scene.good}
    rows = [row for row in scene.bench.rows(f"select {VALUES}, {state} as state from packages") if row["state"] == "stale"]  # noqa: S608
    assert len(rows) > PACKAGES / 2, text
    for row in rows:
        before = old[row["slug"]]
        if column == "weeks_head":  # commits of before, counted for the later day; none is lost but those that left the window
            assert sum(before["weeks"]) - before["weeks"][0] <= sum(row["weeks"]) <= sum(before["weeks"]) + 9, row
        else:
            assert row[column] == before[column], row
    scene.mend()
    assert_healed(scene)


def test_two_fifths_not_found_keep_their_values(scene: Scene) -> None:
    """Published with the old values, stale, and told; only when they would all be gone at once it is refused. Found again, all is well."""
    world = scene.bench.services.world
    names = [
        row["name"] for row in scene.bench.rows("select distinct repo_full_name as name from packages where repo_state = 'ok' order by 1")
    ]
    hidden = [repo for name in names[: len(names) * 2 // 5] if (repo := world.repository(name))]
    for repo in hidden:
        world.delete(repo.full_name)
    for _day in range(3):
        report = scene.harvest()
        assert (report.exit_code, report.run["outcome"]) == (3, "done"), "\n".join(report.sentences())
        stars = {row["slug"]: row["stars_count"] for row in scene.good}
        assert {row["slug"]: row["stars_count"] for row in scene.values()} == stars
        if _day == 0:
            (check,) = (check for check in report.unmet() if check["name"] == "missing_at_once")
            assert (len(check["examples"]), check["part"]) == (10, "repositories")
            assert check["amiss_count"] >= len(hidden)
            assert scene.bench.rows("select count(*) as n from packages where repo_state = 'stale'")[0]["n"] >= len(hidden)
    scene.good = scene.values()
    assert_refused(scene, scene.harvest(), "gone_at_once")
    world.add(*hidden)
    assert_healed(scene)


@pytest.mark.parametrize("ahead", [2, -2], ids=["ahead", "behind"])
@pytest.mark.parametrize("whose", ["theirs", "ours"])
def test_clocks_two_days_apart_are_refused(scene: Scene, ahead: int, whose: str) -> None:
    """Whoever's clock is wrong, nothing of that run is taken; when the clocks agree again the next run publishes."""
    newest = "select max(confirmed_at) as at from repo_observations"
    observed = scene.bench.rows(newest)[0]["at"]
    if whose == "theirs":
        scene.bench.skew = ahead * DAY
    else:
        scene.bench.now += ahead * DAY
        scene.bench.skew = -ahead * DAY
    scene.push_everywhere()
    report = scene.harvest()
    if whose == "ours" and ahead < 0:  # all that is known was observed later than it seems to be, so next to nothing is asked
        assert_refused(scene, report, "observed_in_time")
        assert report.run["requests_count"] < 10
    else:
        assert_refused(scene, report, "clock_skew")
        findings = [finding for finding in report.findings if finding["code"] == "clock_skew"]
        assert {finding["subject"] for finding in findings} == {"github", "pypi"}
        assert all("2.0 days" in finding["message"] for finding in findings)
    if whose == "ours":
        scene.bench.now -= ahead * DAY
    scene.bench.skew = timedelta()
    assert_healed(scene, later=timedelta(hours=6) if whose == "ours" else DAY)
    assert observed < scene.bench.rows(newest)[0]["at"] <= scene.bench.now


def test_a_replay_says_the_same_of_a_refused_run(scene: Scene) -> None:
    """Rebuilt from the landing, the store is as poisoned as before, and its publication is refused as before; the next run heals it too."""
    scene.break_down(Fault(pattern="/github/*", mishap=Mishap.ZEROED, fields=COUNTS))
    assert_refused(scene, scene.harvest(), "stars_held")
    report = scene.bench.replay()
    assert_refused(scene, report, "stars_held")
    scene.mend()
    assert_healed(scene, later=timedelta(minutes=10))
    history = scene.bench.rows("select count(*) as n from repo_observations where stars_count = 0 and forks_count = 0")
    assert history[0]["n"] > PACKAGES / 2, "the history says what was said"
