"""The composition of one run's questions: services, budgets and plans from the settings; answers to the landing."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from extractors.agenda import Conversation
from extractors.budget import open_budgets
from extractors.client import MEBIBYTE, Client, Service
from extractors.clock import Clock
from extractors.conversation import BATCHED, GITHUB, GRAPHQL, PYPI, Answer, Ask, Target
from extractors.github import repo_plan
from extractors.graphql import decode_targets, divide, encode_targets
from extractors.pypi import project_plan
from extractors.session import RecallKey, Session, Stop
from flows.planning import Due
from settings import Settings
from transforms.observations import CaptureView

GITHUB_API_VERSION = "2026-03-10"
SHARE = 4  # PyPI asks for requests in series, GraphQL for little time a minute: each gets a quarter of the concurrency
PYPI_BODY_BYTES = 64 * MEBIBYTE  # the largest project documents are above 6 MB, and growing


def user_agent(contact: str | None) -> str:
    """How GitHub and PyPI see us; both require an identifying name and ask for a contact."""
    return f"packhouse/0.1 (+{contact})" if contact else "packhouse/0.1 (catalog metadata harvester; no contact configured)"


def make_client(settings: Settings, clock: Clock) -> Client:
    """The client of a run."""
    services = {
        GITHUB: Service(
            base_url=settings.github_api_url,
            token=settings.github_token,
            api_version=GITHUB_API_VERSION,
            max_connections=settings.concurrency,
        ),
        PYPI: Service(base_url=settings.pypi_url, max_connections=_share(settings), max_body_bytes=PYPI_BODY_BYTES),
    }
    return Client(services, user_agent=user_agent(settings.contact), clock=clock)


def make_session(
    client: Client,
    settings: Settings,
    clock: Clock,
    *,
    budget: int | None,
    land: Callable[[Answer], None],
    tick: Callable[[], None],
    progress: Callable[[str, str | None], None],
    stop: Stop,
) -> Session:
    """The session of a run; one for all its batches, so that its budgets are one account."""
    concurrency = {GITHUB: settings.concurrency, GRAPHQL: _share(settings), PYPI: _share(settings)}
    budgets = open_budgets(
        identities={source: client.identity(source) for source in (GITHUB, PYPI)},
        concurrency=concurrency,
        points_per_minute=settings.github_points_per_minute,
        unit_cap=budget,
    )
    return Session(
        client=client,
        budgets=budgets,
        land=land,
        clock=clock,
        concurrency=concurrency,
        rng=random.Random(),  # noqa: S311 - jitter, not a secret
        stop=stop,
        tick=tick,
        progress=progress,
    )


def _share(settings: Settings) -> int:
    return max(1, settings.concurrency // SHARE)


def has_probe(settings: Settings) -> bool:
    """Whether GitHub can be asked by GraphQL: it answers nobody without a token."""
    return settings.github_graphql and settings.github_token is not None


def target_of(item: Due) -> Target:
    """A repository as one of the many a query asks about."""
    owner, _, name = item.subject.partition(":")[2].partition("/")
    return Target(subject=item.subject, owner=owner, name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a repository is asked about over REST.

    Attributes:
        repo_id: GitHub's numeric id, where known.
        pages: pages its participants filled when they were last listed.
        is_conditional: send the validators of the last answers; only where those are what is still believed.
        is_anonymous: its organisation refuses the token.
        commits_since: read its weeks as the commits since this moment, where those are few.
        spared: facets that need not be asked for after an answer about the repository or its newest commit.
    """

    repo_id: int | None = None
    pages: int = 1
    is_conditional: bool = False
    is_anonymous: bool = False
    commits_since: str | None = None
    spared: Callable[[Answer], frozenset[str]] = lambda _answer: frozenset()


def converse(subject: str, facets: frozenset[str], manner: Manner) -> Conversation:
    """The REST conversation about some facets of a repository."""
    owner, _, name = subject.partition(":")[2].partition("/")
    plan = repo_plan(
        subject=subject,
        owner=owner,
        name=name,
        facets=facets,
        known_id=manner.repo_id,
        is_conditional=manner.is_conditional,
        known_pages=manner.pages,
        is_anonymous=manner.is_anonymous,
        commits_since=manner.commits_since,
        spared=manner.spared,
    )
    return Conversation(subject, plan)


def converse_about_project(item: Due, promised_serial: int | None, *, believed: frozenset[str] = frozenset()) -> Conversation:
    """The conversation with PyPI about one project; facets that are believed are asked with validators."""
    name = item.subject.partition(":")[2]
    plan = project_plan(subject=item.subject, name=name, facets=item.facets, believed=believed, promised_serial=promised_serial)
    return Conversation(item.subject, plan)


def to_capture(answer: Answer, *, run_id: str, sequence: int) -> CaptureView:
    """An answer in the envelope it lands in."""
    return CaptureView(
        run_id=run_id,
        sequence=sequence,
        source=answer.ask.source,
        subject=answer.ask.subject,
        facet=answer.ask.facet,
        page=answer.ask.page,
        url=answer.ask.url,
        attempt=answer.attempt,
        status=answer.status,
        headers=answer.headers,
        body=answer.body,
        error=answer.error,
        fetched_at=answer.fetched_at,
        duration_ms=answer.duration_ms,
        identity=answer.identity,
        request=encode_targets(answer.ask.targets) if answer.ask.targets else None,
    )


def divided(capture: CaptureView, verdict: str) -> Iterator[tuple[CaptureView, str]]:
    """A landed answer as answers about one subject each, every one with what it was taken for."""
    if capture.facet not in BATCHED:
        yield capture, verdict
        return
    parts = divide(
        decode_targets(capture.request or "[]"),
        facet=capture.facet,
        status=capture.status,
        headers=capture.headers,
        body=capture.body,
        error=capture.error,
    )
    for part in parts:
        target = part.target
        request = encode_targets((target,))
        own = replace(capture, subject=target.subject, page=target.page, body=part.body, request=request, error=part.detail or None)
        yield own, str(part.verdict)


def to_recall(capture: CaptureView) -> tuple[RecallKey, Answer]:
    """A landed answer as the driver recalls it instead of asking again."""
    ask = Ask(source=capture.source, subject=capture.subject, facet=capture.facet, url=capture.url, page=capture.page)
    answer = Answer(
        ask=ask,
        status=capture.status,
        headers=capture.headers,
        body=capture.body,
        fetched_at=capture.fetched_at,
        duration_ms=capture.duration_ms,
        attempt=capture.attempt,
        identity=capture.identity,
        error=capture.error,
        is_recalled=True,
    )
    return (capture.subject, capture.facet, capture.url, capture.page), answer
