"""What an answer costs of a service's primary quota, how much of it one run may use, and what an account's meters share."""

from __future__ import annotations

import math
from http import HTTPStatus

from extractors.batch_verdict import points
from extractors.conversation import ANONYMOUS, BATCHED, GITHUB
from extractors.windows import Seconds


class Allowance:
    """How many units this run may use in all: REST requests and GraphQL points together, over every identity of GitHub's.

    What is in flight counts with what it is expected to cost until it is settled.
    """

    def __init__(self, cap: int | None) -> None:
        """Take the cap; ``None`` is no cap."""
        self.cap = cap
        self.spent = 0
        self.reserved = 0

    def is_spent(self, price: int = 1) -> bool:
        """Whether nothing for this price will be allowed any more: too little is left and nothing can come back."""
        return self.cap is not None and self.spent + (price if self.reserved == 0 else 1) > self.cap

    def is_full(self, price: int = 1) -> bool:
        """Whether nothing for this price may be sent now; an answer in flight that costs less may free a unit."""
        return self.cap is not None and self.spent + self.reserved + price > self.cap


class Account:
    """What the meters of one identity have in common.

    GitHub allows a hundred requests at once over REST and GraphQL together, and so many seconds of its own work a minute. Asked to
    slow down on one meter, an account is quiet on the other too: "continuing to make requests while you are rate limited may result
    in the banning of your integration".
    """

    def __init__(self, seconds_per_minute: float = 0.0) -> None:
        """Begin with nothing in flight; 0 seconds a minute means no such limit."""
        self.in_flight = 0
        self.seconds = Seconds(seconds_per_minute) if seconds_per_minute else None
        self.quiet_until = -math.inf  # on the monotonic counter


def units(*, source: str, status: int | None, identity: str, facet: str = "", body: bytes = b"") -> int:
    """Return what an answer cost of its meter.

    GraphQL: the points it says. REST: one unit of GitHub's quota, none for a 304 to a token. Nothing without an answer, and
    nothing of PyPI. https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api: a 304 is
    free "while correctly authorized with an Authorization header".
    """
    if facet in BATCHED:
        return points(status, body)
    if source != GITHUB or status is None:
        return 0
    return 0 if status == HTTPStatus.NOT_MODIFIED and identity != ANONYMOUS else 1
