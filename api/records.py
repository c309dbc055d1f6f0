"""The packages of a publication in columns, and a sequence of rows over them that reads a row when its values are asked for. Pure.

A mapping of objects takes about 4 KB a package, its columns in Arrow a tenth of that. Reading a row takes 75 microseconds, so what is
rendered of it is kept (``bodies.py``).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, islice
from typing import Any, overload

import numpy as np
import pyarrow as pa

from transforms.payload import Row
from transforms.schemas import PACKAGES

# The columns of `packages` that the payload prints; the rest stays on disk.
PACKAGE_COLUMNS = (
    "id",
    "slug",
    "title",
    "category_id",
    "grid_ids",
    "repo_url",
    "pypi_url",
    "documentation_url",
    "created_at",
    "modified_at",
    "fetched_at",
    "repo_description",
    "stars_count",
    "forks_count",
    "last_commit_at",
    "weeks",
    "participants",
    "latest_version",
    "latest_released_at",
)
SCHEMA = pa.schema([PACKAGES.schema.field(name) for name in PACKAGE_COLUMNS])
AT_ONCE = 10_000  # rows that become columns together

Numbers = np.ndarray[Any, np.dtype[np.int64]]


class Columns:
    """All packages by id, in pieces; a row is known by its number from 0."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Take batches of ``SCHEMA``, their rows together by id; raises ValueError when they are not."""
        self._batches = [batch for batch in batches if len(batch)]
        self._starts = [0, *accumulate(len(batch) for batch in self._batches)]
        self.table = pa.Table.from_batches(self._batches, SCHEMA)
        self.ids: Numbers = self.table["id"].to_numpy()
        if np.any(np.diff(self.ids) <= 0):
            raise ValueError("the packages are not in the order of their ids")
        self._by_slug = {slug: number for number, slug in enumerate(self._texts("slug"))}

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, number: int) -> dict[str, Any]:
        """The values of one row."""
        piece = bisect_right(self._starts, number) - 1
        values: dict[str, Any] = self._batches[piece].slice(number - self._starts[piece], 1).to_pylist()[0]
        return values

    def number_of(self, key: int | str) -> int | None:
        """Find the row with this id or slug."""
        if isinstance(key, str):
            return self._by_slug.get(key)
        number = int(np.searchsorted(self.ids, key)) if 0 <= key < _BEYOND else len(self)
        return number if number < len(self) and self.ids[number] == key else None

    def _texts(self, name: str) -> Iterator[str]:
        for batch in self._batches:
            yield from batch[name].to_pylist()


class Record(Mapping[str, Any]):
    """One row, read when more of it is wanted than its id."""

    __slots__ = ("_columns", "_number", "_values")

    def __init__(self, columns: Columns, number: int) -> None:
        self._columns = columns
        self._number = number
        self._values: dict[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        if self._values is None:
            if name == "id":
                return int(self._columns.ids[self._number])
            self._values = self._columns.read(self._number)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(PACKAGE_COLUMNS)

    def __len__(self) -> int:
        return len(PACKAGE_COLUMNS)


class Records(Sequence[Row]):
    """Rows of ``columns`` in the order of ``numbers``."""

    def __init__(self, columns: Columns, numbers: Numbers) -> None:
        self.columns = columns
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        if isinstance(place, slice):
            return [Record(self.columns, number) for number in self.numbers[place].tolist()]
        return Record(self.columns, int(self.numbers[place]))

    def __iter__(self) -> Iterator[Row]:
        return (Record(self.columns, int(number)) for number in self.numbers)

    def column(self, name: str) -> pa.ChunkedArray:
        """One column of these rows, in their order."""
        return self.columns.table[name].take(pa.array(self.numbers))

    def chosen(self, places: Any) -> Records:
        """Those at these places, in their order."""
        return Records(self.columns, self.numbers[places])


def to_columns(rows: Iterable[Row]) -> Columns:
    """Turn rows in any order, which may have other columns too, into columns."""
    ordered = iter(sorted(({name: row[name] for name in PACKAGE_COLUMNS} for row in rows), key=lambda row: row["id"]))
    pieces = iter(lambda: list(islice(ordered, AT_ONCE)), [])
    return Columns(pa.RecordBatch.from_pylist(piece, schema=SCHEMA) for piece in pieces)


_BEYOND = 1 << 63
