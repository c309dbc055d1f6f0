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


@dataclass(slots=True, kw_only=True)
class Limits:
    """The knobs; may be turned while the server runs.

    Attributes:
        anonymous_per_hour: requests an hour without a token.
        token_per_hour: requests an hour of one account.
        window_seconds: length of the hour, for tests that cannot wait.
        points_per_minute: secondary limit, 900 at GitHub; 0 for none, the default here.
        concurrent: secondary limit on requests in flight, 100 at GitHub; 0 for none, the default here.
        retry_after: seconds told when a secondary limit was met; ``None`` tells nothing, as GitHub often does.
        limited_status: 403 or 429.
        bad_tokens: tokens answered with 401.
        known_tokens: when given, every other token is answered with 401.
        accounts: account of a token; tokens of one account share one meter. A token not named is its own account.
    """

    anonymous_per_hour: int = 60
    token_per_hour: int = 5000
    window_seconds: float = 3600
    points_per_minute: int = 0
    concurrent: int = 0
    retry_after: int | None = 60
    limited_status: int = 403
    bad_tokens: frozenset[str] = frozenset({"bad-token"})
    known_tokens: frozenset[str] | None = None
    accounts: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Meter:
    """What one account has used in its current hour."""

    used: int = 0
    resets_at: datetime | None = None
    recent: deque[datetime] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the x-ratelimit headers tell."""

    limit: int
    used: int
    reset: int

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
        self._meters: dict[str, Meter] = {}

    def accepts(self, token: str) -> bool:
        """Whether GitHub knows the token."""
        known = self.limits.known_tokens
        return token not in self.limits.bad_tokens and (known is None or token in known)

    def standing(self, token: str | None, now: datetime) -> Standing:
        """The account's meter as it stands, without charging it; an hour that is over starts anew."""
        meter = self._meter(token)
        if meter.resets_at is None or now >= meter.resets_at:
            meter.used, meter.resets_at = 0, now + timedelta(seconds=self.limits.window_seconds)
        limit = self.limits.token_per_hour if token else self.limits.anonymous_per_hour
        return Standing(limit, min(meter.used, limit), ceil(meter.resets_at.timestamp()))

    def charge(self, token: str | None, now: datetime) -> Standing:
        """Take one unit and tell the new standing."""
        self.standing(token, now)
        self._meter(token).used += 1
        return self.standing(token, now)

    def is_too_fast(self, token: str | None, now: datetime) -> bool:
        """Whether this request, counted herewith, breaks a secondary limit; a refused request counts as well."""
        limits = self.limits
        if limits.concurrent and self.in_flight > limits.concurrent:
            return True
        if not limits.points_per_minute:
            return False
        recent = self._meter(token).recent
        recent.append(now)
        while recent[0] <= now - timedelta(minutes=1):
            recent.popleft()
        return len(recent) > limits.points_per_minute

    def _meter(self, token: str | None) -> Meter:
        account = self.limits.accounts.get(token, fingerprint(token)) if token else ANONYMOUS
        return self._meters.setdefault(account, Meter())
