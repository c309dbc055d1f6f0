"""The crash matrix: every command, killed or refused the disk at any of its writes, renames and syncs, and then run once more.

After the disturbance the last publication is readable and is the old one or the new one; after the same command, undisturbed, the
publication is the one of a run that was never disturbed, nothing half written is left, nothing landed was asked for again, and the
landing replays to the same. A refused disk is told in one message.

    python -m tests.faults.matrix [--scene NAME] [--mode NAME] [--every N] [--replay-every N]      (make crash)
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.day import Shares, pass_day
from sandbox.quota import Limits
from sandbox.server import running
from tests.conftest import NOW, Bench, prompt_world
from tests.faults.plug import Done, Mode, Plug, plugged
from warehouse.errors import WarehouseError
from warehouse.folder import DataFolder
from warehouse.readers import open_current

START = NOW.replace(microsecond=0)
SLUGS = ("django-scheduler", "django-calendarium", "django-recurrence")
BUSY = Shares(pushed=0.5, starred=0.8, released=0.5, described=0.3)
# What tells of the runs themselves, and so of their interruption.
OF_RUNS = ("runs", "fetches", "publication", "publications")
RECALLED_SECONDS = 2.0  # of answers that are not sealed yet, a kill may lose so much
DISTURBED = (Mode.KILL, Mode.TEAR, Mode.FULL, Mode.READ_ONLY, Mode.BROKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A command, and what there was before it.

    Attributes:
        name: of the scene.
        days: harvests before it, a day apart; the world moves in between.
        arguments: of the command, without the program; ``{now}`` is the moment of the next harvest, ``{out}`` a folder outside the data.
        is_asking: it asks the services.
        is_silent: it publishes nothing, so that what it left in the store shows when that is published afterwards.
    """

    name: str
    days: int
    arguments: tuple[str, ...]
    is_asking: bool = False
    is_silent: bool = False


SCENES = (
    Scene(name="harvest-first", days=0, arguments=("harvest", "--engine", "none", "--now", "{now}", *SLUGS), is_asking=True),
    Scene(name="harvest-again", days=2, arguments=("harvest", "--engine", "none", "--full", "--now", "{now}", *SLUGS), is_asking=True),
    Scene(
        name="backfill",
        days=1,
        arguments=(
            "backfill",
            "--engine",
            "none",
            "--since",
            "2024-06-01",
            "--until",
            "2025-01-31",
            "--every",
            "month",
            "--now",
            "{now}",
            *SLUGS,
        ),
        is_asking=True,
    ),
    Scene(name="compact", days=2, arguments=("compact", "--engine", "none"), is_silent=True),
    Scene(name="compact-retention", days=3, arguments=("compact", "--engine", "none", "--retention", "24h"), is_silent=True),
    Scene(name="publish", days=2, arguments=("publish",)),
    Scene(name="publish-as-of", days=2, arguments=("publish", "--as-of", "2026-02-16")),
    Scene(name="replay", days=2, arguments=("replay", "--engine", "none")),
    Scene(name="export", days=1, arguments=("export", "--static", "{out}/public", "--base-url", "https://packages.example.org")),
    Scene(name="report", days=1, arguments=("report", "--output", "{out}/report.html")),
)


