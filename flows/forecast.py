"""What a harvest will cost, before it asks anything: requests by kind, quota units by meter, and how long that takes. Pure.

A repository that changed lately will soon change again: one whose newest commit was ``a`` days old when last looked at has
moved ``d`` days later with a chance of about ``d / (a + d)``. The report compares the forecast with what the run then spent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from extractors.conversation import COMMITS, GITHUB, HEAD, HISTORY, INDEX, PARTICIPANTS, PROBE, PROJECT, REPO, STATUS, WEEKS
from flows.choice import LIST_AGE
from flows.planning import Due
from flows.progress import describe_seconds

PAGE_SIZE = 100  # logins on one page of /contributors, commits on one page of a history
STRANGERS = 0.15  # share of the moved repositories in which somebody new committed
UNFOUND = 0.03  # share of the first sights that only REST can classify
GRAPHQL_SECONDS = 4.0  # of one query, until the ledger tells better
PYPI_SECONDS = 0.2
REST_SECONDS = 0.4
HOURLY_ANONYMOUS = 60
HOURLY = 5_000
HOUR = 3_600.0
REST_KINDS = (REPO, HEAD, COMMITS, WEEKS, PARTICIPANTS)
BATCHED_KINDS = (PROBE, HISTORY)
PYPI_KINDS = (INDEX, PROJECT, STATUS)
KINDS = (*BATCHED_KINDS, *REST_KINDS, *PYPI_KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a meter had left when it was last told, and when it is full again (aware UTC)."""

    limit: int
    remaining: int
    resets_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the past tells of the near future.

    Attributes:
        pages: pages of participants, by subject.
        commits: commits a year, by subject; those of the last read.
        touched_at: newest commit of a repository, newest release of a project, by subject.
        seen_at: when that was last confirmed.
        statistical: repositories whose weeks GitHub computes.
        listed_at: when GitHub listed the participants last, by subject.
        has_index: PyPI's index root is read instead of asking project by project.
        probe_size: repositories a query.
        history_size: likewise, for commits.
        seconds: mean time of an answer, by kind, as far as known.
        quotas: by meter, as far as known.
    """

    pages: Mapping[str, int] = field(default_factory=dict)
    commits: Mapping[str, int] = field(default_factory=dict)
    touched_at: Mapping[str, datetime] = field(default_factory=dict)
    seen_at: Mapping[str, datetime] = field(default_factory=dict)
    statistical: frozenset[str] = frozenset()
    listed_at: Mapping[str, datetime] = field(default_factory=dict)
    has_index: bool = False
    probe_size: int = 25
    history_size: int = 20
    seconds: Mapping[str, float] = field(default_factory=dict)
    quotas: Mapping[str, Quota] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a harvest will ask.

    Attributes:
        requests: expected, by kind of question.
        core_units: of GitHub's REST quota.
        graphql_points: of GitHub's GraphQL quota.
        pypi_requests: to PyPI.
        seconds: expected duration of the asking, waits for quota included.
        left_out: subjects beyond the caller's budget, which keep their values and come first next time.
        beyond_quota: subjects that the quota left in this hour does not cover.
    """

    requests: Mapping[str, int]
    core_units: int
    graphql_points: int
    pypi_requests: int
    seconds: float
    left_out: tuple[str, ...] = ()
    beyond_quota: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The forecast for programs."""
        return {
            "requests": dict(self.requests),
            "github_units": self.core_units,
            "graphql_points": self.graphql_points,
            "pypi_requests": self.pypi_requests,
            "seconds": round(self.seconds),
            "left_out": list(self.left_out),
            "beyond_quota": list(self.beyond_quota),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestPlan:
    """What a harvest will ask, stalest first, and what that will cost.

    Attributes:
        due: the subjects with something to ask.
        fresh_count: facets young enough to be left alone.
        outlook: what the forecast was made from.
        forecast: requests, units and time.
        as_of: when it was made.
    """

    due: tuple[Due, ...]
    fresh_count: int
    outlook: Outlook
    forecast: Forecast
    as_of: datetime

    @property
    def facet_count(self) -> int:
        """How many facets are due."""
        return sum(len(item.facets) for item in self.due)

    def as_json(self) -> dict[str, Any]:
        """The plan for programs."""
        quotas = {
            meter: {"limit": quota.limit, "remaining": quota.remaining, "resets_at": quota.resets_at.isoformat()}
            for meter, quota in self.outlook.quotas.items()
        }
        counts = {"subjects": len(self.due), "facets": self.facet_count, "fresh": self.fresh_count}
        return {**counts, **self.forecast.as_json(), "quotas": quotas}


def forecast(
    due: Iterable[Due], outlook: Outlook, *, as_of: datetime, has_token: bool, budget: int | None, points_per_minute: int, concurrency: int
) -> Forecast:
    """Foresee what asking for ``due`` (stalest first) costs at ``as_of``."""
    expected: dict[str, float] = {}
    left_out: list[str] = []
    beyond: list[str] = []
    core = outlook.quotas.get(GITHUB)
    core_left = core.remaining if core and core.resets_at > as_of else None
    for item in due:
        kinds = _expected(item, outlook, as_of)
        for kind, count in kinds.items():
            expected[kind] = expected.get(kind, 0.0) + count
        if item.source == GITHUB:
            units = sum(expected.get(kind, 0.0) for kind in REST_KINDS)
            if budget is not None and units + _batched(expected) > budget:
                left_out.append(item.subject)
            if core_left is not None and units > core_left:
                beyond.append(item.subject)
    if outlook.has_index:
        expected[INDEX] = 1.0
    requests = {kind: max(1, round(expected[kind])) for kind in KINDS if expected.get(kind, 0.0) > 0}
    core_units = sum(requests.get(kind, 0) for kind in REST_KINDS)
    points = sum(requests.get(kind, 0) for kind in BATCHED_KINDS)
    pypi = sum(requests.get(kind, 0) for kind in PYPI_KINDS)
    seconds = _duration(requests, outlook, has_token=has_token, points_per_minute=points_per_minute, concurrency=concurrency, as_of=as_of)
    return Forecast(
        requests=requests,
        core_units=core_units,
        graphql_points=points,
        pypi_requests=pypi,
        seconds=seconds,
        left_out=tuple(left_out),
        beyond_quota=tuple(beyond),
    )


def _batched(expected: Mapping[str, float]) -> float:
    return sum(expected.get(kind, 0.0) for kind in BATCHED_KINDS)


def _expected(item: Due, outlook: Outlook, as_of: datetime) -> dict[str, float]:
    """Expected requests of one subject, by kind."""
    if item.source != GITHUB:
        return _expected_of_project(item, outlook, as_of)
    pages = max(1, outlook.pages.get(item.subject, 1))
    if not item.is_probed:
        # GitHub computes statistics on demand: the first answer is often a 202, so plan for a second one.
        counts = {REPO: 1.0, HEAD: 1.0, WEEKS: 2.0, PARTICIPANTS: float(pages)}
        return {facet: counts[facet] for facet in item.facets}
    is_new = WEEKS in item.facets
    moved = 1.0 if is_new else _has_moved(item.subject, outlook, as_of)
    kinds = {PROBE: 1 / outlook.probe_size}
    if item.subject in outlook.statistical:
        kinds[WEEKS] = 1.0
    else:
        kinds[HISTORY] = moved * max(1, -(-outlook.commits.get(item.subject, 1) // PAGE_SIZE)) / outlook.history_size
    listed_at = outlook.listed_at.get(item.subject)
    is_old = listed_at is not None and as_of - listed_at >= LIST_AGE
    kinds[PARTICIPANTS] = float(pages) if PARTICIPANTS in item.facets or is_old else moved * STRANGERS * pages
    if is_new:
        kinds[REPO] = UNFOUND
    return kinds


def _expected_of_project(item: Due, outlook: Outlook, as_of: datetime) -> dict[str, float]:
    kinds: dict[str, float] = {}
    if PROJECT in item.facets:
        is_skipped = outlook.has_index and item.subject in outlook.touched_at
        kinds[PROJECT] = _has_moved(item.subject, outlook, as_of) if is_skipped else 1.0
    if STATUS in item.facets:
        kinds[STATUS] = 1.0
    return kinds


def _has_moved(subject: str, outlook: Outlook, as_of: datetime) -> float:
    """The chance that there is a newer commit or release than the one known."""
    touched_at, seen_at = outlook.touched_at.get(subject), outlook.seen_at.get(subject)
    if touched_at is None or seen_at is None:
        return 0.0
    since = max(as_of - seen_at, timedelta(0))
    age = max(seen_at - touched_at, timedelta(hours=1))
    return since / (since + age)


def _duration(
    requests: Mapping[str, int], outlook: Outlook, *, has_token: bool, points_per_minute: int, concurrency: int, as_of: datetime
) -> float:
    """Seconds until the slowest meter is done: REST by its points a minute and its hours, GraphQL by its minute of time a minute."""
    core = sum(requests.get(kind, 0) for kind in REST_KINDS)
    pace = sum(requests.get(kind, 0) * outlook.seconds.get(kind, REST_SECONDS) for kind in REST_KINDS) / concurrency
    minutes = core / points_per_minute * 60 if points_per_minute and core > points_per_minute else 0.0
    rest = max(pace, minutes, _waits(core, outlook, as_of, has_token=has_token))
    graphql = sum(requests.get(kind, 0) * outlook.seconds.get(kind, GRAPHQL_SECONDS) for kind in BATCHED_KINDS)
    pypi = sum(requests.get(kind, 0) * outlook.seconds.get(kind, PYPI_SECONDS) for kind in PYPI_KINDS) / max(1, concurrency // 4)
    return max(rest, graphql, pypi)


def _waits(units: int, outlook: Outlook, as_of: datetime, *, has_token: bool) -> float:
    """Seconds of waiting for quotas to be full again."""
    hourly = HOURLY if has_token else HOURLY_ANONYMOUS
    quota = outlook.quotas.get(GITHUB)
    is_known = quota is not None and quota.resets_at > as_of
    left, until_reset = (quota.remaining, (quota.resets_at - as_of).total_seconds()) if quota and is_known else (hourly, HOUR)
    if units <= left:
        return 0.0
    return until_reset + (-(-(units - left) // hourly) - 1) * HOUR


_NAMES: Mapping[str, tuple[str, str]] = {
    PROBE: ("probe", "probes"),
    HISTORY: ("query for commits", "queries for commits"),
    REPO: ("repository", "repositories"),
    COMMITS: ("list of commits", "lists of commits"),
    HEAD: ("newest commit", "newest commits"),
    WEEKS: ("statistic (asked twice where GitHub has to compute it)", "statistics (asked twice where GitHub has to compute them)"),
    PARTICIPANTS: ("list of participants", "lists of participants"),
    INDEX: ("index", "indexes"),
    PROJECT: ("project", "projects"),
    STATUS: ("status", "statuses"),
}


def describe_plan(plan: HarvestPlan, *, has_token: bool) -> list[str]:
    """The plan in sentences, one per line."""
    foreseen = plan.forecast
    kinds = ", ".join(f"{count:,} {_NAMES[kind][count != 1]}" for kind, count in foreseen.requests.items())
    github = f"{foreseen.core_units:,} GitHub quota units, {foreseen.graphql_points:,} GraphQL points"
    lines = [
        (
            f"{len(plan.due):,} subjects are due with {plan.facet_count:,} questions; {plan.fresh_count:,} values are young enough, "
            "or follow from the newest commit."
        ),
        f"Requests: {kinds or 'none'}.",
        f"Cost: about {github}, {foreseen.pypi_requests:,} requests to PyPI; about {describe_seconds(foreseen.seconds)} of asking.",
    ]
    for meter, quota in plan.outlook.quotas.items():
        if quota.resets_at > plan.as_of:
            name = "GitHub" if meter == GITHUB else "GitHub's GraphQL API"
            lines.append(
                f"{name} had {quota.remaining:,} of {quota.limit:,} left when last asked; full again at {quota.resets_at:%H:%M} UTC."
            )
    if foreseen.core_units and not has_token:
        lines.append(
            "No GITHUB_TOKEN: GitHub answers 60 requests an hour to your address; to a token of your own 5,000, and most of this by "
            "GraphQL, many repositories in one query."
        )
    if foreseen.beyond_quota:
        lines.append(
            f"The quota left covers all but {len(foreseen.beyond_quota):,} subjects: the stalest go first, the rest follow when it is full "
            "again, or keep their values and are first next time."
        )
    if foreseen.left_out:
        lines.append(f"The budget leaves out {len(foreseen.left_out):,} subjects; they keep their values and are first next time.")
    return lines
