"""The composition of one run's questions: services, budgets and plans from the settings; answers to the landing."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping

from extractors.budget import open_budgets
from extractors.client import MEBIBYTE, Client, Service
from extractors.clock import Clock
from extractors.conversation import GITHUB, PYPI, Answer, Ask, Plan
from extractors.github import repo_plan
from extractors.pypi import project_plan
from extractors.session import RecallKey, Session, Stop
from flows.planning import Due
from settings import Settings
from transforms.observations import CaptureView

GITHUB_API_VERSION = "2026-03-10"
PYPI_SHARE = 4  # PyPI asks for requests in series; it gets a quarter of GitHub's concurrency
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
        PYPI: Service(base_url=settings.pypi_url, max_connections=_pypi_share(settings), max_body_bytes=PYPI_BODY_BYTES),
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
    concurrency = {GITHUB: settings.concurrency, PYPI: _pypi_share(settings)}
    budgets = open_budgets(
        identities={source: client.identity(source) for source in concurrency},
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


def _pypi_share(settings: Settings) -> int:
    return max(1, settings.concurrency // PYPI_SHARE)


def plans(due: Iterable[Due], known_ids: Mapping[str, int | None]) -> Iterator[tuple[str, Plan]]:
    """The conversations that answer what is due."""
    for item in due:
        name = item.subject.partition(":")[2]
        if item.source == PYPI:
            yield item.subject, project_plan(subject=item.subject, name=name)
        else:
            owner, _, repo = name.partition("/")
            yield (
                item.subject,
                repo_plan(subject=item.subject, owner=owner, name=repo, facets=item.facets, known_id=known_ids.get(item.subject)),
            )


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
    )


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
