"""Full-text search over packages and grids: SQLite's FTS5 (https://www.sqlite.org/fts5.html) in memory, filled once, never changed.

A word of the question matches a word that begins with it, endings of English and accents aside. All words must be found in
one entry; when no entry has them all, any of them will do.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

MOST_WORDS = 16
LONGEST_WORD = 64
CANDIDATES = 400

_WORD = re.compile(r"\w+")
_WEIGHTS = (10.0, 8.0, 4.0, 3.0, 2.0, 1.0)  # title, slug, description, grids, category, participants
_TABLE = """
    create virtual table entries using fts5(
        title, slug, description, grids, category, participants, tokenize = 'porter unicode61 remove_diacritics 2', prefix = '2 3 4')"""
_QUESTION = """
    select rowid, bm25(entries, ?, ?, ?, ?, ?, ?) as closeness from entries where entries match ? order by closeness, rowid limit ?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is found: ``stars`` lifts an entry a little, a hundred times as many by about a third."""

    title: str
    slug: str
    description: str = ""
    grids: str = ""
    category: str = ""
    participants: str = ""
    stars: int = 0


class SearchIndex:
    """Finds entries by words; they are numbered in the order given. May be asked from another thread than it was filled in."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = list(entries)
        self._names = [(_plain(entry.title), _plain(entry.slug)) for entry in self._entries]
        self._connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._connection.execute(_TABLE)
        self._connection.execute("begin")
        rows = [
            (number, entry.title, entry.slug, entry.description, entry.grids, entry.category, entry.participants)
            for number, entry in enumerate(self._entries)
        ]
        insert = "insert into entries(rowid, title, slug, description, grids, category, participants) values (?, ?, ?, ?, ?, ?, ?)"
        self._connection.executemany(insert, rows)
        self._connection.execute("commit")

    def find(self, question: str, limit: int) -> list[int]:
        """Return the numbers of at most ``limit`` entries, best first: called so, called nearly so, then by words and stars."""
        words = list(dict.fromkeys(word[:LONGEST_WORD] for word in _WORD.findall(question)))[:MOST_WORDS]
        if not words:
            return []
        quoted = [f'"{word}"*' for word in words]
        rows = self._ask(" AND ".join(quoted)) or self._ask(" OR ".join(quoted))
        called = _plain(question)
        rows.sort(key=lambda row: (-self._nearness(row[0], called), -self._relevance(*row), row[0]))
        return [number for number, _ in rows[:limit]]

    def _ask(self, match: str) -> list[tuple[int, float]]:
        return self._connection.execute(_QUESTION, (*_WEIGHTS, match, CANDIDATES)).fetchall()

    def _nearness(self, number: int, called: str) -> int:
        """2 for an entry called exactly so, 1 for one called so after ``django-``, the prefix of half a catalog."""
        names = self._names[number]
        if called in names:
            return 2
        return 1 if f"django {called}" in names or f"dj {called}" in names else 0

    def _relevance(self, number: int, rank: float) -> float:
        return -rank * (1 + math.log10(1 + max(0, self._entries[number].stars)) / 6)


def _plain(name: str) -> str:
    return " ".join(_WORD.findall(name.replace("_", " ").casefold()))
