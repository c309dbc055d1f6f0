"""What is due, and in what order: pure, so laws and tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.conversation import FACETS
from flows.planning import SETTLED, STATUS_AGE, LastAnswer, batches, find_due

NOW = datetime(2026, 2, 15, 12, tzinfo=UTC)
REPO = "github:owner/name"
PROJECT = "pypi:name"
AGE = timedelta(hours=20)


def heard(outcome: str = "ok", hours: float = 1) -> LastAnswer:
    """An answer of so many hours ago."""
    return LastAnswer(outcome=outcome, confirmed_at=NOW - timedelta(hours=hours))


def all_facets(answer: LastAnswer, subject: str = REPO) -> dict[tuple[str, str], LastAnswer]:
    """The same answer to every facet of a subject."""
    return {(subject, facet): answer for facet in FACETS[subject.partition(":")[0]]}


def due(subjects, last, **changes):
    """What is due with the usual arguments."""
    arguments = {"as_of": NOW, "max_age": AGE, "has_probe": False, **changes}
    return find_due(subjects, last, **arguments)[0]


def test_a_first_sight_asks_everything() -> None:
    """Four questions of a repository, two of a project."""
    assert {item.subject: item.facets for item in due([REPO, PROJECT], {})} == {
        REPO: frozenset(FACETS["github"]),
        PROJECT: frozenset(FACETS["pypi"]),
    }


@pytest.mark.parametrize("outcome", ["pending", "failed", "limited", "invalid", "refused"])
@pytest.mark.parametrize("has_probe", [True, False])
def test_what_was_no_answer_is_asked_again(outcome: str, has_probe: bool) -> None:
    """However young, an answer that says nothing is due again."""
    last = all_facets(heard()) | {(REPO, "weeks"): heard(outcome)}
    assert due([REPO], last, has_probe=has_probe)[0].facets == {"weeks"}


@pytest.mark.parametrize("outcome", sorted(SETTLED - {"blocked"}))
def test_what_was_answered_rests_for_its_age(outcome: str) -> None:
    """A settled answer is due at its greatest age and not before."""
    assert due([REPO], all_facets(heard(outcome, 19.99))) == []
    assert due([REPO], all_facets(heard(outcome, 20)))[0].facets == frozenset(FACETS["github"])


def test_with_a_probe_weeks_and_participants_follow_the_newest_commit() -> None:
    """What GraphQL tells of the head decides about them, so their age makes nothing due; without a token it does."""
    item = due([REPO], all_facets(heard(hours=21)), has_probe=True)[0]
    assert (item.facets, item.is_probed) == ({"repo", "head"}, True)
    assert not due([REPO], all_facets(heard(hours=21)))[0].is_probed


def test_what_graphql_does_not_show_is_not_probed_and_rests_for_a_week() -> None:
    """A blocked repository is asked for by REST, and seldom."""
    last = {(REPO, "repo"): heard("blocked", hours=6 * 24)}
    assert due([REPO], last, has_probe=True) == []
    item = due([REPO], {(REPO, "repo"): heard("blocked", hours=7 * 24)}, has_probe=True)[0]
    assert "repo" in item.facets
    assert not item.is_probed


def test_statuses_are_swept_slowly_and_not_all_at_once() -> None:
    """What does not move PyPI's serial is asked after thirty days, spread over ten."""
    names = [f"pypi:p{number}" for number in range(300)]
    last = {(name, "project"): heard() for name in names} | {(name, "status"): heard(hours=STATUS_AGE.days * 24 + 12) for name in names}
    swept = due(names, last)
    assert 0 < len(swept) < 60
    assert all(item.facets == {"status"} for item in swept)
    old = {(name, "status"): heard(hours=40 * 24) for name in names}
    assert len(due(names, last | old)) == 300


@pytest.mark.parametrize("outcome", ["missing", "blocked"])
def test_a_closed_repository_is_asked_for_itself_only_when_that_is_due(outcome: str) -> None:
    """A repository that is gone is not asked four times a run for what it will not tell."""
    assert due([REPO], {(REPO, "repo"): heard(outcome)}) == []
    assert "repo" in due([REPO], {(REPO, "repo"): heard(outcome, 200)})[0].facets
    assert due([REPO], {}, landed={(REPO, "repo"): heard(outcome)}) == []


def test_what_a_resumed_run_has_is_not_planned() -> None:
    """Questions the interrupted part of a run answered are not asked again."""
    resumed = due([REPO], {}, landed={(REPO, facet): heard() for facet in ("repo", "head", "weeks")})
    assert resumed[0].facets == {"participants"}


def test_the_stalest_come_first() -> None:
    """Never seen before long ago before lately."""
    subjects = ["github:a/lately", "github:b/never", "github:c/long-ago"]
    last = all_facets(heard(hours=21), "github:a/lately") | all_facets(heard(hours=90), "github:c/long-ago")
    assert [item.subject for item in due(subjects, last)] == ["github:b/never", "github:c/long-ago", "github:a/lately"]


def test_full_makes_everything_due() -> None:
    """An age of nothing is older than every answer."""
    last = all_facets(heard(hours=0)) | all_facets(heard("blocked", 0), PROJECT)
    assert {item.subject: len(item.facets) for item in due([REPO, PROJECT], last, max_age=timedelta(0), has_probe=True)} == {
        REPO: 4,
        PROJECT: 2,
    }


outcomes = st.sampled_from([*sorted(SETTLED), "pending", "failed", "limited", "invalid", "refused"])
subjects = st.lists(st.sampled_from([REPO, PROJECT, "github:a/b", "pypi:c"]), unique=True)


@given(subjects, st.dictionaries(st.sampled_from(FACETS["github"]), st.tuples(outcomes, st.integers(0, 100))), st.booleans())
def test_due_and_fresh_are_everything(names, answers, has_probe) -> None:
    """Every facet is either due or fresh, and a greater age never makes more due."""
    last = {(REPO, facet): heard(outcome, hours) for facet, (outcome, hours) in answers.items()}
    found, fresh = find_due(names, last, as_of=NOW, max_age=AGE, has_probe=has_probe)
    count = sum(len(item.facets) for item in found)
    assert count + fresh == sum(len(FACETS[name.partition(":")[0]]) for name in names)
    assert sum(len(item.facets) for item in due(names, last, max_age=timedelta(days=30), has_probe=has_probe)) <= count


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 25))
def test_batches_lose_nothing_and_mix_the_sources(repos: int, projects: int, size: int) -> None:
    """Every subject is in exactly one batch, in order within its source, and no batch is much larger than asked."""
    found = tuple(due([f"github:o/{n:03}" for n in range(repos)] + [f"pypi:p{n:03}" for n in range(projects)], {}))
    cut = batches(found, size)
    for source in ("github", "pypi"):
        assert [i.subject for b in cut for i in b if i.source == source] == [i.subject for i in found if i.source == source]
    assert all(len(batch) <= size + 2 for batch in cut)
