"""What GitHub allows in any minute, kept over a sliding window: points, and seconds of its own work on GraphQL queries.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits: 900 points a minute for
REST, 2,000 for GraphQL, and "no more than 90 seconds of CPU time per 60 seconds of real time is allowed. No more than 60 seconds of
this CPU time may be for the GraphQL API. You can roughly estimate the CPU time by measuring the total response time".
Pure: times are seconds on a monotonic counter.
"""

from __future__ import annotations

import math
from collections import deque

WINDOW = 61.0  # a minute, and a second for answers that travel at different speeds
LONGEST_ANSWER = 10.0  # seconds after which GitHub gives a query up: what one is expected to take before any was answered
REMEMBERED = 20  # answers whose longest is what the next is expected to take


class Points:
    """Points spent in the last minute."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._spent: deque[tuple[float, int]] = deque()
        self._total = 0

    def spend(self, at: float, points: int) -> None:
        """Note points spent."""
        self._spent.append((at, points))
        self._total += points

    def left(self, at: float) -> int:
        """Return how many may still be spent; below zero when an answer cost more than expected."""
        while self._spent and self._spent[0][0] + WINDOW <= at:
            self._total -= self._spent.popleft()[1]
        return self.most - self._total

    def delay(self, at: float, price: int) -> float:
        """Return the seconds until so many points are free; at most until the window is empty."""
        left = self.left(at)
        if left >= price:
            return 0.0
        for spent_at, points in self._spent:
            left += points
            if left >= price:
                return spent_at + WINDOW - at
        return self._spent[-1][0] + WINDOW - at if self._spent else 0.0

    def until_more(self, at: float) -> float:
        """Return the seconds until the oldest points are free again."""
        return self._spent[0][0] + WINDOW - at if self._spent else 0.0


class Seconds:
    """Seconds a service worked for us in the last minute: those of the answers, and what those in flight are expected to take."""

    def __init__(self, most: float) -> None:
        self.most = most
        self._answered: deque[tuple[float, float]] = deque()
        self._total = 0.0
        self._flying: list[float] = []
        self._recent: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def expected(self) -> float:
        """What the next answer is expected to take: as long as the longest of the last ones."""
        return max(self._recent, default=LONGEST_ANSWER)

    def begin(self, at: float) -> None:
        """Note a query sent."""
        self._flying.append(at)

    def end(self, sent_at: float, at: float) -> None:
        """Note the answer to a query sent at ``sent_at``."""
        self.forget(sent_at)
        self._answered.append((at, at - sent_at))
        self._total += at - sent_at
        self._recent.append(at - sent_at)

    def forget(self, sent_at: float) -> None:
        """Take back a query whose answer nobody awaits any more."""
        if sent_at in self._flying:
            self._flying.remove(sent_at)

    def share(self, at: float) -> float:
        """Return which share of its lanes a meter may use: all in a fresh minute, none extra once half of the seconds are used.

        Sixty or ninety seconds a minute are one request or one and a half at a time. More at once only make each other slow, and
        their time is what counts; so after a quick start they go one by one.
        """
        self._forget_older(at)
        return max(0.0, 1 - self._total / (self.most / 2))

    def delay(self, at: float) -> float:
        """Return the seconds until one more query fits; ``inf`` when only an answer that comes back can tell."""
        self._forget_older(at)
        if not self._answered and not self._flying:
            self._total = 0.0
            return 0.0
        expected = self.expected
        needed = sum(max(expected, at - sent_at) for sent_at in self._flying) + expected - self.most + self._total
        if needed <= 0:
            return 0.0
        for answered_at, seconds in self._answered:
            needed -= seconds
            if needed <= 0:
                return answered_at + WINDOW - at
        return math.inf if self._flying else self._answered[-1][0] + WINDOW - at

    def _forget_older(self, at: float) -> None:
        while self._answered and self._answered[0][0] + WINDOW <= at:
            self._total -= self._answered.popleft()[1]
