"""A landed answer as a row of Arrow: its envelope and the bytes of its body, in sealed files and archives alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from transforms.observations import CaptureView
from transforms.schemas import INSTANT

_ROWS_AT_ONCE = 64

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
BEFORE_REQUESTS = pa.schema([field for field in SCHEMA if field.name != "request"])
REPEATED = ["run_id", "source", "subject", "facet", "identity", "status"]


def table_of(captures: Sequence[CaptureView]) -> pa.Table:
    """Answers as a table of ``SCHEMA``, in their order."""
    columns = [pa.array([_cell(capture, field.name) for capture in captures], type=field.type) for field in SCHEMA]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def rows_of(table: pa.Table) -> Iterator[dict[str, Any]]:
    """The rows of a table, a few at a time in memory as Python's objects."""
    for start in range(0, table.num_rows, _ROWS_AT_ONCE):
        yield from table.slice(start, _ROWS_AT_ONCE).to_pylist(maps_as_pydicts="strict")


def _cell(capture: CaptureView, name: str) -> Any:
    value = getattr(capture, name)
    if name == "headers":
        return [(_text(key), _text(text)) for key, text in value.items()]
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    """Lone surrogates, which a hostile header can smuggle in, have no UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
