from __future__ import annotations

import os
import threading

import pytest

from tests.warehouse.scenes import child, make_read_only, small_disk
from warehouse.errors import DataFolderBusy, DataFolderUnusable
from warehouse.folder import DataFolder, checked_name

HOLD = """
    import sys
    from pathlib import Path
    from warehouse.folder import DataFolder
    with DataFolder(Path(sys.argv[1])).lock():
        print("held", flush=True)
        sys.stdin.read()
"""


def test_second_process_is_told_who_holds_the_folder(tmp_path):
    """While one process works, another ends at once and knows the pid and since when."""
    with child(HOLD, tmp_path) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(DataFolderBusy, match=f"process {process.pid} has been working in it since .* UTC.*Next: wait") as caught:
            DataFolder(tmp_path).lock().__enter__()
    assert caught.value.pid == process.pid
    assert caught.value.since is not None


def test_lock_of_a_killed_process_is_free(tmp_path):
    """The kernel gives the lock back however the holder died."""
    with child(HOLD, tmp_path) as process:
        assert process.stdout.readline() == "held\n"
        process.kill()
        process.wait()
        with DataFolder(tmp_path).lock():
            assert (tmp_path / "store" / ".lock").read_text() == f"{os.getpid()}\n"


def test_a_brief_holder_is_waited_for(tmp_path):
    """Who says that it will be gone soon is waited for; its landing files are not swept by those who come meanwhile."""
    folder = DataFolder(tmp_path)
    with child(HOLD.replace("lock()", "lock(is_brief=True)"), tmp_path) as process:
        assert process.stdout.readline() == "held\n"
        leaving = threading.Timer(0.5, process.stdin.close)
        leaving.start()
        with folder.lock():
            assert process.wait(timeout=10) == 0, "it has ended by itself"
        leaving.join()


def test_a_backfill_sweeps_its_own_and_no_other(tmp_path):
    """A harvest that begins leaves a backfill's unsealed files alone, a second backfill is refused, the next one sweeps."""
    folder = DataFolder(tmp_path)
    with folder.backfill_lock():
        folder.unsealed_past.mkdir()
        (folder.unsealed_past / "x.parquet").touch()
        with folder.lock():
            assert (folder.unsealed_past / "x.parquet").exists()
        with pytest.raises(DataFolderBusy), folder.backfill_lock():
            pass
    with folder.backfill_lock():
        assert not folder.unsealed_past.exists()


def test_one_process_cannot_hold_the_folder_twice(tmp_path):
    """A second lock in the same process is refused too, and the first stays good until it ends."""
    folder = DataFolder(tmp_path)
    with folder.lock(), pytest.raises(DataFolderBusy), folder.lock():
        pass
    with folder.lock():
        pass


def test_lock_sweeps_what_a_killed_process_left(tmp_path):
    """Unsealed files, staged publications, spilled pages and a link in the making go; everything sealed stays."""
    folder = DataFolder(tmp_path)
    folder.prepare()
    leftovers = [folder.unsealed / "x.parquet", folder.published / ".run.staging" / "a" / "f", folder.spill / "page"]
    for path in leftovers:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / ".current.aside").symlink_to("published/run")
    kept = [folder.published / "run" / "manifest.json", folder.landing / "github" / "2026-01-01" / "run-000001.parquet"]
    for path in kept:
        path.parent.mkdir(parents=True)
        path.touch()
    with folder.lock():
        assert not any(path.exists() for path in leftovers)
        assert not (tmp_path / ".current.aside").is_symlink()
        assert all(path.exists() for path in kept)


@pytest.mark.parametrize("blocked", [".", "landing", "store", "published"])
def test_file_where_a_folder_should_be_is_told(tmp_path, blocked):
    """A data folder that cannot be made is one message that names it and the way out."""
    root = tmp_path / "data"
    path = root / blocked
    path.parent.mkdir(exist_ok=True)
    path.touch()
    with pytest.raises(DataFolderUnusable, match=r"cannot write in the data folder .*data.*Next: choose another folder with --data"):
        DataFolder(root).lock().__enter__()


def test_read_only_file_system_is_told(tmp_path):
    """A folder that exists but cannot be written in is found before anything is asked."""
    with small_disk(tmp_path / "disk", 512) as disk:
        DataFolder(disk).prepare()
        make_read_only(disk)
        with pytest.raises(DataFolderUnusable, match="read-only file system"):
            DataFolder(disk).lock().__enter__()


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "../x", ".hidden", "a b", "a\0b", "x" * 200])
def test_name_that_could_leave_its_folder_is_refused(text):
    """Run ids and sources become file names, so they are checked."""
    with pytest.raises(ValueError, match="cannot be part of a file name"):
        checked_name(text)
