from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from sandbox import curious_world, running
from sandbox.index import SIMPLE_JSON
from sandbox.synthetic import repository_name

ROOT = Path(__file__).resolve().parents[2]


def _start(*options: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
    process = subprocess.Popen([sys.executable, "-m", "sandbox", *options], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, json.loads(process.stdout.readline())


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_process_prints_its_address_serves_and_leaves(tmp_path: Path, ending: signal.Signals) -> None:
    """A benchmark starts it, reads one line, asks, reads the ledger, and ends it by signal without noise."""
    process, addresses = _start("--synthetic", "20", "--seed", "4", "--catalog", str(tmp_path / "catalog"), "--token-per-hour", "77")
    try:
        answer = httpx.get(
            f"{addresses['github_url']}/repos/{repository_name(4, 1)}", headers={"authorization": "token x"}, trust_env=False
        )
        assert answer.headers["x-ratelimit-limit"] == "77"
        assert httpx.get(f"{addresses['base_url']}/sandbox/summary", trust_env=False).json()["requests"] == 1
        assert len((tmp_path / "catalog" / "packages.csv").read_text().splitlines()) == 21
    finally:
        process.send_signal(ending)
        assert process.wait(20) == 0
        assert process.stdout
        process.stdout.close()


def test_process_has_a_clock_and_days_of_its_own() -> None:
    """It starts when told, a day passes when asked, and quota windows and statistics go with it."""
    options = ("--synthetic", "40", "--now", "2026-02-16T03:00:00Z", "--graphql-per-hour", "7", "--serials", "text", "--hour-seconds", "60")
    process, addresses = _start(*options)
    token = {"authorization": "token x"}
    try:
        with httpx.Client(trust_env=False) as client:
            told = client.post(f"{addresses['base_url']}/sandbox/day?pushed=1").json()
            query = client.post(f"{addresses['github_url']}/graphql", json={"query": "{rateLimit{limit resetAt}}"}, headers=token)
            root = client.get(f"{addresses['pypi_url']}/simple/", headers={"accept": SIMPLE_JSON}).json()
            assert client.get(f"{addresses['base_url']}/sandbox/limits").json() == []
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stdout
        process.stdout.close()
    assert told["today"] == "2026-02-17"
    assert len(told["events"]) > 20
    assert query.headers["date"].startswith("Tue, 17 Feb 2026 03:0")
    assert query.json()["data"]["rateLimit"]["limit"] == 7
    assert query.json()["data"]["rateLimit"]["resetAt"].startswith("2026-02-17T03:0")
    assert isinstance(root["meta"]["_last-serial"], str)


def test_process_refuses_a_catalog_for_the_sample() -> None:
    """The sample's catalog is in the repository; nothing is written over it."""
    asked = subprocess.run([sys.executable, "-m", "sandbox", "--catalog", "x"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert asked.returncode == 2
    assert "needs --synthetic" in asked.stderr


def test_taken_port_is_reported() -> None:
    """Nothing is left running when the port belongs to another."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="in use"),
        running(curious_world(), port=taken.getsockname()[1]),
    ):
        pytest.fail("it started")


def test_several_sandboxes_run_side_by_side() -> None:
    """Each has its own world, ledger and quota, and nothing answers after its end."""
    with running(curious_world()) as one, running(curious_world()) as two:
        httpx.get(f"{one.github_url}/repos/curious/plain", trust_env=False)
        assert (len(one.ledger), len(two.ledger)) == (1, 0)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{one.github_url}/repos/curious/plain", trust_env=False)
