"""The asking of a backfill: windows of commits and pages of stars of many repositories, projects that were never harvested.

Every answer lands before anyone reads it. What an interrupted part of the run landed is not asked for again: conversations are fed the
answers, and a window that was cut off goes on with the page after the last one that landed.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC

from extractors.agenda import Agenda, BatchSize, Conversation, History, Probe, Work
from extractors.budget import open_budgets
from extractors.client import Client
from extractors.conversation import GITHUB, HISTORY, PAST, PROBE, PROJECT, PYPI, STARS, STATUS, Answer, Target
from extractors.driver import hold, hold_later
from extractors.graphql import MOST_PROBED, MOST_READ, Part
from extractors.session import RecallKey, Session
from extractors.stars import star_plan
from extractors.verdict import Verdict
from flows.asking import converse_about_project, divided, make_client, to_capture, to_recall
from flows.loading import cost_of, verdict_of
from flows.past_plan import RESERVE, PastDue, Repo, due_of, window_target
from flows.past_runs import BackfillRun, lanes_of
from flows.planning import NEVER, Due
from transforms.answers import InvalidAnswer
from transforms.commits import decipher_history
from transforms.github import decipher_probe
from transforms.observations import CaptureView
from transforms.past import Past
from transforms.times import utc_day
from warehouse.landing import LandingWriter, read_captures

BATCH_SUBJECTS = 500
RECALLED = frozenset({STARS, PROJECT, STATUS})


def cut_past(run: BackfillRun) -> list[tuple[PastDue, ...]]:
    """The plan in batches; a batch is one task of a flow."""
    due = run.plan.due
    return [due[start : start + BATCH_SUBJECTS] for start in range(0, len(due), BATCH_SUBJECTS)]


async def ask_past(run: BackfillRun, batch: tuple[PastDue, ...]) -> None:
    """Ask what a batch needs and land every answer."""
    landed = Landed(run, {item.subject for item in batch})
    inquiry = PastInquiry(run, batch, landed)
    agenda = Agenda(
        probe_size=BatchSize(min(run.sizes[PROBE], MOST_PROBED), MOST_PROBED),
        history_size=BatchSize(min(run.sizes[HISTORY], MOST_READ), MOST_READ),
        settle=inquiry.settle,
    )
    for item in batch:
        for work in inquiry.begin(item):
            agenda.add(work)
    writer = LandingWriter(run.folder, run_id=run.run_id, on=run.started_at.astimezone(UTC).date(), unsealed=run.folder.unsealed_past)
    client = make_client(run.settings, run.clock)
    async with client:
        session = _session(run, client, writer, spent=landed.spent)
        session.recall = landed.answers
        later = await hold(agenda, session)
        await hold_later(later, session)
    writer.flush()
    run.sizes = {PROBE: agenda.probe_size.size, HISTORY: agenda.history_size.size}


class Landed:
    """What an interrupted part of the run landed about some subjects."""

    def __init__(self, run: BackfillRun, subjects: set[str]) -> None:
        self.answers: dict[RecallKey, Answer] = {}
        self.probed: dict[str, CaptureView] = {}
        self.past = Past()
        self.spent = 0
        if not run.is_resumed:
            return
        for _file, capture in read_captures(run.folder, run_id=run.run_id, on_damaged=lambda _file: None):
            verdict = verdict_of(capture)
            if capture.source == GITHUB:
                self.spent += cost_of(capture)
            if capture.facet in RECALLED and capture.subject in subjects:
                key, answer = to_recall(capture)
                self.answers[key] = answer
            elif capture.facet in (PROBE, PAST):
                for own, taken_for in divided(capture, verdict):
                    if own.subject in subjects:
                        self._note(own, taken_for)

    def _note(self, capture: CaptureView, verdict: str) -> None:
        if capture.facet == PAST:
            self.past.add_commits(capture, verdict)
        elif verdict == Verdict.OK:
            self.probed[capture.subject] = capture


class PastInquiry:
    """Decides what follows each answer: a probe of a repository never seen, its window and its stars; a page of commits, the next one."""

    def __init__(self, run: BackfillRun, batch: Iterable[PastDue], landed: Landed) -> None:
        self._run = run
        self._items = {item.subject: item for item in batch}
        self._landed = landed

    def begin(self, item: PastDue) -> Iterator[Work]:
        """The first questions about one subject, less what landed."""
        if item.is_project:
            due = Due(subject=item.subject, facets=frozenset({PROJECT, STATUS}), stalest_at=NEVER)
            yield converse_about_project(due, None)
        elif item.repo.repo_id is not None:
            yield from self._ask(item)
        elif (probe := self._landed.probed.get(item.subject)) is not None:
            yield from self._after_probe(item, probe.body)
        else:
            yield Probe(_target(item))

    def settle(self, part: Part, answer: Answer) -> Iterator[Work]:
        """Give the work that follows one part; what is not answered is left to the next backfill."""
        if part.verdict is not Verdict.OK:
            return
        if answer.ask.facet == PROBE:
            yield from self._after_probe(self._items[part.target.subject], part.body)
            return
        try:
            page = decipher_history(part.body)
        except InvalidAnswer:
            return  # it becomes a finding where it is loaded
        if page.has_next:
            yield History(replace(part.target, after=page.end_cursor, page=part.target.page + 1))

    def _after_probe(self, item: PastDue, body: bytes) -> Iterator[Work]:
        try:
            seen = decipher_probe(body)
        except InvalidAnswer:
            return
        if seen["is_private"]:
            return
        options, today = self._run.options, utc_day(self._run.started_at)
        repo = Repo(repo_id=seen["repo_id"], node_id=seen["node_id"], created_on=utc_day(seen["repo_created_at"]))
        following = due_of(item.subject, repo, options.since, options.until, today)
        if following is not None and repo.created_on is not None and repo.created_on <= options.until:
            yield from self._ask(following)

    def _ask(self, item: PastDue) -> Iterator[Work]:
        place = self._landed.past.next_page(item.subject)
        if item.from_on is not None and place is not None:
            number, cursor = place
            yield History(replace(window_target(item, _target(item), self._run.started_at), page=number, after=cursor))
        if item.star_pages and item.repo.repo_id is not None:
            yield Conversation(item.subject, star_plan(subject=item.subject, repo_id=item.repo.repo_id, pages=item.star_pages))


def _target(item: PastDue) -> Target:
    owner, _, name = item.subject.partition(":")[2].partition("/")
    return Target(subject=item.subject, owner=owner, name=name)


def _session(run: BackfillRun, client: Client, writer: LandingWriter, *, spent: int) -> Session:
    """The session of a backfill: a quarter of a harvest's concurrency and half its pace, and half of each hour's quota left alone."""
    lanes = lanes_of(run.settings)

    def land(answer: Answer) -> None:
        run.sequence += 1
        writer.add(to_capture(answer, run_id=run.run_id, sequence=run.sequence))

    def advance(_meter: str, text: str | None) -> None:
        if text is None:
            run.progress.advance()
        else:
            run.progress.note(text)

    budgets = open_budgets(
        identities={source: client.identity(source) for source in (GITHUB, PYPI)},
        concurrency=lanes,
        points_per_minute=run.settings.github_points_per_minute // 2,
        unit_cap=None if run.options.budget is None else max(0, run.options.budget - spent),
        reserve=RESERVE,
    )
    session = Session(
        client=client,
        budgets=budgets,
        land=land,
        clock=run.clock,
        concurrency=lanes,
        rng=random.Random(),  # noqa: S311 - jitter, not a secret
        stop=run.stop,
        tick=lambda: writer.flush_if_due(run.clock.monotonic()),
        progress=advance,
    )
    if run.session:  # one account for the whole run
        session.budgets, session.tallies = run.session.budgets, run.session.tallies
    run.session = session
    return session
