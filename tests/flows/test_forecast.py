"""What a harvest will cost: pure, so examples and laws."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.conversation import FACETS
from flows.forecast import HarvestPlan, Outlook, Quota, describe_plan, forecast
from flows.planning import NEVER, Due

NOW = datetime(2026, 2, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def repositories(count: int, *, is_probed: bool = True, facets=("repo", "head", "weeks", "participants")) -> list[Due]:
    """So many repositories that are due."""
    return [Due(subject=f"github:o/{n}", facets=frozenset(facets), stalest_at=NEVER, is_probed=is_probed) for n in range(count)]


def projects(count: int) -> list[Due]:
    """So many projects that are due."""
    return [Due(subject=f"pypi:p{n}", facets=frozenset(FACETS["pypi"]), stalest_at=NEVER) for n in range(count)]


def foresee(due, outlook=None, **changes):
    """A forecast with the usual arguments."""
    usual = {"as_of": NOW, "has_token": True, "budget": None, "points_per_minute": 900, "concurrency": 16}
    return forecast(due, outlook or Outlook(), **{**usual, **changes})


def told(due, outlook, foreseen, *, has_token=True) -> str:
    """The plan in words."""
    plan = HarvestPlan(due=tuple(due), fresh_count=0, outlook=outlook, forecast=foreseen, as_of=NOW)
    return "\n".join(describe_plan(plan, has_token=has_token))


def test_a_first_sight_costs_one_list_a_repository() -> None:
    """A hundred new repositories: four probes, five pages of commits, a hundred lists, and a few that only REST can classify."""
    foreseen = foresee(repositories(100))
    assert foreseen.requests == {"probe": 4, "history": 5, "participants": 100, "repo": 3}
    assert (foreseen.core_units, foreseen.graphql_points) == (103, 9)


def test_what_is_known_costs_by_its_activity() -> None:
    """A thousand repositories quiet for a year cost a probe and next to nothing; busy ones are read again."""
    due = repositories(1000, facets=("repo", "head"))
    seen = {item.subject: NOW - DAY for item in due}
    quiet = foresee(due, Outlook(touched_at=dict.fromkeys(seen, NOW - 366 * DAY), seen_at=seen))
    busy = foresee(due, Outlook(touched_at=dict.fromkeys(seen, NOW - 2 * DAY), seen_at=seen))
    assert quiet.requests["probe"] == busy.requests["probe"] == 40
    assert quiet.core_units <= 1
    assert busy.requests["history"] == 25, "half of them moved, twenty a query"
    assert busy.core_units == 75


def test_without_a_probe_every_value_costs_a_unit() -> None:
    """Statistics are counted twice, since the first answer is often a 202."""
    assert foresee(repositories(10, is_probed=False), Outlook(pages={"github:o/1": 3})).core_units == 52


def test_the_index_replaces_the_projects_that_did_not_change() -> None:
    """With the index one read and what is likely to have changed; without, every project."""
    due = [Due(subject=f"pypi:p{n}", facets=frozenset(["project"]), stalest_at=NOW - DAY) for n in range(1000)]
    known = {item.subject: NOW - DAY for item in due}
    outlook = Outlook(has_index=True, touched_at=dict.fromkeys(known, NOW - 201 * DAY), seen_at=known)
    assert foresee(due, outlook).requests == {"index": 1, "project": 5}
    assert foresee(due, Outlook(touched_at=outlook.touched_at, seen_at=known)).requests == {"project": 1000}
    assert foresee(projects(3)).pypi_requests == 6


def test_a_budget_names_what_it_leaves_out() -> None:
    """The stalest are within it, the rest keep their values and are named."""
    due = repositories(10, is_probed=False)
    foreseen = foresee(due, budget=12)
    assert foreseen.left_out == tuple(item.subject for item in due[2:])
    assert "leaves out 8 subjects" in told(due, Outlook(), foreseen)


def test_a_quota_that_does_not_suffice_is_told_before_the_start() -> None:
    """What is left, when it is full again, how many subjects it does not cover, and that the asking waits for it."""
    due = repositories(100)
    quota = Quota(limit=5000, remaining=60, resets_at=NOW + timedelta(minutes=30))
    outlook = Outlook(quotas={"github": quota})
    foreseen = foresee(due, outlook)
    assert 40 <= len(foreseen.beyond_quota) <= 45
    assert foreseen.seconds == 30 * 60
    words = told(due, outlook, foreseen)
    assert "GitHub had 60 of 5,000 left when last asked; full again at 12:30 UTC." in words
    assert "The quota left covers all but" in words
    past = Outlook(quotas={"github": Quota(limit=5000, remaining=0, resets_at=NOW - DAY)})
    assert foresee(due, past).beyond_quota == ()


def test_the_points_a_minute_bound_the_time() -> None:
    """Nine thousand units take ten minutes at least, and a second hour when there are only five thousand an hour."""
    few = foresee(repositories(4500), Outlook(seconds={"participants": 0.05, "probe": 0.05, "history": 0.05}))
    assert few.seconds == pytest.approx(few.core_units / 900 * 60)
    assert foresee(repositories(9000)).seconds == 3600
    assert foresee(repositories(9000), points_per_minute=0).seconds == 3600


def test_without_a_token_the_plan_says_what_that_means() -> None:
    """The hours it takes at sixty an hour, and that a token would change that."""
    many = repositories(60, is_probed=False)
    words = told(many, Outlook(), foresee(many, has_token=False), has_token=False)
    assert "60 requests an hour" in words
    assert "about 4.0 h of asking" in words, "sixty units are there at once"
    assert "GITHUB_TOKEN" not in told(many, Outlook(), foresee(many))
    assert "GITHUB_TOKEN" not in told(projects(1), Outlook(), foresee(projects(1)), has_token=False)


@given(st.integers(0, 400), st.integers(0, 400), st.booleans())
def test_more_to_ask_never_costs_less(repos: int, more: int, is_probed: bool) -> None:
    """Adding subjects never lowers a meter or the time, and nothing is foreseen for nothing."""
    one = foresee(repositories(repos, is_probed=is_probed))
    other = foresee(repositories(repos + more, is_probed=is_probed))
    assert other.core_units >= one.core_units
    assert other.graphql_points >= one.graphql_points
    assert other.seconds >= one.seconds
    assert repos or one.requests == {}
