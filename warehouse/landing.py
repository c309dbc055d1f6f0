"""The landing: every answer as received, sealed before anyone reads it.

``landing/<source>/<yyyy-mm-dd>/<run_id>-<nnnnnn>.parquet``: the day is the run's, ``nnnnnn`` counts the files of the run from 1.
A row is an envelope and the bytes of the body. Files are zstd, with page checksums, and never changed.

A ``kill -9`` costs the answers not yet sealed: those of the last two seconds, provided ``flush_if_due`` is called at least every
half second. A file is whole or absent; one that cannot be read all the same (a bad disk, a hand) is set aside as ``.damaged`` and reported,
and its answers count as never landed, so the next run asks again. Credentials never come here: headers arrive stripped.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.observations import CaptureView
from transforms.schemas import INSTANT
from warehouse.durable import seal, sync_folder
from warehouse.folder import DataFolder, checked_name, unusable

SEAL_SECONDS = 1.0
SEAL_BYTES = 8 * 1024 * 1024
_ROWS_AT_ONCE = 64
_FILE = re.compile(r"(?P<run_id>.+)-(?P<number>\d{6,})\.parquet")

SCHEMA = pa.schema(
    [
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("sequence", pa.int64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("subject", pa.string(), nullable=False),
        pa.field("facet", pa.string(), nullable=False),
        pa.field("page", pa.int64(), nullable=False),
        pa.field("url", pa.string(), nullable=False),
        pa.field("attempt", pa.int64(), nullable=False),
        pa.field("status", pa.int64()),
        pa.field("headers", pa.map_(pa.string(), pa.string()), nullable=False),
        pa.field("body", pa.binary(), nullable=False),
        pa.field("error", pa.string()),
        pa.field("fetched_at", INSTANT, nullable=False),
        pa.field("duration_ms", pa.int64(), nullable=False),
        pa.field("identity", pa.string(), nullable=False),
        pa.field("request", pa.string()),  # what a question about many subjects asked of each; absent in files of before
    ]
)
_BEFORE_REQUESTS = pa.schema([field for field in SCHEMA if field.name != "request"])
_REPEATED = ["run_id", "source", "subject", "facet", "identity", "status"]


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
    columns = [pa.array([_cell(capture, field.name) for capture in captures], type=field.type) for field in SCHEMA]
    table = pa.Table.from_arrays(columns, schema=SCHEMA)
    sink = pa.BufferOutputStream()
    options = {"compression": "zstd", "compression_level": 3, "use_dictionary": _REPEATED, "write_statistics": False}
    pq.write_table(table, sink, write_page_checksum=True, **options)
    path.write_bytes(sink.getvalue())  # by Python, whose errors tell a full disk from a forbidden one


def _cell(capture: CaptureView, name: str) -> Any:
    value = getattr(capture, name)
    if name == "headers":
        return [(_text(key), _text(text)) for key, text in value.items()]
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    """Lone surrogates, which a hostile header can smuggle in, have no UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def landed_files(folder: DataFolder, *, run_id: str | None = None) -> list[str]:
    """Names of the sealed files below ``landing/`` (of one run), in the order they were sealed."""
    return [path.relative_to(folder.landing).as_posix() for path in sorted(_sealed(folder, run_id), key=_numbered)]


def read_captures(
    folder: DataFolder, *, run_id: str | None = None, skip: AbstractSet[str] = frozenset(), on_damaged: Callable[[DamagedFile], None]
) -> Iterator[tuple[str, CaptureView]]:
    """The landed answers in the order they landed, run after run, each with the name of its file; holds a file per source in memory.

    Args:
        folder: the data folder.
        run_id: only this run.
        skip: names of files to leave out, as ``Store.loaded_files`` gives them.
        on_damaged: called for each file that had to be set aside; none of its answers is yielded.
    """
    runs: dict[str, dict[str, list[str]]] = {}
    for file in landed_files(folder, run_id=run_id):
        if file not in skip:
            run = _numbered(folder.landing / file)[0]
            runs.setdefault(run, {}).setdefault(file.partition("/")[0], []).append(file)
    for sources in runs.values():
        streams = (_stream(folder, files, on_damaged) for files in sources.values())
        yield from heapq.merge(*streams, key=lambda pair: pair[1].sequence)


def _stream(folder: DataFolder, files: list[str], on_damaged: Callable[[DamagedFile], None]) -> Iterator[tuple[str, CaptureView]]:
    for file in files:
        path = folder.landing / file
        try:
            table = _read(path)
        except (OSError, pa.ArrowException) as error:
            _set_aside(folder, path, error)
            on_damaged(DamagedFile(file=file, run_id=_numbered(path)[0], reason=str(error).splitlines()[0]))
            continue
        for start in range(0, table.num_rows, _ROWS_AT_ONCE):
            for row in table.slice(start, _ROWS_AT_ONCE).to_pylist(maps_as_pydicts="strict"):
                yield file, CaptureView(**row)


def _read(path: Path) -> pa.Table:
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        if not file.schema_arrow.equals(SCHEMA) and not file.schema_arrow.equals(_BEFORE_REQUESTS):
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
        if _FILE.fullmatch(path.name) and run_id in (None, _numbered(path)[0]):
            yield path


def _numbered(path: Path) -> tuple[str, int]:
    """The run and the number in a file's name."""
    match = _FILE.fullmatch(path.name)
    if match is None:
        message = f"{path.name!r} is not the name of a landed file"
        raise ValueError(message)
    return match["run_id"], int(match["number"])
