"""Holds many conversations at once: sends what plans and batches ask, within the budgets, and feeds them the answers.

A plan is driven by one worker from its first ask to its end, so there are never more live plans than a meter's concurrency;
workers of different meters run side by side. Asked again is only what may help: transport errors and 5xx a few times with full
jitter, a ``limited`` answer once its budget allows. Everything else is the plan's or the agenda's to judge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, repeat

from extractors.agenda import Agenda, Batch, BatchSize, Conversation, source_of
from extractors.allowance import units
from extractors.batch_verdict import quota_headers
from extractors.conversation import ANONYMOUS, GITHUB, GRAPHQL, Answer, Ask, Plan
from extractors.gate import SLICE, Gate
from extractors.graphql import HISTORY_SIZE, PROBE_SIZE, price
from extractors.session import Session
from extractors.verdict import Judgement, Verdict, judge_answer

MAX_LIMITS = 5  # how often one ask is put again although it alone was limited each time
FIRST_BACKOFF = 1.0  # seconds; the upper end of the jitter, doubled with each attempt
LONGEST_BACKOFF = 30.0
PASS_PAUSES = (2.0, 4.0)  # seconds before the second and the third pass; GitHub computes its statistics meanwhile

# Verdicts that say nothing of the subject: when recalled, the question is asked anew.
_INCONCLUSIVE = frozenset({Verdict.LIMITED, Verdict.TRANSIENT, Verdict.FAILED, Verdict.BAD_TOKEN})
_NO_ANSWER = frozenset({Verdict.TRANSIENT, Verdict.FAILED})
_SUCCESS, _UNCHANGED = 200, 304


async def hold(agenda: Agenda, session: Session) -> list[tuple[str, Plan]]:
    """Work off an agenda and return the plans of (subject, plan) to take up later in the same run.

    When ``session.stop`` is set, or a meter ends (``session.endings``), its remaining work is closed and counted as unfinished.
    An exception from ``land``, ``tick``, ``progress``, ``settle`` or a plan cancels what is in flight and is raised.
    """
    later: list[tuple[str, Plan]] = []
    lanes = session.lanes
    driver = _Driver(session=session, agenda=agenda, later=later)
    agenda.open(lanes, session.is_over)
    workers = [asyncio.create_task(driver.work(lane)) for lane, count in lanes.items() for _ in range(count)]
    try:
        await _watch(workers, session)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        agenda.close()
        driver.count_given_up()
    return later


async def hold_later(later: list[tuple[str, Plan]], session: Session) -> None:
    """Drive what ``hold`` returned, pass after pass and each after a short pause, until nothing is left or the run is stopped."""
    for pause in chain(PASS_PAUSES, repeat(PASS_PAUSES[-1])):
        if not later:
            return
        await _pause(session, pause, tick=True)
        agenda = Agenda(probe_size=BatchSize(PROBE_SIZE), history_size=BatchSize(HISTORY_SIZE), settle=lambda _part, _answer: ())
        for subject, plan in later:
            agenda.add(Conversation(subject, plan))
        later = await hold(agenda, session)


async def _watch(workers: Sequence[asyncio.Task[None]], session: Session) -> None:
    """Wait for the workers, calling ``tick``; after ``stop`` wait no longer than ``grace``. The first exception is raised."""
    pending: set[asyncio.Task[None]] = set(workers)
    loop = asyncio.get_running_loop()
    deadline: float | None = None
    while pending and (deadline is None or loop.time() < deadline):
        done, pending = await asyncio.wait(pending, timeout=SLICE, return_when=asyncio.FIRST_EXCEPTION)
        for worker in done:
            worker.result()
        session.tick()
        if deadline is None and session.stop.is_set():
            deadline = loop.time() + session.grace


async def _pause(session: Session, seconds: float, *, tick: bool = False) -> None:
    """Sleep in slices, and no further once ``stop`` is set."""
    until = session.clock.monotonic() + seconds
    while not session.stop.is_set() and (left := until - session.clock.monotonic()) > 0:
        if tick:
            session.tick()
        await session.clock.sleep(min(left, SLICE))


@dataclass(slots=True, kw_only=True)
class _Driver:
    """The work of one ``hold``."""

    session: Session
    agenda: Agenda
    later: list[tuple[str, Plan]]
    gates: dict[tuple[str, bool], Gate] = field(default_factory=dict)

    def gate(self, ask: Ask) -> Gate:
        """Return the gate an ask has to pass."""
        key = (ask.meter, ask.is_anonymous)
        if key not in self.gates:
            self.gates[key] = Gate(self.session, ask.meter, is_anonymous=ask.is_anonymous)
        return self.gates[key]

    def drop(self, subject: str, plan: Plan) -> None:
        """Give a plan up."""
        plan.close()
        self.session.tally(source_of(subject)).unfinished += 1

    def count_given_up(self) -> None:
        """Count what the agenda gave up."""
        for lane, count in self.agenda.given_up.items():
            self.session.tally(lane).unfinished += count
        self.agenda.given_up.clear()

    async def work(self, lane: str) -> None:
        """Work on one unit after the other until there are no more."""
        while (unit := await self.agenda.take(lane)) is not None:
            answer: Answer | None = None
            try:
                if isinstance(unit, Batch):
                    answer = await self.answer(unit.ask)
                else:
                    await self.drive(unit.subject, unit.plan)
            finally:
                settled = self.agenda.finish(unit, answer)
            self.session.tally(lane).finished += settled

    async def drive(self, subject: str, plan: Plan) -> None:
        """Drive one plan to its end, or give it up when it cannot be answered any more."""
        try:
            ask = next(plan)
            while (answer := await self.answer(ask)) is not None:
                ask = plan.send(answer)
        except StopIteration as end:
            self.session.tally(source_of(subject)).finished += 1
            self.later.extend((subject, follow_up) for follow_up in end.value)
        except BaseException:
            self.drop(subject, plan)
            raise
        else:
            self.drop(subject, plan)

    async def answer(self, ask: Ask) -> Answer | None:
        """Recall or send, again where that may help; ``None`` when the plan or batch is to be given up."""
        ask = self.session.client.localise(ask)
        recalled = self.recall(ask)
        if recalled is not None:
            return recalled
        if ask.is_conditional:
            ask = replace(ask, validator=self.session.validators.get(self.session.client.validator_key(ask)))
        return await self.send(ask)

    async def send(self, ask: Ask) -> Answer | None:
        """Send until there is an answer, or no hope of one; ``None`` when it will not be asked in this run."""
        attempt = failures = limits = 0
        while True:
            attempt += 1
            answer, judgement = await self.exchange(ask, attempt)
            if answer is None:
                return None
            if judgement is None or (judgement.verdict not in _INCONCLUSIVE and not (ask.targets and judgement.may_split)):
                self.session.tally(ask.meter).unanswered = 0
                return answer
            if judgement.verdict is Verdict.LIMITED:
                limits += 1
                if limits > MAX_LIMITS:
                    return None
                continue
            failures += 1
            is_told_to_wait = not ask.targets and (judgement.retry_after or 0.0) > LONGEST_BACKOFF  # longer than one question is worth
            is_last = not judgement.is_retryable or failures >= ask.attempts or is_told_to_wait
            if is_last:
                self.note_failure(ask, judgement)
            if not is_last or (judgement.is_retryable and ask.targets):  # what a batch leaves open is asked again in another
                await _pause(self.session, self.backoff(failures, judgement))
            if is_last:
                return answer

    def recall(self, ask: Ask) -> Answer | None:
        """Return the answer an interrupted run has landed, unless it says nothing or was given to the other identity."""
        if ask.targets:
            return None
        key = (ask.subject, ask.facet, ask.url, ask.page)
        answer = self.session.recall.get(key)
        if answer is None or key in self.session.recalled or (ask.is_anonymous and answer.identity != ANONYMOUS):
            return None
        self.session.recalled.add(key)
        if judge_answer(answer).verdict in _INCONCLUSIVE:
            return None
        self.session.tally(ask.meter).recalled += 1
        return replace(answer, ask=ask, is_recalled=True)

    async def exchange(self, ask: Ask, attempt: int) -> tuple[Answer | None, Judgement | None]:
        """Send once, within the budget, and land the answer; a plain 200 is left to the plan to judge."""
        session, gate, expected = self.session, self.gate(ask), price(ask) if ask.targets else 1
        budget = gate.budget
        sent_at = await gate.admit(expected)
        if sent_at is None:
            return None, None
        tally = session.tally(ask.meter)
        tally.requests += 1
        tally.retried += attempt > 1
        try:
            answer = await session.client.send(ask, attempt)
        except BaseException:
            budget.forget(sent_at, expected)
            raise
        is_plain = answer.status == _SUCCESS and answer.error is None and not ask.targets
        judgement = None if is_plain else judge_answer(answer)
        cost = units(source=ask.source, status=answer.status, identity=answer.identity, facet=ask.facet, body=answer.body)
        tally.units += cost
        tally.unchanged += answer.status == _UNCHANGED
        budget.settle(
            sent_at=sent_at,
            at=session.clock.monotonic(),
            now=session.clock.now(),
            status=answer.status,
            headers=quota_headers(answer.headers, answer.body) if ask.targets else answer.headers,
            cost=cost,
            price=expected,
            judgement=judgement,
        )
        for each in self.gates.values():  # they share what one account may have in flight
            each.note_settled()
        session.land(answer)
        if judgement is not None and judgement.verdict is Verdict.BAD_TOKEN:
            self.end_identity(ask, answer.identity, judgement)
        session.progress(ask.meter, budget.ended)
        return answer, judgement

    def end_identity(self, ask: Ask, identity: str, judgement: Judgement) -> None:
        """Ask nothing more of a service under an identity it refuses, on none of its meters."""
        reason = _bad_token(self.session.budget(ask.source).service, identity, judgement)
        meters = (GITHUB, GRAPHQL) if ask.source == GITHUB else (ask.source,)
        for (meter, other), budget in self.session.budgets.items():
            if other == identity and meter in meters:
                budget.end(reason)

    def note_failure(self, ask: Ask, judgement: Judgement) -> None:
        """Count asks without a usable answer; too many in a row and the meter is out of reach."""
        if (judgement.verdict not in _NO_ANSWER or not judgement.is_retryable) and not judgement.may_split:
            return
        tally, budget = self.session.tally(ask.meter), self.session.budget(ask.meter)
        tally.unanswered += 1
        if tally.unanswered >= self.session.patience:
            budget.end(f"{budget.service} is out of reach: {tally.unanswered} questions in a row failed ({judgement.detail})")

    def backoff(self, failures: int, judgement: Judgement) -> float:
        """Return the seconds before the next attempt: full jitter, but not less than the service asked for."""
        jittered = self.session.rng.uniform(0, min(FIRST_BACKOFF * 2 ** (failures - 1), LONGEST_BACKOFF))
        return max(jittered, min(judgement.retry_after or 0.0, self.session.max_wait))


def _bad_token(service: str, identity: str, judgement: Judgement) -> str:
    if identity == ANONYMOUS:
        return f"{service} answers only with a token ({judgement.detail})"
    return f"{service} refused the token ({judgement.detail}); check GITHUB_TOKEN, or unset it to ask anonymously"
