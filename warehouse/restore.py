"""A data folder from a backup: every file is copied aside and held against its checksum before anything moves (replacement.py)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from warehouse.backup import DATA, Backup
from warehouse.copying import copy_file, sync_tree
from warehouse.durable import make_folder, remove_tree
from warehouse.errors import BackupDamaged, RestoreRefused
from warehouse.folder import DataFolder, unusable
from warehouse.replacement import BEFORE, declare_ready, finish, staging

SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """What a restore did.

    Attributes:
        backup: the folder it was made from.
        made_at: when that backup was made, ISO 8601 in UTC.
        data_folder: what was restored; ``None`` when the backup was only verified.
        files_count: files of the backup; ``bytes_count`` likewise.
        before: where what was there before is now; ``None`` when there was nothing.
    """

    backup: str
    made_at: str
    data_folder: str | None
    files_count: int
    bytes_count: int
    before: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The report for programs."""
        return asdict(self)

    def sentences(self) -> list[str]:
        """The report for a person."""
        counted = f"{self.files_count:,} files, {self.bytes_count / 1e6:,.1f} MB, each with its checksum"
        if self.data_folder is None:
            return [f"Backup {self.backup} of {self.made_at}: {counted}. Nothing was changed."]
        lines = [f"Restored {self.data_folder} from {self.backup} of {self.made_at}: {counted}."]
        if self.before:
            lines.append(f"What was there before is in {self.before}; remove it when you no longer want it.")
        return [*lines, "Next: packhouse doctor; the next harvest asks for what came after the backup."]


def verify_backup(backup: Backup) -> RestoreReport:
    """Read every file of a backup; raises BackupDamaged naming those that are not as they were written."""
    if damages := backup.damages():
        raise _damaged(backup, damages)
    return _report(backup, None)


def restore_backup(folder: DataFolder, backup: Backup, *, now: datetime, is_forced: bool = False) -> RestoreReport:
    """Let the data folder be what it was when the backup was made.

    What is there already is refused, or moved to ``before-restore-<time>`` when ``is_forced``. Killed at any moment, the folder is as it
    was, or the next command that takes its lock puts the rest in place. Raises BackupDamaged, RestoreRefused, DataFolderBusy,
    DataFolderUnusable.
    """
    if backup.path.is_relative_to(folder.root.resolve()):
        raise RestoreRefused(f"the backup {backup.path} lies in the data folder itself; nothing was changed. Next: move it elsewhere first")
    with folder.lock():
        has_content = _has_content(folder)
        if has_content and not is_forced:
            raise RestoreRefused(
                f"the data folder {folder.root} is not empty; nothing was changed. Next: name another with --data, or add --force, "
                f"which moves what is there to {BEFORE}<time> in it"
            )
        coming = staging(folder.root)
        named = f"{now:%Y%m%dT%H%M%SZ}"
        if (folder.root / f"{BEFORE}{named}").exists():
            raise RestoreRefused("a restore began in this very second; nothing was changed. Next: run the same command again")
        try:
            remove_tree(coming)
            if damages := _fetch(backup, coming):
                remove_tree(coming)
                raise _damaged(backup, damages)
            sync_tree(coming)
            declare_ready(folder.root, named=named, current=backup.manifest["current"])
            finish(folder.root)
            folder.prepare()
            if not has_content:
                remove_tree(folder.root / f"{BEFORE}{named}")  # folders without a file
        except OSError as error:
            raise unusable(folder.root, error) from error
        return _report(backup, folder, before=folder.root / f"{BEFORE}{named}" if has_content else None)


def _fetch(backup: Backup, coming: Path) -> list[str]:
    """Copy every file aside, and name those that are not as they were written."""
    damages = []
    for name, told in backup.files.items():
        target = coming / name
        make_folder(target.parent)
        try:
            found: tuple[int, str] | None = copy_file(backup.path / DATA / name, target)
        except OSError as error:
            if error.filename is None or Path(error.filename) != backup.path / DATA / name:
                raise  # it is ours that cannot be written
            damages.append(f"{name} cannot be read ({(error.strerror or str(error)).lower()})")
            continue
        if found != (told["bytes"], told["sha256"]):
            damages.append(f"{name} has other bytes than were written")
        target.chmod(0o444 if name.startswith("published/") else 0o644)
    return damages


def _has_content(folder: DataFolder) -> bool:
    """Whether anything is there that a run left."""
    landed = any(path.is_file() for path in folder.landing.glob("[!.]*/**/*"))
    return landed or folder.store_file.exists() or any(folder.published.iterdir())


def _damaged(backup: Backup, damages: list[str]) -> BackupDamaged:
    more = f"; and {len(damages) - SHOWN:,} more" if len(damages) > SHOWN else ""
    return BackupDamaged(
        f"the backup {backup.path} is damaged: {'; '.join(damages[:SHOWN])}{more}. Nothing was changed. "
        "Next: take an older backup beside it; a damaged landing file alone costs its answers, so its copy from an older backup will do"
    )


def _report(backup: Backup, folder: DataFolder | None, *, before: Path | None = None) -> RestoreReport:
    return RestoreReport(
        backup=str(backup.path),
        made_at=backup.manifest["made_at"],
        data_folder=str(folder.root) if folder else None,
        files_count=len(backup.files),
        bytes_count=sum(told["bytes"] for told in backup.files.values()),
        before=str(before) if before else None,
    )
