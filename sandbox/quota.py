"""GitHub's limits as GitHub counts them: one meter per account and hour, and the secondary limits.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

ANONYMOUS = "anonymous"
CORE, GRAPHQL = "core", "graphql"
MINUTE = timedelta(minutes=1)


@dataclass(slots=True, kw_only=True)
class Limits:
    """The knobs; may be turned while the server runs.

    Attributes:
        anonymous_per_hour: requests an hour without a token.
        token_per_hour: requests an hour of one account.
        window_seconds: length of the hour, for tests that cannot wait.
        graphql_per_hour: points an hour of one account for its GraphQL queries, counted apart from its requests.
        points_per_minute: secondary limit, 900 at GitHub; 0 for none, the default here.
        graphql_points_per_minute: secondary limit, 2,000 at GitHub; 0 for none, the default here.
        graphql_seconds_per_minute: secondary limit on the time GraphQL queries take, 60 at GitHub; 0 for none, the default here.
        concurrent: secondary limit on requests in flight, 100 at GitHub; 0 for none, the default here.
        retry_after: seconds told when a secondary limit was met; ``None`` tells nothing, as GitHub often does.
        limited_status: 403 or 429.
        graphql_secondary_status: 403, or 200 with the error in the body: GitHub documents both.
        graphql_limit_type: ``type`` of the error when the points are used up: ``RATE_LIMIT`` or ``RATE_LIMITED``, both are seen.
        probe_capacity: how many repositories a GraphQL query may name before resources run out; 0 for any number.
        history_capacity: likewise for a query that reads their history.
        over_capacity_status: 200: those beyond are null and named by an error; 502: a page instead of the answer, and charged.
        bad_tokens: tokens answered with 401.
        known_tokens: when given, every other token is answered with 401.
        accounts: account of a token; tokens of one account share one meter. A token not named is its own account.
    """

    anonymous_per_hour: int = 60
    token_per_hour: int = 5000
    graphql_per_hour: int = 5000
    window_seconds: float = 3600
    points_per_minute: int = 0
    graphql_points_per_minute: int = 0
    graphql_seconds_per_minute: float = 0
    concurrent: int = 0
    retry_after: int | None = 60
    limited_status: int = 403
    graphql_secondary_status: int = 403
    graphql_limit_type: str = "RATE_LIMIT"
    probe_capacity: int = 0
    history_capacity: int = 0
    over_capacity_status: int = 200
    bad_tokens: frozenset[str] = frozenset({"bad-token"})
    known_tokens: frozenset[str] | None = None
    accounts: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Meter:
    """What one account has used of one resource in its current hour, and of the secondary limits within the last minute."""

    used: int = 0
    resets_at: datetime | None = None
    points: deque[tuple[datetime, int]] = field(default_factory=deque)
    seconds: deque[tuple[datetime, float]] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the x-ratelimit headers tell."""

    limit: int
    used: int
    reset: int
    resource: str = CORE

    @property
    def remaining(self) -> int:
        """Units left, never below zero."""
        return max(self.limit - self.used, 0)


def fingerprint(token: str | None) -> str:
    """A short name for a token that does not give it away; ``anonymous`` without one."""
    return hashlib.sha256(token.encode()).hexdigest()[:12] if token else ANONYMOUS


class Quotas:
    """The meters of all accounts under one set of limits."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.in_flight = 0
        self._meters: dict[tuple[str, str], Meter] = {}

    def accepts(self, token: str) -> bool:
        """Whether GitHub knows the token."""
        known = self.limits.known_tokens
        return token not in self.limits.bad_tokens and (known is None or token in known)

    def standing(self, token: str | None, now: datetime, resource: str = CORE) -> Standing:
        """The account's meter as it stands, without charging it; an hour that is over starts anew."""
        meter = self._meter(token, resource)
        if meter.resets_at is None or now >= meter.resets_at:
            meter.used, meter.resets_at = 0, now + timedelta(seconds=self.limits.window_seconds)
        limits = self.limits
        if resource == GRAPHQL:
            limit = limits.graphql_per_hour if token else 0
        else:
            limit = limits.token_per_hour if token else limits.anonymous_per_hour
        return Standing(limit, min(meter.used, limit), ceil(meter.resets_at.timestamp()), resource)

    def charge(self, token: str | None, now: datetime, resource: str = CORE, units: int = 1) -> Standing:
        """Take so many units and tell the new standing."""
        self.standing(token, now, resource)
        self._meter(token, resource).used += units
        return self.standing(token, now, resource)

    def spend(self, token: str | None, now: datetime, seconds: float) -> None:
        """Note how long a GraphQL query took."""
        if self.limits.graphql_seconds_per_minute:
            self._meter(token, GRAPHQL).seconds.append((now, seconds))

    def is_too_fast(self, token: str | None, now: datetime, resource: str = CORE, points: int = 1) -> bool:
        """Whether this request, counted herewith, breaks a secondary limit; a refused request counts as well."""
        limits, meter = self.limits, self._meter(token, resource)
        if limits.concurrent and self.in_flight > limits.concurrent:
            return True
        most = limits.graphql_points_per_minute if resource == GRAPHQL else limits.points_per_minute
        if most:
            meter.points.append((now, points))
            if _within_a_minute(meter.points, now) > most:
                return True
        longest = limits.graphql_seconds_per_minute if resource == GRAPHQL else 0
        return bool(longest) and _within_a_minute(meter.seconds, now) > longest

    def _meter(self, token: str | None, resource: str) -> Meter:
        account = self.limits.accounts.get(token, fingerprint(token)) if token else ANONYMOUS
        return self._meters.setdefault((account, resource), Meter())


def _within_a_minute(noted: deque[tuple[datetime, int]] | deque[tuple[datetime, float]], now: datetime) -> float:
    while noted and noted[0][0] <= now - MINUTE:
        noted.popleft()
    return sum(amount for _, amount in noted)
