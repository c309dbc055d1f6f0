"""What is due, in what order, at what cost: pure, so laws and tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.conversation import FACETS
from flows.planning import SETTLED, LastAnswer, batches, describe_plan, plan_harvest

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


def plan(subjects, last, **changes):
    """A plan with the usual arguments."""
    arguments = {"as_of": NOW, "max_age": AGE, "pages": {}, "budget": None, **changes}
    return plan_harvest(subjects, last, **arguments)


def test_a_first_sight_asks_everything() -> None:
    """Four questions of a repository, one of a project."""
    first = plan([REPO, PROJECT], {})
    assert {item.subject: item.facets for item in first.due} == {REPO: frozenset(FACETS["github"]), PROJECT: frozenset(["project"])}
    assert first.github_units == 5, "statistics are counted twice: the first answer is often a 202"
    assert first.requests["project"] == 1


@pytest.mark.parametrize("outcome", ["pending", "failed", "limited", "invalid", "refused"])
def test_what_was_no_answer_is_asked_again(outcome: str) -> None:
    """However young, an answer that says nothing is due again."""
    last = all_facets(heard()) | {(REPO, "weeks"): heard(outcome)}
    assert plan([REPO], last).due[0].facets == {"weeks"}


@pytest.mark.parametrize("outcome", sorted(SETTLED))
def test_what_was_answered_rests_for_its_age(outcome: str) -> None:
    """A settled answer is due at its greatest age and not before."""
    assert plan([REPO], all_facets(heard(outcome, 19.99))).due == ()
    assert plan([REPO], all_facets(heard(outcome, 20))).due[0].facets == frozenset(FACETS["github"])


@pytest.mark.parametrize("outcome", ["missing", "blocked"])
def test_a_closed_repository_is_asked_for_itself_only_when_that_is_due(outcome: str) -> None:
    """A repository that is gone is not asked four times a run for what it will not tell."""
    assert plan([REPO], {(REPO, "repo"): heard(outcome)}).due == ()
    assert "repo" in plan([REPO], {(REPO, "repo"): heard(outcome, 30)}).due[0].facets
    assert plan([REPO], {}, landed={(REPO, "repo"): heard(outcome)}).due == ()


def test_what_a_resumed_run_has_is_not_planned() -> None:
    """Questions the interrupted part of a run answered are neither asked nor counted."""
    resumed = plan([REPO], {}, landed={(REPO, facet): heard() for facet in ("repo", "head", "weeks")})
    assert resumed.due[0].facets == {"participants"}
    assert resumed.github_units == 1


def test_the_stalest_come_first_and_the_budget_leaves_out_the_freshest() -> None:
    """Never seen before long ago before lately; what the budget cannot cover is named."""
    subjects = ["github:a/lately", "github:b/never", "github:c/long-ago"]
    last = all_facets(heard(hours=21), "github:a/lately") | all_facets(heard(hours=90), "github:c/long-ago")
    planned = plan(subjects, last, budget=10)
    assert [item.subject for item in planned.due] == ["github:b/never", "github:c/long-ago", "github:a/lately"]
    assert planned.left_out == ("github:a/lately",)
    assert "leaves out 1" in " ".join(describe_plan(planned, has_token=True))


def test_pages_of_participants_cost_what_they_cost_before() -> None:
    """Three pages known are three requests foreseen."""
    assert plan([REPO], {}, pages={REPO: 3}).requests["participants"] == 3


def test_without_a_token_the_plan_says_what_that_means() -> None:
    """The hours it takes at sixty an hour, and what a token would change."""
    many = plan([f"github:o/{n}" for n in range(60)], {})
    assert any("60 requests an hour" in line and "5.0 hours" in line for line in describe_plan(many, has_token=False))
    assert not any("60 requests" in line for line in describe_plan(many, has_token=True))
    assert not any("GITHUB_TOKEN" in line for line in describe_plan(plan([PROJECT], {}), has_token=False))


outcomes = st.sampled_from([*sorted(SETTLED), "pending", "failed", "limited", "invalid", "refused"])
subjects = st.lists(st.sampled_from([REPO, PROJECT, "github:a/b", "pypi:c"]), unique=True)


@given(subjects, st.dictionaries(st.sampled_from(FACETS["github"]), st.tuples(outcomes, st.integers(0, 100))))
def test_due_and_fresh_are_everything(names, answers) -> None:
    """Every facet is either due or fresh, and a greater age never makes more due."""
    last = {(REPO, facet): heard(outcome, hours) for facet, (outcome, hours) in answers.items()}
    planned = plan(names, last)
    assert planned.facet_count + planned.fresh_count == sum(len(FACETS[name.partition(":")[0]]) for name in names)
    assert plan(names, last, max_age=timedelta(days=30)).facet_count <= planned.facet_count


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 25))
def test_batches_lose_nothing_and_mix_the_sources(repos: int, projects: int, size: int) -> None:
    """Every subject is in exactly one batch, in order within its source, and no batch is much larger than asked."""
    planned = plan([f"github:o/{n:03}" for n in range(repos)] + [f"pypi:p{n:03}" for n in range(projects)], {})
    cut = batches(planned.due, size)
    for source in ("github", "pypi"):
        assert [i.subject for b in cut for i in b if i.source == source] == [i.subject for i in planned.due if i.source == source]
    assert all(len(batch) <= size + 2 for batch in cut)
