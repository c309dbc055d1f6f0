"""Which statements a publication answers: one that reads, and whose plan writes nothing.

The kind of a statement is not enough: ``EXPLAIN ANALYZE COPY …`` is an EXPLAIN and ``WITH x AS (COPY …) FROM x`` is a SELECT, and the
paths DuckDB needs for itself (its file with ``.wal`` beside it, its folder for what does not fit) stay open to both. So what is explained
has to read too, and no step of the plan may write; DuckDB lets a WITH write at the top level only, where the plan shows it.
"""

from __future__ import annotations

import re
from itertools import pairwise

import duckdb

from warehouse.database import DUCKDB_ERRORS
from warehouse.errors import InvalidQuery

_READING = frozenset({duckdb.StatementType.SELECT, duckdb.StatementType.MULTI})
# `EXPLAIN`, `EXPLAIN ANALYZE`, `EXPLAIN (ANALYZE, FORMAT json)`, with comments anywhere.
_BLANK = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
_EXPLAIN = re.compile(rf"{_BLANK}explain\b{_BLANK}(?:analyze\b|\([^()]*\))?", re.IGNORECASE | re.DOTALL)
_LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)
_STEP = re.compile(r'"name":\s*"([^"\\]*)"')
_JOIN_BY_MERGING = "PIECEWISE_MERGE_JOIN"  # how a join by <= and >= may be made; MERGE INTO is MERGE_INTO
_WRITING = frozenset({"COPY", "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "ALTER", "DROP", "EXPORT", "ATTACH", "VACUUM"})


def reading_statement(cursor: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The one statement in ``sql``; raises InvalidQuery for none, several, one that writes or sets, and one DuckDB cannot plan."""
    lines_added = 0  # where DuckDB sees the statement, below where its author does
    try:
        statements = duckdb.extract_statements(sql)
        if len(statements) != 1:
            what = "there is no statement" if not statements else f"there are {len(statements)} statements"
            raise InvalidQuery(f"{what}; one query is answered at a time. Next: write one SELECT")
        asked = read = statements[0]
        if asked.type == duckdb.StatementType.EXPLAIN:
            read = _explained(asked.query)
        if read.type not in _READING:
            raise _refused(read.type.name)
        if read.type == duckdb.StatementType.MULTI:  # a PIVOT: its first part runs even when it is only to be explained
            _refuse_writing_words(read.query)
        lines_added = 1 - sql.partition(read.query)[0].count("\n")
        plan = cursor.execute(f"EXPLAIN (FORMAT json)\n{read.query}").fetchall()
    except DUCKDB_ERRORS as error:
        raise invalid_query(error, lines_added) from error
    for _, tree in plan:
        for step in _STEP.findall(tree):
            if step != _JOIN_BY_MERGING and (words := _WRITING.intersection(step.split("_"))):
                raise _refused(min(words))
    return asked.query


def invalid_query(error: BaseException, lines_added: int = 0) -> InvalidQuery:
    """What DuckDB said, with its drawing of the place in the lines of the author, and what to do next."""
    said = _LINE.sub(lambda found: f"LINE {int(found[1]) - lines_added}:".ljust(len(found[0])), str(error).strip())
    return InvalidQuery(f"DuckDB cannot answer this: {said}\nNext: correct the statement; SHOW TABLES and DESCRIBE packages tell the names")


def _refuse_writing_words(sql: str) -> None:
    """Refuse a statement in which a parenthesis begins with a word that writes, as the body of a WITH would."""
    text = sql.encode()
    starts = [start for start, kind in duckdb.tokenize(sql) if kind != duckdb.token_type.comment]
    words = [re.match(rb"\(|\w*", text[start:]).group().decode().upper() for start in starts]  # type: ignore[union-attr]  # matches always
    for before, word in pairwise(words):
        if before == "(" and word in _WRITING:
            raise _refused(word)


def _explained(sql: str) -> duckdb.Statement:
    start = _EXPLAIN.match(sql)
    inner = duckdb.extract_statements(sql[start.end() :]) if start else []
    if len(inner) != 1:
        raise _refused("EXPLAIN of this")
    return inner[0]


def _refused(what: str) -> InvalidQuery:
    return InvalidQuery(
        f"{what} is refused: a publication is read-only, and files, network and settings are closed. "
        "Next: write a SELECT; to change or export data open a copy of packhouse.duckdb with any DuckDB client"
    )
