"""``packhouse report`` as a person meets it: a file or a stream, the same bytes, exit codes, and nothing half written."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from datetime import timedelta

import pytest

from sandbox.server import running
from tests.conftest import NOW, ROOT, Bench, prompt_world


@pytest.fixture(scope="module")
def harvested(tmp_path_factory):
    """One harvested data folder."""
    with running(prompt_world(), clock=lambda: NOW) as services:
        bench = Bench(data=tmp_path_factory.mktemp("report") / "data", services=services)
        bench.harvest()
        yield bench


def report(bench: Bench, *arguments: str, **options) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own."""
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    command = [sys.executable, "-m", "packhouse", "report", *arguments]
    return subprocess.run(command, cwd=ROOT, env=bench.variables(), timeout=100, check=False, **given)


def test_a_file_and_a_stream_hold_the_same_page(harvested, tmp_path):
    """The page goes to stdout or to the file, what there is to say to stderr, and twice is the same bytes."""
    path = tmp_path / "report.html"
    written = report(harvested, "--output", str(path))
    assert written.returncode == 0, written.stderr
    assert written.stdout == b""
    assert b"25 packages as of 2026-02-15 22:19 UTC" in written.stderr
    streamed = report(harvested)
    assert streamed.returncode == 0
    assert streamed.stderr == b""
    assert streamed.stdout == path.read_bytes()
    assert streamed.stdout.startswith(b"<!doctype html>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_terminal_is_spared(harvested):
    """HTML on a terminal is a slip: exit 2, and the command that was meant."""
    terminal, side = pty.openpty()
    try:
        done = report(harvested, stdout=side)
    finally:
        os.close(side)
        os.close(terminal)
    assert done.returncode == 2
    assert b"packhouse report --output report.html" in done.stderr


def test_nothing_published(bench, tmp_path):
    """Exit 1, the next command, no file, no folder made."""
    path = tmp_path / "report.html"
    done = report(bench, "--output", str(path))
    assert done.returncode == 1
    assert b"Next: run packhouse harvest" in done.stderr
    assert b"Traceback" not in done.stderr
    assert not path.exists()
    assert not bench.data.exists()


def test_a_file_that_cannot_be_written(harvested, tmp_path):
    """Exit 1 and the reason; a folder given as the file is wrong usage."""
    done = report(harvested, "--output", str(tmp_path / "absent" / "report.html"))
    assert done.returncode == 1
    assert b"no folder" in done.stderr
    assert b"Traceback" not in done.stderr
    assert report(harvested, "--output", str(tmp_path)).returncode == 2


def test_two_harvests_give_changes(bench, tmp_path):
    """What moved between two harvests is on the page of the second."""
    bench.harvest("django-scheduler")
    bench.services.world.change("llazzaro/django-scheduler", stars=1400)
    bench.now = NOW + timedelta(days=2)
    bench.harvest("django-scheduler")
    page = report(bench).stdout.decode()
    assert "+69" in page
    assert "Nothing differs" not in page
