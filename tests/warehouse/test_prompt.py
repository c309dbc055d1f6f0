"""The prompt: what it takes as whole, its commands, what it proposes, and all of it on a real terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.warehouse.scenes import ROOT, package, publish_packages
from warehouse.completion import Names, proposals
from warehouse.folder import DataFolder
from warehouse.prompt import QueryPrompt, is_whole, read_lines
from warehouse.readers import open_current
from warehouse.rows import write_rows
from warehouse.terminal import history_file


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder with three packages published."""
    folder = tmp_path_factory.mktemp("prompt") / "data"
    publish_packages(DataFolder(folder), "run-1", [package(number) for number in (1, 2, 3)])
    return folder


@pytest.fixture
def publication(data):
    """The three, open."""
    with open_current(DataFolder(data)) as publication:
        yield publication


@pytest.fixture
def say(publication, capfd):
    """A function that gives the prompt some lines and returns what it put on stdout and on stderr."""

    def say(text):
        read_lines(QueryPrompt(publication, lambda rows, style: write_rows(rows, style, None), "csv"), text.splitlines(keepends=True))
        return capfd.readouterr()

    return say


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("", True),
        ("  \n", True),
        (".tables", True),
        ("quit", True),
        ("select 1", False),
        ("select 1;", True),
        ("select 1; -- done", True),
        ("select 1 -- not yet;", False),
        ("select 'a;", False),
        ("select 'é;'", False),
        ("select 'é;';\n", True),
        ("select 1 /* ; */", False),
        ("select $$ ; $$;", True),
    ],
)
def test_a_statement_ends_with_its_semicolon(text, whole):
    """A semicolon in a text or a comment ends nothing."""
    assert is_whole(text) is whole


def test_every_piece_is_answered(say):
    """Several lines, several statements on one, and what is left without a semicolon; a mistake stops none of the others."""
    out, err = say("select 1\nas a;\nselekt;\nselect 2 as b; select 3 as c;\n\nselect ';\n' as d;\nselect 4 as e")
    assert out == '"a"\n1\n"b"\n2\n"c"\n3\n"d"\n";\n"\n"e"\n4\n'
    assert err.count("Next: correct the statement") == 1


def test_commands_tell_what_there_is(say):
    """Help, tables with their COMMENTs, a table's and a view's columns, and another way to show rows."""
    out, err = say(".help\n.tables\n.schema grids\n.schema MOVERS;\n.mode json\nselect 1 as a;\n.quit\nselect 'never' as b;")
    assert err == ""
    for told in (
        ".schema ",
        "Comparison grids of the catalog, as curated.",
        "CREATE TABLE grids (\n    id BIGINT,",
        "-- Identifier in the API.",
        "CREATE VIEW movers AS\nWITH known AS (",
        "-- stars_at TIMESTAMP WITH TIME ZONE: When they were last confirmed.",
        '[\n  {"a":1}\n]\n',
    ):
        assert told in out
    assert "never" not in out


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (".tabels", "there is no command .tabels. Did you mean .tables? .help tells them all"),
        (".schema package", "there is no table or view package. Did you mean packages? .tables tells them all"),
        (".schema 'x' or true", ".tables tells them all"),
        (".mode xml", ".mode takes one of table, csv, json, parquet; it is csv"),
        ("select slugg from packages;", 'Candidate bindings: "slug"'),
        ("drop table packages;", "DROP is refused"),
    ],
)
def test_a_slip_is_explained(say, typed, told):
    """What was meant is proposed, and the prompt goes on."""
    out, err = say(f"{typed}\nselect 42 as answer;\n")
    assert told in err
    assert out == '"answer"\n42\n'


@pytest.mark.parametrize(
    ("before", "first"),
    [
        (".ta", [".tables"]),
        (".schema mo", ["movers"]),
        ("from pack", ["packages", "packages_current"]),
        ("select * from packages join grid_p", ["grid_packages"]),
        ("select p.star| from packages p", ["stars_count"]),
        ("select last_c| from head_observations", ["last_commit_at"]),
        ("select stars_g", ["stars_gained_count"]),
        ("SELE", ["SELECT"]),
        ("sele", ["select"]),
        ("select slug from packages where list_con", ["list_concat", "list_contains"]),
        ("select x.a| from packages p", []),
        ("", []),
    ],
)
def test_what_may_come_next(publication, before, first):
    """Tables after FROM and JOIN, a table's own columns where one is named, then keywords and functions; nothing for nothing."""
    before, _, after = before.partition("|")
    found = [proposal.word for proposal in proposals(Names(publication), before, after)]
    assert found[: len(first)] == first
    assert first or not found


