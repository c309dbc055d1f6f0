"""Backups: the landing, the store and the current publication of a data folder, copied with their checksums.

    <to>/<time>/data/…            the files, named as in the data folder
    <to>/<time>/backup.json       when and of what, and the bytes and SHA-256 of every file
    <to>/latest -> <time>         the newest whole one

A backup is written aside and renamed, so one that is there is whole. A file that the one before has already, with the same size and time
of change, is shared with it by a hard link: each backup can be restored by itself, and costs what is new. Where the file system has no
hard links it is copied again. The data folder's lock is held meanwhile, so the copy is of one moment; readers go on reading.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from warehouse.copying import checksum, copy_file, sync_tree
from warehouse.durable import make_folder, point, remove_tree, sync_file, sync_folder
from warehouse.errors import BackupDamaged, BackupFailed
from warehouse.folder import DataFolder
from warehouse.locking import held
from warehouse.replacement import PARTS
from warehouse.store_tables import SCHEMA_VERSION

FORMAT = 1
MANIFEST = "backup.json"
LATEST = "latest"
DATA = "data"
KEEP = 7
_LEFT_OUT = (".unsealed", ".unsealed-past")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """What a backup is.

    Attributes:
        path: its folder.
        files_count: files in it, ``copied_count`` of them not shared with the one before.
        bytes_count: of all files; ``copied_bytes`` likewise.
        removed: older backups that were removed.
        is_verified: every file was read again from where it was written.
    """

    path: str
    files_count: int
    copied_count: int
    bytes_count: int
    copied_bytes: int
    removed: tuple[str, ...]
    is_verified: bool

    def as_json(self) -> dict[str, Any]:
        """The report for programs."""
        return asdict(self)

    def sentences(self) -> list[str]:
        """The report for a person."""
        total, new = f"{self.bytes_count / 1e6:,.1f} MB", f"{self.copied_bytes / 1e6:,.1f} MB"
        lines = [f"Backup {self.path}: {self.files_count:,} files, {total}; new were {self.copied_count:,} files, {new}."]
        if self.is_verified:
            lines.append("Every file was read again and has its checksum.")
        if self.removed:
            lines.append(f"Removed older ones: {', '.join(self.removed)}.")
        return lines


def make_backup(
    folder: DataFolder, to: Path, *, now: datetime, keep: int = KEEP, patience: float = 0.0, is_verified: bool = False
) -> BackupReport:
    """Copy the data folder into a new folder below ``to``; killed at any moment, what was there before is whole.

    ``patience`` is for how many seconds a run at work is waited for. Raises BackupFailed, DataFolderBusy, DataFolderUnusable.
    """
    if not any((folder.root / part).exists() for part in PARTS):
        raise BackupFailed(f"the data folder {folder.root} has nothing to back up; nothing was written. Next: name it with --data")
    if to.resolve().is_relative_to(folder.root.resolve()):
        raise BackupFailed(f"{to} is in the data folder itself, and would be lost with it. Next: name a folder on another disk")
    with folder.lock(is_brief=True, patience=patience):
        try:
            with _alone(to):
                return _make(folder, to, now=now, keep=keep, is_verified=is_verified)
        except OSError as error:
            where = error.filename or to
            raise BackupFailed(
                f"the backup could not be written: {(error.strerror or str(error)).lower()} ({where}); earlier backups and the data folder "
                "are untouched. Next: free some space or choose another folder, then run the same command again"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A backup as its manifest tells it; made by ``open_backup``."""

    path: Path
    manifest: Mapping[str, Any]

    @property
    def files(self) -> Mapping[str, Mapping[str, Any]]:
        """By name in the data folder: ``bytes``, ``sha256``, ``modified_ns``."""
        files: Mapping[str, Mapping[str, Any]] = self.manifest["files"]
        return files

    def damages(self) -> list[str]:
        """Read every file and name those that are not as they were written."""
        return [found for name, told in self.files.items() if (found := _damage(self.path / DATA / name, name, told))]