@dataclass(slots=True)
class Stage:
    """Where scenes are played: a sandbox, the plug, and data folders as they were before each scene."""

    bench: Bench
    plug: Plug
    folder: Path
    expected: dict[str, Expected] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """The data folder of the case."""
        return self.bench.data

    @property
    def out(self) -> Path:
        """A folder outside of it."""
        return self.folder / "out"

    def undisturbed(self, scene: Scene) -> Expected:
        """What the scene comes to when nothing disturbs it; played once."""
        if scene.name not in self.expected:
            self._set(scene)
            before = self._tables()
            mark = len(self.bench.services.ledger)
            done = self.command(scene)
            self._publish(scene)
            self.expected[scene.name] = Expected(
                code=done.code,
                before=before,
                after=self._tables(),
                out=self._outside(),
                points=done.points,
                asked=len(self.bench.services.ledger) - mark,
            )
            assert done.code in (0, 3), done.err
            assert "Traceback" not in done.err, done.err
        return self.expected[scene.name]

    def command(self, scene: Scene, mode: Mode = Mode.COUNT, at: int = 0) -> Done:
        """Run the scene's command."""
        now = START + timedelta(days=scene.days)
        self.bench.show(lambda: now)
        words = [word.format(now=f"{now:%Y-%m-%dT%H:%M:%S%z}", out=self.out) for word in scene.arguments]
        return self.plug.run(words, self._environ(now), self.data, self.out, mode, at)

    def replay(self) -> Done:
        """Replay the landing, undisturbed."""
        return self.plug.run(["replay", "--engine", "none"], self._environ(START), self.data)

    def _publish(self, scene: Scene) -> None:
        if scene.is_silent:
            self.plug.run(["publish"], self._environ(START), self.data)

    def _environ(self, now: Any) -> Mapping[str, str]:
        environ = self.bench.variables()
        self.bench.show(lambda: now)
        return environ

    def _set(self, scene: Scene) -> None:
        template = self.folder / f"after-{scene.days}"
        world = self.bench.services.world
        if not template.exists():
            self._clear()
            for day in range(scene.days):
                self.bench.now = START + timedelta(days=day)
                self.bench.harvest(*SLUGS)
                pass_day(world, now=self.bench.now, shares=BUSY)
            self.data.mkdir(exist_ok=True)
            shutil.copytree(self.data, template, symlinks=True)
        self._clear()
        shutil.copytree(template, self.data, symlinks=True)

    def _clear(self) -> None:
        for path in (self.data, self.out):
            shutil.rmtree(path, ignore_errors=True)
        self.out.mkdir()

    def _tables(self) -> dict[str, pa.Table]:
        """What is published, without the names of the runs; nothing when nothing is."""
        if not self.data.joinpath("current").is_symlink():
            return {}
        with open_current(DataFolder(self.data)) as publication:
            paths = sorted((publication.path / "parquet").iterdir())
            tables = {path.stem: pq.ParquetFile(path).read() for path in paths if path.stem not in OF_RUNS}
        return {name: table.drop_columns([c for c in ("run_id",) if c in table.column_names]) for name, table in tables.items()}

    def _outside(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.out)): path.read_bytes() for path in _seen(self.out)}

    def play(self, scene: Scene, mode: Mode, at: int, *, has_replay: bool = False) -> list[str]:
        """One case: disturb the command at a point, look, run it again; returns what is wrong."""
        expected = self.undisturbed(scene)
        self._set(scene)
        mark = len(self.bench.services.ledger)
        disturbed = self.command(scene, mode, at)
        wrong = list(self._told(mode, at, disturbed))
        wrong += self._between(expected)
        middle = len(self.bench.services.ledger)
        healed = self.command(scene)
        if healed.code != expected.code or "Traceback" in healed.err:
            wrong.append(f"the same command again ended with {healed.code} instead of {expected.code}: {healed.err[-700:]}")
        self._publish(scene)
        wrong += self._differences(expected.after, "after the same command")
        wrong += self._left_over()
        if self._outside() != expected.out:
            wrong.append("the files outside of the data folder are not those of an undisturbed run")
        if scene.is_asking:
            wrong += self._asked_again(mark, middle, expected)
        if has_replay and not wrong:
            replayed = self.replay()
            if replayed.code not in (0, 3):
                wrong.append(f"a replay ended with {replayed.code}: {replayed.err[-700:]}")
            wrong += self._differences(expected.after, "after a replay") if scene.name != "publish-as-of" else []
        return wrong

    def _told(self, mode: Mode, at: int, done: Done) -> Iterator[str]:
        reached = len(done.points) >= at
        if mode in (Mode.KILL, Mode.TEAR):
            if reached and done.code != -9:
                yield f"it was killed and yet ended with {done.code}"
            return
        if "Traceback" in done.err + done.out:
            yield f"a traceback: …{done.err[-900:]}"
        if done.code not in (0, 1, 3):
            yield f"exit code {done.code}: {done.err[-500:]}"
        if done.code == 1 and "Next:" not in done.err and "run the same command again" not in done.err:
            yield f"no word of what to do next: {done.err[-500:]}"

    def _between(self, expected: Expected) -> Iterator[str]:
        """What a reader finds between the disturbance and the next run."""
        try:
            tables = self._tables()
        except WarehouseError as error:
            yield f"a reader is refused in between: {error}"
            return
        if _differ(tables, expected.before) and _differ(tables, expected.after):
            yield f"a reader sees neither the old nor the new publication in between: {_differ(tables, expected.after)}"

    def _differences(self, expected: Mapping[str, pa.Table], when: str) -> list[str]:
        try:
            found = _differ(self._tables(), expected)
        except WarehouseError as error:
            return [f"{when} a reader is refused: {error}"]
        return [f"{when} the publication differs in {found}"] if found else []

    def _left_over(self) -> Iterator[str]:
        for path in self.data.rglob("*"):
            name = path.relative_to(self.data).as_posix()
            known = name in ("landing/.unsealed", "landing/.unsealed-past", "store/.lock", "store/.backfill.lock")
            if (path.name.startswith(".") and not known) or name.startswith(("landing/.unsealed/", "landing/.unsealed-past/")):
                yield f"left over: {name}"
            if path.name.endswith(".damaged"):
                yield f"damaged: {name}"
        trees = [path.name for path in self.out.iterdir() if path.name.startswith(".")]
        if len(trees) > 2:
            yield f"left over outside: {trees}"

    def _asked_again(self, mark: int, middle: int, expected: Expected) -> Iterator[str]:
        lines = self.bench.services.ledger.lines()
        first, second = lines[mark:middle], lines[middle:]
        last = max((line.at for line in first), default=0.0)
        landed = Counter(
            (line.path, line.headers.get("if-none-match"))
            for line in first
            if line.at < last - RECALLED_SECONDS and line.meter != "graphql"
        )
        again = [line.path for line in second if landed[(line.path, line.headers.get("if-none-match"))]]
        if again:
            yield f"asked again although more than {RECALLED_SECONDS:.0f} s old: {again[:5]}"
        if len(second) > expected.asked + 4:
            yield f"{len(second)} requests after the disturbance, {expected.asked} without one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a scene comes to undisturbed; ``points`` are its calls, ``asked`` its requests."""

    code: int
    before: Mapping[str, pa.Table]
    after: Mapping[str, pa.Table]
    out: Mapping[str, bytes]
    points: tuple[str, ...]
    asked: int


