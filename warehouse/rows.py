"""The answer to a query on its way out: an aligned table, CSV, JSON or Parquet, to a file or to stdout, streaming.

A file is written aside and renamed, so that a query that fails half way leaves what was there.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from transforms.screen import printable
from warehouse.database import first_line
from warehouse.errors import InvalidQuery

WIDEST_CELL = 60
PORTION_BYTES = 16 << 20
NAMES = {"table": "A table", "csv": "CSV", "json": "JSON", "parquet": "Parquet"}
ROWS_ALIGNED = 1000  # a table's columns are as wide as its first thousand rows need


def write_rows(rows: pa.RecordBatchReader, style: str, output: Path | None) -> None:
    """Write ``rows`` as ``table``, ``csv``, ``json`` (one array) or ``parquet``; raises InvalidQuery when it cannot be written."""
    if output is None:
        if style == "parquet" and sys.stdout.isatty():
            raise InvalidQuery("Parquet is not for a terminal. Next: name a file with --output, or send it on")
        write_to(rows, style, Screen(sys.stdout.buffer) if sys.stdout.isatty() else sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    aside = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with aside.open("wb") as sink:
            write_to(rows, style, sink)
        aside.replace(output)
    except OSError as error:
        raise InvalidQuery(f"{output} cannot be written ({(error.strerror or str(error)).lower()}). Next: choose another file") from error
    finally:
        aside.unlink(missing_ok=True)


class Screen(io.BufferedIOBase):
    """A terminal as a file: what does not print is replaced on its way there (``transforms/screen.py``)."""

    def __init__(self, terminal: IO[bytes]) -> None:
        self._terminal = terminal
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, content: Any) -> int:
        """Write UTF-8, in pieces of any size."""
        self._terminal.write(printable(self._decoder.decode(bytes(content))).encode())
        return len(content)


def write_to(rows: pa.RecordBatchReader, style: str, sink: IO[bytes] | Screen) -> None:
    """Write ``rows`` to an open file; raises InvalidQuery when the style cannot carry them, OSError when the file takes no more."""
    with _carried(style):
        WRITERS[style](_portions(rows), sink)


def _portions(rows: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """The same rows in pieces that stay small as Python values too, however large a single value is."""

    def cut() -> Iterator[pa.RecordBatch]:
        for batch in rows:
            size = max(1, min(batch.num_rows, batch.num_rows * PORTION_BYTES // max(1, batch.nbytes)))
            for start in range(0, batch.num_rows, size):
                yield batch.slice(start, size)

    return pa.RecordBatchReader.from_batches(rows.schema, cut())


@contextmanager
def _carried(style: str) -> Iterator[None]:
    """Values that Python, Arrow or the format has no place for: intervals, infinite dates, and whatever DuckDB invents next."""
    try:
        yield
    except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
        raise InvalidQuery(
            f"{NAMES[style]} cannot carry a value of this answer ({first_line(error)}). "
            "Next: cast its column, for example SELECT CAST(column AS VARCHAR), or choose another style with --format"
        ) from error


def _write_table(rows: pa.RecordBatchReader, sink: IO[bytes] | Screen) -> None:
    names = rows.schema.names
    is_number = [pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) for kind in rows.schema.types]
    widths: list[int] | None = None
    count = 0
    for batch in rows:
        lines = [[_cell(value) for value in row] for row in zip(*map(_values, batch.columns), strict=True)]
        if widths is None:
            widths = [max(len(name), *(len(line[i]) for line in lines[:ROWS_ALIGNED]), 0) for i, name in enumerate(names)]
            sink.write(_line([name.ljust(width) for name, width in zip(names, widths, strict=True)]))
            sink.write(_line(["-" * width for width in widths]))
        for line in lines:
            cells = zip(line, widths, is_number, strict=True)
            sink.write(_line([cell.rjust(width) if number else cell.ljust(width) for cell, width, number in cells]))
        count += len(lines)
    if widths is None:
        sink.write(_line(names))
    sink.write(f"({count:,} row{'' if count == 1 else 's'})\n".encode())


def _values(column: pa.Array) -> list[Any]:
    """The values in Python; times without Arrow's own way, which imports pandas first: half of the time of a small answer."""
    if not pa.types.is_timestamp(column.type) or column.type.unit != "us" or column.type.tz not in (None, "UTC"):
        values: list[Any] = column.to_pylist()
        return values
    epoch = datetime(1970, 1, 1, tzinfo=UTC if column.type.tz else None)
    return [None if moment is None else epoch + timedelta(microseconds=moment) for moment in column.cast(pa.int64()).to_pylist()]


def _line(cells: list[str]) -> bytes:
    return "  ".join(cells).rstrip().encode("utf-8", "replace") + b"\n"


def _cell(value: Any) -> str:
    text = ("NULL" if value is None else str(value))[: WIDEST_CELL + 1]
    text = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return text if len(text) <= WIDEST_CELL else text[: WIDEST_CELL - 1] + "…"


def _write_csv(rows: pa.RecordBatchReader, sink: IO[bytes] | Screen) -> None:
    nested = [i for i, kind in enumerate(rows.schema.types) if pa.types.is_nested(kind)]
    schema = rows.schema
    for index in nested:
        schema = schema.set(index, pa.field(schema.names[index], pa.string()))
    with pa.csv.CSVWriter(sink, schema) as writer:
        for batch in rows:
            columns = list(batch.columns)
            for index in nested:
                columns[index] = pa.array(
                    [None if cell is None else _json(cell).decode() for cell in columns[index].to_pylist()], pa.string()
                )
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def _write_json(rows: pa.RecordBatchReader, sink: IO[bytes] | Screen) -> None:
    separator = b"["
    for batch in rows:
        for row in zip(*map(_values, batch.columns), strict=True):
            sink.write(separator + b"\n  " + _json(dict(zip(batch.schema.names, row, strict=True))))
            separator = b","
    sink.write(b"[]\n" if separator == b"[" else b"\n]\n")


def _json(value: Any) -> bytes:
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def _plain(value: Any) -> Any:
    """What JSON has no type for, as text; a decimal is a number to its last digit, whole when it has no places."""
    return orjson.Fragment(format(value, "f")) if isinstance(value, Decimal) else str(value)


def _write_parquet(rows: pa.RecordBatchReader, sink: IO[bytes] | Screen) -> None:
    with pq.ParquetWriter(sink, rows.schema, compression="zstd") as writer:
        for batch in rows:
            writer.write_batch(batch)


WRITERS: Mapping[str, Callable[[pa.RecordBatchReader, IO[bytes] | Screen], None]] = {
    "table": _write_table,
    "csv": _write_csv,
    "json": _write_json,
    "parquet": _write_parquet,
}
