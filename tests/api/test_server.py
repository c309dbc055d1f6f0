"""The API as a process of its own."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from api.server import CannotServe, Served, serve
from tests.api.publishing import publish_rows
from tests.api.running import ask
from tests.api.sample_rows import BASE, SAMPLE
from warehouse.errors import NothingPublished

GOLDEN = Path(__file__).parent.parent / "golden"
ROOT = Path(__file__).parent.parent.parent
PROGRAM = """
import sys
from pathlib import Path
from zoneinfo import ZoneInfo
from api.server import Served, serve
served = Served(data=Path(sys.argv[1]), zone=ZoneInfo("America/New_York"), base_url=sys.argv[2])
serve(served, host="127.0.0.1", port=0, workers=int(sys.argv[3]))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Publish the sample rows in a data folder."""
    folder = tmp_path_factory.mktemp("data")
    publish_rows(folder, SAMPLE, "20260215T222000Z-a")
    return folder


@contextmanager
def process(folder: Path, workers: int = 1):
    """Run the server over a data folder; yields the process and its port once it listens."""
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(folder), BASE, str(workers)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stderr=pipe, stdout=pipe, text=True) as running:
        try:
            line = running.stderr.readline()
            yield running, int(re.search(r"http://127\.0\.0\.1:(\d+)/api/v4/", line)[1])
        finally:
            running.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_told_to_end(data, number):
    """It prints its address on stderr, serves the publication, writes nothing more, and ends with 0 on Ctrl-C and SIGTERM."""
    with process(data) as (running, port):
        assert ask(port, "GET", "/api/v4/packages/1776/")[2] == (GOLDEN / "v4-package-1776.json").read_bytes()
        running.send_signal(number)
        assert running.communicate(timeout=30) == ("", "")
    assert running.returncode == 0


def test_outlives_its_data_folder(data, tmp_path):
    """A server whose data folder is deleted goes on serving what it has loaded."""
    folder = tmp_path / "data"
    shutil.copytree(data, folder, symlinks=True)
    with process(folder) as (_, port):
        shutil.rmtree(folder)
        assert ask(port, "GET", "/api/v4/packages/1776/")[2] == (GOLDEN / "v4-package-1776.json").read_bytes()


def test_port_in_use_is_one_clear_message(data):
    """A port somebody else has is a declared error that says which and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotServe, match=rf"127\.0\.0\.1 port {port}: .*; choose another with --host and --port"):
            serve(Served(data=data, zone=ZoneInfo("UTC")), host="127.0.0.1", port=port)


@pytest.mark.parametrize(("host", "port"), [("203.0.113.7", 8000), ("127.0.0.1", 70000), ("no host", 8000), ("a" * 70, 80)])
def test_impossible_address_is_one_clear_message(data, host, port):
    """An address this machine does not have, or that none can have, is a declared error."""
    with pytest.raises(CannotServe, match="cannot listen at"):
        serve(Served(data=data, zone=ZoneInfo("UTC")), host=host, port=port)


@pytest.mark.parametrize("workers", [1, 3])
def test_nothing_published_is_told_before_listening(tmp_path, workers):
    """Without a publication nothing listens, and the message says to harvest."""
    with pytest.raises(NothingPublished, match="packhouse harvest"):
        serve(Served(data=tmp_path, zone=ZoneInfo("UTC")), host="127.0.0.1", port=0, workers=workers)
