"""A prompt over one publication: a statement may span lines and ends with a semicolon."""

from __future__ import annotations

import cmd
import contextlib
import sys
from pathlib import Path

from warehouse.errors import InvalidQuery
from warehouse.readers import Publication, query
from warehouse.rows import write_rows

with contextlib.suppress(ImportError):
    import readline  # noqa: F401 - gives input() history and line editing where there is any


class QueryPrompt(cmd.Cmd):
    """Reads statements, answers each, and goes on after a mistake; ends at end of input or ``.quit``."""

    prompt = "packhouse> "

    def __init__(self, publication: Publication, style: str, output: Path | None) -> None:
        super().__init__()
        self._publication = publication
        self._style = style
        self._output = output
        self._lines: list[str] = []
        self.intro = f"{publication.path}, as of {publication.as_of_at:%Y-%m-%d %H:%M} UTC. SHOW TABLES; tells the tables; .quit leaves."

    def onecmd(self, line: str) -> bool:
        """Take one line; a true result ends the prompt."""
        if line == "EOF" or (not self._lines and line.strip() in (".quit", ".exit", "quit", "exit")):
            return True
        self._lines.append(line)
        if line.rstrip().endswith(";"):
            self._answer("\n".join(self._lines))
            self._lines.clear()
        elif not "".join(self._lines).strip():
            self._lines.clear()
        self.prompt = "       ...> " if self._lines else "packhouse> "
        return False

    def _answer(self, sql: str) -> None:
        try:
            write_rows(query(self._publication, sql), self._style, self._output)
        except InvalidQuery as error:
            sys.stderr.write(f"{error}\n")
        except KeyboardInterrupt:
            sys.stderr.write("stopped\n")
