"""Whether readers notice that publications change: many publications while many clients read, without a failed or a mixed answer.

    python benchmarks/swap.py [--packages 5000] [--clients 64] [--seconds 60] [--publications 20] [--workers 1]
    python benchmarks/swap.py --seconds 1440 --publications 24 --pause 0.05        the soak: is memory flat?

Every publication has one package more than the one before, and other stars (``made.py``): so each answer tells which it is from. A page
is mixed when its count, its links and its records tell of different ones; going back is an answer from an older publication than the
same connection had before (with several workers that is allowed for a second). Prints what failed, how long each new publication took
to be served, and the memory of the server over time. Ends with 1 if anything failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import re
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from made import publish_made
from served import Server, packhouse

EDITION = 1_000_000  # stars are n + EDITION x edition
SAMPLES = 12  # lines about memory
LAST_LOOK = 3.0  # seconds after the last publication in which it must be served


class Readers:
    """Clients that walk through pages and records, and what they met."""

    def __init__(self, port: int, packages: int, pause: float) -> None:
        self._port = port
        self._packages = packages
        self._pause = pause
        self.is_over = False
        self.met: Counter[str] = Counter()
        self.first_seen: dict[int, float] = {}
        self.examples: list[str] = []

    async def read(self, number: int) -> None:
        """Ask on one connection, a new one after a failure, until it is time to end."""
        chance = random.Random(number)  # noqa: S311 - which package is asked for is no secret
        while not self.is_over:
            try:
                await self._converse(chance)
            except (OSError, EOFError) as error:
                self._fail("dropped", repr(error))

    async def _converse(self, chance: random.Random) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        newest, target = 0, ""
        try:
            while not self.is_over:
                target = target or self._choose(chance)
                writer.write(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n\r\n".encode())
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(length[1]) if length else 0)
                editions, target = self._judge(target, head, body, chance)
                self.met["answers"] += 1
                if len(editions) > 1:
                    self._fail("mixed", f"{target}: {editions}")
                for edition in editions:
                    self.first_seen.setdefault(edition, time.monotonic())
                    if edition < newest:
                        self._fail("going back", f"{edition} after {newest}")
                    newest = max(newest, edition)
                if self._pause:
                    await asyncio.sleep(self._pause)
        finally:
            writer.close()

    def _choose(self, chance: random.Random) -> str:
        if chance.random() < 0.5:  # noqa: PLR2004 - half of them
            return f"/api/v4/packages/{chance.randint(1, self._packages)}/"
        return f"/api/v4/packages/?limit=20&offset={20 * chance.randint(0, self._packages // 20 - 1)}"

    def _judge(self, target: str, head: bytes, body: bytes, chance: random.Random) -> tuple[set[int], str]:
        """Which publications an answer is from, and the link to read next."""
        if not head.startswith(b"HTTP/1.1 200 "):
            self._fail("not 200", f"{target}: {head[:80]!r}")
            return set(), ""
        told = json.loads(body)
        if "results" not in told:
            return {told["repo_watchers"] // EDITION}, ""
        self.met["pages"] += 1
        editions = {record["repo_watchers"] // EDITION for record in told["results"]} | {told["count"] - self._packages}
        here, further = int(target.rpartition("=")[2]), told["next"]
        if (further is not None) != (here + 20 < told["count"]) or (further and int(further.rpartition("=")[2]) != here + 20):
            self._fail("wrong link", f"{target}: {further} of {told['count']}")
        walks_on = further is not None and chance.random() < 0.5  # noqa: PLR2004 - half of them
        return editions, further.partition(f":{self._port}")[2] if walks_on else ""

    def _fail(self, what: str, example: str) -> None:
        self.met[what] += 1
        if len(self.examples) < 10:  # noqa: PLR2004 - enough to look at
            self.examples.append(f"{what}: {example}")


def main() -> int:
    """Serve, read, publish, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=int, default=5000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--publications", type=int, default=20)
    parser.add_argument("--pause", type=float, default=0.005, help="seconds a client waits after an answer")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="packhouse-swap-") as folder:
        data = Path(folder)
        publish_made(data, options.packages + 1)
        with packhouse(data, "--workers", str(options.workers)) as server:
            return asyncio.run(_swap(server, data, options))


async def _swap(server: Server, data: Path, options: argparse.Namespace) -> int:
    readers = Readers(server.port, options.packages, options.pause)
    began = time.monotonic()
    reading = [asyncio.create_task(readers.read(number)) for number in range(options.clients)]
    watching = asyncio.create_task(_watch(server, readers, options.seconds / SAMPLES))
    moved: dict[int, float] = {}
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as publisher:
        for edition in range(2, options.publications + 2):
            await asyncio.sleep(max(0.0, began + (edition - 1) * options.seconds / (options.publications + 1) - time.monotonic()))
            await _publish(publisher, data, options.packages, edition, moved)
    await asyncio.sleep(max(LAST_LOOK, began + options.seconds - time.monotonic()))
    readers.is_over = True
    await asyncio.gather(*reading, watching)
    taken = sorted(readers.first_seen[edition] - at for edition, at in moved.items() if edition in readers.first_seen)
    met = readers.met
    print(
        f"{met['answers']:,} answers, {met['pages']:,} of them pages, over {time.monotonic() - began:.0f} s and {len(moved)} publications"
    )
    print(f"served {len(taken)} of them, after {taken[len(taken) // 2]:.1f} s in the middle, {taken[-1]:.1f} s at most")
    failed = {name: count for name, count in met.items() if name not in ("answers", "pages")}
    print(f"failed: {failed or 'nothing'}", *readers.examples, sep="\n")
    return int(bool(failed) or len(taken) < len(moved))


async def _publish(publisher: ProcessPoolExecutor, data: Path, packages: int, edition: int, moved: dict[int, float]) -> None:
    """Publish from a process of its own, and note when ``current`` moved."""
    before = (data / "current").readlink()
    work = partial(publish_made, data, packages + edition, edition=edition)
    publishing = asyncio.get_running_loop().run_in_executor(publisher, work)
    while (data / "current").readlink() == before and not publishing.done():  # noqa: ASYNC110 - nothing tells of the link's moving
        await asyncio.sleep(0.01)
    moved[edition] = time.monotonic()
    await publishing


async def _watch(server: Server, readers: Readers, every: float) -> None:
    """Print the server's memory from time to time."""
    began = time.monotonic()
    while not readers.is_over:
        await asyncio.sleep(every)
        minutes, answers = (time.monotonic() - began) / 60, readers.met["answers"]
        now, most = server.memory() / 1e6, server.memory("VmHWM") / 1e6
        print(f"{minutes:6.1f} min {answers:>10,} answers {now:>8.1f} MB, at most {most:.1f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
