"""Archives: the sealed files of many runs in one file, so that what hardly changes from day to day costs hardly anything.

``landing/<source>/archive/<first file>+<last file>+<files>.parquet``. An archive holds sealed files whole: its metadata name them, and each
can be read from it as if it still lay in its folder. Only compaction (compaction.py) makes archives, out of files of loaded runs.

Three things make them small. Answers to one kind of question lie together, in one row group, run after run. All its bodies are one
page, because Parquet compresses page by page and zstd finds again only what is in the page. And a body of a megabyte or more is kept
as the difference to the one before it (patches.py): yesterday's index of PyPI lies farther back than zstd looks.

An archive that cannot be read is never set aside by itself: its runs are old, and the store may be all that is left of them.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from transforms.observations import CaptureView
from warehouse.captures import REPEATED, SCHEMA, rows_of, table_of
from warehouse.errors import ArchiveDamaged
from warehouse.folder import DataFolder
from warehouse.patches import apply_patch, make_patch

FULL_BYTES = 64 * 1024 * 1024
PATCHED_FROM_BYTES = 1024 * 1024
LEVEL = 19
_FILES = b"packhouse.files"
_WHOLE = 1 << 30  # more rows or bytes than any archive has: one page for each column of a row group
# Beside the columns of the landing: the place of the row among all of the archive, and that of the one whose body its body patches.
_SCHEMA = pa.schema([*SCHEMA, pa.field("ordinal", pa.int64(), nullable=False), pa.field("patched", pa.int64())])
_UNREADABLE = (OSError, pa.ArrowException, ValueError, KeyError, TypeError)


class Archives:
    """Archives as they are now; keeps the last one read of each source in memory.

    Attributes:
        contents: the sealed files in each archive, in order.
        unreadable: archives whose list of files cannot be read.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self.contents: dict[Path, list[str]] = {}
        self.unreadable: list[Path] = []
        self._homes: dict[str, tuple[Path, int, int]] = {}
        self._opened: dict[Path, _Opened] = {}
        read: dict[Path, list[tuple[str, int]]] = {}
        for path in paths:
            try:
                read[path] = _listed(path)
            except _UNREADABLE:
                self.unreadable.append(path)
        # Where a killed process left a file in two archives, both have it alike; the fuller one is the one to keep.
        for path, files in sorted(read.items(), key=lambda item: (-len(item[1]), item[0].name)):
            self.contents[path] = [name for name, _ in files]
            first = 0
            for name, count in files:
                self._homes.setdefault(name, (path, first, first + count))
                first += count

    @classmethod
    def of(cls, folder: DataFolder) -> Self:
        """Those of a data folder."""
        return cls(folder.landing.glob("*/archive/*+*+*.parquet"))

    def __contains__(self, file: str) -> bool:
        """Tell whether an archive holds the sealed file of this name."""
        return file in self._homes

    def files(self) -> AbstractSet[str]:
        """The names of all sealed files in archives."""
        return self._homes.keys()

    def home(self, file: str) -> Path:
        """The archive a file is read from."""
        return self._homes[file][0]

    def count(self, file: str) -> int:
        """How many answers a sealed file has."""
        _, first, end = self._homes[file]
        return end - first

    def refuse_unreadable(self, run_id: str | None) -> None:
        """Raise ArchiveDamaged when an archive that cannot be read may hold answers of this run (of any, when ``None``)."""
        for path in self.unreadable:
            first, last = (stem.rpartition("-")[0] for stem in path.stem.split("+")[:2])
            if run_id is None or first <= run_id <= last:
                raise _damaged(path, "it cannot be opened")

    def read(self, file: str) -> Iterator[CaptureView]:
        """The answers of a sealed file, as they landed; raises ArchiveDamaged."""
        path, first, end = self._homes[file]
        try:
            if path not in self._opened:
                for other in [other for other in self._opened if other.parent == path.parent]:
                    del self._opened[other]
                self._opened[path] = _Opened(path)
            yield from self._opened[path].captures(first, end)
        except _UNREADABLE as error:
            raise _damaged(path, str(error).partition("\n")[0]) from error


