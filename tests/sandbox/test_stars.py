"""Retained stars by day: every star once, newest week first, from the week of the creation on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sandbox.stars import star_pages, star_weeks, stars_on
from sandbox.subjects import Repository
from tests.sandbox.asking import PLAIN, TOKEN, asking

TODAY = date(2026, 2, 16)
MIDNIGHT = datetime(2026, 2, 16, tzinfo=UTC)


def repository(stars: int, age_days: int, idle_days: int) -> Repository:
    """A repository with so many stars, so old, that last changed so many days ago."""
    return Repository(
        id=1, owner="a", name="b", stars=stars, created_at=MIDNIGHT - timedelta(days=age_days),
        updated_at=MIDNIGHT - timedelta(days=min(idle_days, age_days)), pushed_at=MIDNIGHT,
    )  # fmt: skip


@given(st.integers(0, 5000), st.integers(0, 3000), st.integers(0, 50))
def test_the_days_sum_up_to_the_stars_of_today(stars: int, age_days: int, idle_days: int) -> None:
    """All pages together have every star of today once, no day has fewer than none, and the weeks follow each other."""
    repo = repository(stars, age_days, idle_days)
    weeks = [week for page in range(1, star_pages(repo, TODAY, 30) + 1) for week in star_weeks(repo, TODAY, page=page, per_page=30)]
    assert sum(week["total"] for week in weeks) == stars
    assert all(week["total"] == sum(week["days"]) and min(week["days"]) >= 0 for week in weeks)
    assert all(newer["week"] - older["week"] == 7 * 86_400 for newer, older in pairwise(weeks))
    assert datetime.fromtimestamp(weeks[0]["week"], UTC).isoweekday() == 7
    assert star_weeks(repo, TODAY, page=star_pages(repo, TODAY, 30) + 1, per_page=30) == []


def test_a_page_has_at_most_thirty_weeks_and_leads_to_the_next() -> None:
    """Over HTTP: the size is cut, a link leads on, one unit a page, and a missing repository is 404."""
    with asking() as (sandbox, client):
        repo = sandbox.world.repository("curious/plain")
        assert repo is not None
        answer = client.get(f"{sandbox.github_url}{PLAIN}/stargazers/history?per_page=100&page=2", headers=TOKEN)
        assert answer.status_code == 200
        assert len(answer.json()) == 30
        assert 'page=3>; rel="next"' in answer.headers["link"]
        week = answer.json()[0]
        sunday = datetime.fromtimestamp(week["week"], UTC).date()
        assert week["days"] == [stars_on(repo, sunday + timedelta(days=number)) for number in range(7)]
        assert client.get(f"{sandbox.github_url}/repos/curious/nowhere/stargazers/history", headers=TOKEN).status_code == 404
