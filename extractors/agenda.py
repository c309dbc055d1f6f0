"""The work of one ``hold``, handed out lane by lane; a lane is a meter, so that none waits for another's quota.

REST conversations and PyPI's are taken one by one. Repositories to be asked about by GraphQL are gathered into batches: as many as
the service was seen to answer at once, fewer where it was not. A batch that is not full is sent only when nothing on its way can
still add to it. What an answer tells of a repository is *settled*, once; what it leaves open is asked again among fewer, at last
alone and twice, and then settled as it is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from extractors.conversation import GRAPHQL, HISTORY, PROBE, Answer, Ask, Plan, Target
from extractors.graphql import MOST_PROBED, MOST_READ, NO_REASON, Part, divide, history_ask, probe_ask

GROW_AFTER = 3  # good answers to full batches until a batch may hold one more
MOST_TRIES_ALONE = 2


@dataclass(frozen=True, slots=True)
class Probe:
    """A repository to be asked for its counters and newest commit."""

    target: Target


@dataclass(frozen=True, slots=True)
class History:
    """A repository to be asked for a page of its commits."""

    target: Target


@dataclass(frozen=True, slots=True)
class Conversation:
    """A plan to be driven to its end; ``subject`` begins with its source."""

    subject: str
    plan: Plan

    @property
    def lane(self) -> str:
        """The source it is asked of."""
        return source_of(self.subject)


Work = Probe | History | Conversation


def source_of(subject: str) -> str:
    """Return the source a subject is asked of: ``github:owner/name`` gives ``github``."""
    return subject.partition(":")[0]


def _half(count: int) -> int:
    return (count + 1) // 2


@dataclass(slots=True)
class BatchSize:
    """How many repositories one query is about: halved when it was too many, grown back slowly.

    Attributes:
        size: to be asked now; remembered for the next run.
        most: never more.
    """

    size: int
    most: int = MOST_PROBED
    _good: int = field(default=0, init=False, repr=False)

    def note(self, asked: int, *, was_too_many: bool) -> None:
        """Note the answer to a query about ``asked``: that they were too many, or, when they were as many as ``size``, that it is good."""
        if was_too_many:
            self.size, self._good = min(self.size, _half(asked)), 0
        if was_too_many or asked < self.size:
            return
        self._good += 1
        if self._good >= GROW_AFTER and self.size < self.most:
            self.size, self._good = self.size + 1, 0


@dataclass(frozen=True, slots=True)
class _Open:
    """A target to be asked about.

    Attributes:
        most: among so many at most; fewer each time a batch with it was not answered.
        tries_alone: how often it was asked about alone.
    """

    target: Target
    most: int = MOST_PROBED
    tries_alone: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Repositories that go into one query; ``is_fresh`` when none of them was asked about before."""

    facet: str
    entries: tuple[_Open, ...]
    is_fresh: bool = True

    @property
    def ask(self) -> Ask:
        """The query."""
        targets = [entry.target for entry in self.entries]
        return probe_ask(targets) if self.facet == PROBE else history_ask(targets)


Unit = Batch | Conversation
Settle = Callable[[Part, Answer], Iterable[Work]]


