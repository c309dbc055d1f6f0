"""``packhouse schedule`` as a process, against the sandbox, in real time."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from packhouse import main
from tests.conftest import ROOT, Bench
from warehouse.schedule_file import FILE

PATIENCE_SECONDS = 60


class Scheduled:
    """A schedule at work, and what it has said so far."""

    def __init__(self, bench: Bench, log: Path, *arguments: str, **extra: str) -> None:
        self.log = log
        with log.open("wb") as stream:
            command = [sys.executable, "-m", "packhouse", "schedule", "--engine", "none", *arguments]
            self.process = subprocess.Popen(command, cwd=ROOT, env={**bench.variables(), **extra}, stdout=stream, stderr=stream)

    def said(self) -> str:
        """Everything written so far, the runs' lines among it."""
        return self.log.read_text()

    def wait_for(self, text: str, count: int = 1) -> None:
        """Wait until it was said so many times."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.said().count(text) < count:
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def end(self, *signals: signal.Signals) -> int:
        """Send the signals and return the exit code."""
        for number in signals:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def _schedule(bench: Bench, log: Path, *arguments: str, **extra: str) -> Iterator[Scheduled]:
    scheduled = Scheduled(bench, log, *arguments, **extra)
    try:
        yield scheduled
    finally:
        if scheduled.process.poll() is None:
            scheduled.process.kill()
            scheduled.process.wait()


def _state(bench: Bench) -> dict[str, Any]:
    state: dict[str, Any] = json.loads((bench.data / FILE).read_text())
    return state


def test_two_harvests_and_an_orderly_end(bench: Bench, tmp_path: Path) -> None:
    """Runs follow one another, each a process of its own; a second schedule is refused; SIGTERM ends it with 0."""
    with _schedule(bench, tmp_path / "log", "--every", "2s") as scheduled:
        scheduled.wait_for("exit code 0 (done)", 2)
        with _schedule(bench, tmp_path / "second", "--every", "2s") as second:
            assert second.process.wait(PATIENCE_SECONDS) == 1
        assert f"process {scheduled.process.pid}" in second.said()
        assert scheduled.end(signal.SIGTERM) == 0
    said = scheduled.said()
    assert said.startswith("Schedule: every 2s. Each run: packhouse harvest --engine=none\nRun begins: due ")
    assert "Traceback" not in said
    assert len(bench.rows("select run_id from runs where outcome = 'done'")) >= 1
    state = _state(bench)
    assert state["last"]["due_at"] in state["started"]
    assert state["next_due_at"] > state["last"]["due_at"]


def test_an_interrupted_run_lands_and_is_gone_on_with(bench: Bench, tmp_path: Path) -> None:
    """Ctrl-C is passed on; the schedule ends with 0 when the run has landed what was in flight, and its next start resumes it."""
    bench.services.faults.latency_ms = 200
    with _schedule(bench, tmp_path / "log", "--every", "1h", PACKHOUSE_CONCURRENCY="2") as scheduled:
        while len(bench.services.ledger) < 5:
            assert scheduled.process.poll() is None, scheduled.said()
            time.sleep(0.02)
        assert scheduled.end(signal.SIGINT) == 0
    assert "The same command goes on where it stopped" in scheduled.said()
    due_at = _state(bench)["running_due_at"]
    assert due_at is not None
    bench.services.faults.latency_ms = 0
    with _schedule(bench, tmp_path / "again", "--every", "1h") as scheduled:
        scheduled.wait_for("Next due")
        assert scheduled.end(signal.SIGTERM) == 0
    said = scheduled.said()
    assert "was cut off; it is made up for at once" in said
    assert "Going on with run" in said
    assert said.count("Run begins") == 1
    assert _state(bench)["running_due_at"] is None
    assert _state(bench)["last"]["due_at"] == due_at


def test_a_second_signal_kills_the_run(bench: Bench, tmp_path: Path) -> None:
    """For whoever cannot wait for answers that do not come; told with exit code 1."""
    bench.services.faults.latency_ms = 6_000
    with _schedule(bench, tmp_path / "log", "--every", "1h") as scheduled:
        while not len(bench.services.ledger):
            assert scheduled.process.poll() is None, scheduled.said()
            time.sleep(0.02)
        scheduled.process.send_signal(signal.SIGTERM)
        scheduled.wait_for("A second signal kills it")
        assert scheduled.end(signal.SIGTERM) == 1
    assert "killed by signal 9" in scheduled.said()


def test_a_run_that_cannot_begin_does_not_end_the_schedule(bench: Bench, tmp_path: Path) -> None:
    """A mistake in the catalog is told by the run; the schedule waits for the next due time, and tells a service manager how it is."""
    (tmp_path / "catalog").mkdir()
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(PATIENCE_SECONDS)
        bench.overrides["catalog"] = str(tmp_path / "catalog")
        with _schedule(bench, tmp_path / "log", "--every", "1h", NOTIFY_SOCKET=str(address)) as scheduled:
            scheduled.wait_for("Next due")
            assert "exit code 2 (wrong usage)" in scheduled.said()
            heard = ""
            while "next due" not in heard:
                heard += manager.recv(4096).decode() + "\n"
            assert scheduled.end(signal.SIGTERM) == 0
    assert heard.startswith("READY=1\n")
    assert "WATCHDOG=1\n" in heard
    assert "STATUS=harvesting, due " in heard


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "When?"),
        (("--cron", "17 3 * * *", "--every", "6h"), "When?"),
        (("--cron", "17 3 * *"), "is not a cron line"),
        (("--every", "soon"), "is not a duration"),
        (("--every", "0h"), "longer than nothing"),
        (("--cron", "17 3 * * *", "--timezone", "Mars/Utopia"), "IANA"),
        (("--every", "6h", "--max-age", "old"), "is not a duration"),
    ],
)
def test_wrong_usage_is_told_before_anything_runs(
    arguments: tuple[str, ...], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, one message, nothing written."""
    monkeypatch.setattr(sys, "argv", ["packhouse", "schedule", "--data", str(tmp_path / "data"), *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert word in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_a_relative_data_folder_means_the_same_to_every_run(bench: Bench, tmp_path: Path) -> None:
    """Runs start where the schedule was started."""
    bench.overrides["catalog"] = str(ROOT / "catalog")
    environ = {name: text for name, text in bench.variables().items() if name != "PACKHOUSE_DATA"}
    with (tmp_path / "log").open("wb") as stream:
        command = [sys.executable, str(ROOT / "packhouse.py"), "schedule", "--every", "1h", "--engine", "none", "--data", "here"]
        process = subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=stream, stderr=stream)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (tmp_path / "here" / "current").exists():
        assert process.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(PATIENCE_SECONDS) == 0
