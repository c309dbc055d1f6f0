"""Compaction: what landed in many small files moves into few, what outlived the retention goes, the store gives back what it freed.

Asks nobody, publishes nothing, changes no value: a replay gives the same store and the same publication before and after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from flows.progress import Progress
from flows.replaying import landed_runs, load_runs
from settings import Settings
from warehouse.compaction import archive_runs
from warehouse.copies import shrink_store
from warehouse.folder import DataFolder
from warehouse.foundation import next_foundation
from warehouse.landing import landed_files, loose_files, run_of
from warehouse.store import open_store

PARTS = ("landing", "store", "published")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionReport:
    """What a compaction did.

    Attributes:
        archived_files: sealed files that moved into archives.
        dropped_runs: runs that outlived the retention, oldest first; what the store knew from them is kept as the foundation.
        waiting_runs: runs that keep files of their own: they have not ended, are not loaded yet, or the file cannot be read.
        bytes_before: size on disk, by part of the data folder; ``bytes_after`` likewise.
    """

    archived_files: int
    dropped_runs: tuple[str, ...]
    waiting_runs: tuple[str, ...]
    bytes_before: Mapping[str, int]
    bytes_after: Mapping[str, int]

    @property
    def exit_code(self) -> int:
        """Always 0: a compaction that fails raises."""
        return 0

    def as_json(self) -> dict[str, Any]:
        """The report for programs."""
        return asdict(self)

    def sentences(self) -> list[str]:
        """The report for a person, one sentence per line."""
        before, after = self.bytes_before, self.bytes_after
        lines = [f"Compacted: {self.archived_files:,} landed files moved into archives."]
        lines += [f"{part}: {_megabytes(before[part])} before, {_megabytes(after[part])} now." for part in before]
        if self.dropped_runs:
            lines.append(
                f"Dropped the answers of {len(self.dropped_runs):,} runs until {self.dropped_runs[-1]}: they outlived the retention. "
                "Their history is kept; a replay starts from it and can no longer read it anew."
            )
        if self.waiting_runs:
            lines.append(
                f"Left alone: files of {', '.join(self.waiting_runs)}, which has not ended, is not loaded, or cannot be read. "
                "Next: packhouse harvest loads what landed; a replay names what cannot be read."
            )
        return lines

    def markdown(self) -> str:
        """The report as Prefect's artifact."""
        return "\n".join(f"- {line}" for line in self.sentences())


def compact_data(settings: Settings, progress: Progress) -> CompactionReport:
    """Compact the landing and the store, within the retention; killed at any moment, the same again finishes it.

    Raises what storage raises; every answer can then be read as before.
    """
    folder = DataFolder(settings.data)
    with folder.lock():
        before = _sizes(folder)
        with open_store(folder, is_read_only=False) as store:
            loaded = store.loaded_files()
        unloaded = {run_of(file) for file in landed_files(folder) if file not in loaded}
        runs = landed_runs(folder)
        ready = [row for row in runs if row.get("ended_at") is not None and row["run_id"] not in unloaded]
        dropped = _outlived(runs, {row["run_id"] for row in ready}, settings.retention)
        if dropped:
            progress.begin(len(dropped), "loading runs that outlived the retention into the foundation")
            with next_foundation(folder, dropped[-1]["run_id"]) as store:
                load_runs(folder, store, dropped, progress)
        progress.say("Moving landed files into archives (minutes for a month of thousands of packages) ...")
        moved = archive_runs(folder, {row["run_id"] for row in ready[len(dropped) :]})
        shrink_store(folder)
        return CompactionReport(
            archived_files=len(moved),
            dropped_runs=tuple(row["run_id"] for row in dropped),
            waiting_runs=tuple(sorted({run_of(file) for file in loose_files(folder)})),
            bytes_before=before,
            bytes_after=_sizes(folder),
        )


def _outlived(runs: Sequence[dict[str, Any]], ready: set[str], retention: timedelta | None) -> list[dict[str, Any]]:
    """The oldest runs that began longer before the newest than answers are kept, up to the first that is not ready."""
    outlived: list[dict[str, Any]] = []
    for row in runs if retention is not None else ():
        if row["run_id"] not in ready or row["started_at"] >= runs[-1]["started_at"] - retention:
            break
        outlived.append(row)
    return outlived


def _sizes(folder: DataFolder) -> dict[str, int]:
    return {part: sum(_size(path) for path in (folder.root / part).rglob("*")) for part in PARTS}


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
