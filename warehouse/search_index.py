"""Full-text search over packages and grids: SQLite's FTS5 (https://www.sqlite.org/fts5.html) in memory, filled once, never changed.

A word of the question matches a word that begins with it, endings of English and accents aside. All words must be found in
one entry; when no entry has them all, any of them will do.
"""

from __future__ import annotations

import math
import re
import sqlite3
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, fields
from operator import attrgetter

MOST_WORDS = 16
LONGEST_WORD = 64
CANDIDATES = 400

_WORD = re.compile(r"\w+")
_WEIGHTS = (10.0, 8.0, 4.0, 3.0, 2.0, 1.0)  # title, slug, description, grids, category, participants
_TABLE = """
    create virtual table entries using fts5(
        title, slug, description, grids, category, participants, stars unindexed,
        tokenize = 'porter unicode61 remove_diacritics 2', prefix = '2 3')"""
_QUESTION = """
    select rowid, bm25(entries, ?, ?, ?, ?, ?, ?) as closeness, title, slug, stars
    from entries where entries match ? order by closeness, rowid limit ?"""
_INSERT = """
    insert into entries(rowid, title, slug, description, grids, category, participants, stars) values (?, ?, ?, ?, ?, ?, ?, ?)"""


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


_VALUES = attrgetter(*(field.name for field in fields(Entry)))


class SearchIndex:
    """Finds entries by words; they are numbered in the order given.

    It is filled by a thread of its own, and a question waits until it is. It may be asked from any thread.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._filled: Future[None] = Future()
        threading.Thread(target=self._fill, args=(entries,), name="search index", daemon=True).start()

    @property
    def is_ready(self) -> bool:
        """Whether a question would be answered without waiting."""
        return self._filled.done()

    def wait(self) -> None:
        """Wait until it is filled; raises what kept it from that."""
        self._filled.result()

    def find(self, question: str, limit: int) -> list[int]:
        """Return the numbers of at most ``limit`` entries, best first: called so, called nearly so, then by words and stars."""
        self.wait()
        words = list(dict.fromkeys(word[:LONGEST_WORD] for word in _WORD.findall(question)))[:MOST_WORDS]
        if not words:
            return []
        quoted = [f'"{word}"*' for word in words]
        rows = self._ask(" AND ".join(quoted)) or self._ask(" OR ".join(quoted))
        called = _plain(question)
        rows.sort(key=lambda row: (-_nearness(row[2], row[3], called), -_relevance(row[1], row[4]), row[0]))
        return [row[0] for row in rows[:limit]]

    def _fill(self, entries: Iterable[Entry]) -> None:
        try:
            self._connection.execute(_TABLE)
            self._connection.execute("begin")
            rows = ((number, *_VALUES(entry)) for number, entry in enumerate(entries))
            self._connection.executemany(_INSERT, rows)
            self._connection.execute("commit")
        except Exception as error:  # noqa: BLE001 - told to whoever asks
            self._filled.set_exception(error)
        else:
            self._filled.set_result(None)

    def _ask(self, match: str) -> list[tuple[int, float, str, str, int]]:
        return self._connection.execute(_QUESTION, (*_WEIGHTS, match, CANDIDATES)).fetchall()


def _nearness(title: str, slug: str, called: str) -> int:
    """2 for an entry called exactly so, 1 for one called so after ``django-``, the prefix of half a catalog."""
    names = (_plain(title), _plain(slug))
    if called in names:
        return 2
    return 1 if f"django {called}" in names or f"dj {called}" in names else 0


def _relevance(rank: float, stars: int) -> float:
    return -rank * (1 + math.log10(1 + max(0, stars)) / 6)


def _plain(name: str) -> str:
    return " ".join(_WORD.findall(name.replace("_", " ").casefold()))
