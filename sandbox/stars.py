"""Stars by the day they were given, of those still held: ``GET /repos/{owner}/{repo}/stargazers/history``.

https://docs.github.com/en/rest/activity/starring: newest week first, one row per week from that of the repository's creation to the
running one, weeks without stars included (as recorded, 4 September 2026: ``{"week": <seconds>, "total": 0, "days": [0, ...]}``, the
week is a Sunday). At most 30 weeks a page. The sum over all days is the number of stars today.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sandbox.subjects import Repository

DAY = timedelta(days=1)
DAYS_A_WEEK = 7
MOST_WEEKS, MOST_PAGES = 30, 100
GROWTH = 1.5  # a repository is found by more people the longer it is there


def stars_until(repo: Repository, day: date) -> int:
    """How many of today's stars were given before that day; what was starred last came when the repository last changed."""
    born, last = repo.created_at.date(), max(repo.updated_at.date(), repo.created_at.date())
    share = ((day - born) / (last + DAY - born)) if day > born else 0.0
    return round(repo.stars * math.pow(min(share, 1.0), GROWTH))


def stars_on(repo: Repository, day: date) -> int:
    """How many of today's stars were given on that day."""
    return stars_until(repo, day + DAY) - stars_until(repo, day)


def star_weeks(repo: Repository, today: date, *, page: int, per_page: int) -> list[dict[str, Any]]:
    """One page of weeks, newest first; none beyond the week of the creation."""
    first, newest = _sunday(repo.created_at.date()), _sunday(today)
    count = (newest - first).days // DAYS_A_WEEK + 1
    places = range((page - 1) * per_page, min(page * per_page, count))
    return [_week(repo, newest - timedelta(weeks=place)) for place in places]


def star_pages(repo: Repository, today: date, per_page: int) -> int:
    """How many pages there are."""
    weeks = (_sunday(today) - _sunday(repo.created_at.date())).days // DAYS_A_WEEK + 1
    return max(-(-weeks // per_page), 1)


def _week(repo: Repository, sunday: date) -> dict[str, Any]:
    days = [stars_on(repo, sunday + DAY * number) for number in range(DAYS_A_WEEK)]
    midnight = datetime(sunday.year, sunday.month, sunday.day, tzinfo=UTC)
    return {"week": int(midnight.timestamp()), "total": sum(days), "days": days}


def _sunday(day: date) -> date:
    return day - DAY * (day.isoweekday() % DAYS_A_WEEK)
