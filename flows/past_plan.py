"""What a backfill has to ask, and what that will cost. Pure: no clock, no files.

Days that are known are not asked for again. GitHub selects commits by committer date and we count them by author date, so a window is
read from a day before its first to a year after its last: a commit that came into the history more than a year after it was made is
missed, unless the year after the window reaches into the present, for then the window is read from the newest commit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from extractors.conversation import HISTORY, PAST, PROBE, PROJECT, STARS, STATUS, Target
from extractors.stars import MOST_PAGES, WEEKS_A_PAGE
from flows.progress import describe_seconds

DAY = timedelta(days=1)
YEAR_DAYS = 364  # the days of which a harvest knows the commits
EARLY = timedelta(days=1)  # a committer whose clock is behind the author's
LATE = timedelta(days=365)  # work that was rebased or sent by mail, and came in so much later at most
STARS_SETTLE = timedelta(days=2)  # GitHub cuts the days of stars elsewhere than at UTC's midnight
COMMITS_A_PAGE = 100
RESERVE = 0.5  # of each hour's quota, which stays for the harvest beside a backfill
HOURLY = 5_000
HOUR = 3_600.0
SECONDS = {PROBE: 4.0, PAST: 4.0, STARS: 0.4, PROJECT: 0.2, STATUS: 0.2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Repo:
    """What is known of a repository before a backfill.

    Attributes:
        repo_id: GitHub's numeric id; ``None`` when it was never seen, and is to be probed first.
        node_id: GitHub's GraphQL id.
        created_on: the day of its creation.
        year_count: commits of the last 52 weeks.
        total_count: commits of all time, by those with an account.
        spans: first and last day of the spans whose commits are known.
        stars: first day, last day and number of the days of the window whose stars are known.
    """

    repo_id: int | None = None
    node_id: str | None = None
    created_on: date | None = None
    year_count: int | None = None
    total_count: int | None = None
    spans: Sequence[tuple[date, date]] = ()
    stars: tuple[date, date, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastDue:
    """One subject and what is to be asked of its past.

    Attributes:
        subject: ``github:owner/name`` or ``pypi:name``.
        repo: what is known of a repository.
        from_on: first day whose commits are not known, ``until_on`` the last; ``None`` when all are.
        star_pages: pages of weeks of stars, from 1, newest first; empty when all days are known.
    """

    subject: str
    repo: Repo = field(default_factory=Repo)
    from_on: date | None = None
    until_on: date | None = None
    star_pages: range = range(0)

    @property
    def is_project(self) -> bool:
        """A project of PyPI that was never harvested."""
        return self.subject.startswith("pypi:")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillPlan:
    """What a backfill will ask, and what that will cost.

    Attributes:
        due: subjects with something to ask.
        known_count: subjects of which the whole window is known.
        closed_count: repositories that are missing or withheld, and not asked.
        unborn_count: repositories that were created after the window.
        requests: expected, by kind of question.
        github_units: of GitHub's REST quota.
        graphql_points: of GitHub's GraphQL quota.
        pypi_requests: to PyPI.
        seconds: expected duration, with half of each hour's quota left to others.
    """

    due: tuple[PastDue, ...]
    known_count: int
    closed_count: int
    unborn_count: int
    requests: Mapping[str, int]
    github_units: int
    graphql_points: int
    pypi_requests: int
    seconds: float

    @property
    def question_count(self) -> int:
        """Windows of commits, of stars, and projects that are due; of a repository never seen both."""
        return sum(
            1 if item.is_project else 2 if item.repo.repo_id is None else (item.from_on is not None) + bool(item.star_pages)
            for item in self.due
        )

    def as_json(self) -> dict[str, Any]:
        """The plan for programs."""
        return {
            "subjects": len(self.due),
            "facets": self.question_count,
            "known": self.known_count,
            "closed": self.closed_count,
            "unborn": self.unborn_count,
            "requests": dict(self.requests),
            "github_units": self.github_units,
            "graphql_points": self.graphql_points,
            "pypi_requests": self.pypi_requests,
            "seconds": round(self.seconds),
        }


def due_of(subject: str, repo: Repo, since: date, until: date, today: date) -> PastDue | None:
    """What is to be asked of a repository for a window; ``None`` when all of it is known."""
    missing = missing_days(repo.spans, since, until)
    pages = star_pages(repo, since, until, today)
    if missing is None and not pages:
        return None
    first, last = missing or (None, None)
    return PastDue(subject=subject, repo=repo, from_on=first, until_on=last, star_pages=pages)


def missing_days(spans: Iterable[tuple[date, date]], since: date, until: date) -> tuple[date, date] | None:
    """The first and the last day of a window that no span covers; ``None`` when every day is covered. Spans do not overlap."""
    first, last = since, until
    ordered = sorted(spans)
    for begin, end in ordered:
        if begin <= first <= end:
            first = end + DAY
    for begin, end in reversed(ordered):
        if begin <= last <= end:
            last = begin - DAY
    return (first, last) if first <= last else None


def star_pages(repo: Repo, since: date, until: date, today: date) -> range:
    """Which pages of weeks hold the days of a window whose stars are not known; none of them is before the repository was created."""
    first, last = max(since, repo.created_on or since), min(until, today - STARS_SETTLE)
    if first > last:
        return range(0)
    if repo.stars is not None:
        begin, end, count = repo.stars
        is_solid = count == (end - begin).days + 1
        if is_solid and begin <= first:
            first = end + DAY
        elif is_solid and end >= last:
            last = begin - DAY
    if first > last:
        return range(0)
    newest = _sunday(today)
    low, high = ((newest - _sunday(day)).days // 7 // WEEKS_A_PAGE + 1 for day in (last, first))
    return range(low, min(high, MOST_PAGES) + 1)


def window_target(item: PastDue, target: Target, now: datetime) -> Target:
    """The first page of a window of commits, with its margins."""
    assert item.from_on is not None and item.until_on is not None  # noqa: S101, PT018 - due_of gave both or neither
    end = datetime.combine(item.until_on + DAY, time(), tzinfo=UTC) + LATE
    return replace(
        target,
        node_id=item.repo.node_id or target.node_id,
        since=_stamp(datetime.combine(item.from_on, time(), tzinfo=UTC) - EARLY),
        until=_stamp(end) if end < now else None,
        from_on=item.from_on.isoformat(),
        until_on=item.until_on.isoformat(),
    )


def make_plan(
    due: Sequence[PastDue], *, known_count: int, closed_count: int, unborn_count: int, today: date, sizes: Mapping[str, int], lanes: int
) -> BackfillPlan:
    """The plan with its forecast. ``sizes`` are repositories a query by kind, ``lanes`` queries in flight at once."""
    repos = [item for item in due if not item.is_project]
    probed = sum(item.repo.repo_id is None for item in repos)
    pages = [expected_pages(item, today) for item in repos if item.from_on is not None]
    projects = sum(item.is_project for item in due)
    counts = {
        PROBE: -(-probed // sizes[PROBE]),
        PAST: queries(pages, sizes[HISTORY], lanes),
        STARS: sum(len(item.star_pages) for item in repos),
        PROJECT: projects,
        STATUS: projects,
    }
    points, units = counts[PROBE] + counts[PAST], counts[STARS]
    hours = max(units, points) / (HOURLY * (1 - RESERVE))
    asking = max(points * SECONDS[PAST], units * SECONDS[STARS] / 4, projects * (SECONDS[PROJECT] + SECONDS[STATUS]))
    return BackfillPlan(
        due=tuple(due),
        known_count=known_count,
        closed_count=closed_count,
        unborn_count=unborn_count,
        requests={kind: count for kind, count in counts.items() if count},
        github_units=units,
        graphql_points=points,
        pypi_requests=counts[PROJECT] + counts[STATUS],
        seconds=max(asking, int(hours) * HOUR),
    )


def expected_pages(item: PastDue, today: date) -> int:
    """Pages of commits between a window's first day and the last commit that is read for it, by what is known of the repository's pace."""
    if item.from_on is None or item.until_on is None:
        return 0
    repo, year_began = item.repo, today - YEAR_DAYS * DAY
    begin, end = item.from_on - EARLY, min(item.until_on + DAY + LATE, today)
    born = min(repo.created_on or begin, year_began - DAY)
    older_pace = max((repo.total_count or 0) - (repo.year_count or 0), 0) / (year_began - born).days
    older_days = max((min(end, year_began) - max(begin, born)).days, 0)
    year_days = max((end - max(begin, year_began)).days, 0)
    expected = older_pace * older_days + (repo.year_count or 0) / YEAR_DAYS * year_days
    return max(1, -(-round(expected) // COMMITS_A_PAGE))


def queries(pages: Iterable[int], size: int, lanes: int) -> int:
    """How many queries read so many pages of each repository, when the next page can only be asked for after the one before.

    Full queries go out as long as there are any, a lesser one when nothing on its way can fill it.
    """
    waiting, in_flight, count = deque(pages), deque[list[int]](), 0
    while waiting or in_flight:
        while len(in_flight) < lanes and (len(waiting) >= size or (waiting and not in_flight)):
            in_flight.append([waiting.popleft() for _ in range(min(size, len(waiting)))])
            count += 1
        waiting.extend(left - 1 for left in in_flight.popleft() if left > 1)
    return count


_NAMES: Mapping[str, tuple[str, str]] = {
    PROBE: ("probe", "probes"),
    PAST: ("query for commits", "queries for commits"),
    STARS: ("page of stars", "pages of stars"),
    PROJECT: ("project", "projects"),
    STATUS: ("status", "statuses"),
}


def describe_backfill(plan: BackfillPlan, since: date, until: date) -> list[str]:
    """The plan in sentences, one per line."""
    kinds = ", ".join(f"{count:,} {_NAMES[kind][count != 1]}" for kind, count in plan.requests.items())
    lines = [
        f"From {since} to {until}: {len(plan.due):,} subjects have days that are not known; of {plan.known_count:,} everything is.",
        f"Requests: {kinds or 'none'}.",
        (
            f"Cost: about {plan.github_units:,} GitHub quota units, {plan.graphql_points:,} GraphQL points, {plan.pypi_requests:,} "
            f"requests to PyPI; about {describe_seconds(plan.seconds)} of asking. Half of each hour's quota is left to a harvest beside it."
        ),
    ]
    if plan.closed_count:
        lines.append(f"{plan.closed_count:,} repositories are missing or withheld and not asked about.")
    if plan.unborn_count:
        lines.append(f"{plan.unborn_count:,} repositories were created after the window and are not asked about.")
    lines.append("Forks are not backfilled: GitHub tells how many there are, not how many there were.")
    return lines


def _sunday(day: date) -> date:
    return day - DAY * (day.isoweekday() % 7)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
