"""A day in the world: who pushes, what is released, renamed, deleted. Everything follows from the seed and the day."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta

from packaging.version import InvalidVersion, Version

from sandbox.subjects import ACTIVE, ARCHIVED, QUARANTINED, Project, Repository
from sandbox.synthetic import chance
from sandbox.world import World

DAY = timedelta(days=1)
NEWCOMER_SHARE, STRANGER_SHARE, MERGE_SHARE, DELAYED_SHARE = 0.15, 0.03, 0.10, 0.08


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """The share of repositories, or of projects, each of these befalls on one day.

    Attributes:
        pushed: commits come to the default branch, mostly by people known there.
        force_pushed: its newest commits are replaced by others.
        starred: stars, forks or watchers change, and nothing else.
        described: the description or the license changes.
        renamed: it gets another name; ``transferred``: another owner.
        deleted: it is gone; ``recreated``: another repository, with another id, takes its name.
        archived: it becomes read-only, or writable again.
        released: a version is uploaded to PyPI, now and then a pre-release.
        yanked: the latest release is yanked; ``removed``: the project is deleted.
        closed: the project is archived, or active again: its serial does not move.
        quarantined: PyPI withholds the project, or releases it again.
    """

    pushed: float = 0.03
    force_pushed: float = 0.0
    starred: float = 0.1
    described: float = 0.0
    renamed: float = 0.0
    transferred: float = 0.0
    deleted: float = 0.0
    recreated: float = 0.0
    archived: float = 0.0
    released: float = 0.005
    yanked: float = 0.0
    removed: float = 0.0
    closed: float = 0.0
    quarantined: float = 0.0


SHARES = Shares()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened: ``kind`` is a name of ``Shares``, ``subject`` the name it had before."""

    kind: str
    subject: str
    at: datetime


def pass_day(world: World, *, now: datetime, seed: int = 0, shares: Shares = SHARES) -> list[Event]:
    """Let the 24 hours after ``now`` happen, in order of time; a world that stands still then stands at their end."""
    later = now + DAY
    happened = [event for at, befall in sorted(_drawn(world, now, seed, shares), key=lambda pair: pair[0]) if (event := befall(at))]
    if world.today() < later.date():
        world.today = later.date
    return happened


_Befall = Callable[[datetime], Event | None]


def _drawn(world: World, now: datetime, seed: int, shares: Shares) -> Iterator[tuple[datetime, _Befall]]:
    """What is to happen and when. Each subject draws for itself, so a world with more of them has the same events and more."""
    subjects: dict[bool, Sequence[int | str]] = {True: world.project_names(), False: world.repository_ids()}
    for kind in (field.name for field in fields(shares)):
        what = f"{now.isoformat()}:{kind}"
        for subject in subjects[kind in OF_PROJECTS] if getattr(shares, kind) > 0 else ():
            if chance(seed, subject, what) < getattr(shares, kind):
                rng = random.Random(f"{seed}:{what}:{subject}")  # noqa: S311 - a simulation, no secret
                yield (now + DAY * rng.uniform(0.001, 0.999)).replace(microsecond=0), _befall(world, kind, subject, rng)


def _befall(world: World, kind: str, subject: int | str, rng: random.Random) -> _Befall:
    def befall(at: datetime) -> Event | None:
        found = world.project(subject) if isinstance(subject, str) else world.repository_by_id(subject)
        if isinstance(found, Project):
            return Event(kind=kind, subject=found.name, at=at) if OF_PROJECTS[kind](world, found, at, rng) else None
        if isinstance(found, Repository) and not found.block:
            return Event(kind=kind, subject=found.full_name, at=at) if OF_REPOSITORIES[kind](world, found, at, rng) else None
        return None

    return befall


def _author(repo: Repository, at: datetime, rng: random.Random) -> str | None:
    """Who commits: mostly somebody who has before, those with many commits more often."""
    drawn = rng.random()
    if drawn < STRANGER_SHARE:
        return None
    if not repo.participants or drawn < STRANGER_SHARE + NEWCOMER_SHARE:
        return f"newcomer-{repo.id % 100_000}-{at:%m%d}"
    return rng.choices([login for login, _ in repo.participants], [count for _, count in repo.participants])[0]


def _pushed(world: World, repo: Repository, at: datetime, rng: random.Random) -> bool:
    if repo.is_archived:
        return False
    made_at = at - timedelta(days=rng.randint(1, 9)) if rng.random() < DELAYED_SHARE else None
    login, commits = _author(repo, at, rng), min(1 + int(rng.expovariate(0.8)), 12)
    world.push(repo.full_name, on=at, login=login, commits=commits, authored_at=made_at, is_merge=rng.random() < MERGE_SHARE)
    return True


