"""Rows added to the four files of a catalog: written aside, checked as a whole, and moved in place so that no reader meets a mistake.

    <catalog>/.import/.lock            held by the import that works here
    <catalog>/.import/staged/          the files being written; what a killed import left is swept
    <catalog>/.import/ready/           the same, complete and checked; whoever comes next moves what is still there
    <catalog>/.import/answers/         what PyPI said so far (import_answers.py)

Rows are only ever added, and a table is moved before those that name its rows: a reader between two moves sees fewer rows, never a slug
without its row. Rows that are there keep their bytes in CSV and their types in Parquet. A table that changes its format is for a moment
there in both, which a reader reports.
"""

from __future__ import annotations

import csv
import fcntl
import io
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.catalog import COLUMNS, Catalog
from warehouse.catalog_files import load_catalog
from warehouse.catalog_rows import catalog_rows
from warehouse.durable import make_folder, remove_tree, sync_file, sync_folder
from warehouse.errors import CatalogUnwritable

STATE = ".import"
FORMATS = ("csv", "parquet")
CHUNK_ROWS = 65_536
BEGINNING = 65_536  # bytes in which the header stands
_NATIVE = {"id": pa.int64(), "show_pypi": pa.bool_(), "is_locked": pa.bool_(), "header": pa.bool_()}
_NATIVE |= {"created": pa.timestamp("us", tz="UTC"), "modified": pa.timestamp("us", tz="UTC")}

Rows = Mapping[str, Sequence[tuple[Any, ...]]]


class CatalogFolder:
    """The folder of a catalog, for the one process that imports into it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / STATE
        self._staged, self._ready = self.state / "staged", self.state / "ready"

    @property
    def is_there(self) -> bool:
        """Whether there is a catalog: any of its files."""
        return any(self.find(name) is not None for name in COLUMNS) or self._ready.is_dir()

    def find(self, name: str) -> Path | None:
        """The file of a table, whichever format it has."""
        return next((path for style in FORMATS if (path := self.root / f"{name}.{style}").exists()), None)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the one import here, and finish what a killed one had ready; raises CatalogUnwritable."""
        try:
            make_folder(self.state)
            (self.state / ".gitignore").write_text("*\n", encoding="ascii")  # a catalog is kept in git, this beside it is not
            handle = os.open(self.state / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_tree(self._staged)
            self._settle()
            yield
        except BlockingIOError:
            raise CatalogUnwritable(
                f"the catalog {self.root} is busy: another import is working in it; nothing was changed. Next: wait for it to end"
            ) from None
        finally:
            os.close(handle)

    def add(self, rows: Rows, style: str | None) -> None:
        """Add rows (by table, values in the order of ``COLUMNS``) to the four files, in ``style`` or else in the format they have.

        A catalog that is not there is made, as CSV unless told. Raises InvalidCatalog when the whole would have mistakes, and
        CatalogUnwritable; what was there is then untouched.
        """
        try:
            make_folder(self._staged)
            former: Catalog | None = None
            for name, columns in COLUMNS.items():
                path = self.find(name)
                format_ = style or (path.suffix[1:] if path else "csv")
                staged = self._staged / f"{name}.{format_}"
                if path is None or path.suffix[1:] == format_:
                    _extend(path, staged, columns, rows.get(name, ()))
                else:
                    former = former or load_catalog(self.root)
                    _extend(None, staged, columns, [*catalog_rows(former, name), *rows.get(name, ())])
                if path is not None:
                    shutil.copymode(path, staged)
            load_catalog(self._staged)
            for staged in self._staged.iterdir():
                sync_file(staged)
            sync_folder(self._staged)
            self._staged.rename(self._ready)
            sync_folder(self.state)
            self._settle()
        except (OSError, pa.ArrowException) as error:
            raise self._unwritable(error) from error
        finally:
            remove_tree(self._staged)

    def _settle(self) -> None:
        """Move what is ready in place; safe to be killed in and to be done again."""
        if not self._ready.is_dir():
            return
        try:
            for name in COLUMNS:
                for style, other in (FORMATS, FORMATS[::-1]):
                    made = self._ready / f"{name}.{style}"
                    if made.exists():
                        (self.root / made.name).with_suffix(f".{other}").unlink(missing_ok=True)
                        made.replace(self.root / made.name)
            sync_folder(self.root)
            self._ready.rmdir()
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: Exception) -> CatalogUnwritable:
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error).partition("\n")[0]
        return CatalogUnwritable(
            f"cannot write in the catalog {self.root}: {reason}; the catalog is as it was, and what PyPI said so far is kept. "
            "Next: free some space or make the folder writable, then run the same command again"
        )


def _extend(path: Path | None, target: Path, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Write what is at ``path`` (of the same format; ``None`` for nothing) and then the rows to ``target``."""
    if target.suffix == ".csv":
        _extend_csv(path, target, columns, rows)
    else:
        _extend_parquet(path, target, columns, rows)


def _extend_csv(path: Path | None, target: Path, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    with target.open("w+b") as file:
        end, order = "\n", list(columns)
        if path is None:
            file.write(",".join(columns).encode() + b"\n")
        else:
            with path.open("rb") as source:
                shutil.copyfileobj(source, file)
                source.seek(0)
                beginning = source.read(BEGINNING).decode("utf-8-sig", "replace")
                end = next(iter(re.findall(r"\r\n|\n|\r", beginning)), end)
                rows_there = csv.reader(io.StringIO(beginning, newline=""))
                order = [cell.strip() for cell in next(row for row in rows_there if row)]
            if rows:
                file.seek(-1, os.SEEK_END)
                if file.read(1) not in (b"\n", b"\r"):
                    file.write(end.encode())
        places = [columns.index(name) for name in order]
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.writer(text, lineterminator=end)
        writer.writerows([_written(row[place]) for place in places] for row in rows)
        text.flush()
        text.detach()


def _written(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return "" if value is None else value


def _extend_parquet(path: Path | None, target: Path, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    native = pa.schema([pa.field(name, _NATIVE.get(name, pa.string())) for name in columns])
    opened = None if path is None else pq.ParquetFile(path)
    schema = native if opened is None else pa.schema([_typed(field, native) for field in opened.schema_arrow])
    try:
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            if opened is not None:
                for batch in opened.iter_batches(batch_size=CHUNK_ROWS):
                    writer.write_table(pa.Table.from_batches([batch]).cast(schema))
            for start in range(0, len(rows), CHUNK_ROWS):
                writer.write_table(_table(rows[start : start + CHUNK_ROWS], native, schema))
    finally:
        if opened is not None:
            opened.close()


def _typed(field: pa.Field, native: pa.Schema) -> pa.Field:
    """The field as the file has it; a column in which nothing stood yet has no type."""
    return native.field(field.name) if pa.types.is_null(field.type) else field.remove_metadata()


def _table(rows: Sequence[tuple[Any, ...]], native: pa.Schema, schema: pa.Schema) -> pa.Table:
    """The rows with the types and the order of columns that the file has: text where it has text, days where it has days."""
    values = dict(zip(native.names, zip(*rows, strict=True), strict=True))
    columns = [pa.array(values[field.name], native.field(field.name).type) for field in schema]
    return pa.table([_cast(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema)


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return column.cast(kind.value_type).dictionary_encode().cast(kind)
    return column.cast(kind, safe=not pa.types.is_temporal(kind))  # a file of whole days or seconds gets those
