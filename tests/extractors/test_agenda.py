"""Work is handed out lane by lane, in batches as large as the service answers, and every repository is settled once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.agenda import Agenda, Batch, BatchSize, Conversation, History, Probe, Work, source_of
from extractors.conversation import GITHUB, GRAPHQL, HISTORY, PROBE, PYPI, Answer, Plan, Target
from extractors.graphql import MOST_PROBED, MOST_READ, Part
from extractors.verdict import Verdict
from tests.extractors.forge import NOT_FOUND, RESOURCES, Problem, Script, answered
from tests.extractors.loopback import Reply

LANES = (GITHUB, GRAPHQL, PYPI)
BAD_GATEWAY = Reply(status=502, body=b"<html>")
Settle = Callable[[Part, Answer], Iterable[Work]]


def target(number: int, **more: Any) -> Target:
    """Name a repository known by its id."""
    return Target(subject=f"github:o/r{number}", owner="o", name=f"r{number}", node_id=f"R_{number}", **more)


def number_of(key: str) -> int:
    """Return the number of a repository by its id."""
    return int(key.removeprefix("R_"))


def agenda(settle: Settle = lambda _part, _answer: (), *, probe: int = 25, history: int = 20) -> Agenda:
    """Make an agenda that everybody works on."""
    it = Agenda(probe_size=BatchSize(probe), history_size=BatchSize(history), settle=settle)
    it.open(LANES, lambda _lane: False)
    return it


def answer_of(batch: Batch, reply: Reply) -> Answer:
    """Answer a batch."""
    return Answer(
        ask=batch.ask,
        status=reply.status or None,
        headers=reply.headers,
        body=reply.body,
        fetched_at=datetime(2026, 11, 24, tzinfo=UTC),
        duration_ms=1,
        attempt=1,
        identity="token:x",
        error=None if reply.status else "timeout: ReadTimeout",
    )


def take(it: Agenda, lane: str = GRAPHQL) -> Batch | Conversation | None:
    """Take what is there to take; raises TimeoutError when that means waiting."""

    async def run() -> Batch | Conversation | None:
        async with asyncio.timeout(0):
            return await it.take(lane)

    return asyncio.run(run())


def batch(it: Agenda) -> Batch:
    """Take a batch that is there to take."""
    unit = take(it)
    assert isinstance(unit, Batch)
    return unit


def work_off(it: Agenda, respond: Callable[[Batch], Reply]) -> list[int]:
    """Answer one batch after the other until there are none; return their sizes."""
    sizes = []
    while (unit := take(it)) is not None:
        assert isinstance(unit, Batch)
        sizes.append(len(unit.entries))
        it.finish(unit, answer_of(unit, respond(unit)))
    return sizes


def telling(script: Script) -> Callable[[Batch], Reply]:
    """Answer every batch as a script says."""
    return lambda unit: answered(unit.ask.payload or b"", script)


def node(asked: Any) -> dict[str, Any]:
    """Answer a repository well."""
    return {"id": asked.key}


def talk() -> Plan:
    """Plan nothing."""
    yield from ()
    return ()


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (24, [24]), (25, [25]), (60, [25, 25, 10])])
def test_targets_go_out_in_batches(count, sizes):
    """As many as a batch holds, the rest at the end."""
    settled: list[Part] = []
    it = agenda(lambda part, _: settled.append(part) or ())
    for number in range(count):
        it.add(Probe(target(number)))
    assert work_off(it, telling(node)) == sizes
    assert [part.target for part in settled] == [target(number) for number in range(count)]
    assert {part.verdict for part in settled} == {Verdict.OK}


def test_what_follows_is_taken_up():
    """A settled probe leads to its history, a history to its next page or to a conversation, and those come too."""

    def settle(part: Part, answer: Answer) -> Iterable[Work]:
        if answer.ask.facet == PROBE:
            yield History(part.target)
        elif part.target.page == 1:
            yield History(Target(subject=part.target.subject, owner="o", name="r", node_id=part.target.node_id, after="c", page=2))
        else:
            yield Conversation(part.target.subject, talk())

    it = agenda(settle)
    for number in range(30):
        it.add(Probe(target(number)))
    facets = []

    def respond(unit: Batch) -> Reply:
        facets.append((unit.facet, len(unit.entries)))
        return telling(node)(unit)

    async def run() -> int:
        held = asyncio.create_task(drain(it, GITHUB))
        while (unit := await it.take(GRAPHQL)) is not None:
            assert isinstance(unit, Batch)
            it.finish(unit, answer_of(unit, respond(unit)))
        return await held

    assert asyncio.run(run()) == 30
    assert facets == [(PROBE, 25), (HISTORY, 20), (HISTORY, 20), (PROBE, 5), (HISTORY, 15), (HISTORY, 5)]


async def drain(it: Agenda, lane: str) -> int:
    """Work a lane of conversations off; return how many there were."""
    count = 0
    while (unit := await it.take(lane)) is not None:
        count += 1
        it.finish(unit)
    return count


def test_a_batch_that_is_not_full_waits_for_what_may_come():
    """While a batch is on its way its answers may add to the rest; a full one goes out at once."""
    it = agenda(lambda part, _: [History(part.target)] if part.target.page == 1 else [])
    for number in range(30):
        it.add(Probe(target(number)))
    first = batch(it)
    with pytest.raises(TimeoutError):
        take(it)
    it.finish(first, answer_of(first, telling(node)(first)))
    assert (batch(it).facet, it.history_size.size) == (HISTORY, 20)


def test_a_lane_waits_as_long_as_another_may_add_to_it():
    """A worker without work is not sent home while a batch is out; when nothing can come any more all are."""
    it = agenda(lambda part, _: [Conversation(part.target.subject, talk())])
    it.add(Probe(target(0)))
    it.add(Conversation("pypi:p", talk()))

    async def run() -> tuple[list[bool], list[int]]:
        workers = [asyncio.create_task(drain(it, lane)) for lane in (GITHUB, GITHUB, PYPI)]
        unit = await it.take(GRAPHQL)
        for _ in range(5):
            await asyncio.sleep(0)
        waiting = [not worker.done() for worker in workers]
        assert isinstance(unit, Batch)
        it.finish(unit, answer_of(unit, telling(node)(unit)))
        assert await it.take(GRAPHQL) is None
        return waiting, await asyncio.gather(*workers)

    waiting, counts = asyncio.run(run())
    assert waiting == [True, True, True]
    assert (sum(counts[:2]), counts[2]) == (1, 1)


def test_the_good_ones_of_a_partial_answer_are_kept():
    """Only what is open is asked again, among half as many, and the size is halved."""
    settled: Counter[str] = Counter()
    it = agenda(lambda part, _: settled.update([part.target.name]) or ())
    for number in range(25):
        it.add(Probe(target(number)))
    unit = batch(it)
    it.finish(unit, answer_of(unit, telling(lambda asked: Problem(RESOURCES) if number_of(asked.key) >= 11 else node(asked))(unit)))
    assert (sum(settled.values()), it.probe_size.size) == (11, 13)
    assert work_off(it, telling(node)) == [13, 1]
    assert settled == Counter(f"r{number}" for number in range(25))


@pytest.mark.parametrize(
    "reply",
    [BAD_GATEWAY, Reply(status=504), Reply(body=b"<html>"), Reply(status=0)],
    ids=["502", "504", "html", "timeout"],
)
def test_a_query_that_is_too_much_is_halved_down_to_one(reply):
    """Each time half as many, at last alone and twice; then it is settled as it is, so that it can be asked for elsewhere."""
    settled: list[Verdict] = []
    it = agenda(lambda part, _: settled.append(part.verdict) or ())
    for number in range(8):
        it.add(Probe(target(number)))
    it.probe_size.size = 8
    assert work_off(it, lambda _: reply) == [8, 4, 4, 2, 2, 2, 2, *[1] * 16]
    assert len(settled) == 8
    assert not {Verdict.OK, Verdict.MISSING} & set(settled)
    assert it.probe_size.size == 4


def test_one_bad_repository_is_found_and_does_not_hold_up_the_others():
    """Among many it is singled out in a few steps; the others are settled well and batches stay large."""
    settled: dict[str, list[Verdict]] = {}
    it = agenda(lambda part, _: settled.setdefault(part.target.name, []).append(part.verdict) or ())
    for number in range(100):
        it.add(Probe(target(number)))
    sizes = work_off(it, lambda unit: BAD_GATEWAY if any(e.target.name == "r7" for e in unit.entries) else telling(node)(unit))
    assert settled.pop("r7") == [Verdict.TRANSIENT]
    assert list(settled.values()) == [[Verdict.OK]] * 99
    assert sizes.count(1) <= 5
    assert len(sizes) < 25
    assert it.probe_size.size >= 13


def test_a_query_that_cannot_be_answered_at_all_is_not_cut_up():
    """A server without GraphQL is asked once for each batch, not once for each repository."""
    settled: list[Verdict] = []
    it = agenda(lambda part, _: settled.append(part.verdict) or ())
    for number in range(50):
        it.add(Probe(target(number)))
    assert work_off(it, lambda _: Reply(status=404)) == [25, 25]
    assert settled == [Verdict.UNSUPPORTED] * 50


def test_missing_and_refused_are_settled_at_once():
    """What GitHub says of one repository is an answer, not a reason to ask again."""
    settled: list[tuple[str, Verdict]] = []
    it = agenda(lambda part, _: settled.append((part.target.name, part.verdict)) or ())
    for number in range(3):
        it.add(Probe(target(number)))
    kinds = {"R_0": NOT_FOUND, "R_1": "FORBIDDEN"}
    assert work_off(it, telling(lambda asked: Problem(kinds[asked.key]) if asked.key in kinds else node(asked))) == [3]
    assert settled == [("r0", Verdict.MISSING), ("r1", Verdict.REFUSED), ("r2", Verdict.OK)]
    assert it.probe_size.size == 25


def test_a_null_without_reason_is_asked_again_but_is_not_too_many():
    """It may be a whim of the service; nothing suggests that fewer repositories help."""
    whims = Counter[str]()
    settled: Counter[str] = Counter()

    def script(asked: Any) -> dict[str, Any] | None:
        whims[asked.key] += 1
        return None if asked.key == "R_3" and whims["R_3"] == 1 else node(asked)

    it = agenda(lambda part, _: settled.update([part.verdict]) or ())
    for number in range(25):
        it.add(Probe(target(number)))
    assert work_off(it, telling(script)) == [25, 1]
    assert settled == {Verdict.OK: 25}
    assert it.probe_size.size == 25


def test_a_batch_size_halves_and_grows_back_slowly():
    """Too many halves it, however few; three good full batches in a row add one, up to the most; good smaller ones say nothing."""
    it = BatchSize(25, most=27)
    it.note(25, was_too_many=True)
    assert it.size == 13
    it.note(25, was_too_many=True)  # was on its way together with the first
    it.note(3, was_too_many=False)
    assert it.size == 13
    for _ in range(2):
        it.note(13, was_too_many=False)
    it.note(13, was_too_many=True)
    assert it.size == 7
    sizes = []
    for _ in range(7):
        it.note(it.size, was_too_many=False)
        sizes.append(it.size)
    assert sizes == [7, 7, 8, 8, 8, 9, 9]
    for _ in range(3 * 40):
        it.note(it.size, was_too_many=False)
    assert it.size == 27
    for _ in range(9):
        it.note(it.size, was_too_many=True)
    assert it.size == 1


def test_histories_never_come_in_large_batches():
    """However large a remembered size, a history is about twenty-five repositories at most, a probe about fifty."""
    it = agenda(probe=MOST_PROBED, history=99)
    assert (it.probe_size.most, it.history_size.size, it.history_size.most) == (MOST_PROBED, MOST_READ, MOST_READ)


def test_work_of_a_lane_nobody_works_on_is_given_up():
    """Without a token there is no GraphQL; nothing waits for it for ever."""
    it = Agenda(probe_size=BatchSize(25), history_size=BatchSize(20), settle=lambda _part, _answer: ())
    it.add(Probe(target(0)))
    it.add(Conversation("github:o/r0", talk()))
    it.open((GITHUB, PYPI), lambda _lane: False)
    assert isinstance(take(it, GITHUB), Conversation)
    assert it.given_up == {GRAPHQL: 1}


def test_a_lane_that_ends_gives_its_work_up_and_the_others_go_on():
    """What is open on a meter that ended is counted and not handed out, and nobody waits for it."""
    ended: set[str] = set()
    it = Agenda(probe_size=BatchSize(2), history_size=BatchSize(2), settle=lambda _part, _answer: ())
    it.open(LANES, ended.__contains__)
    for number in range(5):
        it.add(Probe(target(number)))
        it.add(Conversation(f"pypi:{number}", talk()))
    unit = batch(it)
    ended.add(GRAPHQL)
    it.finish(unit)
    assert it.given_up == {GRAPHQL: 5}
    assert take(it) is None
    assert asyncio.run(drain(it, PYPI)) == 5
    it.add(Conversation("github:o/r", talk()))
    it.close()
    assert it.given_up == {GRAPHQL: 5, GITHUB: 1}


def test_workers_of_a_lane_that_ends_are_sent_home():
    """When a run is stopped, whoever waits for work goes as soon as what is on its way is back."""
    ended: set[str] = set()
    it = Agenda(probe_size=BatchSize(2), history_size=BatchSize(2), settle=lambda _part, _answer: ())
    it.open(LANES, ended.__contains__)
    it.add(Probe(target(0)))

    async def run() -> int:
        unit = await it.take(GRAPHQL)
        waiting = asyncio.create_task(drain(it, GITHUB))
        await asyncio.sleep(0)
        ended.update(LANES)
        assert unit is not None
        it.finish(unit)
        assert await it.take(GRAPHQL) is None
        return await waiting

    assert asyncio.run(run()) == 0


def test_halves_go_out_side_by_side():
    """What is asked again among fewer is taken up by every worker there is."""

    async def run() -> list[int]:
        it = agenda()
        for number in range(25):
            it.add(Probe(target(number)))
        unit = await it.take(GRAPHQL)
        assert isinstance(unit, Batch)
        waiting = [asyncio.create_task(it.take(GRAPHQL)) for _ in range(2)]
        await asyncio.sleep(0)
        it.finish(unit, answer_of(unit, BAD_GATEWAY))
        return [len(half.entries) for half in await asyncio.gather(*waiting) if isinstance(half, Batch)]

    assert asyncio.run(run()) == [13, 12]


def test_the_source_is_the_first_part_of_a_subject():
    """A subject names its source; the index of a source is of the source itself."""
    assert source_of("github:owner/na:me") == GITHUB
    assert Conversation(PYPI, talk()).lane == PYPI


MOODS = st.sampled_from(["ok", "ok", "ok", "502", "timeout", "html", "hollow", "limits", "null", "missing", "gone"])


@given(
    numbers=st.integers(1, 60),
    size=st.integers(1, 50),
    seed=st.integers(0, 2**32),
    workers=st.integers(1, 5),
    moods=st.lists(MOODS, min_size=1, max_size=30),
)
def test_every_repository_is_settled_once_whatever_the_service_does(numbers, size, seed, workers, moods):
    """Workers side by side, answers in any order and of any kind: no repository is lost, none settled twice, and it ends."""
    rng = random.Random(seed)  # noqa: S311 - a repeatable mixture
    settled: Counter[tuple[str, str]] = Counter()

    def settle(part: Part, answer: Answer) -> Iterable[Work]:
        settled[answer.ask.facet, part.target.name] += 1
        if answer.ask.facet == PROBE:
            yield History(part.target)

    def respond(unit: Batch) -> Reply:
        mood = rng.choice(moods)
        whole = {"502": BAD_GATEWAY, "timeout": Reply(status=0), "html": Reply(body=b"<html>"), "gone": Reply(status=404)}
        spoilt = {"hollow": Problem("", ("watchers",)), "limits": Problem(RESOURCES), "null": None, "missing": Problem(NOT_FOUND)}
        if mood in whole:
            return whole[mood]
        return telling(lambda asked: spoilt[mood] if mood in spoilt and rng.random() < 0.3 else node(asked))(unit)

    it = agenda(settle, probe=size, history=size)

    async def work() -> None:
        while (unit := await it.take(GRAPHQL)) is not None:
            assert isinstance(unit, Batch)
            assert len(unit.entries) <= MOST_PROBED
            reply = respond(unit)
            for _ in range(rng.randrange(4)):
                await asyncio.sleep(0)
            it.finish(unit, answer_of(unit, reply))

    async def run() -> None:
        for number in range(numbers):
            it.add(Probe(target(number)))
        await asyncio.gather(*(work() for _ in range(workers)))

    asyncio.run(run())
    assert settled == Counter((facet, f"r{number}") for facet in (PROBE, HISTORY) for number in range(numbers))
    assert it.given_up == {}
