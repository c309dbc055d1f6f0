"""What is said at the prompt of ``packhouse sql``: statements, which end with a semicolon, and commands, which begin with a dot.

It knows no terminal: lines come from a pipe (``read_lines``) or from ``warehouse/terminal.py``. Answers go where ``show`` puts them,
mistakes to stderr, and the next line is taken.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches

import duckdb
import pyarrow as pa

from warehouse.database import DUCKDB_ERRORS
from warehouse.errors import InvalidQuery
from warehouse.readers import Publication, query
from warehouse.rows import NAMES
from warehouse.views import VIEWS

COMMANDS = {
    ".help": "these lines",
    ".tables": "every table and view, with what it is",
    ".schema": "the columns of a TABLE or view, with what each means; without one, of all",
    ".mode": f"how rows are shown: {', '.join(NAMES)}",
    ".quit": "leave; also .exit and the end of input",
}
_LEAVING = (".quit", ".exit", "quit", "exit", "quit;", "exit;")
_TABLES = """
SELECT name, kind, comment FROM (
    SELECT table_name AS name, 'table' AS kind, comment, table_oid AS place FROM duckdb_tables() WHERE database_name = 'publication'
    UNION ALL
    SELECT view_name, 'view', comment, view_oid FROM duckdb_views() WHERE database_name = 'publication' AND NOT internal
) ORDER BY kind, place
"""
_COLUMNS = """
SELECT column_name, data_type, comment FROM duckdb_columns()
WHERE database_name = 'publication' AND table_name = ? ORDER BY column_index
"""

Show = Callable[[pa.RecordBatchReader, str], None]


def is_whole(text: str) -> bool:
    """Whether what was typed can be taken: a command, nothing, or text whose last token is a semicolon (no quote left open)."""
    if not text.strip() or text.lstrip().startswith(".") or text.strip() in _LEAVING:
        return True
    try:
        starts = [start for start, kind in duckdb.tokenize(text) if kind != duckdb.token_type.comment]
    except DUCKDB_ERRORS:
        return text.rstrip().endswith(";")  # let DuckDB say what is wrong with it
    return bool(starts) and text.encode()[starts[-1] :].startswith(b";")


class QueryPrompt:
    """Takes what was typed, one whole piece at a time; ``style`` is how rows are shown until ``.mode`` says otherwise."""

    def __init__(self, publication: Publication, show: Show, style: str) -> None:
        self.publication = publication
        self._style = style
        self._show = show

    @property
    def greeting(self) -> str:
        """What is open, and how to go on."""
        return f"{self.publication.path}, as of {self.publication.as_of_at:%Y-%m-%d %H:%M} UTC. .tables tells the tables, .help the rest."

    def take(self, text: str) -> bool:
        """Answer one piece; a true result ends the prompt. Mistakes are told on stderr; Ctrl-C stops what is being answered."""
        words = text.split()
        if text.strip().lower() in _LEAVING or (words and words[0] in _LEAVING):
            return True
        try:
            if text.lstrip().startswith("."):
                self._command(words[0], words[1:])
            elif words:
                self._answer(text)
        except InvalidQuery as error:
            _tell(str(error))
        except KeyboardInterrupt:
            _tell("stopped")
        return False

    def _answer(self, text: str) -> None:
        try:
            pieces = [statement.query for statement in duckdb.extract_statements(text)]
        except DUCKDB_ERRORS:
            pieces = []
        for sql in pieces if len(pieces) > 1 else [text]:
            self._show(query(self.publication, sql), self._style)

    def _command(self, name: str, words: list[str]) -> None:
        if name == ".help":
            sys.stdout.write("".join(f"{command:<9} {meaning}\n" for command, meaning in COMMANDS.items()))
            sys.stdout.write("A statement ends with ; and may span lines. Ctrl-C stops an answer or empties the line.\n")
        elif name == ".tables":
            self._show(query(self.publication, _TABLES), "table")
        elif name == ".schema":
            self._schema(words)
        elif name == ".mode":
            if len(words) != 1 or words[0] not in NAMES:
                raise InvalidQuery(f".mode takes one of {', '.join(NAMES)}; it is {self._style}")
            self._style = words[0]
        else:
            raise InvalidQuery(f"there is no command {name}.{_near(name, COMMANDS)} .help tells them all")

    def _schema(self, words: list[str]) -> None:
        with self.publication.cursor() as cursor:
            names = [name for name, _kind, _comment in cursor.execute(_TABLES).fetchall()]
            for name in [word.strip(";").lower() for word in words] or names:
                if name not in names:
                    raise InvalidQuery(f"there is no table or view {name}.{_near(name, names)} .tables tells them all")
                sys.stdout.write(_definition(name, cursor.execute(_COLUMNS, [name]).fetchall()))
        sys.stdout.flush()


def read_lines(prompt: QueryPrompt, lines: Iterable[str]) -> None:
    """Take every piece of some lines that nobody types; what is left at their end counts as a statement."""
    typed = ""
    for line in lines:
        typed += line
        if is_whole(typed):
            if prompt.take(typed):
                return
            typed = ""
    prompt.take(typed)


def _definition(name: str, columns: list[tuple[str, str, str]]) -> str:
    view = next((view for view in VIEWS if view.name == name), None)
    if view is not None:
        notes = "".join(f"-- {column} {kind}: {comment}\n" for column, kind, comment in columns)
        return f"{notes}CREATE VIEW {name} AS{view.query.rstrip()};\n"
    lines = [f"    {column} {kind}{',' if place < len(columns) else ''}" for place, (column, kind, _) in enumerate(columns, start=1)]
    width = max(map(len, lines))
    body = "".join(f"{line:<{width}}  -- {column[2]}\n" for line, column in zip(lines, columns, strict=True))
    return f"CREATE TABLE {name} (\n{body});\n"


def _near(word: str, words: Iterable[str]) -> str:
    near = get_close_matches(word, list(words), n=1)
    return f" Did you mean {near[0]}?" if near else ""


def _tell(text: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
