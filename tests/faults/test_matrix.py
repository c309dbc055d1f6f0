"""A sample of the crash matrix: commands killed or refused the disk at points of theirs, and healed by the same command (make crash)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.matrix import SCENES, Stage, stage
from tests.faults.plug import Mode, missing

pytestmark = [
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
    pytest.mark.xdist_group("faults"),  # one stage for all of them
]
BY_NAME = {scene.name: scene for scene in SCENES}


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One stage; the scenes begin from the same two harvests."""
    with stage(tmp_path_factory.mktemp("matrix")) as made:
        yield made


def _point(there: Stage, scene: str, words: tuple[str, str]) -> int:
    """The number of the first point that is this call on such a path."""
    points = there.undisturbed(BY_NAME[scene]).points
    numbers = [int(line.split()[0]) for line in points if line.split()[1].startswith(words[0]) and words[1] in line]
    assert numbers, f"{scene} has no such point: {words}"
    return numbers[0]


def test_the_plug_sees_python_duckdb_and_arrow(there: Stage) -> None:
    """Every file of a publication is written, synced and renamed before the eyes of the plug: nothing goes past it."""
    points = there.undisturbed(BY_NAME["publish"]).points
    seen = {(line.split()[1].rstrip("46"), line.rsplit("/", 1)[-1]) for line in points}
    for call, name in (
        ("pwrite", "packhouse.duckdb"),
        ("fdatasync", "packhouse.duckdb"),
        ("fsync", "packhouse.duckdb"),
        ("pwrite", "packages.parquet"),
        ("fsync", "packages.parquet"),
        ("write", "manifest.json"),
        ("fsync", "manifest.json"),
        ("symlink", ".current.aside"),
        ("rename", "current"),
        ("write", "store.duckdb.wal"),
    ):
        assert (call, name) in seen, f"{call} {name}"


CASES = [
    ("publish", Mode.KILL, ("rename", "/current")),
    ("publish", Mode.TEAR, ("write", "store.duckdb.wal")),
    ("publish", Mode.FULL, ("pwrite", "packages.parquet")),
    ("publish", Mode.READ_ONLY, ("fsync", "manifest.json")),
    ("publish", Mode.BROKEN, ("fsync", "/published")),
    ("replay", Mode.KILL, ("rename", "store.duckdb")),
    ("compact", Mode.KILL, ("unlink", "/landing/github")),
    ("compact", Mode.FULL, ("fsync", "data/store")),
    ("harvest-first", Mode.KILL, ("pwrite", "store/rebuilt.duckdb")),
    ("harvest-again", Mode.KILL, ("rename", "/landing/github")),
]


@pytest.mark.parametrize(("scene", "mode", "words"), CASES, ids=[f"{scene}-{mode.name}-{words[0]}" for scene, mode, words in CASES])
def test_a_disturbed_command_heals(there: Stage, scene: str, mode: Mode, words: tuple[str, str]) -> None:
    """In between the old or the new publication is read; the same command again comes to what an undisturbed one does."""
    wrong = there.play(BY_NAME[scene], mode, _point(there, scene, words))
    assert not wrong, "\n".join(wrong)
