"""One file of a catalog as a sheet of cells, and the rules that need no more than columns: header, cells, uniqueness, names.

A catalog of all of PyPI has 750,000 rows, so everything here walks columns and touches a row only to report it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from transforms.cells import KINDS
from transforms.references import shown

# The reader decodes bytes that are no UTF-8 to lone surrogates and reports them itself.
_UNDECODED = re.compile(r"[\ud800-\udfff]")
_MOST_NAMES_LISTED = 12
_FEW = frozenset({"category", "grid"})  # columns in which few names stand often: each is held once


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing to put right in a catalog.

    Attributes:
        file: name of the file, ``packages.csv``.
        line: 1-based physical line on which the row begins (in Parquet the row, counted from 1); ``None`` when it is
            about the whole file.
        column: name of the column; ``None`` when it is about the row or the file.
        message: what is wrong and what to write instead.
    """

    file: str
    line: int | None
    column: str | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One file of the catalog as read, before any rule was applied.

    Attributes:
        file: its name, for messages.
        header: column names as spelled.
        header_line: where the header stands; ``None`` in Parquet, or when there is no header at all.
        lines: the line (or row) of each row.
        columns: the cells, one sequence per name of ``header``: text from CSV; text, int, bool, datetime (naive means
            UTC) or ``None`` from Parquet; ``None`` for a column the reader could not read and reported.
        mistakes: what the reader already found.
        is_complete: whether all rows were read; names are only looked for in complete sheets.
        stray: texts of rows whose cells could not be told apart; a name among them is not reported as unknown.
    """

    file: str
    header: tuple[str, ...]
    header_line: int | None
    lines: Sequence[int]
    columns: Sequence[Sequence[object] | None]
    mistakes: tuple[Mistake, ...] = ()
    is_complete: bool = True
    stray: frozenset[str] = frozenset()


@dataclass(slots=True, kw_only=True)
class Reading:
    """A sheet with its columns parsed: ``values[column][row]`` is ``None`` where a mistake was found (or nothing stands).

    ``names`` are the slugs other sheets may use, ``None`` when they cannot be known.
    """

    sheet: Sheet
    values: dict[str, list[Any]] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    names: frozenset[str] | None = None

    def report(self, line: int | None, column: str | None, message: str) -> None:
        """Note one mistake."""
        self.mistakes.append(Mistake(file=self.sheet.file, line=line, column=column, message=message))

    def report_row(self, row: int, column: str, message: str) -> None:
        """Note one mistake in the row with this index."""
        self.report(self.sheet.lines[row], column, message)


def read_sheet(sheet: Sheet, columns: Sequence[str]) -> Reading:
    """Check the header of a sheet against ``columns`` and parse every cell below the names it has."""
    reading = Reading(sheet=sheet, mistakes=list(sheet.mistakes))
    if sheet.header:
        _check_header(reading, columns)
    for name in columns:
        cells = sheet.columns[sheet.header.index(name)] if sheet.header.count(name) == 1 else None
        if cells is not None:
            _parse_column(reading, name, cells)
    return reading


def _check_header(reading: Reading, columns: Sequence[str]) -> None:
    sheet = reading.sheet
    for position, name in enumerate(sheet.header, start=1):
        if name not in columns:
            what = f"unknown column {shown(name)}" if name else f"column {position} has no name"
            reading.report(sheet.header_line, name or None, f"{what}: the columns are {','.join(columns)}; remove or rename it")
        elif name in sheet.header[: position - 1]:
            reading.report(sheet.header_line, name, "the column stands here twice: remove one")
    for name in columns:
        if name not in sheet.header:
            reading.report(sheet.header_line, name, f"the column is missing: the columns are {','.join(columns)}")


def _parse_column(reading: Reading, name: str, cells: Sequence[Any]) -> None:
    kind = KINDS[name]
    values: list[Any] = [None] * len(cells)
    reading.values[name] = values
    first = next((row for row, cell in enumerate(cells) if cell is not None), 0)
    if cells and cells[first] is not None and type(cells[first]) not in kind.types:  # a column of Parquet has one type
        reading.report_row(first, name, f"the column holds values of type {type(cells[first]).__name__}: store {kind.advice}")
        return
    parse = kind.parse
    names: set[str] | None = set() if name == "slug" else None
    shared: dict[str, str] | None = {} if name in _FEW else None
    for row, cell in enumerate(cells):
        if names is not None and cell:
            names.add(cell.strip())
        try:
            value = parse(cell)
            values[row] = value if shared is None else shared.setdefault(value, value)
        except ValueError as error:
            if not (isinstance(cell, str) and _UNDECODED.search(cell)):
                reading.report_row(row, name, str(error))
    if names is not None:
        reading.names = frozenset(names) if reading.sheet.is_complete else None


def check_unique(reading: Reading, column: str, keys: Sequence[Hashable], say: Callable[[Any], str]) -> None:
    """Report every row whose key was seen in an earlier row, naming that row; ``None`` is no key."""
    if len(set(keys)) == len(keys):
        return
    where = "row" if reading.sheet.header_line is None else "line"
    seen: dict[Hashable, int] = {}
    for row, key in enumerate(keys):
        if key is not None and seen.setdefault(key, row) != row:
            place = f"{where} {reading.sheet.lines[seen[key]]}"
            reading.report_row(row, column, f"{say(key)} already stands in {place}: write another, or remove one of the two rows")


def check_known(reading: Reading, column: str, target: Reading) -> None:
    """Report every name in ``column`` that no row of ``target`` has as its slug."""
    known, stray = target.names, target.sheet.stray
    values = reading.values.get(column, [])
    if known is None or known.issuperset(values):
        return
    similar = {_loose(name): name for name in known}
    for row, value in enumerate(values):
        if value is not None and value not in known and value not in stray:
            advice = _advice(similar.get(_loose(value)), known)
            reading.report_row(row, column, f"{shown(value)} is no slug in {target.sheet.file}: {advice}")


def _loose(name: str) -> str:
    return name.lower().replace("_", "-").replace(" ", "-")


def _advice(similar: str | None, known: Iterable[str]) -> str:
    if similar is not None:
        return f"write {shown(similar)}"
    names = sorted(known)
    if 0 < len(names) <= _MOST_NAMES_LISTED:
        return f"write one of {', '.join(names)}, or add it there"
    return "add it there, or correct the spelling"