class _Opened:
    """An archive in memory: a table for each kind of question, and of each patched body the one last restored."""

    def __init__(self, path: Path) -> None:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if not file.schema_arrow.equals(_SCHEMA):
                raise pa.ArrowInvalid("its columns are not those of an archive")
            self._groups = [file.read_row_group(number).combine_chunks() for number in range(file.num_row_groups)]
        self._ordinals = [group["ordinal"].to_numpy() for group in self._groups]
        self._bodies: dict[int, bytes] = {}

    def captures(self, first: int, end: int) -> Iterator[CaptureView]:
        """The rows from ``first`` until before ``end``, in their order."""
        streams = [self._rows(number, first, end) for number in range(len(self._groups))]
        for row in heapq.merge(*streams, key=lambda row: row["ordinal"]):
            del row["ordinal"], row["patched"]
            yield CaptureView(**row)

    def _rows(self, number: int, first: int, end: int) -> Iterator[dict[str, Any]]:
        low, high = np.searchsorted(self._ordinals[number], (first, end))
        for row in rows_of(self._groups[number].slice(low, high - low)):
            if row["patched"] is not None:
                row["body"] = self._restored(number, row["ordinal"])
            yield row

    def _restored(self, number: int, ordinal: int) -> bytes:
        group, patches = self._groups[number], []
        place: int | None = ordinal
        body: bytes | None = None
        while place is not None and body is None:
            row = group.slice(int(np.searchsorted(self._ordinals[number], place)), 1).select(["body", "patched"]).to_pylist()[0]
            if row["patched"] is None:
                body = row["body"]
            else:
                patches.append(row["body"])
                place = row["patched"]
                body = self._bodies.pop(place, None)
        for patch in reversed(patches):
            body = apply_patch(body or b"", patch)
        self._bodies[ordinal] = body or b""
        return self._bodies[ordinal]


@dataclass(slots=True)
class Pack:
    """Sealed files on their way into one archive."""

    files: list[tuple[str, int]] = field(default_factory=list)
    size: int = 0
    _rows: dict[str, list[tuple[CaptureView, int, int | None]]] = field(default_factory=dict)
    _last: dict[tuple[str, str, str, int], tuple[int, bytes]] = field(default_factory=dict)
    _count: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the next file belongs in another archive."""
        return self.size >= FULL_BYTES

    def add(self, file: str, captures: Iterable[CaptureView]) -> None:
        """Take the answers of one sealed file."""
        first = self._count
        for capture in captures:
            kept, patched = capture, None
            if len(capture.body) >= PATCHED_FROM_BYTES:
                question = (capture.facet, capture.subject, capture.url, capture.page)
                if question in self._last:
                    before, body = self._last[question]
                    patch = make_patch(body, capture.body)
                    if len(patch) < len(capture.body) // 2:
                        kept, patched = replace(capture, body=patch), before
                self._last[question] = (self._count, capture.body)
            self._rows.setdefault(capture.facet, []).append((kept, self._count, patched))
            self._count += 1
            self.size += len(kept.body)
        self.files.append((file, self._count - first))

    def write(self, path: Path) -> None:
        """Write the archive and forget its answers, for memory's sake; raises OSError."""
        schema = _SCHEMA.with_metadata({_FILES: json.dumps(self.files).encode()})
        options = {"compression": "zstd", "compression_level": LEVEL, "use_dictionary": REPEATED, "write_statistics": False}
        pages = {"data_page_size": _WHOLE, "max_rows_per_page": _WHOLE, "write_batch_size": _WHOLE, "write_page_checksum": True}
        self._last.clear()
        with path.open("wb") as file, pq.ParquetWriter(file, schema, **options, **pages) as writer:
            for facet in sorted(self._rows):
                writer.write_table(_group(self._rows.pop(facet)), row_group_size=_WHOLE)


def _group(rows: Iterable[tuple[CaptureView, int, int | None]]) -> pa.Table:
    captures, ordinals, patched = zip(*rows, strict=True)
    table = table_of(captures).append_column(_SCHEMA.field("ordinal"), pa.array(ordinals, pa.int64()))
    return table.append_column(_SCHEMA.field("patched"), pa.array(patched, pa.int64()))


def is_full(path: Path) -> bool:
    """Whether an archive takes no more files."""
    footer = pq.read_metadata(path)
    groups = (footer.row_group(number) for number in range(footer.num_row_groups))
    columns = (group.column(number) for group in groups for number in range(group.num_columns))
    return sum(int(column.total_uncompressed_size) for column in columns if column.path_in_schema == "body") >= FULL_BYTES


def _listed(path: Path) -> list[tuple[str, int]]:
    metadata = pq.read_schema(path).metadata or {}
    return [(str(name), int(count)) for name, count in json.loads(metadata[_FILES])]


def _damaged(path: Path, reason: str) -> ArchiveDamaged:
    return ArchiveDamaged(
        f"the archive {path} cannot be read ({reason}); nothing was changed, and nothing loaded or published is lost. "
        f"Next: put it back from the backup; without one, rename it to {path.name}.damaged: its answers then count as never landed, "
        "and a replay goes without them"
    )
