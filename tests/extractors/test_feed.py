"""Plans are read lazily and handed out by source without one source holding up another."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from extractors.conversation import GITHUB, PYPI, Plan
from extractors.feed import Feed, source_of
from extractors.pypi import project_plan


def plans(*sources: str, read: list[str] | None = None) -> Iterator[tuple[str, Plan]]:
    """Plan one subject after the other, noting in ``read`` what was read."""
    for number, source in enumerate(sources):
        if read is not None:
            read.append(source)
        yield f"{source}:{number}", project_plan(subject=f"{source}:{number}", name=f"{number}")


def feed(stream: Iterator[tuple[str, Plan]], dropped: list[str], ended: set[str], lookahead: int = 2) -> Feed:
    """Feed both sources."""
    return Feed(
        stream,
        sources=[GITHUB, PYPI],
        lookahead=lookahead,
        is_ended=ended.__contains__,
        drop=lambda subject, _: dropped.append(subject),
    )


def test_each_source_gets_its_own_in_order():
    """Plans met on the way to one of another source are kept for it."""

    async def run() -> list[str]:
        it = feed(plans(GITHUB, GITHUB, PYPI, GITHUB, PYPI), [], set(), lookahead=9)
        taken = [await it.take(source) for source in (PYPI, GITHUB, PYPI, GITHUB, GITHUB, PYPI, GITHUB)]
        return [item[0] if item else "-" for item in taken]

    assert asyncio.run(run()) == ["pypi:2", "github:0", "pypi:4", "github:1", "github:3", "-", "-"]


def test_no_more_is_read_than_needed():
    """The iterable is read up to the plan asked for."""
    read: list[str] = []

    async def run() -> None:
        await feed(plans(*[GITHUB] * 1000, read=read), [], set()).take(GITHUB)

    asyncio.run(run())
    assert len(read) == 1


def test_a_full_source_holds_up_reading_until_it_takes_one():
    """A source waits while another has its lookahead full, and goes on as soon as that takes one."""
    read: list[str] = []

    async def run() -> tuple[bool, str]:
        it = feed(plans(GITHUB, GITHUB, GITHUB, PYPI, read=read), [], set())
        waiting = asyncio.create_task(it.take(PYPI))
        await asyncio.sleep(0)
        was_waiting = not waiting.done() and len(read) == 2
        await it.take(GITHUB)
        await it.take(GITHUB)
        item = await waiting
        assert item is not None
        return was_waiting, item[0]

    assert asyncio.run(run()) == (True, "pypi:3")


def test_a_source_that_ended_is_dropped_and_holds_up_nobody():
    """Its plans are given up, those kept and those still to come."""
    dropped: list[str] = []

    async def run() -> str:
        ended: set[str] = set()
        it = feed(plans(GITHUB, GITHUB, GITHUB, PYPI), dropped, ended)
        waiting = asyncio.create_task(it.take(PYPI))
        await asyncio.sleep(0)
        ended.add(GITHUB)
        assert await it.take(GITHUB) is None
        item = await waiting
        assert item is not None
        return item[0]

    assert asyncio.run(run()) == "pypi:3"
    assert dropped == ["github:0", "github:1", "github:2"]


def test_what_was_read_is_dropped_at_the_end():
    """Nothing kept is forgotten when the work is given up."""
    dropped: list[str] = []

    async def run() -> None:
        it = feed(plans(GITHUB, PYPI, GITHUB), dropped, set())
        await it.take(PYPI)
        it.drop_all()

    asyncio.run(run())
    assert dropped == ["github:0"]


def test_the_source_is_the_first_part_of_a_subject():
    """A subject names its source."""
    assert source_of("github:owner/na:me") == GITHUB
