"""The four files of a catalog on disk, as people edit them or as programs write them.

Grammar: ``<folder>/{categories,grids,packages,grid_packages}.{csv,parquet}``, one of the two for each name. CSV is UTF-8
(a byte order mark is fine), commas, double quotes, one header line, blank lines ignored (RFC 4180 with any line ending).
Parquet has the same columns in any order. The files are only ever read. What cannot be read is a mistake like any other:
reading goes on wherever it can, so that all are found at once.
"""

from __future__ import annotations

import csv
import gc
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from transforms.catalog import COLUMNS, Catalog, InvalidCatalog, Mistake, Sheet, read_catalog

PIECE_ROWS = 65_536
_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_LAST_INSTANT = 253_402_300_800_000_000  # 10000-01-01 UTC in microseconds
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_INSTANT = -62_135_596_800_000_000  # 0001-01-01 UTC


def load_catalog(folder: Path) -> Catalog:
    """Read and check the catalog in ``folder``; raises InvalidCatalog with every mistake of all four files."""
    return load_with_files(folder)[0]


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Make millions of objects, none of them garbage, without looking for garbage among them again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def load_with_files(folder: Path) -> tuple[Catalog, dict[str, bytes]]:
    """Read and check the catalog in ``folder``, and give the files it was read from by name; raises InvalidCatalog."""
    try:
        present = {path.name for path in folder.iterdir()}
    except OSError as error:
        message = f"the folder cannot be read ({error.strerror}): write the four files of the catalog there, or name another folder"
        raise InvalidCatalog([Mistake(file=str(folder), line=None, column=None, message=message)]) from None
    files: dict[str, bytes] = {}
    with _without_collecting():
        return read_catalog({name: _read_file(folder, name, present, files) for name in COLUMNS}), files


def parse_catalog(files: Mapping[str, bytes]) -> Catalog:
    """Read and check a catalog from the bytes of its files by name (``packages.csv`` or ``packages.parquet``); raises InvalidCatalog."""
    with _without_collecting():
        return read_catalog({Path(file).stem: _parse(file, data) for file, data in files.items()})


def _parse(file: str, data: bytes) -> Sheet:
    return _read_parquet(data, file) if file.endswith(".parquet") else read_csv(data, file, COLUMNS[Path(file).stem])


def _read_file(folder: Path, name: str, present: set[str], kept: dict[str, bytes]) -> Sheet:
    files = [file for file in (f"{name}.csv", f"{name}.parquet") if file in present]
    if not files:
        advice = f"write {name}.csv beginning with {','.join(COLUMNS[name])}, or {name}.parquet with these columns"
        return _unreadable(f"{name}.csv", f"the file is missing: {advice}")
    if len(files) > 1:
        return _unreadable(files[0], f"{files[1]} is there too: remove one of them")
    path = folder / files[0]
    try:
        kept[path.name] = path.read_bytes()
    except OSError as error:
        return _unreadable(path.name, f"the file cannot be read ({error.strerror or error}): check that it is a file you may read")
    return _parse(path.name, kept[path.name])


def _unreadable(file: str, message: str, line: int | None = None) -> Sheet:
    mistakes = (Mistake(file=file, line=line, column=None, message=message),)
    return Sheet(file=file, header=(), header_line=None, lines=(), columns=(), mistakes=mistakes, is_complete=False)


def read_csv(data: bytes, file: str, columns: tuple[str, ...]) -> Sheet:
    """Split the bytes of a CSV file into cells; ``columns`` is for the advice in messages only."""
    begin = ",".join(columns)
    if not data.removeprefix(_BOM).strip():
        return _unreadable(file, f"the file is empty: begin it with {begin}", 1)
    if data.startswith(_UTF_16):
        return _unreadable(file, "the file is UTF-16 (byte 1, line 1): save it as UTF-8", 1)
    mistakes, text = _decode(data, file)
    rows: list[tuple[int, list[str]]] = []
    is_complete = True
    for line, row in _rows(text):
        if isinstance(row, str):
            mistakes.append(Mistake(file=file, line=line, column=None, message=row))
            is_complete = False
        elif row:
            rows.append((line, row))
    if not rows:
        mistakes.append(Mistake(file=file, line=1, column=None, message=f"there is no header: begin the file with {begin}"))
        return Sheet(file=file, header=(), header_line=1, lines=(), columns=(), mistakes=tuple(mistakes), is_complete=False)
    (header_line, header), *body = rows
    for separator, word in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and separator in header[0]:
            return _unreadable(file, f"the cells are separated by {word}: separate them by commas, beginning with {begin}", header_line)
    whole = [(line, row) for line, row in body if len(row) == len(header)]
    ragged = [(line, row) for line, row in body if len(row) != len(header)]
    mistakes.extend(Mistake(file=file, line=line, column=None, message=_ragged(len(row), len(header))) for line, row in ragged)
    return Sheet(
        file=file,
        header=tuple(name.strip() for name in header),
        header_line=header_line,
        lines=[line for line, _ in whole],
        columns=list(zip(*(row for _, row in whole), strict=True)) or [()] * len(header),
        mistakes=tuple(mistakes),
        is_complete=is_complete,
        stray=frozenset(cell.strip() for _, row in ragged for cell in row),
    )


