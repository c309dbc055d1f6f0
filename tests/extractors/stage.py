"""A stage for the driver: a server with GitHub and PyPI on it, a session against it, and a record of what happened."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from extractors.agenda import Agenda, BatchSize, Conversation
from extractors.budget import open_budgets
from extractors.client import Client, Service
from extractors.conversation import FACETS, GITHUB, GRAPHQL, PROJECT, PYPI, REPO, Answer, Plan
from extractors.driver import hold as hold_agenda
from extractors.github import repo_plan
from extractors.pypi import project_plan
from extractors.session import Session
from tests.extractors.loopback import Loopback, Reply, Request, VirtualClock

SECRET = "ghp_" + "notARealTokenJustForTheTests0123456789"
OK = Reply(body=b'{"info": {}}')
BUSY = Reply(status=502, body=b"<html>")
ALL = frozenset(FACETS[GITHUB])


def repo(name: str, facets: frozenset[str] = frozenset({REPO}), known_id: int | None = None) -> tuple[str, Plan]:
    """Plan a repository, by default one request of it."""
    subject = f"github:o/{name}"
    return subject, repo_plan(subject=subject, owner="o", name=name, facets=facets, known_id=known_id)


def project(name: str) -> tuple[str, Plan]:
    """Plan a project."""
    return f"pypi:{name}", project_plan(subject=f"pypi:{name}", name=name, facets=frozenset({PROJECT}))


def repos(count: int) -> list[tuple[str, Plan]]:
    """Plan many repositories of one request each."""
    return [repo(f"r{number}") for number in range(count)]


@dataclass
class Stage:
    """A server with GitHub and PyPI on it, a session against it, and what happened."""

    server: Loopback
    session: Session
    clock: VirtualClock
    landed: list[Answer] = field(default_factory=list)
    said: list[tuple[str, str]] = field(default_factory=list)
    times: list[tuple[str, float]] = field(default_factory=list)

    def targets(self, source: str = "") -> list[str]:
        """Return what arrived at a source, without its prefix."""
        return [request.target.removeprefix(f"/{source}") for request in self.server.requests if request.target.startswith(f"/{source}")]


def play(
    script: Callable[[Request], Awaitable[Reply]] | Callable[[Request], Reply],
    act: Callable[[Stage], Awaitable[None]],
    *,
    token: str | None = SECRET,
    concurrency: int = 4,
    queries: int = 2,
    points: int = 0,
    cap: int | None = None,
    **more: object,
) -> Stage:
    """Set the stage and act on it; ``script`` answers, ``more`` goes to the session."""

    async def run() -> Stage:
        clock = VirtualClock()
        landed: list[Answer] = []

        async def handler(request: Request) -> Reply:
            stage.times.append((request.target, clock.seconds))
            reply = script(request)
            return reply if isinstance(reply, Reply) else await reply

        async with Loopback(handler) as server:
            services = {
                GITHUB: Service(base_url=f"{server.url}/github", token=token, max_connections=20),
                PYPI: Service(base_url=f"{server.url}/pypi"),
            }
            async with Client(services, user_agent="packhouse/0.1", clock=clock) as client:
                workers = {GITHUB: concurrency, GRAPHQL: queries, PYPI: 2}
                identities = {source: client.identity(source) for source in services}
                session = Session(
                    client=client,
                    budgets=open_budgets(identities=identities, concurrency=workers, points_per_minute=points, unit_cap=cap),
                    land=landed.append,
                    clock=clock,
                    concurrency=workers,
                    rng=random.Random(1),  # noqa: S311 - jitter
                    stop=threading.Event(),
                    progress=lambda source, text: stage.said.append((source, text)) if text else None,
                )
                for name, value in more.items():
                    setattr(session, name, value)
                stage = Stage(server=server, session=session, clock=clock, landed=landed)
                await act(stage)
        return stage

    return asyncio.run(run())


async def hold(plans: Iterable[tuple[str, Plan]], session: Session) -> list[tuple[str, Plan]]:
    """Hold an agenda of conversations."""
    agenda = Agenda(probe_size=BatchSize(25), history_size=BatchSize(20), settle=lambda _part, _answer: ())
    for subject, plan in plans:
        agenda.add(Conversation(subject, plan))
    return await hold_agenda(agenda, session)


def holding(plans: Iterable[tuple[str, Plan]]) -> Callable[[Stage], Awaitable[None]]:
    """Hold plans and nothing else."""

    async def act(stage: Stage) -> None:
        await hold(plans, stage.session)

    return act


def in_turn(*replies: Reply) -> Callable[[Request], Reply]:
    """Answer with each reply once, then with the last one for ever."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]
