"""The sandbox's worst faults for an hour: harvests day after day of a world that moves, under faults that change each time.

After every harvest each published value is held against what was true when it says it was observed (``tests/flows/test_truth.py``).
At the end of each world the faults end, all becomes fresh, and a replay of the landing says the same. What was sent is held against
GitHub's limits: requests at once, points a minute, quota an hour.

    python -m tests.faults.hour --minutes 60
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path

from sandbox.faults import Fault, Mishap
from sandbox.ledger import Line
from tests.flows.eventful import Scene, live_through, moving_scene
from tests.flows.test_truth import wrong_values

PACKAGES = 110
DAYS = 6
MOST_AT_ONCE, POINTS_A_MINUTE, GRAPHQL_POINTS_A_MINUTE = 100, 900, 2000
GRAPHQL = "/github/graphql*"


def worst(chance: random.Random) -> list[Fault]:
    """A choice of everything that can go wrong but a service that lies in good JSON, each for a share of the requests."""

    def share(most: float) -> float:
        return chance.random() * most

    pool = [
        Fault(mishap=Mishap.STATUS, status=502, probability=share(0.2)),
        Fault(mishap=Mishap.STATUS, status=503, is_json=True, probability=share(0.1)),
        Fault(mishap=Mishap.STATUS, status=500, retry_after=1, probability=share(0.05)),
        Fault(mishap=Mishap.HTML, probability=share(0.1)),
        Fault(mishap=Mishap.TRUNCATED, probability=share(0.1)),
        Fault(mishap=Mishap.CUT_OFF, probability=share(0.1)),
        Fault(mishap=Mishap.DROPPED, probability=share(0.1)),
        Fault(mishap=Mishap.BOMB, times=2, probability=share(0.05)),
        Fault(mishap=Mishap.HUGE, size=40 << 20, times=2, probability=share(0.05)),
        Fault(mishap=Mishap.SLOW, seconds=0.5, probability=share(0.05)),
        Fault(pattern="/github/*", mishap=Mishap.SECONDARY, retry_after=1, times=3, probability=share(0.05)),
        Fault(mishap=Mishap.FORGED, status=301, location="http://169.254.169.254/", probability=share(0.03)),
        Fault(mishap=Mishap.FORGED, status=200, body=b"[" * 100_000, probability=share(0.03)),
        Fault(mishap=Mishap.FORGED, status=200, body=b'{"id": 1}', probability=share(0.03)),
        Fault(pattern=GRAPHQL, mishap=Mishap.WRONG, probability=share(0.4)),
        Fault(pattern=GRAPHQL, mishap=Mishap.ALIAS_NULL, probability=share(0.5)),
        Fault(pattern=GRAPHQL, mishap=Mishap.ALIAS_LIMITS, probability=share(0.5)),
        Fault(pattern=GRAPHQL, mishap=Mishap.ALIAS_WRONG, probability=share(0.5)),
        Fault(pattern=GRAPHQL, mishap=Mishap.ALIAS_HOLLOW, probability=share(0.5)),
    ]
    chosen = chance.sample(pool, chance.randint(4, len(pool)))
    return sorted(chosen, key=lambda fault: fault.pattern == "*")  # those of one service first: the first that meets decides


@dataclass(slots=True)
class Tally:
    """What came of it."""

    harvests: int = 0
    replays: int = 0
    values: int = 0
    requests: int = 0
    harmed: int = 0
    wrong: int = 0
    lost: int = 0
    at_once: int = 0
    points: int = 0
    graphql_points: int = 0
    refusals: int = 0

    def count(self, lines: Sequence[Line]) -> None:
        """Hold what was sent against the limits."""
        self.requests += len(lines)
        self.harmed += sum(bool(line.mishap) for line in lines)
        self.refusals += sum(line.status == 429 and not line.mishap for line in lines)
        own = [line for line in lines if line.service == "github"]
        edges = sorted([(line.at, 1) for line in own] + [(line.at + line.seconds, -1) for line in own], key=lambda edge: (edge[0], edge[1]))
        now = 0
        for _at, step in edges:
            now += step
            self.at_once = max(self.at_once, now)
        is_graphql = [line.path.startswith("/graphql") for line in own]
        self.points = max(self.points, _most_in_a_minute([line for line, is_it in zip(own, is_graphql, strict=True) if not is_it]))
        self.graphql_points = max(
            self.graphql_points, _most_in_a_minute([line for line, is_it in zip(own, is_graphql, strict=True) if is_it])
        )

    @property
    def is_good(self) -> bool:
        """Nothing wrong, nothing lost, no limit passed."""
        within = self.at_once <= MOST_AT_ONCE and self.points <= POINTS_A_MINUTE and self.graphql_points <= GRAPHQL_POINTS_A_MINUTE
        return within and not self.wrong and not self.lost and not self.refusals

    def __str__(self) -> str:
        return (
            f"{self.harvests} harvests and {self.replays} replays, {self.requests:,} requests of which {self.harmed:,} were harmed; "
            f"{self.values:,} records compared, {self.wrong} wrong, {self.lost} lost; at most {self.at_once} requests at once, "
            f"{self.points} REST and {self.graphql_points} GraphQL requests within a minute, {self.refusals} refused for our pace"
        )


def _most_in_a_minute(lines: Sequence[Line]) -> int:
    times = sorted(line.at for line in lines)
    first = most = 0
    for last, at in enumerate(times):
        while at - times[first] >= 60:
            first += 1
        most = max(most, last - first + 1)
    return most


def live(scene: Scene, seed: int, tally: Tally, until: float) -> None:
    """One world: days under faults, then a day without, then a replay."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    scene.bench.overrides["github_graphql"] = "on" if seed % 3 else "off"
    services = scene.bench.services
    services.faults.seed = seed
    mark = 0
    for day in range(DAYS):
        if day:
            live_through(scene, day, scene.next_day())
        services.faults.clear()
        if day < DAYS - 1 and time.monotonic() < until:
            services.faults.add(*worst(chance))
        scene.harvest()
        tally.harvests += 1
        lines = services.ledger.lines()
        tally.count(lines[mark:])
        mark = len(lines)
        _judge(scene, tally, f"world {seed}, day {day}")
    before = scene.bench.rows("from packages order by id")
    left = sum(row["repo_state"] in ("pending", "stale") and row["repo_id"] is not None for row in before)
    gone = [name for name in scene.subjects("repo_subject") if name not in scene.repositories()]
    if left > len(gone) + DAYS:
        tally.lost += 1
        print(f"world {seed}: {left} are not fresh after a day without faults")  # noqa: T201
    scene.bench.replay()
    tally.replays += 1
    after = scene.bench.rows("from packages order by id")
    if after != before:
        tally.lost += sum(one != other for one, other in zip(before, after, strict=False)) or 1
        print(f"world {seed}: a replay differs")  # noqa: T201


def _judge(scene: Scene, tally: Tally, where: str) -> None:
    wrong = wrong_values(scene)
    tally.values += len(scene.bench.rows("select id from packages"))
    tally.wrong += len(wrong)
    for text in wrong[:10]:
        print(f"WRONG {where}: {text}")  # noqa: T201


def main() -> int:
    """Live for so many minutes; 1 when anything was wrong, lost or beyond a limit."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.hour")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for name in list(os.environ):
        if name.startswith(("PACKHOUSE_", "PREFECT_", "GITHUB_")):
            del os.environ[name]
    began, seed, tally = time.monotonic(), options.seed, Tally()
    until = began + options.minutes * 60
    while time.monotonic() < until:
        with (
            tempfile.TemporaryDirectory(prefix="packhouse-hour-") as folder,
            Path(os.devnull).open("w") as nowhere,
            moving_scene(Path(folder), PACKAGES) as scene,
            redirect_stderr(nowhere),
        ):
            live(scene, seed, tally, until)
        seed += 1
        print(f"{(time.monotonic() - began) / 60:.0f} min: {tally}", flush=True)  # noqa: T201
    return 0 if tally.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
