"""The prompt of ``packhouse sql`` on a terminal: line editing, history, completion, and long answers page by page.

Past statements are kept in ``$XDG_STATE_HOME/packhouse/sql-history`` (else below ``~/.local/state``), readable by their author alone; where
that cannot be written they are kept while the prompt is open. Long answers go to ``$PAGER``, else to ``less``.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import has_completions
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from warehouse.completion import Names, proposals
from warehouse.prompt import QueryPrompt, is_whole
from warehouse.readers import Publication
from warehouse.rows import Screen, write_rows, write_to

PROMPT, CONTINUED = "packhouse> ", "       ...> "
# Long lines are cut, not folded; what fits on the screen is left there.
LESS = "-SFRX"


def converse(publication: Publication, style: str, output: Path | None, environ: Mapping[str, str]) -> None:
    """Ask until somebody leaves; Ctrl-C empties the line, Ctrl-D on an empty one leaves. Rows go to ``output``, else through the pager."""

    def show(rows: pa.RecordBatchReader, style: str) -> None:
        if output is None:
            show_paged(rows, style, environ)
        else:
            write_rows(rows, style, output)

    prompt = QueryPrompt(publication, show, style)
    session: PromptSession[str] = PromptSession(
        PROMPT,
        multiline=True,
        prompt_continuation=CONTINUED,
        key_bindings=_keys(),
        history=_history(history_file(environ)),
        completer=_NameCompleter(Names(publication)),
        complete_while_typing=False,
        complete_in_thread=True,
        auto_suggest=AutoSuggestFromHistory(),
        enable_open_in_editor=True,
    )
    sys.stdout.write(prompt.greeting + "\n")
    while True:
        try:
            if prompt.take(session.prompt()):
                return
        except KeyboardInterrupt:
            continue
        except EOFError:
            return


def history_file(environ: Mapping[str, str]) -> Path:
    """Where past statements are kept; https://specifications.freedesktop.org/basedir/latest/ asks for absolute paths."""
    state = Path(environ.get("XDG_STATE_HOME", ""))
    home = Path(environ.get("HOME") or "~").expanduser()
    return (state if state.is_absolute() else home / ".local" / "state") / "packhouse" / "sql-history"


def show_paged(rows: pa.RecordBatchReader, style: str, environ: Mapping[str, str]) -> None:
    """Show an answer through the pager, which leaves a short one on the screen; without a pager, at once."""
    command = shlex.split(environ.get("PAGER", "")) or ["less"]
    if style == "parquet" or shutil.which(command[0]) is None:
        write_rows(rows, style, None)
        return
    sys.stdout.flush()
    with subprocess.Popen(command, stdin=subprocess.PIPE, env={"LESS": LESS, **environ}) as pager:  # noqa: S603 - the user's own pager
        assert pager.stdin is not None  # noqa: S101 - for the type checker
        try:
            with suppress(BrokenPipeError):  # whoever reads has seen enough
                write_to(rows, style, Screen(pager.stdin))
        finally:
            with suppress(BrokenPipeError):
                pager.stdin.close()
            while pager.poll() is None:
                with suppress(KeyboardInterrupt):  # the pager hears it as well, and decides
                    pager.wait()


def _history(path: Path) -> History:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.fchmod(handle, 0o600)
        finally:
            os.close(handle)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter", filter=~has_completions)
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if is_whole(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    return keys


class _NameCompleter(Completer):
    def __init__(self, names: Names) -> None:
        self._names = names

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """What ``proposals`` says of the place of the cursor."""
        del complete_event
        for found in proposals(self._names, document.text_before_cursor, document.text_after_cursor):
            yield Completion(found.word, start_position=-found.typed, display_meta=found.kind)
