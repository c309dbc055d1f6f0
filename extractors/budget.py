"""How much may be asked, and when: one budget per (identity, resource), fed by the answers, obeyed before being told.

GitHub's limits: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
- primary: so many units until a reset (5,000 an hour with a token, 60 without), told by ``x-ratelimit-*`` headers;
- secondary: at most 100 requests in flight, 900 points a minute (a GET is one point), and reasons GitHub does not name;
- told to wait: ``retry-after`` seconds, else until the reset, else at least a minute and twice as long each time.
PyPI publishes no numbers and asks for few requests at once (https://docs.pypi.org/api/).

Pure: times come in as ``at`` (a monotonic counter in seconds) and ``now`` (wall clock, UTC, only to read reset times).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime

from extractors.allowance import Allowance
from extractors.conversation import ANONYMOUS, GITHUB, PYPI
from extractors.verdict import Judgement, Verdict

SERVICES: Mapping[str, str] = {GITHUB: "GitHub", PYPI: "PyPI"}

TOKEN_LIMIT = 5000
ANONYMOUS_LIMIT = 60
MAX_IN_FLIGHT = 100
SECONDARY_WAIT = 60.0  # seconds, doubled with each strike in a row
MAX_STRIKES = 5
WINDOW = 61.0  # a minute, and a second for answers that travel at different speeds
SLOW_SHARE = 0.1  # from the last tenth of a quota on, requests go out one by one ...
SLOWEST = 1.0  # ... and at most this many seconds apart
REGROW_AFTER = 100  # good answers until one more request may be in flight again


class Budget:
    """What one identity may ask of one resource of a service.

    ``delay`` tells how long to wait, ``spend`` notes a request sent, ``settle`` its answer. ``ended`` says why nothing may
    be asked any more in this run, once that is so.
    """

    def __init__(
        self,
        *,
        service: str,
        limit: int | None,
        points_per_minute: int,
        concurrency: int,
        allowance: Allowance | None = None,
        resource: str = "core",
    ) -> None:
        """Start with the documented ``limit`` (``None``: there is none) until headers tell; 0 points a minute means no such limit."""
        self.service = service
        self.resource = resource
        self.ended: str | None = None
        self.limit = limit
        self.remaining = limit
        self.in_flight = 0
        self.strikes = 0
        self.reset_at: datetime | None = None
        self._reset = math.inf  # when the quota is full again, on the monotonic counter
        self._points = points_per_minute
        self._sent: deque[float] = deque()
        self._last_sent = -math.inf
        self._most = max(1, min(concurrency, MAX_IN_FLIGHT))
        self._lanes = self._most
        self._allowance = allowance or Allowance(None)
        self._blocked_since = -math.inf
        self._blocked_until = -math.inf
        self._good_answers = 0

    def end(self, reason: str) -> None:
        """Ask nothing more in this run; the first reason stands."""
        self.ended = self.ended or reason

    def delay(self, at: float) -> float:
        """Return the seconds until one more request may be sent: 0 now, ``inf`` only once an answer in flight is back."""
        if self._allowance.is_spent:
            self.end(f"stopped as told: the budget of {self._allowance.cap} units is used up")
        if self.ended or self.in_flight >= self._lanes or self._allowance.is_full:
            return math.inf
        self._refill(at)
        return max(self._blocked_until - at, self._quota_delay(at), self._points_delay(at), 0.0)

    def spend(self, at: float) -> None:
        """Note a request sent."""
        self.in_flight += 1
        self._allowance.reserved += 1
        self._last_sent = at
        if self.remaining is not None:
            self.remaining = max(self.remaining - 1, 0)
        if self._points:
            self._sent.append(at)

    def settle(
        self,
        *,
        sent_at: float,
        at: float,
        now: datetime,
        status: int | None,
        headers: Mapping[str, str],
        cost: int,
        judgement: Judgement | None = None,
    ) -> None:
        """Note the answer to a request sent at ``sent_at``: what it cost, what its headers tell, whether it was ``limited``.

        Requests that were in flight together when the limit struck are one strike, not many; a normal answer to a later one
        forgives all strikes.
        """
        self.in_flight -= 1
        self._allowance.reserved -= 1
        self._allowance.spent += cost
        if self.remaining is not None and self.limit is not None and cost == 0:
            self.remaining = min(self.remaining + 1, self.limit)
        if status is not None:
            self._read_meter(headers, at, now)
        if judgement is not None and judgement.verdict is Verdict.LIMITED:
            self._strike(judgement, sent_at, at, now)
        elif status is not None and sent_at > self._blocked_since:
            self.strikes = 0
            self._regrow()

    def forget(self) -> None:
        """Take back a request whose answer nobody awaits any more."""
        self.in_flight -= 1
        self._allowance.reserved -= 1

    def describe(self, at: float) -> str:
        """Say in one line how the budget stands, or why it makes us wait, for the progress line."""
        wait = self.delay(at)
        if self.ended:
            return self.ended
        left = f"{self.remaining:,} of {self.limit:,} left" if self.remaining is not None else ""
        if not 1 <= wait < math.inf:
            return f"{self.service}: {left}" if left else self.service
        if self._quota_delay(at) > wait - 1:
            until = f", resets {self.reset_at:%H:%M} UTC" if self.reset_at else ""
            return f"waiting {_duration(wait)} for {self.service}'s quota ({left}{until})"
        if self._blocked_until - at >= wait:
            return f"waiting {_duration(wait)} because {self.service} asked us to slow down"
        return f"waiting {_duration(wait)} for {self.service}'s {self._points} points a minute"

    def _strike(self, judgement: Judgement, sent_at: float, at: float, now: datetime) -> None:
        if sent_at > self._blocked_since:
            self.strikes += 1
            self._blocked_since = at
            self._good_answers = 0
            if judgement.reset_at is None:
                self._lanes = max(1, self._lanes // 2)
        self._blocked_until = max(self._blocked_until, at + self._wait(judgement, now))
        if self.strikes > MAX_STRIKES:
            self.end(f"{self.service} limited us {self.strikes} times in a row ({judgement.detail})")

    def _wait(self, judgement: Judgement, now: datetime) -> float:
        if judgement.retry_after is not None:
            return max(judgement.retry_after, 1.0)
        if judgement.reset_at is not None:
            return max((judgement.reset_at - now).total_seconds(), 1.0)
        return float(SECONDARY_WAIT * 2 ** (max(self.strikes, 1) - 1))

    def _refill(self, at: float) -> None:
        if self.limit is not None and at >= self._reset:
            self.remaining = max(self.limit - self.in_flight, 0)
            self._reset, self.reset_at = math.inf, None

    def _quota_delay(self, at: float) -> float:
        """Wait for the reset when only the reserve is left; before that, slow down."""
        if self.limit is None or self.remaining is None:
            return 0.0
        left = self.remaining - self.limit // 100  # a hundredth stays for whoever else uses this token
        if left > 0:
            return self._slow_down(at, left, self.limit, self._reset - at)
        if self._reset < math.inf:
            return self._reset - at
        return math.inf if self.in_flight else 0.0  # nobody told when it resets: one request finds out

    def _points_delay(self, at: float) -> float:
        if not self._points:
            return 0.0
        while self._sent and self._sent[0] + WINDOW <= at:
            self._sent.popleft()
        left = self._points - len(self._sent)
        until_one_leaves = self._sent[0] + WINDOW - at if self._sent else 0.0
        return self._slow_down(at, left, self._points, until_one_leaves) if left > 0 else until_one_leaves

    def _slow_down(self, at: float, left: int, whole: int, seconds: float) -> float:
        """Spread the last tenth of ``whole`` over the ``seconds`` until there is more, but never wait long for it."""
        if left > whole * SLOW_SHARE:
            return 0.0
        return self._last_sent + min(seconds / left, SLOWEST) - at

    def _read_meter(self, headers: Mapping[str, str], at: float, now: datetime) -> None:
        if headers.get("x-ratelimit-resource", self.resource) != self.resource:
            return
        limit, remaining, reset = (_number(headers.get(f"x-ratelimit-{key}")) for key in ("limit", "remaining", "reset"))
        if limit is None or remaining is None or reset is None:
            if self.reset_at is None and "x-ratelimit-limit" not in headers:
                self.limit = self.remaining = None  # a service without a primary limit, or with it switched off
            return
        if reset <= now.timestamp():
            return  # about a quota that is over by now
        known = self.reset_at.timestamp() if self.reset_at else -math.inf
        if reset > known or self.remaining is None:
            self.remaining = max(remaining - self.in_flight, 0)
        elif reset == known:
            self.remaining = min(self.remaining, remaining)
        if reset >= known:
            self.limit, self.reset_at = limit, datetime.fromtimestamp(reset, UTC)
            self._reset = at + (self.reset_at - now).total_seconds()

    def _regrow(self) -> None:
        self._good_answers += 1
        if self._good_answers >= REGROW_AFTER and self._lanes < self._most:
            self._good_answers = 0
            self._lanes += 1


def open_budgets(
    *, identities: Mapping[str, str], concurrency: Mapping[str, int], points_per_minute: int, unit_cap: int | None = None
) -> dict[tuple[str, str], Budget]:
    """Make the budgets of one run, keyed by (source, identity).

    ``identities`` and ``concurrency`` are by source; ``points_per_minute`` is GitHub's (0: no such limit) and ``unit_cap`` the
    most units this run may use. With a token GitHub gets a second budget for what has to be asked anonymously.
    """
    allowance = Allowance(unit_cap)
    budgets: dict[tuple[str, str], Budget] = {}
    for source, identity in identities.items():
        is_github = source == GITHUB
        for who in {identity, ANONYMOUS} if is_github else {identity}:
            budgets[source, who] = Budget(
                service=SERVICES.get(source, source),
                limit=(ANONYMOUS_LIMIT if who == ANONYMOUS else TOKEN_LIMIT) if is_github else None,
                points_per_minute=points_per_minute if is_github else 0,
                concurrency=concurrency[source],
                allowance=allowance if is_github else None,
            )
    return budgets


def _number(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 11 else None  # noqa: PLR2004 - as in verdict.py


def _duration(seconds: float) -> str:
    whole = math.ceil(seconds)
    return f"{whole} s" if whole < 120 else f"{math.ceil(whole / 60)} min"  # noqa: PLR2004 - two minutes
