"""A backup is of one moment, whole or absent, and what is restored from it is what was there; damage is named before anything moves."""

from __future__ import annotations

import json
import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from tests.warehouse.scenes import capture, child, make_read_only, package, publish_packages, run_row, small_disk
from warehouse.backup import LATEST, MANIFEST, backups, make_backup, open_backup
from warehouse.durable import make_folder
from warehouse.errors import BackupDamaged, BackupFailed, DataFolderBusy, DataFolderUnusable, RestoreRefused
from warehouse.folder import DataFolder
from warehouse.landing import LandingWriter, read_captures
from warehouse.readers import open_current
from warehouse.reports import write_run_report
from warehouse.restore import restore_backup, verify_backup
from warehouse.store import open_store

NOW = datetime(2026, 1, 1, tzinfo=UTC)

HOLD = """
    import sys
    from pathlib import Path
    from warehouse.folder import DataFolder
    with DataFolder(Path(sys.argv[1])).lock():
        print("held", flush=True)
        sys.stdin.read()
"""

BACKUP = """
    import sys
    from datetime import UTC, datetime, timedelta
    from pathlib import Path
    from warehouse.backup import make_backup
    from warehouse.folder import DataFolder
    for number in range(1, 10_000):
        print(number, flush=True)
        make_backup(DataFolder(Path(sys.argv[1])), Path(sys.argv[2]), now=datetime(2026, 2, 1, tzinfo=UTC) + timedelta(seconds=number))
"""

RESTORE = """
    import os, sys
    from datetime import UTC, datetime
    from pathlib import Path
    from warehouse.backup import open_backup
    from warehouse.folder import DataFolder
    from warehouse.restore import restore_backup
    rename, moment, passed = Path.rename, int(sys.argv[3]), 0
    def interrupted(path, target):
        global passed
        if passed == moment:
            os.kill(os.getpid(), 9)
        passed += 1
        return rename(path, target)
    Path.rename = interrupted
    backup = open_backup(Path(sys.argv[2]))
    restore_backup(DataFolder(Path(sys.argv[1])), backup, now=datetime(2026, 2, 1, tzinfo=UTC), is_forced=True)
"""


def land(folder: DataFolder, run_id: str, count: int = 5) -> None:
    """Land some answers of a run, with its report."""
    write_run_report(folder, run_row(run_id))
    writer = LandingWriter(folder, run_id=run_id, on=NOW.date())
    for number in range(1, count + 1):
        writer.add(capture(number, run_id=run_id, body=os.urandom(1000)))
        writer.flush()


def content(folder: DataFolder) -> dict[str, bytes]:
    """Every file that counts, by name."""
    parts = [path for part in ("landing", "published") for path in (folder.root / part).rglob("*") if path.is_file()]
    return {path.relative_to(folder.root).as_posix(): path.read_bytes() for path in (*parts, folder.store_file)}


@pytest.fixture
def folder(tmp_path):
    """A data folder with a run landed, loaded and published."""
    folder = DataFolder(tmp_path / "data")
    publish_packages(folder, "run-1", [package(number) for number in range(1, 4)])
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        store.record_run(run_row("run-1"))
        land(folder, "run-1")
    return folder


def test_what_is_restored_is_what_was_there(folder, tmp_path):
    """Byte for byte, into a folder that does not exist yet, with the publication to read."""
    report = make_backup(folder, tmp_path / "to", now=NOW, is_verified=True)
    assert report.is_verified
    assert report.copied_count == report.files_count == len(content(folder))
    other = DataFolder(tmp_path / "other")
    restore_backup(other, open_backup(tmp_path / "to"), now=NOW)
    assert content(other) == content(folder)
    assert sorted(path.name for path in other.root.iterdir()) == ["current", "landing", "published", "store"]
    with open_current(other) as publication:
        assert publication.package(id=1) is not None
    assert len(list(read_captures(other, on_damaged=pytest.fail))) == 5
    with other.lock(), open_store(other, is_read_only=False) as store:
        assert [run["run_id"] for run in store.runs()] == ["run-1"]


