"""Several workers on one port: one answer, one sum, and nobody left behind however they end."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.api.publishing import publish_rows
from tests.api.running import ask
from tests.api.sample_rows import SAMPLE
from tests.api.test_server import GOLDEN, process

RECORD = "/api/v4/packages/1776/"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Publish the sample rows in a data folder."""
    folder = tmp_path_factory.mktemp("data")
    publish_rows(folder, SAMPLE, "20260215T222000Z-a")
    return folder


def workers_of(pid: int) -> list[int]:
    """The workers of a server; beside them it has Python's own tracker of shared memory."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must come."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_gone(pid: int) -> bool:
    """Whether the process has ended; one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def requests_counted(port: int) -> int:
    """How many records were answered, as any of the workers tells."""
    told = ask(port, "GET", "/metrics")[2].decode()
    return int(re.search(r'requests_total\{address="packages_record",method="GET",status="200"\} (\d+)', told)[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_workers_answer_as_one_and_end_together(data, number):
    """Each answer is the same, whoever is asked for the counts tells those of all, and a signal ends all with 0 and no words."""
    with process(data, 2) as (running, port):
        golden = (GOLDEN / "v4-package-1776.json").read_bytes()
        assert all(ask(port, "GET", RECORD)[2] == golden for _ in range(40))
        assert {requests_counted(port) for _ in range(10)} == {40}
        crew = workers_of(running.pid)
        assert len(crew) == 2
        running.send_signal(number)
        assert running.communicate(timeout=60) == ("", "")
    assert running.returncode == 0
    until(lambda: all(is_gone(pid) for pid in crew))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_was_begun_is_finished(data, workers):
    """A download that is under way when the signal comes is sent to its end, and then the server ends with 0."""
    path = data / "current" / "packhouse.duckdb"
    with process(data, workers) as (running, port), socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        connection.settimeout(60)
        connection.sendall(b"GET /bulk/packhouse.duckdb HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        said = connection.recv(1000)
        running.send_signal(signal.SIGTERM)
        until(lambda: is_closed(port))
        while chunk := connection.recv(65536):
            said += chunk
        assert said.partition(b"\r\n\r\n")[2] == path.read_bytes()
        assert running.wait(timeout=60) == 0


def is_closed(port: int) -> bool:
    """Whether nobody takes new connections any more."""
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) != 0


def test_a_worker_that_dies_is_replaced(data):
    """The others answer on, a line says so, and there are as many as before."""
    with process(data, 2) as (running, port):
        assert ask(port, "GET", RECORD)[0] == 200
        dead = workers_of(running.pid)[0]
        os.kill(dead, signal.SIGKILL)
        until(lambda: len(set(workers_of(running.pid)) - {dead}) == 2)
        assert ask(port, "GET", RECORD)[0] == 200
        running.terminate()
        assert "ended by itself (exit code -9); another takes its place" in running.communicate(timeout=60)[1]
    assert running.returncode == 0


def test_workers_do_not_outlive_the_first_process(data):
    """When the first process is killed its workers end by themselves."""
    with process(data, 2) as (running, port):
        assert ask(port, "GET", RECORD)[0] == 200
        crew = workers_of(running.pid)
        running.kill()
        until(lambda: all(is_gone(pid) for pid in crew))
    assert len(crew) == 2