def _ragged(cells: int, expected: int) -> str:
    advice = "put a cell that has a comma in double quotes" if cells > expected else "write a comma for every empty cell"
    return f"the row has {cells} cells, the header {expected}: {advice}"


def _decode(data: bytes, file: str) -> tuple[list[Mistake], str]:
    """Decode, bytes that are no UTF-8 to lone surrogates; the first of them is reported, the lines with more are counted."""
    skipped = len(_BOM) if data.startswith(_BOM) else 0
    try:
        return [], data[skipped:].decode("utf-8")
    except UnicodeDecodeError as error:
        at = skipped + error.start
        text = data[skipped:].decode("utf-8", "surrogateescape")
    lines = sum(1 for line in text.splitlines() if any("\udc80" <= letter <= "\udcff" for letter in line))
    more = f" and in {lines - 1} more lines" if lines > 1 else ""
    found = f"byte {at + 1} is 0x{data[at]:02X}, which is not UTF-8{more}: save the file as UTF-8"
    guess = data[at : at + 1].decode("cp1252", "ignore")
    hint = f" (in Windows-1252 it would be {guess!r})" if guess else ""
    return [Mistake(file=file, line=_line_of(data, at), column=None, message=found + hint)], text


def _line_of(data: bytes, at: int) -> int:
    before = data[:at]
    return 1 + before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n")


def _rows(text: str) -> Iterator[tuple[int, list[str] | str]]:
    """Each row with the physical line it begins on; instead of a row that cannot be split, a message."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, f"the row cannot be split into cells ({error}): {_quote_advice(str(error))}"


def _quote_advice(error: str) -> str:
    if "field limit" in error:
        limit = f"{csv.field_size_limit():,}"
        return f"a cell is longer than {limit} characters: shorten it, or if no cell is, close the double quote that this row opens"
    if "expected after" in error:
        return "write a double quote inside a quoted cell twice, and close the quote before the comma"
    return "close the double quote that this row opens"


def _read_parquet(data: bytes, file: str) -> Sheet:
    try:
        opened = pq.ParquetFile(pa.BufferReader(data))
        names = opened.schema_arrow.names
        columns: list[ParquetCells | None] = []
        mistakes: list[Mistake] = []
        for name in names:
            wanted = name in COLUMNS[Path(file).stem] and names.count(name) == 1
            columns.append(ParquetCells(opened, name) if wanted else None)
            try:
                if columns[-1] is not None:
                    columns[-1].check()
            except (pa.ArrowException, UnicodeDecodeError) as error:
                columns[-1] = None
                mistakes.append(Mistake(file=file, line=None, column=name, message=f"the column cannot be read ({error}): write it again"))
    except (pa.ArrowException, OSError) as error:  # Arrow raises the latter for damage
        return _unreadable(file, f"the file is not Parquet that can be read ({str(error).splitlines()[0]}): write it again")
    return Sheet(
        file=file,
        header=tuple(names),
        header_line=None,
        lines=range(1, opened.metadata.num_rows + 1),
        columns=columns,
        mistakes=tuple(mistakes),
    )


class ParquetCells(Sequence[object]):
    """The cells of one column as Python values, decoded each time they are walked through and never held together.

    Dates and times are datetimes in whole microseconds, naive ones meaning UTC.
    """

    def __init__(self, opened: pq.ParquetFile, name: str) -> None:
        self._opened, self._name = opened, name

    def check(self) -> None:
        """Decode all of the column once; raises ArrowException or UnicodeDecodeError where that cannot be done."""
        for column in self._pieces():
            column.validate(full=True)

    def __len__(self) -> int:
        return int(self._opened.metadata.num_rows)

    def __iter__(self) -> Iterator[object]:
        for column in self._pieces():
            yield from _values(column)

    def __getitem__(self, row: Any) -> Any:
        return next(islice(iter(self), row, None))

    def _pieces(self) -> Iterator[pa.Array]:
        for batch in self._opened.iter_batches(batch_size=PIECE_ROWS, columns=[self._name]):
            yield _timely(batch.column(0))


def _values(column: pa.Array) -> list[object]:
    """The Python values of a column; what Arrow gives slowly one by one, by way of NumPy."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return list(column.to_numpy(zero_copy_only=False).tolist())
    if column.null_count:
        return list(column.to_pylist())
    if pa.types.is_timestamp(column.type):
        return [_EPOCH + timedelta(microseconds=tick) for tick in column.cast(pa.int64()).to_numpy().tolist()]
    return list(column.to_numpy().tolist() if pa.types.is_integer(column.type) else column.to_pylist())


def _timely(column: pa.Array) -> pa.Array:
    """The column with dates and times in microseconds of UTC."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=column.type.unit != "ns").cast(pa.timestamp("us", tz="UTC"))
        ticks = pc.min_max(column.cast(pa.int64())).as_py()
        if ticks["min"] is not None and (ticks["min"] < _FIRST_INSTANT or ticks["max"] >= _LAST_INSTANT):
            raise pa.ArrowInvalid("a time lies outside the years 1 to 9999")
    return column
