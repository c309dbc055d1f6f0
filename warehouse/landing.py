"""The landing: every answer as received, sealed before anyone reads it.

``landing/<source>/<yyyy-mm-dd>/<run_id>-<nnnnnn>.parquet``: the day is the run's, ``nnnnnn`` counts the files of the run from 1.
A row is an envelope and the bytes of the body. Files are zstd, with page checksums, and never changed. Compaction moves those of loaded
runs into archives (archives.py); they keep their names and are read from there as before.

A ``kill -9`` costs the answers not yet sealed: those of the last two seconds, provided ``flush_if_due`` is called at least every
half second. A file is whole or absent; one that cannot be read all the same (a bad disk, a hand) is set aside as ``.damaged`` and reported,
and its answers count as never landed, so the next run asks again. Credentials never come here: headers arrive stripped.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.observations import CaptureView
from warehouse.archives import Archives
from warehouse.captures import BEFORE_REQUESTS, REPEATED, SCHEMA, rows_of, table_of
from warehouse.durable import seal, sync_folder
from warehouse.folder import DataFolder, checked_name, unusable

SEAL_SECONDS = 1.0
SEAL_BYTES = 8 * 1024 * 1024
_FILE = re.compile(r"(?P<run_id>.+)-(?P<number>\d{6,})\.parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedFile:
    """A sealed file that could not be read: its name below ``landing/``, the run it belonged to, and why."""

    file: str
    run_id: str
    reason: str

    def finding(self, found_at: datetime) -> dict[str, Any]:
        """It as a row of ``findings``."""
        return {
            "run_id": self.run_id,
            "subject": self.file,
            "code": "landing_damaged",
            "level": "warning",
            "message": (
                f"the landed file {self.file} cannot be read ({self.reason}); it was set aside as {self.file}.damaged and its answers "
                "count as never landed. Next: nothing, the next harvest asks again; check the disk if it happens twice"
            ),
            "found_at": found_at,
        }


class LandingWriter:
    """Buffers the answers of one run and seals them; one writer per run, used by one thread.

    Raises DataFolderUnusable when a file cannot be written (a full disk, for example); the buffered answers stay buffered.
    """

    def __init__(self, folder: DataFolder, *, run_id: str, on: date, unsealed: Path | None = None) -> None:
        self._folder = folder
        self._unsealed = unsealed or folder.unsealed
        self._run_id = checked_name(run_id)
        self._on = on
        self._buffers: dict[str, list[CaptureView]] = {}
        self._bytes: dict[str, int] = {}
        self._sealed_at: float | None = None
        self._number = max((_numbered(path)[1] for path in _sealed(folder, run_id)), default=0)
        self.files: list[str] = []

    def add(self, capture: CaptureView) -> None:
        """Take one answer; seals at once when 8 MiB of bodies are waiting."""
        self._buffers.setdefault(checked_name(capture.source), []).append(capture)
        self._bytes[capture.source] = self._bytes.get(capture.source, 0) + len(capture.body)
        if self._bytes[capture.source] >= SEAL_BYTES:
            self._seal(capture.source)

    def flush_if_due(self, monotonic: float) -> None:
        """Seal what waits when a second has passed since the last time; call it at least every half second."""
        if self._sealed_at is None or monotonic - self._sealed_at >= SEAL_SECONDS:
            self._sealed_at = monotonic
            self.flush()

    def flush(self) -> None:
        """Seal what waits."""
        for source in [source for source, captures in self._buffers.items() if captures]:
            self._seal(source)

    def _seal(self, source: str) -> None:
        captures = self._buffers[source]
        name = f"{self._run_id}-{self._number + 1:06}.parquet"
        path = self._folder.landing / source / self._on.isoformat() / name
        try:
            seal(path, aside=self._unsealed / f"{source}-{name}", write=lambda aside: _write(aside, captures))
        except OSError as error:
            raise unusable(self._folder.root, error) from error
        self._number += 1
        self._buffers[source], self._bytes[source] = [], 0
        self.files.append(path.relative_to(self._folder.landing).as_posix())


def _write(path: Path, captures: list[CaptureView]) -> None:
    sink = pa.BufferOutputStream()
    options = {"compression": "zstd", "compression_level": 3, "use_dictionary": REPEATED, "write_statistics": False}
    pq.write_table(table_of(captures), sink, write_page_checksum=True, **options)
    path.write_bytes(sink.getvalue())  # by Python, whose errors tell a full disk from a forbidden one


def landed_files(folder: DataFolder, *, run_id: str | None = None) -> list[str]:
    """Names of the sealed files below ``landing/`` (of one run), in the order they were sealed, whether they lie singly or in archives."""
    return _files(folder, run_id, Archives.of(folder))


def loose_files(folder: DataFolder) -> list[str]:
    """Names of the sealed files that lie singly, in the order they were sealed; an archive may hold them too."""
    return [path.relative_to(folder.landing).as_posix() for path in sorted(_sealed(folder, None), key=_numbered)]


def in_order(files: Iterable[str]) -> list[str]:
    """Names of sealed files in the order they were sealed."""
    return sorted(files, key=lambda file: _numbered(Path(file)))


def run_of(file: str) -> str:
    """The run a sealed file belongs to, from its name."""
    return _numbered(Path(file))[0]


def read_captures(
    folder: DataFolder,
    *,
    run_id: str | None = None,
    skip: AbstractSet[str] = frozenset(),
    on_damaged: Callable[[DamagedFile], None],
    archives: Archives | None = None,
) -> Iterator[tuple[str, CaptureView]]:
    """The landed answers in the order they landed, run after run, each with the name of its file; holds a file per source in memory.

    Args:
        folder: the data folder.
        run_id: only this run.
        skip: names of files to leave out, as ``Store.loaded_files`` gives them.
        on_damaged: called for each file that had to be set aside; none of its answers is yielded.
        archives: those of the folder; whoever reads run after run brings them, so that an archive is not unpacked for each.

    Raises ArchiveDamaged when an archive these answers may be in cannot be read.
    """
    archives = archives or Archives.of(folder)
    archives.refuse_unreadable(run_id)
    runs: dict[str, dict[str, list[str]]] = {}
    for file in _files(folder, run_id, archives):
        if file not in skip:
            runs.setdefault(run_of(file), {}).setdefault(file.partition("/")[0], []).append(file)
    for sources in runs.values():
        streams = (_stream(folder, files, on_damaged, archives) for files in sources.values())
        yield from heapq.merge(*streams, key=lambda pair: pair[1].sequence)


def _files(folder: DataFolder, run_id: str | None, archives: Archives) -> list[str]:
    names = {path.relative_to(folder.landing).as_posix() for path in _sealed(folder, run_id)}
    return in_order(names | {file for file in archives.files() if run_id in (None, run_of(file))})


def _stream(
    folder: DataFolder, files: list[str], on_damaged: Callable[[DamagedFile], None], archives: Archives
) -> Iterator[tuple[str, CaptureView]]:
    for file in files:
        if file in archives:
            yield from ((file, capture) for capture in archives.read(file))
            continue
        path = folder.landing / file
        try:
            table = read_sealed(path)
        except (OSError, pa.ArrowException) as error:
            _set_aside(folder, path, error)
            on_damaged(DamagedFile(file=file, run_id=run_of(file), reason=str(error).splitlines()[0]))
            continue
        for row in rows_of(table):
            yield file, CaptureView(**row)


def read_sealed(path: Path) -> pa.Table:
    """The rows of a sealed file, judged by their checksums; raises OSError or pyarrow's ArrowException when it is damaged."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        if not file.schema_arrow.equals(SCHEMA) and not file.schema_arrow.equals(BEFORE_REQUESTS):
            message = "its columns are not those of landed answers"
            raise pa.ArrowInvalid(message)
        table = file.read()
    if "request" not in table.column_names:
        table = table.append_column(SCHEMA.field("request"), pa.nulls(table.num_rows, pa.string()))
    table.validate(full=True)
    return table


def _set_aside(folder: DataFolder, path: Path, error: Exception) -> None:
    if isinstance(error, PermissionError | FileNotFoundError):
        raise unusable(folder.root, error) from error
    try:
        path.rename(path.with_name(path.name + ".damaged"))
        sync_folder(path.parent)
    except OSError as refusal:
        raise unusable(folder.root, refusal) from refusal


def _sealed(folder: DataFolder, run_id: str | None) -> Iterator[Path]:
    pattern = "*.parquet" if run_id is None else f"{checked_name(run_id)}-*.parquet"
    for path in folder.landing.glob(f"*/*/{pattern}"):
        if path.parent.name != "archive" and _FILE.fullmatch(path.name) and run_id in (None, _numbered(path)[0]):
            yield path


def _numbered(path: Path) -> tuple[str, int]:
    """The run and the number in a file's name."""
    match = _FILE.fullmatch(path.name)
    if match is None:
        message = f"{path.name!r} is not the name of a landed file"
        raise ValueError(message)
    return match["run_id"], int(match["number"])
