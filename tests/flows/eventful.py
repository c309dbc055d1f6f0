"""A synthetic world that moves while it is harvested day after day, and what was true at each harvest."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sandbox.server import running
from sandbox.subjects import Repository, weekly_commits
from sandbox.synthetic import SYNTHETIC_MOMENT, synthetic_world
from sandbox.synthetic_catalog import write_synthetic_catalog
from sandbox.world import World
from tests.conftest import Bench

DAY = timedelta(days=1)


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


@contextmanager
def moving_scene(folder: Path, packages: int) -> Iterator[Scene]:
    """A synthetic world with its catalog below ``folder``, before anything was asked."""
    world = synthetic_world(packages, seed=7)
    today = [SYNTHETIC_MOMENT.date()]
    world.today = lambda: today[0]
    write_synthetic_catalog(folder / "catalog", packages, seed=7)
    holder: list[Bench] = []
    with running(world, clock=lambda: holder[0].now if holder else SYNTHETIC_MOMENT) as services:
        overrides = {"pypi_index_threshold": "10"}
        bench = Bench(data=folder / "data", services=services, now=SYNTHETIC_MOMENT, catalog=folder / "catalog", overrides=overrides)
        holder.append(bench)
        yield Scene(bench=bench, world=world, today=today)