def _force_pushed(world: World, repo: Repository, at: datetime, rng: random.Random) -> bool:
    if repo.is_archived or repo.commit_count < 2:  # noqa: PLR2004 - something must be left
        return False
    drop = rng.randint(1, min(20, repo.commit_count - 1))
    world.force_push(repo.full_name, drop=drop, on=at, login=_author(repo, at, rng), commits=rng.randint(1, drop))
    return True


def _starred(world: World, repo: Repository, at: datetime, rng: random.Random) -> bool:
    change = rng.choice((-1, 1, 1, 2, 5))
    values = {"stars": max(repo.stars + change, 0), "forks": repo.forks + rng.randrange(2), "watchers": repo.watchers + rng.randrange(2)}
    world.change(repo.full_name, **values, updated_at=at)
    return True


def _described(world: World, repo: Repository, at: datetime, rng: random.Random) -> bool:
    values = {"description": None if rng.random() < 0.2 else f"Described anew on {at:%d %B}: “für” everybody."}  # noqa: PLR2004 - a few
    world.change(repo.full_name, **values, license=rng.choice(("MIT", "Apache-2.0", None)), updated_at=at)
    return True


def _renamed(world: World, repo: Repository, at: datetime, _rng: random.Random) -> bool:
    world.rename(repo.full_name, f"{repo.owner}/{repo.name}-{at:%m%d}")
    return True


def _transferred(world: World, repo: Repository, at: datetime, _rng: random.Random) -> bool:
    world.rename(repo.full_name, f"{repo.owner}-{at:%m%d}/{repo.name}")
    return True


def _deleted(world: World, repo: Repository, _at: datetime, _rng: random.Random) -> bool:
    world.delete(repo.full_name)
    return True


def _recreated(world: World, repo: Repository, at: datetime, rng: random.Random) -> bool:
    world.delete(repo.full_name)
    number = next(number for number in range(repo.id + 1, repo.id + 1000) if world.repository_by_id(number) is None)
    blank = Repository(id=number, owner=repo.owner, name=repo.name, created_at=at, updated_at=at, pushed_at=at, stars=rng.randrange(9))
    world.add(replace(blank, description="A new repository under an old name."))
    world.push(repo.full_name, on=at, login=f"founder-{number % 100_000}", commits=rng.randint(1, 3))
    return True


def _archived(world: World, repo: Repository, at: datetime, _rng: random.Random) -> bool:
    (world.unarchive if repo.is_archived else world.archive)(repo.full_name, at=at)
    return True


def _released(world: World, project: Project, at: datetime, rng: random.Random) -> bool:
    if project.status != ACTIVE:
        return False
    try:
        last = Version(project.document["info"]["version"])
    except InvalidVersion:
        last = Version("2026.0")
    numbers = (last.major, last.minor, last.micro + 1)
    version = ".".join(map(str, numbers)) + ("rc1" if rng.random() < 0.1 else "")  # noqa: PLR2004 - now and then
    while version in project.document["releases"]:
        version = f"{version}.post1"
    world.release(project.name, version, at=at)
    return True


def _yanked(world: World, project: Project, _at: datetime, rng: random.Random) -> bool:
    version = project.document["info"]["version"]
    if not project.document["releases"].get(version):
        return False
    world.yank(project.name, version, reason=rng.choice(("broken", None)))
    return True


def _removed(world: World, project: Project, _at: datetime, _rng: random.Random) -> bool:
    world.remove_project(project.name)
    return True


def _closed(world: World, project: Project, _at: datetime, _rng: random.Random) -> bool:
    world.set_status(project.name, ACTIVE if project.status == ARCHIVED else ARCHIVED)
    return True


def _quarantined(world: World, project: Project, _at: datetime, _rng: random.Random) -> bool:
    world.set_status(project.name, ACTIVE if project.status == QUARANTINED else QUARANTINED)
    return True


OF_REPOSITORIES: dict[str, Callable[[World, Repository, datetime, random.Random], bool]] = {
    "pushed": _pushed,
    "force_pushed": _force_pushed,
    "starred": _starred,
    "described": _described,
    "renamed": _renamed,
    "transferred": _transferred,
    "deleted": _deleted,
    "recreated": _recreated,
    "archived": _archived,
}
OF_PROJECTS: dict[str, Callable[[World, Project, datetime, random.Random], bool]] = {
    "released": _released,
    "yanked": _yanked,
    "removed": _removed,
    "closed": _closed,
    "quarantined": _quarantined,
}
