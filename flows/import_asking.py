"""The asking of an import: PyPI about projects and its index, a v4 API about its lists; politely, in batches, and with a way to stop."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from extractors.agenda import Agenda, BatchSize, Conversation
from extractors.budget import open_budgets
from extractors.client import MEBIBYTE, Client, Service
from extractors.clock import Clock
from extractors.conversation import CATALOG_API, PYPI, Answer
from extractors.driver import hold
from extractors.listing import listing_plan
from extractors.pypi import document_plan, index_plan
from extractors.session import Session
from flows.asking import PYPI_BODY_BYTES, SHARE, user_agent
from flows.import_options import ImportRefused, ImportStopped
from flows.progress import Progress
from settings import Settings
from transforms.answers import InvalidAnswer
from transforms.candidates import Candidate
from transforms.foreign_catalog import LISTS, local_target, read_page
from transforms.index import read_listed_names
from transforms.references import ProjectName
from transforms.repositories import choose_repository, decipher_addresses
from warehouse.import_answers import FOUND, MISSING, UNUSABLE, AnswerBook, KeptAnswer

BATCH_PROJECTS = 500
INDEX_BODY_BYTES = 512 * MEBIBYTE
MOST_PAGES = 20_000
_GOOD, _GONE = 200, (404, 410)


@dataclass(slots=True, kw_only=True)
class Asking:
    """What the questions of one import share; ``ended`` says why a service is asked no more."""

    settings: Settings
    clock: Clock
    progress: Progress
    stop: threading.Event = field(default_factory=threading.Event)
    ended: str | None = None

    async def ask_projects(self, candidates: Sequence[Candidate], book: AnswerBook) -> None:
        """Ask PyPI about projects and keep what it says; a project without a usable answer is in the book as little as before.

        Raises CatalogUnwritable. After a signal, or when PyPI is out of reach, the rest is left.
        """
        lanes = max(1, self.settings.concurrency // SHARE)
        service = Service(base_url=self.settings.pypi_url, max_connections=lanes, max_body_bytes=PYPI_BODY_BYTES)
        async with self._client(PYPI, service) as client:
            session = self._session(client, PYPI, lanes, tick=lambda: book.seal_if_due(self.clock.monotonic()))
            for start in range(0, len(candidates), BATCH_PROJECTS):
                agenda = _agenda()
                for candidate in candidates[start : start + BATCH_PROJECTS]:
                    subject = f"{PYPI}:{candidate.name}"
                    agenda.add(Conversation(subject, document_plan(subject, candidate.name, self._keeper(candidate.name, book))))
                await hold(agenda, session)
                if session.is_over(PYPI):
                    break
            self.ended = session.endings.get(PYPI)
        book.seal()

    def _keeper(self, name: ProjectName, book: AnswerBook) -> Callable[[Answer], None]:
        def keep(answer: Answer) -> None:
            kept = read_answer(answer, name)
            if kept is not None:
                book.keep(name, kept)
            self.progress.advance()

        return keep

    async def ask_index(self) -> list[str]:
        """Read the names of all projects from PyPI's index; raises ImportStopped when it gives none."""
        answers: list[Answer] = []
        service = Service(base_url=self.settings.pypi_url, max_connections=1, max_body_bytes=INDEX_BODY_BYTES)
        async with self._client(PYPI, service) as client:
            session = self._session(client, PYPI, 1)
            agenda = _agenda()
            agenda.add(Conversation(PYPI, index_plan(answers.append)))
            await hold(agenda, session)
            reason = session.endings.get(PYPI, "it gave no answer")
        if self.stop.is_set():
            raise ImportStopped("Interrupted: nothing was written. The same command begins anew.")
        try:
            if answers and answers[-1].status == _GOOD:
                return list(read_listed_names(answers[-1].body))
            reason = f"it answered {answers[-1].status or answers[-1].error}" if answers else reason
        except InvalidAnswer as error:
            reason = str(error)
        raise ImportStopped(f"PyPI's index cannot be read: {reason}; nothing was written. Next: try again, or import a file of names")

    async def ask_catalog(self, base_url: str) -> dict[str, list[dict[str, Any]]]:
        """Read the lists of a v4 API, one request at a time; raises ImportRefused when it is none, ImportStopped when it ends early."""
        records: dict[str, list[dict[str, Any]]] = {name: [] for name in LISTS}
        faults: list[str] = []
        service = Service(base_url=base_url, max_connections=1)
        async with self._client(CATALOG_API, service) as client:
            session = self._session(client, CATALOG_API, 1)
            for name in LISTS:
                agenda = _agenda()
                reader = _ListReader(base_url, name, records[name], faults, self.progress)
                agenda.add(Conversation(f"{CATALOG_API}:{name}", listing_plan(name, reader.read)))
                await hold(agenda, session)
                if session.is_over(CATALOG_API) or faults:
                    break
            ended = session.endings.get(CATALOG_API)
        if self.stop.is_set():
            raise ImportStopped("Interrupted: nothing was written. The same command begins anew.")
        if ended:
            raise ImportStopped(f"{base_url}: {ended}; nothing was written. Next: run the same command later")
        if faults:
            raise ImportRefused(
                f"{base_url}: {faults[0]}; nothing was written. Next: name the address above /api/v4/ of a Django Packages API"
            )
        return records

    def _client(self, source: str, service: Service) -> Client:
        return Client({source: service}, user_agent=user_agent(self.settings.contact), clock=self.clock)

    def _session(self, client: Client, source: str, lanes: int, tick: Callable[[], None] = lambda: None) -> Session:
        concurrency = {source: lanes}
        return Session(
            client=client,
            budgets=open_budgets(identities={source: client.identity(source)}, concurrency=concurrency, points_per_minute=0),
            land=lambda _answer: None,
            clock=self.clock,
            concurrency=concurrency,
            rng=random.Random(),  # noqa: S311 - jitter, not a secret
            stop=self.stop,
            tick=tick,
            progress=lambda _meter, text: self.progress.note(text or ""),
        )


