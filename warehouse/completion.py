"""What may come next at the prompt of ``packhouse sql``: commands, tables, columns, functions, keywords."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from warehouse.prompt import COMMANDS
from warehouse.readers import Publication

_COLUMNS = "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = 'publication' ORDER BY table_name, column_index"
_WORDS = """
SELECT DISTINCT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved' ORDER BY 1
"""
_FUNCTIONS = """
SELECT DISTINCT function_name FROM duckdb_functions()
WHERE function_type IN ('scalar', 'aggregate', 'macro') AND regexp_full_match(function_name, '[a-z][a-z0-9_]*') ORDER BY 1
"""
# Words that begin a clause but may be names elsewhere, so that DuckDB does not list them as reserved.
_CLAUSES = (
    "by",
    "over",
    "partition",
    "filter",
    "unnest",
    "summarize",
    "describe",
    "pivot",
    "unpivot",
    "show",
    "tables",
    "values",
    "explain",
)

_LAST = re.compile(r"[\w.]*$")
_TABLE_NEXT = re.compile(r"\b(?:from|join|describe|summarize|into)\s+$", re.IGNORECASE)
_NAMED = re.compile(r"\b(\w+)\b(?:\s+(?:as\s+)?(\w+))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Proposal:
    """One word that may come next, how much of what was typed it replaces, and what kind of thing it is."""

    word: str
    typed: int
    kind: str


class Names:
    """The names of one publication."""

    def __init__(self, publication: Publication) -> None:
        self._publication = publication

    @cached_property
    def columns(self) -> dict[str, list[str]]:
        """The columns of each table and view; those of the catalog's history, seldom meant, come last."""
        found: dict[str, list[str]] = {}
        for table, column in self._rows(_COLUMNS):
            found.setdefault(table, []).append(column)
        return dict(sorted(found.items(), key=lambda item: (item[0].endswith("_entries"), item[0])))

    @cached_property
    def keywords(self) -> list[str]:
        """Words of SQL."""
        return [*(word for (word,) in self._rows(_WORDS)), *_CLAUSES]

    @cached_property
    def functions(self) -> list[str]:
        """Functions DuckDB has."""
        return [name for (name,) in self._rows(_FUNCTIONS)]

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self._publication.cursor() as cursor:
            return cursor.execute(sql).fetchall()


def proposals(names: Names, before: str, after: str = "") -> list[Proposal]:
    """What may stand at the place between two texts, most likely first, nothing twice."""
    if before.lstrip().startswith("."):
        return list(_commands(names, before.lstrip()))
    typed = _LAST.search(before).group()  # type: ignore[union-attr]  # it matches the empty text too
    qualifier, dot, start = typed.rpartition(".")
    named = _tables(names, before + after)
    if dot:
        columns = names.columns.get(named.get(qualifier.lower(), ""), [])
        return list(_matching(start, [("column", columns)]))
    if _TABLE_NEXT.search(before[: len(before) - len(typed)]):
        return list(_matching(start, [("table", list(names.columns))]))
    tables = set(named.values()) or (set(names.columns) if start else set())
    columns = [column for table in sorted(tables) for column in names.columns[table]]
    kinds = [("column", columns), ("keyword", names.keywords), ("table", list(names.columns)), ("function", names.functions)]
    return list(_matching(start, kinds)) if start or named else []


def _commands(names: Names, before: str) -> Iterator[Proposal]:
    command, blank, start = before.partition(" ")
    if not blank:
        yield from (Proposal(word, len(command), "command") for word in COMMANDS if word.startswith(command))
    elif command == ".schema":
        yield from _matching(start, [("table", list(names.columns))])


def _tables(names: Names, text: str) -> dict[str, str]:
    """The tables a statement names, by their names and by their aliases."""
    found: dict[str, str] = {}
    for table, alias in _NAMED.findall(text.lower()):
        if table in names.columns:
            found |= {table: table}
            if alias and alias not in names.keywords:
                found[alias] = table
    return found


def _matching(start: str, kinds: Iterable[tuple[str, Sequence[str]]]) -> Iterator[Proposal]:
    seen: set[str] = set()
    for kind, words in kinds:
        for word in words:
            if word.startswith(start.lower()) and word not in seen:
                seen.add(word)
                is_upper = kind == "keyword" and start.isupper()
                yield Proposal(word.upper() if is_upper else word, len(start), kind)
