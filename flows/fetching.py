"""The asking of a run, batch by batch: what is due becomes work, every answer lands, and what follows from it is asked in turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC

from extractors.agenda import Agenda, BatchSize, Conversation, Work
from extractors.conversation import (
    BATCHED,
    GITHUB,
    GRAPHQL,
    HISTORY,
    INDEX,
    PARTICIPANTS,
    PROBE,
    PROJECT,
    PYPI,
    REPO,
    Answer,
    Validator,
)
from extractors.driver import hold, hold_later
from extractors.graphql import HISTORY_SIZE, MOST_PROBED, MOST_READ, PROBE_SIZE, Part, divide
from extractors.pypi import index_plan
from extractors.session import RecallKey, Session
from extractors.verdict import Verdict
from flows.asking import converse, converse_about_project, make_client, make_session, target_of, to_capture, to_recall
from flows.inquiry import ALL, Inquiry, Reason
from flows.planning import CLOSED, Due, batches
from flows.runs import HarvestRun
from flows.sparing import is_good, manner_of
from transforms.index import decipher_index
from warehouse.landing import LandingWriter, read_captures

BATCH_SUBJECTS = 500
# Repositories in the first query of its kind, and in the largest.
SIZES: Mapping[str, tuple[int, int]] = {PROBE: (PROBE_SIZE, MOST_PROBED), HISTORY: (HISTORY_SIZE, MOST_READ)}
CONFIRMED = frozenset({"ok", "capped", "empty", "unchanged"})
# What a probe may have told before a run was interrupted, from which it goes on.
TOLD = frozenset({Verdict.OK, Verdict.MISSING, Verdict.REFUSED})


def cut(run: HarvestRun) -> list[tuple[Due, ...]]:
    """The plan in batches; a batch is one task of a flow."""
    return batches(run.plan.due, BATCH_SUBJECTS) if run.plan else []


def describe_batch(batch: tuple[Due, ...], number: int, count: int) -> str:
    """What a batch asks, as the name of its task: ``Ask GitHub about 480 repositories and PyPI about 20 projects (1 of 10)``."""
    repositories = sum(item.source == GITHUB for item in batch)
    projects = len(batch) - repositories
    asked = [f"GitHub about {repositories:,} repositor{'y' if repositories == 1 else 'ies'}"] if repositories else []
    asked += [f"PyPI about {projects:,} project{'' if projects == 1 else 's'}"] if projects else []
    return f"Ask {' and '.join(asked)}" + (f" ({number:,} of {count:,})" if count > 1 else "")


async def read_index(run: HarvestRun) -> None:
    """Read PyPI's index once, and leave of the plan only the projects whose serial differs from the one known.

    Without a usable index (a mirror without serials, no answer) the plan stays, and every project is asked for itself.
    """
    answers: list[Answer] = []
    agenda = Agenda(probe_size=_size(run, PROBE), history_size=_size(run, HISTORY), settle=lambda _part, _answer: ())
    agenda.add(Conversation(PYPI, index_plan(answers.append)))
    await _ask(run, lambda session: _drop(hold(agenda, session)), recall=_recalled(run, frozenset({INDEX}), {PYPI}))
    plan, known = run.plan, run.known
    if not answers or plan is None or known is None:
        return
    names = {item.subject.partition(":")[2] for item in plan.due if item.source == PYPI}
    serials = decipher_index(answers[-1].body, names) if answers[-1].status == 200 else None  # noqa: PLR2004 - HTTP
    run.has_serials = serials is not None if answers[-1].status == 200 else None  # noqa: PLR2004 - as above
    if serials is None:
        run.progress.say("PyPI's index has no serials here, so every project is asked for itself.")
        return
    run.promised = {f"{PYPI}:{name}": serial for name, serial in serials.items()}
    run.plan = replace(plan, due=tuple(_without_unchanged(run, plan.due)))


def _without_unchanged(run: HarvestRun, due: Iterable[Due]) -> Iterator[Due]:
    for item in due:
        facets = item.facets - {PROJECT} if item.source == PYPI and _is_confirmed(run, item.subject) else item.facets
        if facets:
            yield replace(item, facets=facets)


def _is_confirmed(run: HarvestRun, subject: str) -> bool:
    """Whether the index says all there is to know: the serial is the one known, or what was looked into is still not listed."""
    last = run.last.get((subject, PROJECT))
    if run.known is None or last is None or run.options.full:
        return False
    promised = run.promised.get(subject)
    return last.outcome in CLOSED if promised is None else last.outcome in CONFIRMED and run.known.serial(subject) == promised


async def fetch(run: HarvestRun, batch: tuple[Due, ...]) -> None:
    """Ask what a batch needs and land every answer; what GitHub is still computing is kept for ``fetch_later``."""
    inquiry = _inquiry(run)
    agenda = Agenda(probe_size=_size(run, PROBE), history_size=_size(run, HISTORY), settle=inquiry.settle)
    probed = {item.subject for item in batch if item.is_probed}
    told = {part.target.subject: (part, answer) for part, answer in _told(run, probed)}
    for item in batch:
        for work in _begin(run, inquiry, item, told.get(item.subject)):
            agenda.add(work)
    paged = {item.subject for item in batch if item.is_probed or PARTICIPANTS in item.facets}

    async def work_off(session: Session) -> None:
        run.later += await hold(agenda, session)
        run.sizes = {PROBE: agenda.probe_size.size, HISTORY: agenda.history_size.size}
        left = [item for item in batch if item.is_probed and item.subject not in inquiry.settled]
        if (left or inquiry.unread) and _is_graphql_out(session):
            run.progress.note("GraphQL is out of reach, so the repositories are asked for one by one")
            singly = Agenda(probe_size=_size(run, PROBE), history_size=_size(run, HISTORY), settle=inquiry.settle)
            for item in left:
                for work in _begin(run, inquiry, replace(item, is_probed=False, facets=ALL), None):
                    singly.add(work)
            for work in inquiry.close_histories():
                singly.add(work)
            run.later += await hold(singly, session)

    await _ask(run, work_off, recall=_recalled(run, frozenset({PARTICIPANTS}), paged), subjects=[item.subject for item in batch])


def _is_graphql_out(session: Session) -> bool:
    """Whether GitHub can still be asked, but not by GraphQL."""
    return GRAPHQL in session.endings and GITHUB not in session.endings and not session.stop.is_set()


def _inquiry(run: HarvestRun) -> Inquiry:
    assert run.known is not None  # noqa: S101 - plan_run came before
    outcomes = run.landed.outcomes() if run.landed else {}
    return Inquiry(
        known=run.known,
        answered=frozenset(key for key, outcome in outcomes.items() if outcome in CONFIRMED),
        last=run.last,
        converse=lambda subject, facets, repo_id, reason: converse(subject, facets, manner_of(run, subject, facets, repo_id, reason)),
        is_full=run.options.full,
    )


def _size(run: HarvestRun, kind: str) -> BatchSize:
    """The good size of the last queries, within what is sensible."""
    first, most = SIZES[kind]
    return BatchSize(min(max(run.sizes.get(kind, first), 1), most), most)


def _begin(run: HarvestRun, inquiry: Inquiry, item: Due, told: tuple[Part, Answer] | None) -> Iterator[Work]:
    """The first question about one subject, or what follows from the answer that landed before the run was interrupted."""
    if item.source == PYPI:
        promised = run.promised.get(item.subject)
        # A document that was promised to be newer is asked for whole; its page may well be as it was.
        asked = item.facets if promised is None else item.facets - {PROJECT}
        believed = frozenset(facet for facet in asked if is_good(run, item.subject, facet))
        yield converse_about_project(item, promised, believed=believed)
    elif told is not None:
        yield from inquiry.settle(*told)
    elif item.is_probed:
        yield inquiry.begin(target_of(item))
    else:
        # What this very run saw under a name is that name's; asking it by its older id would not recall what landed.
        repo = None if (item.subject, REPO) in inquiry.answered or run.known is None else run.known.repo(item.subject)
        manner = manner_of(run, item.subject, item.facets, repo[0] if repo else None, Reason.NONE)
        is_conditional = not run.options.full and all(is_good(run, item.subject, facet) for facet in item.facets)
        yield converse(item.subject, item.facets, replace(manner, is_conditional=is_conditional))


def _told(run: HarvestRun, subjects: set[str]) -> Iterator[tuple[Part, Answer]]:
    """What an interrupted run was told about these repositories by its probes."""
    if run.landed is None or not subjects:
        return
    for _file, capture in read_captures(run.folder, run_id=run.run_id, on_damaged=lambda _file: None):
        if capture.facet == PROBE:
            _key, answer = to_recall(capture)
            parts = divide(
                answer.ask.targets,
                facet=capture.facet,
                status=capture.status,
                headers=capture.headers,
                body=capture.body,
                error=capture.error,
            )
            yield from ((part, answer) for part in parts if part.target.subject in subjects and part.verdict in TOLD)


async def fetch_later(run: HarvestRun) -> None:
    """Ask again for what was still being computed, or was older than promised."""
    later, run.later = run.later, []
    run.progress.begin(len(later), "second pass")
    await _ask(run, lambda session: hold_later(later, session), subjects=[subject for subject, _plan in later])


async def _drop(work: Awaitable[object]) -> None:
    await work


async def _ask(
    run: HarvestRun,
    work: Callable[[Session], Awaitable[None]],
    *,
    recall: dict[RecallKey, Answer] | None = None,
    subjects: Iterable[str] = (),
) -> None:
    validators = {
        key: Validator(etag=etag, last_modified=last_modified) for key, (etag, last_modified) in run.store.validators(subjects).items()
    }
    with _landing(run) as writer:
        client = make_client(run.settings, run.clock)

        def land(answer: Answer) -> None:
            run.sequence += 1
            writer.add(to_capture(answer, run_id=run.run_id, sequence=run.sequence))

        def advance(meter: str, text: str | None) -> None:
            if text is None:
                run.progress.advance()
            if meter in (GITHUB, GRAPHQL) or text is not None:
                run.progress.note(text or _budget_words(run.session, meter))

        async with client:
            session = make_session(
                client,
                run.settings,
                run.clock,
                budget=_budget_left(run),
                land=land,
                tick=lambda: writer.flush_if_due(run.clock.monotonic()),
                progress=advance,
                stop=run.stop,
            )
            if run.session:  # one account for the whole run
                session.budgets, session.tallies = run.session.budgets, run.session.tallies
            session.recall = recall or {}
            session.validators = validators
            run.session = session
            await work(session)


@contextmanager
def _landing(run: HarvestRun) -> Iterator[LandingWriter]:
    writer = LandingWriter(run.folder, run_id=run.run_id, on=run.started_at.astimezone(UTC).date())
    yield writer
    writer.flush()


def _recalled(run: HarvestRun, facets: frozenset[str], subjects: set[str]) -> dict[RecallKey, Answer]:
    """What the interrupted part of this run landed of questions that have several pages and are not finished."""
    if run.landed is None or not subjects:
        return {}
    captures = read_captures(run.folder, run_id=run.run_id, on_damaged=lambda _file: None)
    return dict(to_recall(capture) for _file, capture in captures if capture.facet in facets - BATCHED and capture.subject in subjects)


def _budget_left(run: HarvestRun) -> int | None:
    """The caller's budget less what the interrupted part of this run spent."""
    if run.options.budget is None or run.landed is None:
        return run.options.budget
    spent: int = sum(
        row["units_count"] for row in run.landed.fetches.select(["source", "units_count"]).to_pylist() if row["source"] == GITHUB
    )
    return max(0, run.options.budget - spent)


def _budget_words(session: Session | None, meter: str) -> str:
    if session is None:
        return ""
    budget = session.budget(meter)
    return "" if budget.remaining is None else f"{budget.service}: {budget.remaining:,} of {budget.limit:,} left"
