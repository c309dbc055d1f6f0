"""What one run shares while it asks: the client, the budgets, where answers go, when to stop, and what it has cost so far."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from extractors.budget import Budget
from extractors.clock import Clock
from extractors.conversation import GITHUB, GRAPHQL, Answer, Ask, Validator


class Sender(Protocol):
    """The part of ``client.Client`` the driver uses."""

    def identity(self, source: str, *, is_anonymous: bool = False) -> str:
        """Return the identity an ask is sent under."""
        ...

    def localise(self, ask: Ask) -> Ask:
        """Return the ask with the one spelling of its address."""
        ...

    def validator_key(self, ask: Ask) -> tuple[str, str, str]:
        """Return (identity, version of the API, address): under what an answer's validators hold."""
        ...

    async def send(self, ask: Ask, attempt: int) -> Answer:
        """Send one ask; raises nothing but cancellation."""
        ...


class Stop(Protocol):
    """A flag, such as ``threading.Event`` or ``asyncio.Event``, that a signal handler sets."""

    def is_set(self) -> bool:
        """Tell whether nothing more may be asked."""
        ...


@dataclass(slots=True)
class Tally:
    """What one meter has taken so far, counted over all calls of ``hold`` with one session.

    Attributes:
        requests: sent, every attempt and every page.
        units: of the primary quota; points of GraphQL.
        unchanged: answers that were 304.
        recalled: answers taken from the landing of an interrupted run instead of asked.
        retried: attempts beyond the first of an ask.
        finished: plans that ended by themselves, and subjects of batches that were settled.
        unfinished: those given up because the meter ended or the run was stopped; those not begun included.
        unanswered: asks in a row, up to now, that got no usable answer.
        waited_seconds: spent waiting for a budget.
    """

    requests: int = 0
    units: int = 0
    unchanged: int = 0
    recalled: int = 0
    retried: int = 0
    finished: int = 0
    unfinished: int = 0
    unanswered: int = 0
    waited_seconds: float = 0.0


# (subject, facet, address as ``Sender.localise`` spells it, page)
RecallKey = tuple[str, str, str, int]
# (identity, version of the API, address) as ``Sender.validator_key`` gives them
ValidatorKey = tuple[str, str, str]


@dataclass(slots=True, kw_only=True)
class Session:
    """One run's surroundings, by meter where it says so; may serve several calls of ``hold``, one after the other or at once.

    Attributes:
        client: sends asks.
        budgets: by (meter, identity), as ``budget.open_budgets`` makes them.
        land: called with every answer that came over the network, every attempt of it, before a plan sees it; what it raises
            ends the work.
        clock: time and sleep.
        concurrency: plans or batches held at once, by meter; each has at most one request in flight.
        rng: jitter of the retries.
        stop: once set, nothing more is sent; answers in flight are awaited and landed.
        tick: called at least twice a second while plans are held, so that landed answers can be sealed in time.
        progress: called with a meter after each answer, and with a text while its budget makes it wait or once it ended.
        recall: answers an interrupted run has landed; each is given once, instead of asking.
        validators: what to send with conditional asks; an entry is of use to its own identity only.
        max_wait: seconds; a budget that wants a longer wait ends its meter for this run.
        patience: asks in a row that got no usable answer, retries included, before a meter counts as out of reach.
        grace: seconds that answers in flight get once ``stop`` is set.
        tallies: by meter.
    """

    client: Sender
    budgets: Mapping[tuple[str, str], Budget]
    land: Callable[[Answer], None]
    clock: Clock
    concurrency: Mapping[str, int]
    rng: random.Random
    stop: Stop
    tick: Callable[[], None] = lambda: None
    progress: Callable[[str, str | None], None] = lambda _source, _text: None
    recall: Mapping[RecallKey, Answer] = field(default_factory=dict)
    validators: Mapping[ValidatorKey, Validator] = field(default_factory=dict)
    max_wait: float = 70 * 60
    patience: int = 20
    grace: float = 30.0
    tallies: dict[str, Tally] = field(default_factory=dict)
    recalled: set[RecallKey] = field(default_factory=set)

    def tally(self, meter: str) -> Tally:
        """Return the tally of a meter, a fresh one at first."""
        return self.tallies.setdefault(meter, Tally())

    def budget(self, meter: str, *, is_anonymous: bool = False) -> Budget:
        """Return the budget an ask is paid from. Raises KeyError for a meter nothing can be asked on."""
        source = GITHUB if meter == GRAPHQL else meter
        return self.budgets[meter, self.client.identity(source, is_anonymous=is_anonymous)]

    @property
    def lanes(self) -> dict[str, int]:
        """How much is held at once of each meter that has a budget; GraphQL has none without a token."""
        identities = {meter for meter, _ in self.budgets}
        return {meter: count for meter, count in self.concurrency.items() if meter in identities}

    def is_over(self, meter: str) -> bool:
        """Tell whether nothing more is asked on a meter in this run."""
        return self.stop.is_set() or self.budget(meter).ended is not None

    @property
    def endings(self) -> dict[str, str]:
        """Why a meter is asked no more in this run, by meter; empty while all is well."""
        budgets = {meter: self.budget(meter) for meter in self.lanes}
        return {meter: budget.ended for meter, budget in budgets.items() if budget.ended}
