"""How a repository is asked about over REST, and what need not be asked because it cannot have changed."""

from __future__ import annotations

from extractors.conversation import HEAD, PARTICIPANTS, REPO, WEEKS, Answer
from extractors.github import MOST_COMMIT_PAGES
from flows.asking import Manner
from flows.choice import COMMITS_A_PAGE, HISTORY, is_list_due, window_start
from flows.forecast import PAGE_SIZE
from flows.inquiry import Reason
from flows.runs import HarvestRun
from transforms.answers import InvalidAnswer
from transforms.github import decipher_head, decipher_repo


def manner_of(run: HarvestRun, subject: str, facets: frozenset[str], repo_id: int | None, reason: Reason) -> Manner:
    """How a repository is asked about over REST, from what is known of it."""
    known = run.known.participants(subject) if run.known else None
    # GitHub's own list is confirmed by a 304; one that was carried on with commits is another, and a full last page hides a new one.
    is_own = known is not None and known.source == "contributors" and len(known.logins) % PAGE_SIZE != 0
    is_believed = facets == {PARTICIPANTS} and is_own and reason is not Reason.CHANGED

    return Manner(
        repo_id=repo_id,
        pages=run.pages_of(subject),
        is_conditional=is_believed and not run.options.full,
        is_anonymous=reason is Reason.REFUSED,
        commits_since=_commits_since(run, subject) if reason is Reason.REFUSED else None,
        spared=lambda answer: _spared(run, subject, answer),
    )


def _commits_since(run: HarvestRun, subject: str) -> str | None:
    """From when the commits of a repository are read that GraphQL does not tell of, so that its weeks shift like those of others."""
    weeks = run.known.weeks(subject) if run.known else None
    is_large = weeks is not None and weeks.source != HISTORY and weeks.commits_count > MOST_COMMIT_PAGES * COMMITS_A_PAGE
    return None if is_large else window_start(run.clock.now())


def _spared(run: HarvestRun, subject: str, answer: Answer) -> frozenset[str]:
    """What need not be asked over REST: without a push no commit is new, and what was read at a head holds as long as it is the newest.

    GitHub's own 52 numbers move on by themselves: without a push they are spared until they grow stale, else asked for.
    """
    known = run.known
    if known is None or run.options.full:
        return frozenset()
    try:
        if answer.ask.facet == REPO:
            is_same = known.is_unpushed(subject, decipher_repo(answer.body) if answer.body else None)
            head_oid = known.head_oid(subject)
            return (
                frozenset({HEAD}) | _held(run, subject, head_oid, answer) | _young_weeks(run, subject, answer) if is_same else frozenset()
            )
        head_oid = decipher_head(answer.body)["head_oid"] if answer.body else known.head_oid(subject)
    except InvalidAnswer:
        return frozenset()
    return _held(run, subject, head_oid, answer)


def _held(run: HarvestRun, subject: str, head_oid: str | None, answer: Answer) -> frozenset[str]:
    """What was read from the commits, or listed, while this one was the newest."""
    assert run.known is not None  # noqa: S101 - only where something is known
    weeks, people = run.known.weeks(subject), run.known.participants(subject)
    held = set()
    if weeks is not None and weeks.head_oid == head_oid and weeks.source == HISTORY:
        held.add(WEEKS)
    if people is not None and people.head_oid == head_oid and not is_list_due(people, answer.fetched_at):
        held.add(PARTICIPANTS)
    return frozenset(held)


def _young_weeks(run: HarvestRun, subject: str, answer: Answer) -> frozenset[str]:
    if not is_good(run, subject, WEEKS):
        return frozenset()
    age = answer.fetched_at - run.last[subject, WEEKS].confirmed_at
    return frozenset({WEEKS}) if age < run.options.age(run.settings.max_age) * 3 / 2 else frozenset()


def is_good(run: HarvestRun, subject: str, facet: str) -> bool:
    """Whether the newest answer is what is believed, so that a 304 to its validator confirms it."""
    last = run.last.get((subject, facet))
    return last is not None and last.outcome in ("ok", "capped", "unchanged")