def test_a_second_backup_costs_what_is_new_and_stands_by_itself(folder, tmp_path):
    """What is there already is shared; each can be restored alone; only so many are kept."""
    to = tmp_path / "to"
    first = make_backup(folder, to, now=NOW)
    before = content(folder)
    with folder.lock():
        land(folder, "run-2", count=2)
    second = make_backup(folder, to, now=NOW + timedelta(days=1))
    assert second.copied_count == 3, "two landing files and a report"
    assert second.files_count == first.files_count + 3
    make_backup(folder, to, now=NOW + timedelta(days=2), keep=2)
    assert [path.name for path in backups(to)] == ["20260102T000000Z", "20260103T000000Z"]
    with folder.lock():
        land(folder, "run-3")
    third = make_backup(folder, to, now=NOW + timedelta(days=3))
    restore_backup(DataFolder(tmp_path / "second"), open_backup(to / "20260102T000000Z"), now=NOW)
    assert {name: body for name, body in content(DataFolder(tmp_path / "second")).items() if "run-2" not in name} == before
    assert open_backup(to).path.name == (to / LATEST).resolve().name == Path(third.path).name


def test_readers_read_and_writers_wait_while_a_backup_is_made(folder, tmp_path):
    """A backup waits as long as it is told for a run at work, else it says who works."""
    with child(HOLD, folder.root) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(DataFolderBusy, match=f"process {process.pid}"):
            make_backup(folder, tmp_path / "to", now=NOW)
        assert not (tmp_path / "to").exists()
        process.stdin.close()
        with open_current(folder) as publication:
            make_backup(folder, tmp_path / "to", now=NOW, patience=60)
            assert publication.package(id=1) is not None
    assert len(backups(tmp_path / "to")) == 1


@pytest.mark.parametrize("seed", range(3))
def test_a_backup_that_is_killed_leaves_whole_ones(folder, tmp_path, seed):
    """Kill -9 at any moment: every backup that is there reads as it was written, and the next one goes on."""
    to = tmp_path / "to"
    with child(BACKUP, folder.root, to) as process:
        for _ in range(2 + seed):
            process.stdout.readline()
        time.sleep(Random(seed).uniform(0, 0.1))  # noqa: S311 - any moment will do
        process.kill()
        process.wait()
    assert backups(to)
    for path in backups(to):
        verify_backup(open_backup(path))
    make_backup(folder, to, now=NOW + timedelta(days=365))
    assert list(to.glob(".*.staging")) == []
    verify_backup(open_backup(to))


@pytest.mark.parametrize("moment", range(7))
def test_a_restore_that_is_killed_is_the_old_one_or_finished_by_the_next(folder, tmp_path, moment):
    """Kill -9 before each step: before the backup is declared whole nothing has moved, afterwards the next lock finishes."""
    to = tmp_path / "to"
    make_backup(folder, to, now=NOW)
    backed_up = content(folder)
    publish_packages(folder, "run-2", [package(number, stars_count=5) for number in range(1, 4)], is_forced=True)
    now_there = content(folder)
    with child(RESTORE, folder.root, to, moment) as process:
        assert process.wait() == -9
    with folder.lock():
        assert content(folder) == (now_there if moment == 0 else backed_up)
        assert not (folder.root / ".restoring").exists()
    with open_current(folder) as publication:
        assert publication.run_id == ("run-2" if moment == 0 else "run-1")
    if moment:
        (former,) = folder.root.glob("before-restore-*")
        assert (former / "store" / "store.duckdb").read_bytes() == now_there["store/store.duckdb"]


def _cut(path):
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])


def _flipped(path):
    path.chmod(0o644)
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(bytes(body))


def _led_astray(path):
    path.unlink()
    path.symlink_to("/etc/hostname")


@pytest.mark.parametrize("damage", [_cut, _flipped, os.unlink, _led_astray])
def test_a_damaged_backup_names_its_files_and_moves_nothing(folder, tmp_path, damage):
    """Cut, one bit flipped, lost, or another file in its place: told by name, the data folder is as it was."""
    make_backup(folder, tmp_path / "to", now=NOW)
    backup = open_backup(tmp_path / "to")
    names = ["store/store.duckdb", next(name for name in backup.files if name.startswith("landing/github"))]
    for name in names:
        damage(backup.path / "data" / name)
    before = content(folder)
    for check in (lambda: verify_backup(backup), lambda: restore_backup(folder, backup, now=NOW, is_forced=True)):
        with pytest.raises(BackupDamaged, match=r"is damaged: .*Nothing was changed") as caught:
            check()
        assert all(name in str(caught.value) for name in names)
        assert "published" not in str(caught.value)
    assert content(folder) == before
    assert list(folder.root.glob("before-restore-*")) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"format": 99, "files": {}, "current": null}', "of a newer one"),
        ('{"format": 1, "files": {"../x": {"bytes": 1, "sha256": ""}}, "current": null}', "is not as packhouse writes it"),
        ('{"format": 1, "files": {"landing/../../x": {"bytes": 1, "sha256": ""}}, "current": null}', "is not as packhouse writes it"),
        ('{"format": 1, "files": {}, "current": "/etc"}', "is not as packhouse writes it"),
    ],
)
def test_a_manifest_nobody_wrote_is_refused(folder, tmp_path, text, words):
    """Torn, newer, or leading out of the data folder."""
    make_backup(folder, tmp_path / "to", now=NOW)
    (tmp_path / "to" / LATEST / MANIFEST).write_text(text)
    with pytest.raises(BackupDamaged, match=f"{words}.*nothing was changed"):
        open_backup(tmp_path / "to")


