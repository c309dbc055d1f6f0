"""Processes killed at random moments: what was sealed, committed or published is whole, and the next process goes on."""

from __future__ import annotations

import hashlib
import json
import time
from random import Random

import pytest

from tests.warehouse.scenes import child, observation, package, publish_packages, rows_of, run_row
from transforms.schemas import REPO_OBSERVATIONS
from warehouse.folder import DataFolder
from warehouse.landing import read_captures
from warehouse.publication import MANIFEST
from warehouse.readers import open_current
from warehouse.store import open_store

LAND = """
    import sys
    from datetime import date
    from pathlib import Path
    from random import Random
    from tests.warehouse.scenes import capture
    from warehouse.folder import DataFolder
    from warehouse.landing import LandingWriter
    folder = DataFolder(Path(sys.argv[1]))
    with folder.lock():
        writer = LandingWriter(folder, run_id="run-1", on=date(2026, 1, 1))
        for sequence in range(1, 100_000):
            writer.add(capture(sequence, body=Random(sequence).randbytes(50_000)))
            if sequence % 3 == 0:
                writer.flush()
                print(sequence, flush=True)
"""

LOAD = """
    import sys
    from pathlib import Path
    from tests.warehouse.test_killed import load_run
    from warehouse.folder import DataFolder
    from warehouse.store import open_store
    folder = DataFolder(Path(sys.argv[1]))
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        for number in range(1, 100_000):
            load_run(store, number)
            print(number, flush=True)
"""

PUBLISH = """
    import sys
    from pathlib import Path
    from tests.warehouse.scenes import package, publish_packages
    from warehouse.folder import DataFolder
    for number in range(1, 100_000):
        publish_packages(DataFolder(Path(sys.argv[1])), f"run-{number:05}", [package(n, stars_count=number) for n in range(1, 200)])
        print(number, flush=True)
"""

SEEDS = range(3)


def load_run(store, number):
    """One run over two hundred repositories, a fifth of which change each time."""
    rows = [observation(number, f"github:{n}", subject=f"github:a/{n}", stars_count=(number + n) // 5) for n in range(200)]
    fetches = [{"run_id": f"run-{number}", "sequence": n, "source": "github", "verdict": "ok"} for n in range(200)]
    store.load(
        run=run_row(f"run-{number}"), tables={"repo_observations": rows_of(REPO_OBSERVATIONS, rows)}, fetches=fetches, files=[f"f-{number}"]
    )


def killed(code, folder, seed):
    """Run the code, kill it at some moment after its first step, and return the last step it told."""
    with child(code, folder.root) as process:
        told = [process.stdout.readline()]
        time.sleep(Random(seed).uniform(0, 0.4))  # noqa: S311 - any moment will do
        process.kill()
        told += process.stdout.readlines()
        process.wait()
    return int([line for line in told if line.endswith("\n")][-1])


def content(store):
    """Everything the store says."""
    tables = ("repo_observations", "fetches", "runs", "standings", "landed_files")
    return {table: store.connection.execute(f"SELECT * FROM store.main.{table} ORDER BY ALL").fetchall() for table in tables}  # noqa: S608 - ours


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_while_landing(tmp_path, seed):
    """Everything told as sealed is there, whole and once, and nothing else is left."""
    folder = DataFolder(tmp_path)
    last = killed(LAND, folder, seed)
    with folder.lock():
        assert list(folder.unsealed.iterdir()) == []
        found = [item.sequence for _, item in read_captures(folder, on_damaged=pytest.fail)]
    assert found == list(range(1, len(found) + 1))
    assert len(found) in (last, last + 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_while_loading(tmp_path, seed):
    """The store holds whole runs, and the same runs loaded again give what an undisturbed store holds."""
    folder, undisturbed = DataFolder(tmp_path / "killed"), DataFolder(tmp_path / "undisturbed")
    last = killed(LOAD, folder, seed)
    with (
        undisturbed.lock(),
        open_store(undisturbed, is_read_only=False) as other,
        folder.lock(),
        open_store(folder, is_read_only=False) as store,
    ):
        for number in range(1, last + 1):
            load_run(other, number)
        runs = len(store.runs())
        assert runs in (last, last + 1)
        if runs == last:
            assert content(store) == content(other)
        load_run(other, last + 1)
        for number in (last, last + 1):
            load_run(store, number)
        assert content(store) == content(other)


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_while_publishing(tmp_path, seed):
    """`current` leads to a whole publication, the last one told or the next, and publishing goes on."""
    folder = DataFolder(tmp_path)
    last = killed(PUBLISH, folder, seed)
    path = folder.current.resolve(strict=True)
    manifest = json.loads((path / MANIFEST).read_text())
    assert int(manifest["run_id"].removeprefix("run-")) in (last, last + 1)
    assert all(hashlib.sha256((path / name).read_bytes()).hexdigest() == told["sha256"] for name, told in manifest["files"].items())
    with open_current(folder) as publication:
        stars = {row["stars_count"] for row in publication.packages()}
        assert stars == {int(publication.run_id.removeprefix("run-"))}
    info = publish_packages(folder, f"run-{last + 2:05}", [package(n) for n in range(1, 200)], is_forced=True)
    assert folder.current.resolve() == info.path.resolve()
    assert not [path for path in folder.published.iterdir() if path.name.startswith(".")]
