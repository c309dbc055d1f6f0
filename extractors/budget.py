"""How much may be asked, and when: one budget per (identity, resource), fed by the answers, obeyed before being told.

GitHub's limits: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
- primary: so many units until a reset (5,000 an hour with a token, 60 without), told by ``x-ratelimit-*`` headers;
- secondary: at most 100 requests in flight, 900 points a minute for REST (a GET is one point) and 2,000 for GraphQL, 90 seconds of
  answers a minute, of which 60 for GraphQL, and reasons GitHub does not name;
- told to wait: ``retry-after`` seconds, else until the reset, else at least a minute and twice as long each time.
PyPI publishes no numbers and asks for few requests at once (https://docs.pypi.org/api/).

Pure: times come in as ``at`` (a monotonic counter in seconds) and ``now`` (wall clock, UTC, only to read reset times).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from extractors.allowance import Account, Allowance
from extractors.conversation import ANONYMOUS, CATALOG_API, GITHUB, GRAPHQL, PYPI
from extractors.judgement import Judgement, Verdict, read_date
from extractors.windows import Points, Seconds

SERVICES: Mapping[str, str] = {GITHUB: "GitHub", GRAPHQL: "GitHub GraphQL", PYPI: "PyPI", CATALOG_API: "the catalog's API"}

TOKEN_LIMIT = 5000
ANONYMOUS_LIMIT = 60
GRAPHQL_POINTS = 2000
GRAPHQL_SECONDS = 60.0
SECONDS = 90.0
MAX_IN_FLIGHT = 100
SECONDARY_WAIT = 60.0  # seconds, doubled with each strike in a row
MAX_STRIKES = 5
SLOW_SHARE = 0.1  # from the last tenth of a minute's points on, requests go out one by one ...
SLOWEST = 1.0  # ... and at most this many seconds apart
SLOW_UNITS, SLOW_UNITS_SHARE = 6, 0.005  # likewise for the last units of an hour: so many, or that share of all, before the reserve
RESERVE = 0.01
REGROW_AFTER = 100  # good answers until one more request may be in flight again
FEELERS = 4  # requests in flight until an answer tells how a quota stands: an empty one refuses no more than these
WATCHED = 20  # of so many answers ...
MOST_TROUBLES = 5  # ... so many without content halve the requests in flight
CLOCKS_APART = timedelta(days=1)  # an answer whose date is further from ours speaks of another time


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a service allows one identity of one meter.

    Attributes:
        service: as it is called in sentences.
        limit: units until a reset, as documented; ``None`` when there is no such limit.
        points_per_minute: 0 means no such limit.
        seconds_per_minute: of the service's work for us; 0 means no such limit.
        resource: the name its headers have for the meter.
        regrow_after: good answers until one more request may be in flight again.
        steady: requests in flight however much of the minute's seconds is used.
        reserve: the share of the limit that stays for whoever else uses this token.
    """

    service: str
    limit: int | None
    points_per_minute: int = 0
    seconds_per_minute: float = 0.0
    resource: str = "core"
    regrow_after: int = REGROW_AFTER
    steady: int = 2
    reserve: float = RESERVE