def test_a_damaged_file_is_not_shared_with_the_next_backup(folder, tmp_path):
    """A file of another size is copied again; one whose bytes rotted is found when the backup is verified."""
    make_backup(folder, tmp_path / "to", now=NOW)
    _cut(open_backup(tmp_path / "to").path / "data" / "store" / "store.duckdb")
    second = make_backup(folder, tmp_path / "to", now=NOW + timedelta(days=1), is_verified=True)
    assert second.copied_count == 1
    _flipped(open_backup(tmp_path / "to").path / "data" / "store" / "store.duckdb")
    with pytest.raises(BackupFailed, match=r"does not read as it was: store/store.duckdb has other bytes"):
        make_backup(folder, tmp_path / "to", now=NOW + timedelta(days=2), is_verified=True)
    assert len(backups(tmp_path / "to")) == 2


def test_a_folder_with_something_in_it_is_not_restored_over(folder, tmp_path):
    """Without --force refused; with it what was there is kept beside, and both can be read."""
    make_backup(folder, tmp_path / "to", now=NOW)
    with pytest.raises(RestoreRefused, match=r"is not empty; nothing was changed. Next: .*--force"):
        restore_backup(folder, open_backup(tmp_path / "to"), now=NOW)
    before = content(folder)
    report = restore_backup(folder, open_backup(tmp_path / "to"), now=NOW, is_forced=True)
    assert content(folder) == before
    assert content(DataFolder(folder.root / "before-restore-20260101T000000Z")) == before
    assert "before-restore-20260101T000000Z" in report.sentences()[1]


def test_nothing_to_back_up_and_places_that_will_not_do(folder, tmp_path):
    """An empty data folder, and a backup in the folder it is of."""
    with pytest.raises(BackupFailed, match="nothing to back up"):
        make_backup(DataFolder(tmp_path / "empty"), tmp_path / "to", now=NOW)
    with pytest.raises(BackupFailed, match="in the data folder itself"):
        make_backup(folder, folder.root / "backup", now=NOW)
    with pytest.raises(BackupDamaged, match="is no backup of packhouse"):
        open_backup(tmp_path)


def test_a_full_or_read_only_disk_is_told_and_earlier_backups_stay(folder, tmp_path):
    """The backup that does not fit is not there; the one before is whole."""
    with small_disk(tmp_path / "disk", 4096) as disk:
        make_backup(folder, disk / "to", now=NOW)
        with folder.lock():
            make_folder(folder.landing / "pypi" / "2026-01-02")
            (folder.landing / "pypi" / "2026-01-02" / "run-9-000001.parquet").write_bytes(os.urandom(4_000_000))
        with pytest.raises(BackupFailed, match=r"no space left .*earlier backups and the data folder are untouched"):
            make_backup(folder, disk / "to", now=NOW + timedelta(days=1))
        verify_backup(open_backup(disk / "to"))
        with pytest.raises(DataFolderUnusable, match="no space left"):
            restore_backup(DataFolder(disk / "data"), _larger(open_backup(disk / "to"), tmp_path), now=NOW)
        assert not (disk / "data" / ".restoring" / "ready").exists()
        make_read_only(disk)
        with pytest.raises(BackupFailed, match="read-only"):
            make_backup(folder, disk / "to", now=NOW + timedelta(days=2))


def _larger(backup, tmp_path):
    """The backup with a file that does not fit on the small disk."""
    shutil.copytree(backup.path, tmp_path / "larger")
    manifest = json.loads((tmp_path / "larger" / MANIFEST).read_text())
    (tmp_path / "larger" / "data" / "landing" / "x").write_bytes(os.urandom(4_000_000))
    manifest["files"]["landing/x"] = {"bytes": 4_000_000, "sha256": "", "modified_ns": 0}
    (tmp_path / "larger" / MANIFEST).write_text(json.dumps(manifest))
    return open_backup(tmp_path / "larger")
