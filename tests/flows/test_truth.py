"""Zero wrong values: whatever happens in the world and on the wire, what is published was true when it was observed, or says why not.

A synthetic world is harvested, changed, and harvested again for five days. After every harvest each field of each package is
compared with the world as it was at the moment the field says it was observed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.faults import Fault, Mishap
from sandbox.server import running
from sandbox.subjects import Repository, weekly_commits
from sandbox.synthetic import SYNTHETIC_MOMENT, synthetic_world
from sandbox.synthetic_catalog import write_synthetic_catalog
from sandbox.world import World
from tests.conftest import Bench

PACKAGES = 110
DAY = timedelta(days=1)
STALE_AFTER = timedelta(hours=40)  # twice the greatest age
FRESH = {"ok", "shifted", "capped"}
KEPT = {"stale", "pending", "gone", "blocked", "unsupported"}
FACETS = ("repo", "head", "weeks", "participants", "project")


@dataclass(slots=True)
class Scene:
    """A world that moves, the bench that harvests it, and what was true at each harvest."""

    bench: Bench
    world: World
    today: list[date]
    moments: dict[datetime, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def repositories(self) -> dict[str, Repository]:
        """Those that the catalog names and that are there, by the subject it names them by."""
        found = {}
        for row in self.subjects("repo_subject"):
            repo = self.world.repository(row.removeprefix("github:"))
            if repo is not None:
                found[row] = repo
        return found

    def subjects(self, column: str) -> list[str]:
        """Subjects of the catalog."""
        rows = self.bench.rows(f"select distinct {column} as name from packages where {column} is not null order by 1")  # noqa: S608
        return [row["name"] for row in rows]

    def harvest(self, **options: Any) -> Any:
        """Harvest now, and remember what was true."""
        report = self.bench.harvest(**options)
        truths: dict[str, dict[str, Any]] = {}
        for subject, repo in self.repositories().items():
            truths[subject] = {
                "stars_count": repo.stars,
                "forks_count": repo.forks,
                "watchers_count": repo.watchers,
                "repo_description": repo.description or "",
                "is_archived": repo.is_archived,
                "repo_id": repo.id,
                "repo_full_name": repo.full_name,
                "last_commit_at": repo.head_at,
                "weeks": weekly_commits(repo, self.today[0]),
                "participants": [login for login, _count in repo.participants],
            }
        for name in self.subjects("project"):
            project = self.world.project(name)
            if project is not None and project.status != "quarantined":
                info = project.document["info"]
                is_empty = not project.document["releases"]
                truths[f"pypi:{name}"] = {
                    "latest_version": None if is_empty else info["version"],
                    "releases_count": len(project.document["releases"]),
                    "summary": None if is_empty else info["summary"],
                }
        self.moments[self.bench.now] = truths
        return report

    def next_day(self) -> datetime:
        """Let a day pass; return the moment things happen at."""
        self.today[0] += DAY
        self.bench.now += DAY
        return self.bench.now - timedelta(hours=5)


VALUES = {
    "repo": ("stars_count", "forks_count", "watchers_count", "repo_description", "is_archived", "repo_id", "repo_full_name"),
    "head": ("last_commit_at",),
    "weeks": ("weeks",),
    "participants": ("participants",),
    "project": ("latest_version", "releases_count", "summary"),
}


def wrong_values(scene: Scene) -> list[str]:
    """Every published value that was not true at the moment it says it was observed, and every fresh state that is not."""
    wrong: list[str] = []
    for row in scene.bench.rows("from packages"):
        for facet in FACETS:
            subject = f"pypi:{row['project']}" if facet == "project" else row["repo_subject"]
            state, observed_at = row[f"{facet}_state"], row[f"{facet}_observed_at"]
            if subject is None or subject == "pypi:None" or state is None:
                continue
            where = f"{row['slug']} {facet} ({state}, observed {observed_at})"
            if state in FRESH and scene.bench.now - observed_at > STALE_AFTER:
                wrong.append(f"{where}: fresh, and older than a value may be")
            if state not in FRESH | KEPT:
                wrong.append(f"{where}: no such state")
            if observed_at is None:
                wrong += [f"{where}: {name} has a value from nowhere" for name in VALUES[facet] if row[name] not in (None, [])]
                continue
            truth = scene.moments[observed_at].get(subject)
            if truth is None:
                wrong.append(f"{where}: was not there then")
                continue
            wrong += [f"{where}: {name} {_differ(row[name], truth[name])}" for name in VALUES[facet] if row[name] != truth[name]]
            if facet == "weeks" and row["weeks_end_on"] != observed_at.date():
                wrong.append(f"{where}: the weeks end on {row['weeks_end_on']}")
    return wrong


def _differ(value: Any, truth: Any) -> str:
    if isinstance(value, list) and isinstance(truth, list):
        first = next(
            (index for index, (one, other) in enumerate(zip(value, truth, strict=False)) if one != other), min(len(value), len(truth))
        )
        return f"has {len(value)} entries, was {len(truth)}; from {first} on {value[first : first + 6]}, was {truth[first : first + 6]}"
    return f"is {value!r}, was {truth!r}"


def assert_true(scene: Scene) -> None:
    """No value is wrong."""
    wrong = wrong_values(scene)
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A synthetic world with its catalog, before anything was asked."""
    world = synthetic_world(PACKAGES, seed=7)
    today = [SYNTHETIC_MOMENT.date()]
    world.today = lambda: today[0]
    write_synthetic_catalog(tmp_path / "catalog", PACKAGES, seed=7)
    holder: list[Bench] = []
    with running(world, clock=lambda: holder[0].now if holder else SYNTHETIC_MOMENT) as services:
        overrides = {"pypi_index_threshold": "10"}
        bench = Bench(data=tmp_path / "data", services=services, now=SYNTHETIC_MOMENT, catalog=tmp_path / "catalog", overrides=overrides)
        holder.append(bench)
        yield Scene(bench=bench, world=world, today=today)