class Agenda:
    """What is to be asked, in the order it was added, and what follows from the answers.

    ``settle`` is called once for each probe and history with what its repository was told and the answer it was part of, and
    returns the work that follows. Work for a lane nobody works on, or that ended, is given up.
    """

    def __init__(self, *, probe_size: BatchSize, history_size: BatchSize, settle: Settle) -> None:
        """Take the sizes to begin with; they change with the answers and are read afterwards."""
        history_size.most = min(history_size.most, MOST_READ)
        history_size.size = min(history_size.size, history_size.most)
        self.probe_size = probe_size
        self.history_size = history_size
        self.given_up: dict[str, int] = {}
        self._settle = settle
        self._plans: dict[str, deque[Conversation]] = {}
        self._fresh: dict[str, deque[_Open]] = {PROBE: deque(), HISTORY: deque()}
        self._suspects: dict[str, deque[_Open]] = {PROBE: deque(), HISTORY: deque()}
        self._taken: dict[str, int] = {}
        self._sleepers: dict[str, deque[asyncio.Future[None]]] = {}
        self._lanes: Collection[str] | None = None
        self._is_ended: Callable[[str], bool] = lambda _lane: False

    def add(self, work: Work) -> None:
        """Add to the end."""
        if isinstance(work, Conversation):
            self._plans.setdefault(work.lane, deque()).append(work)
            self._wake(work.lane)
        else:
            self._fresh[PROBE if isinstance(work, Probe) else HISTORY].append(_Open(work.target))
            self._wake(GRAPHQL)

    def open(self, lanes: Collection[str], is_ended: Callable[[str], bool]) -> None:
        """Begin to hand out: work of lanes that are not among ``lanes``, or are ended, is given up."""
        self._lanes, self._is_ended = lanes, is_ended

    async def take(self, lane: str) -> Unit | None:
        """Return the next work of a lane, waiting while any other may still add to it; ``None`` when nothing can come any more.

        Whoever takes a unit calls ``finish`` with it exactly once, and then takes the next until there is none.
        """
        while True:
            self._give_up_ended()
            unit = None if self._is_ended(lane) else self._next(lane)
            if unit is not None:
                self._taken[lane] = self._taken.get(lane, 0) + 1
                return unit
            if self._is_ended(lane) or self._is_done():
                for each in self._sleepers:
                    self._wake_all(each)
                return None
            sleeper = asyncio.get_running_loop().create_future()
            self._sleepers.setdefault(lane, deque()).append(sleeper)
            await sleeper

    def finish(self, unit: Unit, answer: Answer | None = None) -> int:
        """Take a unit back, a batch with its answer, or without one when it will not be answered in this run.

        Returns how many subjects are settled by it.
        """
        settled = 0
        if isinstance(unit, Conversation):
            self._taken[unit.lane] -= 1
        else:
            self._taken[GRAPHQL] -= 1
            if answer is None:
                self._give_up(GRAPHQL, len(unit.entries))
            else:
                settled = self._divide(unit, answer)
            self._wake_all(GRAPHQL)
        self._give_up_ended()
        return settled

    def close(self) -> None:
        """Give up everything not yet handed out."""
        for lane in (GRAPHQL, *self._plans):
            self._drop(lane)

    def _next(self, lane: str) -> Unit | None:
        if lane != GRAPHQL:
            plans = self._plans.get(lane)
            return plans.popleft() if plans else None
        # A full batch of histories first: what is half done is finished before more is begun.
        return self._full(HISTORY) or self._full(PROBE) or (None if self._taken.get(GRAPHQL) else self._rest())

    def _full(self, facet: str) -> Batch | None:
        size = self._size(facet)
        if suspects := self._suspects[facet]:
            most = min(suspects[0].most, size.size)
            return self._cut(facet, suspects, most, is_fresh=False)
        return self._cut(facet, self._fresh[facet], size.size) if len(self._fresh[facet]) >= size.size else None

    def _rest(self) -> Batch | None:
        """Return what is left, less than a full batch, when nothing on its way can add to it."""
        return next((self._cut(facet, queue, len(queue)) for facet, queue in self._fresh.items() if queue), None)

    def _cut(self, facet: str, queue: deque[_Open], most: int, *, is_fresh: bool = True) -> Batch:
        """Take up to ``most`` entries from the front, none of which must be among fewer."""
        entries = [queue.popleft()]
        while queue and len(entries) < most and queue[0].most >= entries[0].most:
            entries.append(queue.popleft())
        return Batch(facet, tuple(entries), is_fresh)

    def _size(self, facet: str) -> BatchSize:
        return self.probe_size if facet == PROBE else self.history_size

    def _divide(self, batch: Batch, answer: Answer) -> int:
        """Settle what was answered, note what is to be asked again among fewer, and learn how many are too many."""
        settled = 0
        asked = len(batch.entries)
        parts = divide(
            [entry.target for entry in batch.entries],
            facet=batch.facet,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            error=answer.error,
        )
        if batch.is_fresh:  # one bad repository among those asked about again must not make every batch small
            was_too_many = any(part.may_split and part.detail != NO_REASON for part in parts)
            self._size(batch.facet).note(asked, was_too_many=was_too_many)
        for entry, part in zip(batch.entries, parts, strict=True):
            tries = entry.tries_alone + (asked == 1)
            if part.may_split and tries < MOST_TRIES_ALONE:
                self._suspects[batch.facet].append(_Open(entry.target, _half(asked), tries))
                continue
            settled += 1
            for work in self._settle(part, answer):
                self.add(work)
        return settled

    def _is_done(self) -> bool:
        return not any(self._taken.values()) and not any(self._queues())

    def _queues(self) -> Iterator[deque[Conversation] | deque[_Open]]:
        yield from self._plans.values()
        yield from self._fresh.values()
        yield from self._suspects.values()

    def _give_up_ended(self) -> None:
        """Drop what nobody will take."""
        for lane in (GRAPHQL, *self._plans):
            if (self._lanes is not None and lane not in self._lanes) or self._is_ended(lane):
                self._drop(lane)

    def _drop(self, lane: str) -> None:
        if lane == GRAPHQL:
            for queue in (*self._fresh.values(), *self._suspects.values()):
                self._give_up(lane, len(queue))
                queue.clear()
            return
        plans = self._plans.get(lane, deque())
        while plans:
            plans.popleft().plan.close()
            self._give_up(lane, 1)

    def _give_up(self, lane: str, count: int) -> None:
        self.given_up[lane] = self.given_up.get(lane, 0) + count

    def _wake(self, lane: str) -> None:
        """Wake one who waits for work of a lane."""
        sleepers = self._sleepers.get(lane, deque())
        while sleepers:
            sleeper = sleepers.popleft()
            if not sleeper.done():
                sleeper.set_result(None)
                return

    def _wake_all(self, lane: str) -> None:
        for _ in range(len(self._sleepers.get(lane, ()))):
            self._wake(lane)
