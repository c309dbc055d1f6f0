"""Following `current`: each request from one publication, the next one soon, the last good one whatever happens."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from api.current import LOOK_EVERY, RETRY_EVERY, Current
from api.snapshot import load_snapshot, take_snapshot
from tests.api.publishing import publish_rows
from tests.api.sample_rows import BASE, NEW_YORK, SAMPLE, Rows, package
from transforms.payload import package_payload
from warehouse.errors import NothingPublished
from warehouse.folder import DataFolder

ONE = Rows(package_rows=[package(1, "one")])
TWO = Rows(package_rows=[package(2, "two")])


class Seconds:
    """A clock that is told what to say."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        """Say it."""
        return self.now


def ids(current: Current) -> list[int]:
    """Ask which packages are served."""
    return [row["id"] for row in asyncio.run(current.bodies()).snapshot.shelf("packages").rows]


def follow(data: Path) -> tuple[Current, Seconds]:
    """Serve what is published in a data folder, on a clock of our own."""
    seconds, folder = Seconds(), DataFolder(data)
    return Current(folder.current, lambda: load_snapshot(folder), zone=NEW_YORK, monotonic=seconds), seconds


def test_rows_survive_publication(tmp_path):
    """What is read back from a publication prints exactly what was published."""
    publish_rows(tmp_path, SAMPLE, "20260215T222000Z-a")
    shelf = load_snapshot(DataFolder(tmp_path)).shelf("packages")
    for row in SAMPLE.packages():
        assert package_payload(shelf.find(row["id"]), base_url=BASE, zone=NEW_YORK) == package_payload(row, base_url=BASE, zone=NEW_YORK)


def test_snapshot_orders_lists_and_grids():
    """Lists run from the highest id down, the packages of a grid by title and then id, whatever the order of the rows."""
    rows = Rows(
        package_rows=[package(n, f"p{n}", title=title, grid_ids=[62]) for n, title in ((4, "b"), (9, "a"), (2, "b"), (7, "B"), (5, "c"))]
    )
    snapshot = take_snapshot(rows)
    assert [row["id"] for row in snapshot.shelf("packages").rows] == [9, 7, 5, 4, 2]
    assert snapshot.members == {62: [7, 9, 2, 4, 5]}


def test_nothing_published(tmp_path):
    """Without a publication there is nothing to start with, and the message says what to do."""
    with pytest.raises(NothingPublished, match="packhouse harvest"):
        follow(tmp_path)


def test_moved_current_is_noticed_within_a_second(tmp_path):
    """A new publication is served from the first request a second after the last look, not before."""
    publish_rows(tmp_path, ONE, "20260215T000000Z-a")
    current, seconds = follow(tmp_path)
    publish_rows(tmp_path, TWO, "20260216T000000Z-b")
    seconds.now += LOOK_EVERY - 0.01
    assert ids(current) == [1]
    seconds.now += 0.01
    assert ids(current) == [2]


def test_vanished_folder_changes_nothing(tmp_path, caplog):
    """With the whole data folder gone the loaded publication is served, with one line in the log; a new one heals it."""
    publish_rows(tmp_path / "data", ONE, "20260215T000000Z-a")
    current, seconds = follow(tmp_path / "data")
    shutil.rmtree(tmp_path / "data")
    for _ in range(3):
        seconds.now += RETRY_EVERY
        assert ids(current) == [1]
    assert [record.message for record in caplog.records if "serving the one loaded before" in record.message] == caplog.messages
    assert len(caplog.messages) == 1
    publish_rows(tmp_path / "data", TWO, "20260216T000000Z-b")
    seconds.now += RETRY_EVERY
    assert ids(current) == [2]


def test_a_publication_made_again_under_its_name_is_noticed(tmp_path):
    """After a loss the same run may be published under the same name; what it says now is served."""
    first = publish_rows(tmp_path, ONE, "20260215T222000Z-a")
    current, seconds = follow(tmp_path)
    assert ids(current) == [1]
    shutil.rmtree(first)
    assert publish_rows(tmp_path, TWO, "20260215T222000Z-a") == first
    seconds.now += LOOK_EVERY
    assert ids(current) == [2]


def test_broken_publication_changes_nothing(tmp_path, caplog):
    """A new publication that is no database leaves the loaded one served, and is tried again only after a while."""
    publish_rows(tmp_path, ONE, "20260215T000000Z-a")
    current, seconds = follow(tmp_path)
    published = publish_rows(tmp_path, TWO, "20260216T000000Z-b")
    database = published / "packhouse.duckdb"
    whole = database.read_bytes()
    database.unlink()
    database.write_bytes(b"junk")
    seconds.now += LOOK_EVERY
    assert ids(current) == [1]
    assert "cannot be read" in caplog.text
    database.write_bytes(whole)
    seconds.now += LOOK_EVERY
    assert ids(current) == [1]
    seconds.now += RETRY_EVERY
    assert ids(current) == [2]


def test_requests_are_answered_while_loading(tmp_path):
    """While one request loads the new publication, others get the old one at once; each keeps the one it began with."""
    seconds, started, release = Seconds(), asyncio.Event(), asyncio.Event()
    pointer = tmp_path / "current"
    pointer.symlink_to("first")
    loop = asyncio.new_event_loop()

    def load():
        if str(pointer.readlink()) == "first":
            return take_snapshot(ONE)
        loop.call_soon_threadsafe(started.set)
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        return take_snapshot(TWO)

    current = Current(pointer, load, zone=NEW_YORK, monotonic=seconds)
    pointer.unlink()
    pointer.symlink_to("second")
    seconds.now += LOOK_EVERY

    async def scene():
        first = asyncio.create_task(current.bodies())
        await started.wait()
        seconds.now += LOOK_EVERY
        try:
            meanwhile = await asyncio.wait_for(current.bodies(), timeout=30)
        finally:
            release.set()
        return meanwhile, await first

    try:
        meanwhile, first = loop.run_until_complete(scene())
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
    assert [row["id"] for row in meanwhile.snapshot.shelf("packages").rows] == [1]
    assert [row["id"] for row in first.snapshot.shelf("packages").rows] == [2]