def _agenda() -> Agenda:
    return Agenda(probe_size=BatchSize(1, 1), history_size=BatchSize(1, 1), settle=lambda _part, _answer: ())


def read_answer(answer: Answer, name: ProjectName) -> KeptAnswer | None:
    """What PyPI's answer about a project comes to; ``None`` when it says nothing of the project and must be asked for again."""
    if answer.status in _GONE:
        return KeptAnswer(outcome=MISSING, asked_at=answer.fetched_at)
    if answer.status != _GOOD or answer.error is not None:
        return None
    try:
        addresses = decipher_addresses(answer.body, name)
    except InvalidAnswer as error:
        return KeptAnswer(outcome=UNUSABLE, asked_at=answer.fetched_at, detail=str(error))
    choice = choose_repository(addresses, name)
    detail = choice.named_by or ", ".join(choice.rivals) or None
    return KeptAnswer(outcome=FOUND, asked_at=answer.fetched_at, title=addresses.title, repo_url=choice.repo_url, detail=detail)


@dataclass(slots=True)
class _ListReader:
    """Takes the pages of one list and says which is next; what is no page, or leads elsewhere, ends the list with a fault."""

    base_url: str
    name: str
    records: list[dict[str, Any]]
    faults: list[str]
    progress: Progress
    targets: set[str] = field(default_factory=set)

    def read(self, answer: Answer) -> str | None:
        """Take one answer, and give the target of the next page."""
        if answer.status != _GOOD or answer.error is not None:
            self._fail(f"answered {answer.status}" if answer.status else str(answer.error))
            return None
        try:
            page = read_page(answer.body)
        except InvalidAnswer as error:
            self._fail(f"is no list of v4 ({error})")
            return None
        self.records.extend(page.records)
        self.progress.note(f"{self.name}: {len(self.records):,} of {page.count:,}")
        if page.next_url is None:
            return None
        target = local_target(page.next_url, self.base_url)
        if target is None:
            self._fail(f"leads to another place ({page.next_url[:100]!r}), which is not asked")
        elif target in self.targets or len(self.targets) >= MOST_PAGES or not page.records:
            self._fail("leads in a circle")
            target = None
        else:
            self.targets.add(target)
        return target

    def _fail(self, what: str) -> None:
        self.faults.append(f"/api/v4/{self.name}/ {what}")
