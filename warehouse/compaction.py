"""Compaction of the landing: sealed files of loaded runs move into archives, and runs below the foundation go.

Whoever compacts holds the folder's lock. At every moment each answer can be read from at least one place, and read twice it counts once:
an archive is written aside, read back and compared answer by answer, and named; only then what it holds is removed. A process killed
anywhere in between leaves a landing that reads the same; the next compaction clears away what is there twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path

import pyarrow as pa

from transforms.observations import CaptureView
from warehouse.archives import Archives, Pack, is_full
from warehouse.captures import rows_of
from warehouse.durable import seal, sync_folder
from warehouse.errors import ArchiveDamaged
from warehouse.folder import DataFolder, unusable
from warehouse.foundation import foundation_run
from warehouse.landing import in_order, loose_files, read_sealed, run_of


def archive_runs(folder: DataFolder, runs: AbstractSet[str], *, on_sealed: Callable[[Path], None] = lambda _path: None) -> list[str]:
    """Move the sealed files of these runs into archives, and remove what the foundation has; again is not twice.

    Sealed files that cannot be read stay where they are. Returns the names of the files that were moved.

    Raises ArchiveDamaged before anything is changed, DataFolderUnusable when the disk is full; everything can be read then as before.
    """
    archives = Archives.of(folder)
    archives.refuse_unreadable(None)
    moved: list[str] = []
    try:
        _clear(folder)
        for source in sorted({file.partition("/")[0] for file in (*loose_files(folder), *archives.files())}):
            moved += _archive_source(folder, source, runs, on_sealed)
        _clear(folder)
    except OSError as error:
        raise unusable(folder.root, error) from error
    return moved


def _archive_source(folder: DataFolder, source: str, runs: AbstractSet[str], on_sealed: Callable[[Path], None]) -> list[str]:
    archives, founded = Archives.of(folder), foundation_run(folder)
    loose = {file for file in loose_files(folder) if file.partition("/")[0] == source and run_of(file) in runs and _is_whole(folder, file)}
    own = {path: files for path, files in archives.contents.items() if path.parent.parent.name == source}
    outlived = {path for path, files in own.items() if any(run_of(file) <= founded for file in files)}
    unfilled = {path for path in own if not is_full(path)}
    taken_up = outlived | (unfilled if loose or outlived or len(unfilled) > 1 else set())
    files = in_order(loose | {file for path in taken_up for file in own[path] if run_of(file) > founded})
    sealed: set[Path] = set()
    for pack in _packs(folder, archives, files):
        path = _seal(folder, archives, source, pack)
        sealed.add(path)
        on_sealed(path)
    for path in taken_up - sealed:
        path.unlink()
    _remove(folder, loose)
    return in_order(loose)


def _packs(folder: DataFolder, archives: Archives, files: Iterable[str]) -> Iterator[Pack]:
    """The files in packs that each fill an archive; the last may not."""
    pack = Pack()
    for file in files:
        if pack.is_full:
            yield pack
            pack = Pack()
        pack.add(file, _captures(folder, archives, file))
    if pack.files:
        yield pack


def _seal(folder: DataFolder, archives: Archives, source: str, pack: Pack) -> Path:
    names = [name for name, _ in pack.files]
    name = f"{Path(names[0]).stem}+{Path(names[-1]).stem}+{len(names)}.parquet"
    path = folder.landing / source / "archive" / name

    def write(aside: Path) -> None:
        pack.write(aside)
        written = Archives([aside])
        for file in names:
            if not _is_same(_captures(folder, archives, file), written.read(file)):
                raise ArchiveDamaged(
                    f"an archive of {file} does not give back what was put in; it was thrown away and nothing was changed. "
                    "Next: check the disk and the memory of this machine, then run the same command again"
                )

    seal(path, aside=folder.unsealed / f"{source}-{name}", write=write)
    return path


def _captures(folder: DataFolder, archives: Archives, file: str) -> Iterator[CaptureView]:
    if file in archives:
        return archives.read(file)
    return _loose(folder, file)


def _loose(folder: DataFolder, file: str) -> Iterator[CaptureView]:
    return (CaptureView(**row) for row in rows_of(read_sealed(folder.landing / file)))


def _is_same(ones: Iterable[CaptureView], others: Iterable[CaptureView]) -> bool:
    return all(one == other for one, other in zip_longest(ones, others))


def _is_whole(folder: DataFolder, file: str) -> bool:
    try:
        read_sealed(folder.landing / file)
    except (OSError, pa.ArrowException):
        return False
    return True


def _clear(folder: DataFolder) -> None:
    """Remove what a killed compaction left twice, and what the foundation has."""
    archives, founded = Archives.of(folder), foundation_run(folder)
    homes = {archives.home(file) for file in archives.files() if run_of(file) > founded}
    for path in archives.contents.keys() - homes:
        path.unlink()
    outlived = [file for file in loose_files(folder) if run_of(file) <= founded]
    twice = [file for file in loose_files(folder) if file in archives and run_of(file) > founded and _is_whole(folder, file)]
    reports = [path.relative_to(folder.landing).as_posix() for path in folder.landing.glob("runs/*/*.json") if path.stem <= founded]
    _remove(folder, [*outlived, *reports, *(file for file in twice if _is_same(_loose(folder, file), archives.read(file)))])


def _remove(folder: DataFolder, files: Iterable[str]) -> None:
    """Remove files of the landing and the folders they leave empty."""
    paths = [folder.landing / file for file in files]
    for path in paths:
        path.unlink(missing_ok=True)
    for parent in {path.parent for path in paths}:
        sync_folder(parent)
        with suppress(OSError):
            parent.rmdir()
