"""Prefect for real: the embedded engine with its whole life, and a server that deploys and schedules."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Bench

BIN = Path(sys.executable).parent
pytestmark = pytest.mark.slow


def _packhouse(bench: Bench, *arguments: str, **extra: str) -> subprocess.Popen[str]:
    command = [str(BIN / "python"), "-m", "packhouse", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env={**bench.variables(), **extra}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _children_named(text: str, marker: str) -> list[int]:
    """Processes whose command line has ``text`` and whose environment has ``marker``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line, environ = entry.joinpath("cmdline").read_bytes(), entry.joinpath("environ").read_bytes()
        except OSError:
            continue
        if text.encode() in line and marker.encode() in environ:
            found.append(int(entry.name))
    return found


@pytest.mark.timeout(400)
def test_the_embedded_engine_runs_a_harvest_and_leaves_nothing_behind(bench: Bench) -> None:
    """A harvest is a flow run with its task runs; the home is under the data folder; afterwards no server runs."""
    process = _packhouse(bench, "harvest", "django-scheduler", "--json")
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    report = json.loads(out)
    assert report["run"]["engine"] == "prefect"
    assert (bench.data / "prefect" / "prefect.db").exists()
    assert _children_named("flows.embedded_server", str(bench.data)) == []
    again = _packhouse(bench, "replay", "--json")
    out, err = again.communicate(timeout=200)
    assert again.returncode == 3, err  # the other packages were never asked for
    assert json.loads(out)["run"]["kind"] == "replay"
    assert "leaked" not in err
    compacted = _packhouse(bench, "compact", "--json")
    out, err = compacted.communicate(timeout=200)
    assert compacted.returncode == 0, err
    assert json.loads(out)["archived_files"] > 0