class Budget:
    """What one identity may ask of one resource of a service.

    ``delay`` tells how long to wait, ``spend`` notes a request sent, ``settle`` its answer. ``ended`` says why nothing may
    be asked any more in this run, once that is so.
    """

    def __init__(self, terms: Terms, *, concurrency: int, allowance: Allowance | None = None, account: Account | None = None) -> None:
        """Start with the documented limit until headers tell; budgets of a run share ``allowance``, those of an identity ``account``."""
        self.service = terms.service
        self.resource = terms.resource
        self.ended: str | None = None
        self.limit = terms.limit
        self.remaining = terms.limit
        self.in_flight = 0
        self.strikes = 0
        self.reset_at: datetime | None = None
        self._reset = math.inf  # when the quota is full again, on the monotonic counter
        self._is_told = False  # how this quota stands
        self._points = Points(terms.points_per_minute) if terms.points_per_minute else None
        self._last_sent = -math.inf
        self._most = max(1, min(concurrency, MAX_IN_FLIGHT))
        self._lanes = self._most
        self._steady = terms.steady
        self._reserve = terms.reserve
        self._regrow_after = terms.regrow_after
        self._allowance = allowance or Allowance(None)
        self._account = account or Account()
        own = Seconds(terms.seconds_per_minute) if terms.seconds_per_minute else None
        self._seconds = tuple(each for each in (own, self._account.seconds) if each is not None)
        self._blocked_since = -math.inf
        self._blocked_until = -math.inf
        self._good_answers = 0
        self._troubles: deque[bool] = deque(maxlen=WATCHED)

    def end(self, reason: str) -> None:
        """Ask nothing more in this run; the first reason stands."""
        self.ended = self.ended or reason

    def delay(self, at: float, price: int = 1) -> float:
        """Return the seconds until a request that costs ``price`` may be sent: 0 now, ``inf`` once an answer in flight is back."""
        if self._allowance.is_spent(price):
            self.end(f"stopped as told: the budget of {self._allowance.cap} units is used up")
        if (
            self.ended
            or self.in_flight >= self._open_lanes(at)
            or self._allowance.is_full(price)
            or self._account.in_flight >= MAX_IN_FLIGHT
        ):
            return math.inf
        self._refill(at)
        if self.limit is not None and not self._is_told and self.in_flight >= FEELERS:
            return math.inf
        seconds = (each.delay(at) for each in self._seconds)
        blocked_until = max(self._blocked_until, self._account.quiet_until)
        return max(blocked_until - at, self._quota_delay(at), self._points_delay(at, price), *seconds, 0.0)

    def _open_lanes(self, at: float) -> int:
        share = min((each.share(at) for each in self._seconds), default=1.0)
        return max(min(self._lanes, self._steady), math.ceil(self._lanes * share))

    def spend(self, at: float, price: int = 1) -> None:
        """Note a request sent that is expected to cost ``price``."""
        self.in_flight += 1
        self._account.in_flight += 1
        self._allowance.reserved += price
        self._last_sent = at
        if self.remaining is not None:
            self.remaining = max(self.remaining - price, 0)
        if self._points:
            self._points.spend(at, price)
        for each in self._seconds:
            each.begin(at)

    def settle(
        self,
        *,
        sent_at: float,
        at: float,
        now: datetime,
        status: int | None,
        headers: Mapping[str, str],
        cost: int,
        price: int = 1,
        judgement: Judgement | None = None,
    ) -> None:
        """Note the answer to a request sent at ``sent_at``: what it cost, what its headers tell, whether it was ``limited``.

        Requests that were in flight together when the limit struck are one strike, not many; a normal answer to a later one
        forgives all strikes.
        """
        self.in_flight -= 1
        self._account.in_flight -= 1
        self._allowance.reserved -= price
        self._allowance.spent += cost
        if self.remaining is not None and self.limit is not None:
            self.remaining = max(min(self.remaining + price - cost, self.limit), 0)
        if self._points and cost > price:
            self._points.spend(at, cost - price)
        for each in self._seconds:
            each.end(sent_at, at)
        now = _service_time(headers, now)
        if status is not None:
            self._is_told = True
            self._read_meter(headers, at, now)
        if judgement is not None and judgement.verdict is Verdict.LIMITED:
            self._strike(judgement, sent_at, at, now)
        elif status is not None and sent_at > self._blocked_since:
            self.strikes = 0
            self._regrow()
        self._note_trouble(is_trouble=judgement is not None and judgement.is_retryable)

    def forget(self, sent_at: float = -math.inf, price: int = 1) -> None:
        """Take back a request whose answer nobody awaits any more."""
        self.in_flight -= 1
        self._account.in_flight -= 1
        self._allowance.reserved -= price
        for each in self._seconds:
            each.forget(sent_at)

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
        if max(self._blocked_until, self._account.quiet_until) - at >= wait:
            return f"waiting {_duration(wait)} because {self.service} asked us to slow down"
        for each in self._seconds:
            if each.delay(at) >= wait:
                return f"waiting {_duration(wait)} for {self.service}'s {each.most:g} seconds a minute"
        return f"waiting {_duration(wait)} for {self.service}'s {self._points.most if self._points else 0} points a minute"

    def _strike(self, judgement: Judgement, sent_at: float, at: float, now: datetime) -> None:
        if sent_at > self._blocked_since:
            self.strikes += 1
            self._blocked_since = at
            self._good_answers = 0
            if judgement.reset_at is None:
                self._lanes = max(1, self._lanes // 2)
        until = at + self._wait(judgement, now)
        self._blocked_until = max(self._blocked_until, until)
        if judgement.reset_at is None:
            self._account.quiet_until = max(self._account.quiet_until, until)
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
            self._is_told = False

    def _quota_delay(self, at: float) -> float:
        """Wait for the reset when only the reserve is left; before that, slow down."""
        if self.limit is None or self.remaining is None:
            return 0.0
        left = self.remaining - int(self.limit * self._reserve)
        if left > 0:
            return self._slow_down(at, left, max(SLOW_UNITS, self.limit * SLOW_UNITS_SHARE), self._reset - at)
        if self._reset < math.inf:
            return self._reset - at
        return math.inf if self.in_flight else 0.0  # nobody told when it resets: one request finds out

    def _points_delay(self, at: float, price: int) -> float:
        if not self._points:
            return 0.0
        wait = self._points.delay(at, price)
        return wait or self._slow_down(at, self._points.left(at), self._points.most * SLOW_SHARE, self._points.until_more(at))

    def _slow_down(self, at: float, left: int, last: float, seconds: float) -> float:
        """Spread the ``last`` units over the ``seconds`` until there are more, but never wait long for it."""
        if left > last or left <= 0:
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
        if self._good_answers >= self._regrow_after and self._lanes < self._most:
            self._good_answers = 0
            self._lanes += 1

    def _note_trouble(self, *, is_trouble: bool) -> None:
        """Ask less at once of a service that fails often: server errors and time-outs, not answers that are unwelcome."""
        self._troubles.append(is_trouble)
        if sum(self._troubles) >= MOST_TROUBLES:
            self._troubles.clear()
            self._good_answers = 0
            self._lanes = max(1, self._lanes // 2)


def open_budgets(
    *,
    identities: Mapping[str, str],
    concurrency: Mapping[str, int],
    points_per_minute: int,
    unit_cap: int | None = None,
    reserve: float = RESERVE,
) -> dict[tuple[str, str], Budget]:
    """Make the budgets of one run, keyed by (meter, identity).

    ``identities`` are by source, ``concurrency`` by meter. ``points_per_minute`` is GitHub's limit for REST; 0 means the server has no
    secondary limits at all. ``unit_cap`` is the most this run may use of GitHub, REST requests and GraphQL points counted together.
    ``reserve`` is the share of GitHub's hourly quotas that stays for others.
    With a token GitHub gets a second budget for what has to be asked anonymously, and one for GraphQL, which answers nobody else.
    """
    allowance, seconds = Allowance(unit_cap), SECONDS if points_per_minute else 0.0
    account = Account(seconds)
    who = identities.get(GITHUB, ANONYMOUS)
    budgets: dict[tuple[str, str], Budget] = {}
    if GITHUB in identities:
        for identity in {who, ANONYMOUS}:
            limit = ANONYMOUS_LIMIT if identity == ANONYMOUS else TOKEN_LIMIT
            terms = Terms(service=SERVICES[GITHUB], limit=limit, points_per_minute=points_per_minute, reserve=reserve)
            own = account if identity == who else Account(seconds)
            budgets[GITHUB, identity] = Budget(terms, concurrency=concurrency[GITHUB], allowance=allowance, account=own)
    if who != ANONYMOUS and GRAPHQL in concurrency:
        terms = Terms(
            service=SERVICES[GRAPHQL],
            limit=TOKEN_LIMIT,
            points_per_minute=GRAPHQL_POINTS if points_per_minute else 0,
            seconds_per_minute=GRAPHQL_SECONDS if points_per_minute else 0,
            resource="graphql",
            regrow_after=REGROW_AFTER // 10,
            steady=1,
            reserve=reserve,
        )
        budgets[GRAPHQL, who] = Budget(terms, concurrency=concurrency[GRAPHQL], allowance=allowance, account=account)
    for source, identity in identities.items():
        if source != GITHUB:
            terms = Terms(service=SERVICES.get(source, source), limit=None)
            budgets[source, identity] = Budget(terms, concurrency=concurrency[source])
    return budgets


def _service_time(headers: Mapping[str, str], now: datetime) -> datetime:
    """Return the time by the service's own clock, which its reset times are of, as far as the answer tells it."""
    told = read_date(headers.get("date", ""))
    return told if told and abs(told - now) <= CLOCKS_APART else now


def _number(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 11 else None  # noqa: PLR2004 - as in verdict.py


def _duration(seconds: float) -> str:
    whole = math.ceil(seconds)
    return f"{whole} s" if whole < 120 else f"{math.ceil(whole / 60)} min"  # noqa: PLR2004 - two minutes
