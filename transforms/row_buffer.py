"""Rows on their way into an Arrow table: many small dictionaries cost much memory, the same rows as columns cost little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

ROWS_HELD = 2048


class RowBuffer:
    """An append-only table with a fixed schema; a key a row lacks is null."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = pa.schema([field.with_nullable(True) for field in schema])  # noqa: FBT003 - pyarrow takes it by position
        self._rows: list[Mapping[str, Any]] = []
        self._chunks: list[pa.Table] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """Append one row; raises pyarrow's ArrowInvalid, now or later, when a value does not fit its column."""
        self._rows.append(row)
        if len(self._rows) >= ROWS_HELD:
            self._compact()

    def table(self) -> pa.Table:
        """All rows in the order they came, every column nullable; may be asked repeatedly."""
        self._compact()
        return pa.concat_tables([self._schema.empty_table(), *self._chunks])

    def _compact(self) -> None:
        if self._rows:
            self._chunks.append(pa.Table.from_pylist(self._rows, schema=self._schema))
            self._rows = []