def test_history_has_its_place():
    """Below the state folder when it is an absolute path, else below the home folder."""
    assert history_file({"XDG_STATE_HOME": "/s", "HOME": "/h"}) == Path("/s/packhouse/sql-history")
    assert history_file({"XDG_STATE_HOME": "s", "HOME": "/h"}) == Path("/h/.local/state/packhouse/sql-history")


class Terminal:
    """A packhouse process on a terminal of 24 lines."""

    def __init__(self, data: Path, home: Path, **variables: str) -> None:
        controller, end = pty.openpty()
        termios.tcsetwinsize(end, (24, 100))
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", **variables}
        command = ["setsid", "--ctty", sys.executable, "-m", "packhouse", "sql", "--data", str(data)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=end, stdout=end, stderr=end)
        os.close(end)
        self.handle = controller
        self.seen = ""

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self.handle, text.encode())

    def until(self, text: str) -> str:
        """Wait for a text, and return all that came up to it."""
        deadline = time.monotonic() + 60
        while text not in self.seen:
            if time.monotonic() > deadline or not select.select([self.handle], [], [], 60)[0]:
                pytest.fail(f"{text!r} did not come: {self.seen[-2000:]!r}")
            try:
                self.seen += os.read(self.handle, 65536).decode(errors="replace")
            except OSError:
                pytest.fail(f"the terminal closed before {text!r}: {self.seen[-2000:]!r}")
        before, _, self.seen = self.seen.partition(text)
        return before


@pytest.fixture
def terminal(tmp_path, data):
    """A function that opens the prompt on a terminal; what is still open at the end is closed."""
    opened = []

    def terminal(**variables):
        opened.append(Terminal(data, tmp_path / "home", **variables))
        opened[-1].until("packhouse>")
        return opened[-1]

    yield terminal
    for one in opened:
        one.process.kill()
        one.process.wait()
        os.close(one.handle)


def test_on_a_terminal(terminal, tmp_path):
    """Statements over lines, completion, Ctrl-C for a query and for a line, history for its author alone, and the way out."""
    one = terminal(PAGER="cat")
    one.type("select 'forty-' || 'two'\r")
    one.until("...>")
    one.type("as answer;\r")
    one.until("forty-two")
    one.until("(1 row)")
    one.until("packhouse>")
    one.type("select count(*) as n from package\t")
    one.until("packages_current")
    one.type("\x03")
    one.until("packhouse>")
    one.type("with recursive t as (select 1 as x union all select x + 1 from t) select max(x) from t;\r")
    time.sleep(1)
    one.type("\x03")
    one.until("stopped")
    one.until("packhouse>")
    one.type("select 'still ' || 'here' as it;\r")
    one.until("still here")
    one.until("packhouse>")
    one.type(".quit\r")
    assert one.process.wait(timeout=60) == 0
    history = tmp_path / "home" / ".local" / "state" / "packhouse" / "sql-history"
    assert history.stat().st_mode & 0o777 == 0o600
    assert history.parent.stat().st_mode & 0o777 == 0o700
    assert "+select 'forty-' || 'two'\n+as answer;" in history.read_text()
    again = terminal(PAGER="cat")
    again.type("\x1b[A\x1b[A\r")  # .quit, then the statement before it
    again.until("still here")
    again.until("packhouse>")
    again.type("\x04")
    assert again.process.wait(timeout=60) == 0


def test_long_answers_come_page_by_page(terminal):
    """An answer longer than the screen waits in less; q goes back to the prompt, though a hundred million rows are to come."""
    one = terminal()
    one.type("select 'row-' || r from range(100_000_000) t(r);\r")
    one.until("row-19")
    one.type("q")
    one.until("packhouse>")
    one.type("select 'next' || ' one' as it;\r")
    one.until("next one")
    one.until("packhouse>")
    one.type("\x04")
    assert one.process.wait(timeout=60) == 0


def test_without_a_place_for_history_it_works(terminal, tmp_path):
    """A home that is a file costs the history and nothing else."""
    (tmp_path / "home").write_text("")
    one = terminal(PAGER="no-such-pager")
    one.type("select 'forty-' || 'two' as answer;\r")
    one.until("forty-two")
    one.process.send_signal(signal.SIGTERM)
    one.process.wait(timeout=60)