def open_backup(path: Path) -> Backup:
    """A backup by its folder, or the newest whole one below it; raises BackupDamaged when there is none that can be read."""
    path = path / LATEST if not (path / MANIFEST).exists() and (path / LATEST).exists() else path
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        files = manifest["files"]
        is_known = manifest["format"] == FORMAT and all(
            _is_ours(name) and type(told["bytes"]) is int and type(told["sha256"]) is str for name, told in files.items()
        )
        is_known = is_known and (manifest["current"] is None or _is_ours(f"{manifest['current']}/-"))
    except FileNotFoundError as error:
        raise BackupDamaged(
            f"{path} is no backup of packhouse: it has no {MANIFEST}. Next: name the folder given to packhouse backup"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupDamaged(
            f"{path / MANIFEST} cannot be read ({error}); nothing was changed. Next: take an older backup beside it"
        ) from error
    if not is_known:
        raise BackupDamaged(
            f"{path / MANIFEST} is not as packhouse writes it, or of a newer one; nothing was changed. Next: take an older backup"
        )
    return Backup(path=path.resolve(), manifest=manifest)


def backups(to: Path) -> list[Path]:
    """The whole backups below a folder, oldest first."""
    return sorted(path.parent for path in to.glob(f"*/{MANIFEST}") if not path.parent.is_symlink() and not path.parent.name.startswith("."))


def _make(folder: DataFolder, to: Path, *, now: datetime, keep: int, is_verified: bool) -> BackupReport:
    for left in to.glob(".*.staging"):
        remove_tree(left)
    before = _previous(to)
    name = next(name for name in _names(f"{now:%Y%m%dT%H%M%SZ}") if not (to / name).exists())
    aside = to / f".{name}.staging"
    make_folder(aside / DATA)
    files: dict[str, dict[str, Any]] = {}
    copied = copied_bytes = 0
    for path in _files(folder):
        relative = path.relative_to(folder.root).as_posix()
        files[relative], is_new = _take(path, aside / DATA / relative, before, relative)
        copied, copied_bytes = copied + is_new, copied_bytes + is_new * int(files[relative]["bytes"])
    current = folder.current.resolve().relative_to(folder.root.resolve()).as_posix() if folder.current.exists() else None
    manifest = {
        "format": FORMAT,
        "made_at": now.isoformat(),
        "data_folder": str(folder.root.resolve()),
        "store_schema": SCHEMA_VERSION,
        "current": current,
        "files": files,
    }
    (aside / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    sync_file(aside / MANIFEST)
    sync_tree(aside)
    if is_verified and (damaged := Backup(path=aside, manifest=manifest).damages()):
        remove_tree(aside)
        raise BackupFailed(
            f"what was written does not read as it was: {'; '.join(damaged[:10])}. Next: do not trust this disk; choose another"
        )
    aside.rename(to / name)
    sync_folder(to)
    point(to / LATEST, to / name)
    removed = tuple(_remove(path) for path in backups(to)[: -max(1, keep)])
    total = sum(int(told["bytes"]) for told in files.values())
    return BackupReport(
        path=str(to / name),
        files_count=len(files),
        copied_count=copied,
        bytes_count=total,
        copied_bytes=copied_bytes,
        removed=removed,
        is_verified=is_verified,
    )


def _files(folder: DataFolder) -> Iterator[Path]:
    """What a backup has: the landing but for what is being written, the store with its log, the current publication."""
    for path in sorted(folder.landing.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.relative_to(folder.landing).parts[0] not in _LEFT_OUT:
            yield path
    yield from (path for part in PARTS if (path := folder.root / part).is_file())
    if folder.current.exists():
        yield from sorted(path for path in (folder.published / folder.current.resolve().name).rglob("*") if path.is_file())


def _take(path: Path, target: Path, before: Backup | None, name: str) -> tuple[dict[str, Any], bool]:
    """One file, shared with the backup before or copied, and whether it was copied."""
    state = path.stat()
    target.parent.mkdir(parents=True, exist_ok=True)
    told = before.files.get(name) if before else None
    if before and told and (told["bytes"], told.get("modified_ns")) == (state.st_size, state.st_mtime_ns):
        shared = before.path / DATA / name
        try:
            if shared.stat().st_size == state.st_size and not shared.is_symlink():
                os.link(shared, target)
                return dict(told), False
        except OSError:
            target.unlink(missing_ok=True)  # lost, or no hard links here: copied
    size, sha256 = copy_file(path, target)
    target.chmod(0o444)
    return {"bytes": size, "sha256": sha256, "modified_ns": state.st_mtime_ns}, True


def _previous(to: Path) -> Backup | None:
    for path in reversed(backups(to)):
        try:
            return open_backup(path)
        except BackupDamaged:
            continue
    return None


def _names(stamp: str) -> Iterator[str]:
    yield stamp
    yield from (f"{stamp}-{number:02}" for number in range(2, 1000))


def _remove(path: Path) -> str:
    aside = path.with_name(f".{path.name}.staging")  # swept, should the process die in between
    path.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)
    return path.name


@contextmanager
def _alone(to: Path) -> Iterator[None]:
    """Be the one backup that writes below a folder."""
    make_folder(to)
    handle = os.open(to / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        with held(handle, to / ".lock", what=f"the folder of backups {to}"):
            yield
    finally:
        os.close(handle)


def _damage(path: Path, name: str, told: Mapping[str, Any]) -> str | None:
    """What is wrong with one file of a backup; ``None`` when nothing is."""
    try:
        found = checksum(path)
    except FileNotFoundError:
        return f"{name} is missing"
    except OSError as error:
        return f"{name} cannot be read ({(error.strerror or str(error)).lower()})"
    return None if found == (told["bytes"], told["sha256"]) else f"{name} has other bytes than were written"


def _is_ours(name: str) -> bool:
    """Whether a file's name stays in the parts of a data folder."""
    return ".." not in Path(name).parts and any(name == part or name.startswith(part + "/") for part in PARTS)
