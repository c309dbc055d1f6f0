from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from datetime import UTC, datetime

import pytest

from tests.warehouse.scenes import child, make_read_only, small_disk
from warehouse import locking
from warehouse.errors import DataFolderBusy, DataFolderUnusable
from warehouse.folder import DataFolder, checked_name
from warehouse.locking import holder_of

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
            words = (tmp_path / "store" / ".lock").read_text().split()
            assert words[:2] == [str(os.getpid()), socket.gethostname()]
        assert (tmp_path / "store" / ".lock").read_text() == "", "who ends takes its name away"


ELSEWHERE = "4711 host-b 00000000-0000-0000-0000-000000000000 2026-01-01T00:00:00+00:00\n"


def test_a_holder_on_another_machine_counts_although_the_lock_does_not_reach_it(tmp_path):
    """A mount without locks between machines: a record of another one that was touched lately is believed, an old one is not."""
    folder = DataFolder(tmp_path)
    folder.prepare()
    folder.lock_file.write_text(ELSEWHERE)
    assert holder_of(folder.lock_file).host == "host-b"
    with pytest.raises(
        DataFolderBusy, match=r"process 4711 on the machine host-b has been working in it since 2026-01-01 .*keeps locks to one"
    ):
        folder.lock().__enter__()
    assert folder.lock_file.read_text() == ELSEWHERE, "the other one's record is its own"
    dead = time.time() - locking.ALIVE_SECONDS - 1
    os.utime(folder.lock_file, (dead, dead))
    assert holder_of(folder.lock_file) is None
    with folder.lock():
        assert holder_of(folder.lock_file).pid == os.getpid()
    assert holder_of(folder.lock_file) is None


def test_a_holder_in_another_container_is_told_by_its_name_and_dead_at_once(tmp_path):
    """Another host name on the same kernel: its lock reaches us, so a killed one is not waited for."""
    command = ["unshare", "-u", "sh", "-c", 'hostname host-b && exec "$0" "$@"', sys.executable, "-c", textwrap.dedent(HOLD), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        if process.stdout.readline() != "held\n":
            pytest.skip("another host name needs root")
        with pytest.raises(DataFolderBusy, match=f"process {process.pid} on the machine host-b has been working in it since"):
            DataFolder(tmp_path).lock().__enter__()
        process.kill()
        process.wait()
        with DataFolder(tmp_path).lock():
            pass


def test_a_holder_says_every_now_and_then_that_it_lives(tmp_path, monkeypatch):
    """The record is touched while the lock is held, and no more afterwards."""
    monkeypatch.setattr(locking, "TOUCH_SECONDS", 0.01)
    folder = DataFolder(tmp_path)
    with folder.lock():
        os.utime(folder.lock_file, (0, 0))
        until = time.monotonic() + 10
        while folder.lock_file.stat().st_mtime == 0 and time.monotonic() < until:
            time.sleep(0.01)
        assert datetime.fromtimestamp(folder.lock_file.stat().st_mtime, tz=UTC).year > 2000


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
