"""What may go wrong between the sandbox and its caller, on demand or by seeded chance."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase


class Mishap(StrEnum):
    """What becomes of an answer.

    STATUS: another status with GitHub's HTML or JSON error; HTML: a page with status 200; TRUNCATED: JSON cut in half but
    complete as HTTP; CUT_OFF: the connection ends in the middle of the body; DROPPED: it ends before any byte; HUGE: a body
    of ``size`` bytes; BOMB: the same, compressed a thousandfold; SLOW: a trickle over ``seconds``; SECONDARY: GitHub's
    secondary limit, telling ``retry_after`` when set; FORGED: another answer altogether, of ``status``, ``location`` and ``body``.

    A service that tells other things than it did, in good JSON with status 200, REST and GraphQL alike: WITHOUT: the ``fields`` are not
    there any more, wherever they stood; ZEROED: they are zero, false, null or empty, and lists of numbers have as many zeros; EMPTIED:
    a list is empty. Nobody is told that an answer is unchanged then.

    Within an answer to a GraphQL query: WRONG: "Something went wrong" instead of data; and for a ``share`` of the repositories asked
    for, at least one: ALIAS_NULL: null, and no error says why; ALIAS_LIMITS: resource limits exceeded; ALIAS_WRONG: "Something went
    wrong" with them alone; ALIAS_HOLLOW: answered, but for a piece deeper down, which an error names.
    """

    STATUS = "status"
    HTML = "html"
    TRUNCATED = "truncated"
    CUT_OFF = "cut_off"
    DROPPED = "dropped"
    HUGE = "huge"
    BOMB = "bomb"
    SLOW = "slow"
    SECONDARY = "secondary"
    FORGED = "forged"
    WITHOUT = "without"
    ZEROED = "zeroed"
    EMPTIED = "emptied"
    WRONG = "wrong"
    ALIAS_NULL = "alias_null"
    ALIAS_LIMITS = "alias_limits"
    ALIAS_WRONG = "alias_wrong"
    ALIAS_HOLLOW = "alias_hollow"


# Mishaps of what is told.
IN_TELLING = frozenset({Mishap.WITHOUT, Mishap.ZEROED, Mishap.EMPTIED})
# Mishaps within the answer to a GraphQL query.
IN_QUERY = frozenset({Mishap.WRONG, Mishap.ALIAS_NULL, Mishap.ALIAS_LIMITS, Mishap.ALIAS_WRONG, Mishap.ALIAS_HOLLOW})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One rule: which requests it meets and what it does to them.

    Attributes:
        pattern: shell pattern over ``/github/...`` or ``/pypi/...``, query included; ``*`` also matches slashes.
        mishap: what becomes of the answer.
        times: how many requests at most; ``None`` for all.
        after: how many matching requests pass unharmed first.
        probability: share of the matching requests it meets.
        status: of ``STATUS`` and ``FORGED``.
        is_json: a JSON error instead of an HTML page, for ``STATUS``.
        retry_after: seconds, for ``STATUS`` and ``SECONDARY``; ``None`` sends no such header.
        size: bytes, for ``HUGE`` and ``BOMB``.
        seconds: how long, for ``SLOW``.
        share: of the repositories of a query, for those that begin with ``ALIAS``.
        fields: keys of the JSON, for ``WITHOUT`` and ``ZEROED``.
        location: where a redirect leads, for ``FORGED``; ``None`` sends no such header.
        body: bytes said to be JSON, for ``FORGED``.
    """

    pattern: str = "*"
    mishap: Mishap
    times: int | None = None
    after: int = 0
    probability: float = 1.0
    status: int = 502
    is_json: bool = False
    retry_after: int | None = None
    size: int = 100 * 1024 * 1024
    seconds: float = 5.0
    share: float = 0.3
    fields: tuple[str, ...] = ()
    location: str | None = None
    body: bytes = b""


@dataclass(slots=True)
class _Rule:
    fault: Fault
    met: int = 0
    done: int = 0


@dataclass(slots=True, kw_only=True)
class Faults:
    """All rules in force, and the latency every answer gets. May be changed while the server runs.

    Attributes:
        latency_ms: time added to every answer, in milliseconds.
        jitter_ms: up to so much more, evenly.
        repository_ms: time added to the answer of a GraphQL query for each repository it asks for.
        seed: of the chance in jitter and probabilities.
    """

    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    repository_ms: float = 0.0
    seed: int = 0
    _rules: list[_Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)  # noqa: S311 - a simulation, no secret

    def add(self, *faults: Fault) -> None:
        """Put rules in force; the first that meets a request decides."""
        with self._lock:
            self._rules += [_Rule(fault) for fault in faults]

    def clear(self) -> None:
        """Take all rules out of force; latency stays."""
        with self._lock:
            self._rules.clear()

    def delay_seconds(self) -> float:
        """How long to hold the next answer."""
        return (self.latency_ms + (self._rng.random() * self.jitter_ms if self.jitter_ms else 0.0)) / 1000

    def chosen(self, count: int, share: float) -> frozenset[int]:
        """Which of so many repositories are met: each by chance, at least one."""
        with self._lock:
            met = frozenset(place for place in range(count) if self._rng.random() < share)
            return met or frozenset({self._rng.randrange(count)} if count else ())

    def meet(self, path: str) -> Fault | None:
        """The fault this request meets, counted as met; ``path`` with its service prefix and query."""
        if not self._rules:
            return None
        with self._lock:
            for rule in self._rules:
                fault = rule.fault
                if not fnmatchcase(path, fault.pattern) or (fault.times is not None and rule.done >= fault.times):
                    continue
                rule.met += 1
                if rule.met > fault.after and (fault.probability >= 1 or self._rng.random() < fault.probability):
                    rule.done += 1
                    return fault
        return None