def live_through(scene: Scene, day: int, at: datetime) -> None:
    """A day of the world: pushes by old hands and newcomers, merges, rewritten pasts, renames, ends, releases, new figures."""
    rng = random.Random(f"day {day}")  # noqa: S311 - a simulation
    world = scene.world
    repositories = [repo for repo in scene.repositories().values() if repo.head_at is not None and not repo.block and not repo.is_archived]
    rng.shuffle(repositories)
    names = iter([repo.full_name for repo in repositories])
    for _ in range(6):
        repo = world.repository(next(names))
        assert repo is not None
        login = rng.choice(repo.participants)[0] if repo.participants else "founder"
        world.push(repo.full_name, on=at, login=login, commits=rng.randint(1, 4))
    world.push(next(names), on=at, login=f"newcomer-{day}", commits=2)
    world.push(next(names), on=at, login="dev-1", commits=3, is_merge=True)
    world.push(next(names), on=at, login="dev-2", commits=1, authored_at=at - 40 * DAY)
    world.push(next(names), on=at, login=None, commits=1)
    rewritten = world.repository(next(names))
    assert rewritten is not None
    world.force_push(rewritten.full_name, drop=1, on=at, login=rewritten.participants[0][0], commits=2)
    world.change(next(names), stars=rng.randint(0, 9000), forks=rng.randint(0, 900), description=f"Changed on day {day}")
    world.archive(next(names), at=at)
    renamed = next(names)
    world.rename(renamed, f"moved-{day}/{renamed.partition('/')[2]}")
    world.delete(next(names))
    recreated = world.repository(next(names))
    assert recreated is not None
    world.delete(recreated.full_name)
    world.add(replace(recreated, id=900_000_000 + day, stars=1, forks=0))
    _change_projects(scene, rng, day, at)


def _change_projects(scene: Scene, rng: random.Random, day: int, at: datetime) -> None:
    world = scene.world
    projects = [name for name in scene.subjects("project") if (found := world.project(name)) and found.status == "active"]
    rng.shuffle(projects)
    names = iter(projects)
    for number in range(3):
        world.release(next(names), f"99.{day}.{number}", at=at)
    world.set_status(next(names), "archived")
    if day == 2:
        world.set_status(next(names), "quarantined")
        world.remove_project(next(names))
    name = next(names)
    versions = list(world.project(name).document["releases"])  # type: ignore[union-attr]
    world.yank(name, versions[-1], reason="a slip")


@pytest.mark.parametrize("graphql", ["on", "off"])
def test_every_value_was_true_when_it_was_observed(scene: Scene, graphql: str) -> None:
    """Cold and on each of five eventful days no published value is wrong, by GraphQL as by REST, and a replay says the same."""
    scene.bench.overrides["github_graphql"] = graphql
    scene.harvest()
    assert_true(scene)
    for day in range(1, 6):
        live_through(scene, day, scene.next_day())
        scene.harvest()
        assert_true(scene)
    before = scene.bench.rows("from packages order by id")
    scene.bench.replay()
    assert scene.bench.rows("from packages order by id") == before


WORST = {
    "limits of resources": [Fault(pattern="/github/graphql*", mishap=Mishap.ALIAS_LIMITS, probability=0.4)],
    "nulls without a reason": [Fault(pattern="/github/graphql*", mishap=Mishap.ALIAS_NULL, probability=0.4)],
    "pieces missing": [Fault(pattern="/github/graphql*", mishap=Mishap.ALIAS_HOLLOW, probability=0.4)],
    "something went wrong": [
        Fault(pattern="/github/graphql*", mishap=Mishap.WRONG, probability=0.3),
        Fault(pattern="/github/graphql*", mishap=Mishap.ALIAS_WRONG, probability=0.3),
    ],
    "no GraphQL at all": [Fault(pattern="/github/graphql*", mishap=Mishap.STATUS, status=502)],
    "everything at once": [
        Fault(mishap=Mishap.STATUS, status=502, probability=0.05),
        Fault(mishap=Mishap.STATUS, status=503, is_json=True, probability=0.03),
        Fault(mishap=Mishap.HTML, probability=0.03),
        Fault(mishap=Mishap.TRUNCATED, probability=0.03),
        Fault(mishap=Mishap.CUT_OFF, probability=0.03),
        Fault(mishap=Mishap.DROPPED, probability=0.03),
        Fault(pattern="/github/graphql*", mishap=Mishap.ALIAS_NULL, probability=0.2),
        Fault(pattern="/github/graphql*", mishap=Mishap.ALIAS_LIMITS, probability=0.2),
    ],
}


@pytest.mark.parametrize("faults", WORST.values(), ids=WORST)
def test_no_fault_makes_a_value_wrong(scene: Scene, faults: list[Fault]) -> None:
    """Under faults from the first request on, a value is true or keeps its date and says why; once they end, all is fresh again."""
    scene.bench.services.faults.add(*faults)
    scene.harvest()
    assert_true(scene)
    live_through(scene, 1, scene.next_day())
    scene.harvest()
    assert_true(scene)
    scene.bench.services.faults.clear()
    scene.next_day()
    scene.harvest()
    assert_true(scene)
    left = scene.bench.rows("select count(*) as n from packages where repo_state in ('pending', 'stale') and repo_id is not null")
    gone = [name for name in scene.subjects("repo_subject") if name not in scene.repositories()]
    assert left[0]["n"] <= len(gone) + 2
