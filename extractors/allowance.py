"""What an answer costs of a service's primary quota, and how much of it one run may use."""

from __future__ import annotations

from http import HTTPStatus

from extractors.conversation import ANONYMOUS, GITHUB


class Allowance:
    """How many units this run may use in all, over every identity; requests in flight count as one each until settled."""

    def __init__(self, cap: int | None) -> None:
        """Take the cap; ``None`` is no cap."""
        self.cap = cap
        self.spent = 0
        self.reserved = 0

    @property
    def is_spent(self) -> bool:
        """Nothing is left and nothing can come back."""
        return self.cap is not None and self.spent >= self.cap

    @property
    def is_full(self) -> bool:
        """Nothing more may be sent now; an answer in flight that costs nothing may free a unit."""
        return self.cap is not None and self.spent + self.reserved >= self.cap


def units(*, source: str, status: int | None, identity: str) -> int:
    """Return what an answer cost: one unit of GitHub's quota, none for a 304 to a token, none without an answer, none of PyPI.

    https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api: a 304 is free "while correctly
    authorized with an Authorization header".
    """
    if source != GITHUB or status is None:
        return 0
    return 0 if status == HTTPStatus.NOT_MODIFIED and identity != ANONYMOUS else 1