def _seen(folder: Path) -> Iterator[Path]:
    """The files that a visitor of the folder sees, through links but not in hidden folders."""
    for path in sorted(folder.iterdir()):
        if not path.name.startswith("."):
            yield from sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _differ(tables: Mapping[str, pa.Table], expected: Mapping[str, pa.Table]) -> list[str]:
    names = sorted({*tables, *expected})
    return [name for name in names if name not in tables or name not in expected or not tables[name].equals(expected[name])]


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """A stage in an empty folder."""
    limits = Limits(token_per_hour=10_000_000, graphql_per_hour=10_000_000)
    with running(prompt_world(), limits=limits, clock=lambda: START) as services, plugged(folder) as plug:
        yield Stage(Bench(data=folder / "data", services=services, now=START), plug, folder)


def campaign(scenes: tuple[Scene, ...], modes: tuple[Mode, ...], every: int, replay_every: int, say: Callable[[str], None]) -> int:
    """Play every case; returns how many were not healed."""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="packhouse-crash-") as name:
        for scene in scenes:
            folder = Path(name) / scene.name
            folder.mkdir()
            with stage(folder) as there:  # a world of its own: what the days before did to it is in the templates
                expected = there.undisturbed(scene)
                for mode in modes:
                    began, tried, wrong_count = time.monotonic(), 0, 0
                    for at in range(1, len(expected.points) + 1, every):
                        tried += 1
                        wrong = there.play(scene, mode, at, has_replay=bool(replay_every) and tried % replay_every == 0)
                        if wrong:
                            wrong_count += 1
                            say(f"NOT HEALED {scene.name} {mode.name} at {expected.points[at - 1]}")
                            for text in wrong:
                                say(f"    {text}")
                    failed += wrong_count
                    say(
                        f"{scene.name:18} {mode.name:10} {tried:5} of {len(expected.points)} points, {tried - wrong_count} healed, "
                        f"{wrong_count} not, {time.monotonic() - began:.0f} s"
                    )
    return failed


def main() -> int:
    """Play what was asked for; 1 when a case was not healed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.matrix")
    parser.add_argument("--scene", action="append", choices=[scene.name for scene in SCENES])
    parser.add_argument("--mode", action="append", choices=[mode.name.lower() for mode in DISTURBED])
    parser.add_argument("--every", type=int, default=1, help="every how many points")
    parser.add_argument("--replay-every", type=int, default=20, help="after every how many cases the landing is replayed too; 0 for never")
    options = parser.parse_args()
    for name in list(os.environ):
        if name.startswith(("PACKHOUSE_", "PREFECT_", "GITHUB_")):
            del os.environ[name]
    scenes = tuple(scene for scene in SCENES if not options.scene or scene.name in options.scene)
    modes = tuple(mode for mode in DISTURBED if not options.mode or mode.name.lower() in options.mode)
    began = time.monotonic()
    failed = campaign(scenes, modes, options.every, options.replay_every, lambda text: print(text, flush=True))  # noqa: T201
    print(f"{'all healed' if not failed else f'{failed} cases not healed'}, {time.monotonic() - began:.0f} s")  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