@pytest.mark.timeout(300)
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for orphans in /proc")
def test_a_killed_run_leaves_no_server(bench: Bench) -> None:
    """After ``kill -9`` of the run its embedded server ends by itself, at its first start as in the middle of a run."""
    bench.services.faults.latency_ms = 400
    for requests in (0, 3):
        process = _packhouse(bench, "harvest", PACKHOUSE_CONCURRENCY="1")
        while len(bench.services.ledger) < requests or not _children_named("flows.embedded_server", str(bench.data)):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.kill()
        process.communicate()
        deadline = time.monotonic() + 20
        while _children_named("flows.embedded_server", str(bench.data)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert _children_named("flows.embedded_server", str(bench.data)) == []


@pytest.mark.timeout(300)
def test_sigterm_under_the_engine_ends_cleanly(bench: Bench) -> None:
    """Prefect's own handling of signals does not get in the way of ours."""
    bench.services.faults.latency_ms = 300
    process = _packhouse(bench, "harvest", PACKHOUSE_CONCURRENCY="2")
    while len(bench.services.ledger) < 5:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "goes on where it stopped" in err
    assert "Traceback" not in err
    assert "leaked" not in err, "the store was closed before the process ended"
    assert _children_named("flows.embedded_server", str(bench.data)) == []


@pytest.mark.timeout(300)
def test_two_runs_starting_at_once_share_no_engine(bench: Bench) -> None:
    """The second ends with a clear message while the first is still starting its engine, and the first is not disturbed."""
    first = _packhouse(bench, "harvest", "django-scheduler")
    while not (bench.data / "prefect" / ".in-use").exists():
        assert first.poll() is None
        time.sleep(0.01)
    second = _packhouse(bench, "harvest", "django-scheduler")
    _out, err = second.communicate(timeout=100)
    assert second.returncode == 1
    assert "nothing lost" in err
    assert "Traceback" not in err
    _out, err = first.communicate(timeout=200)
    assert first.returncode == 0, err


@contextmanager
def _server(home: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A real Prefect server with its services, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    environ = {
        **kept,
        "HOME": str(home),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
        "DO_NOT_TRACK": "1",
        "PACKHOUSE_CHECKOUT": str(ROOT),
    }
    log = (home / "server.log").open("wb")
    command = [str(BIN / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    server = subprocess.Popen(command, cwd=home, env=environ, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_until_healthy(environ["PREFECT_API_URL"], server, log.name)
        yield environ["PREFECT_API_URL"], environ
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def _wait_until_healthy(url: str, server: subprocess.Popen[bytes], log: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert server.poll() is None, Path(log).read_text()[-2000:]
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    pytest.fail("the Prefect server did not start: " + Path(log).read_text()[-2000:])


def _post(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@pytest.mark.timeout(400)
def test_a_real_server_deploys_schedules_and_shows_a_run(bench: Bench, tmp_path: Path) -> None:
    """The pinned versions let a server deploy ``prefect.yaml``, schedule its cron, and show a harvest with its report.

    A healthy server is not enough: with a newer FastAPI deploying fails, with a newer SQLAlchemy no cron run is ever made.
    """
    with _server(tmp_path) as (url, environ):
        for arguments in (
            ["work-pool", "create", "packhouse", "--type", "process"],
            ["--no-prompt", "deploy", "--all"],
            ["automation", "create", "--from-file", "deploy/automations.yaml"],
        ):
            done = subprocess.run(
                [str(BIN / "prefect"), *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
        _deployments_are_described(url)
        deadline = time.monotonic() + 60
        scheduled: list[Any] = []
        while not scheduled and time.monotonic() < deadline:
            scheduled = _post(f"{url}/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}})
            time.sleep(0.5)
        assert scheduled, "the cron schedule made no run"
        assert {run["auto_scheduled"] for run in scheduled} == {True}
        process = _packhouse(bench, "harvest", "django-scheduler", "--json", PREFECT_API_URL=url, PREFECT_HOME=environ["PREFECT_HOME"])
        _out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert "leaked" not in err
        assert not (bench.data / "prefect").exists(), "with a server configured none is embedded"
        runs = _post(f"{url}/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}})
        assert [run["name"] for run in runs] == ["Harvest django-scheduler"]
        assert runs[0]["parameters"]["slugs"] == ["django-scheduler"]
        assert "packhouse" in runs[0]["tags"]
        artifacts = {artifact["key"]: artifact for artifact in _post(f"{url}/artifacts/filter", {})}
        assert set(artifacts) == {"harvest-report", "harvest-spending", "harvest-progress", "publication"}
        assert "GitHub quota units" in artifacts["harvest-report"]["data"]
        assert json.loads(artifacts["harvest-spending"]["data"])[0]["question"] == "probe"
        assert artifacts["harvest-progress"]["data"] == 100
        assert "https://djangopackages.org/bulk/" in artifacts["publication"]["data"]
        names = _eventually(lambda: [run["name"] for run in _post(f"{url}/task_runs/filter", {})], 4)
        assert sorted(name.partition(" 2026")[0] for name in names) == [
            "Ask GitHub about 1 repository and PyPI about 1 project",
            "Check and publish the records",
            "Load what landed into the store",
            "Record the publication of run",
        ]
        _a_stopped_run_says_so(bench, url, environ)
        events = _eventually(lambda: _events(url, "packhouse."), 4)
        assert {event["event"] for event in events} == {
            "packhouse.publication.published",
            "packhouse.publication.stale",
            "packhouse.harvest.stopped",
        }
        assert {event["resource"]["prefect.resource.id"] for event in events} == {f"packhouse.publication.{bench.data}"}
        lineage = _events(url, "prefect.asset.materialization.succeeded")[0]
        assert lineage["resource"]["prefect.resource.id"] == f"file://{bench.data}/current"
        upstream = {related["prefect.resource.id"] for related in lineage["related"] if related["prefect.resource.role"] == "asset"}
        assert upstream == {bench.services.github_url, bench.services.pypi_url, f"file://{bench.catalog}"}


def _deployments_are_described(url: str) -> None:
    """Each has tags, a limit of one run at a time, and words for every field of its form."""
    deployments = _post(f"{url}/deployments/filter", {})
    assert {deployment["name"] for deployment in deployments} == {"harvest", "backfill", "replay", "compact"}
    for deployment in deployments:
        assert "packhouse" in deployment["tags"]
        assert deployment["global_concurrency_limit"]["limit"] == 1
        assert "ended after" in deployment["description"]
        for name, field in deployment["parameter_openapi_schema"]["properties"].items():
            assert field.get("description"), f"{deployment['name']}: {name}"


def _a_stopped_run_says_so(bench: Bench, url: str, environ: dict[str, str]) -> None:
    """A run that may not ask everything ends in a state of that name, and with exit code 3."""
    process = _packhouse(bench, "harvest", "--budget", "0", PREFECT_API_URL=url, PREFECT_HOME=environ["PREFECT_HOME"])
    _out, err = process.communicate(timeout=120)
    assert process.returncode == 3, err
    runs = _post(f"{url}/flow_runs/filter", {"flow_runs": {"state": {"name": {"any_": ["Stopped"]}}}})
    assert [run["name"] for run in runs] == ["Harvest the whole catalog"]
    assert "stopped" in runs[0]["state"]["message"]


def _events(url: str, prefix: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = _post(f"{url}/events/filter", {"filter": {"event": {"prefix": [prefix]}}})["events"]
    return events


def _eventually(ask: Callable[[], list[Any]], count: int) -> list[Any]:
    """What is asked for once there is enough of it: task runs and events are recorded from a queue, a little later."""
    deadline = time.monotonic() + 30
    while len(found := ask()) < count and time.monotonic() < deadline:
        time.sleep(0.5)
    return found
