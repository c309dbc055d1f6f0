"""Every plug pulled: killed, interrupted, run twice at once; and then the same command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.options import HarvestOptions
from sandbox.server import running
from tests.conftest import NOW, ROOT, Bench, prompt_world
from warehouse.errors import DataFolderBusy
from warehouse.folder import DataFolder
from warehouse.reports import read_run_reports

PROGRAM = """
import asyncio, json, os, sys
from datetime import datetime
from pathlib import Path
from flows.options import HarvestOptions
from flows.sequence import harvest_sequence, run_step
from flows.steps import HarvestInterrupted
from settings import load_settings
options = HarvestOptions(full=True, fixed_now=datetime.fromisoformat(sys.argv[1]), budget=int(sys.argv[2]) if sys.argv[2] else None)
settings = load_settings({}, os.environ, Path("absent.toml"))
try:
    report = asyncio.run(harvest_sequence(options, settings, run_step=run_step, engine="none"))
except HarvestInterrupted as error:
    print(error, file=sys.stderr)
    sys.exit(1)
sys.exit(report.exit_code)
"""
COMPARED = (
    "packages",
    "participants",
    "releases",
    "repo_observations",
    "head_observations",
    "week_observations",
    "project_observations",
    "findings",
)


def _start(bench: Bench, budget: str = "") -> subprocess.Popen[str]:
    environ = bench.variables()
    bench.show(lambda: NOW)
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, NOW.isoformat(), budget],
        cwd=ROOT,
        env=environ,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def _wait_for_requests(bench: Bench, process: subprocess.Popen[str], count: int) -> None:
    while len(bench.services.ledger) < count and process.poll() is None:
        time.sleep(0.01)


def _published(bench: Bench) -> dict[str, list[dict[str, Any]]]:
    """The publication without the names of its runs."""
    return {
        table: [{k: v for k, v in row.items() if k != "run_id"} for row in bench.rows(f"from {table} order by all")] for table in COMPARED
    }


def _is_finished(bench: Bench) -> bool:
    reports = list(read_run_reports(DataFolder(bench.data), on_damaged=lambda _file: None))
    return bool(reports) and reports[-1].get("ended_at") is not None


@contextmanager
def _slow_bench(folder: Path, latency_ms: float) -> Iterator[Bench]:
    with running(prompt_world(), clock=lambda: NOW) as services:
        services.faults.latency_ms = latency_ms
        yield Bench(data=folder / "data", services=services, overrides={"concurrency": "4"})


@pytest.mark.parametrize("killed_after", [1, 40, 80], ids=lambda n: f"after {n} requests")
def test_kill_and_the_same_command_give_the_undisturbed_publication(tmp_path: Path, killed_after: int) -> None:
    """After ``kill -9`` the same command publishes what an undisturbed run would have, and asks little again."""
    with _slow_bench(tmp_path / "calm", 0) as calm:
        calm.harvest(full=True)
        expected = _published(calm)
    with _slow_bench(tmp_path / "killed", 150) as bench:
        process = _start(bench)
        _wait_for_requests(bench, process, killed_after)
        process.kill()
        process.communicate()
        assert not bench.data.joinpath("current").exists()
        bench.services.faults.latency_ms = 0
        again = _start(bench)
        _out, err = again.communicate(timeout=100)
        assert again.returncode == 0, err
        assert _published(bench) == expected
        repeated = sum(count - 1 for count in Counter(bench.asked()).values() if count > 1)
        in_flight = 4 + 1  # GitHub's and PyPI's share of a concurrency of 4
        assert repeated <= in_flight * (2 / 0.150 + 1), "more than two seconds' worth was asked again"
        assert repeated < 80, "nothing that landed was recalled"


def test_kill_while_loading_and_publishing(tmp_path: Path) -> None:
    """Killed at several moments after the last request, when it loads and publishes, the run heals without asking again."""
    with _slow_bench(tmp_path / "calm", 0) as calm:
        calm.harvest(full=True)
        expected = _published(calm)
        requests = len(calm.asked())
    for number, delay in enumerate((0.0, 0.25, 0.5, 0.75)):
        with _slow_bench(tmp_path / str(number), 0) as bench:
            process = _start(bench)
            _wait_for_requests(bench, process, requests)
            time.sleep(delay)
            process.kill()
            process.communicate()
            if _is_finished(bench):
                break  # it was done before the plug was pulled
            again = _start(bench)
            _out, err = again.communicate(timeout=100)
            assert again.returncode == 0, err
            assert _published(bench) == expected, f"killed {delay} s after the last request"
            assert [path.name for path in (bench.data / "published").iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_ends_the_run_cleanly_and_the_next_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    """The answers in flight land, nothing is published, the message says how to go on; the next run asks for nothing twice."""
    with _slow_bench(tmp_path, 40) as bench:
        process = _start(bench)
        _wait_for_requests(bench, process, 40)
        process.send_signal(number)
        _out, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "goes on where it stopped" in err
        assert "Traceback" not in err
        assert not (bench.data / "current").exists()
        bench.services.faults.latency_ms = 0
        again = _start(bench)
        again.communicate(timeout=100)
        assert again.returncode == 0
        repeated = {path: count for path, count in Counter(bench.asked()).items() if count > 1}
        assert set(repeated) <= {"/graphql"}, "and that is asked about other repositories, or other pages, each time"
        assert bench.rows("select count(*) as n from runs") == [{"n": 1}]


def test_another_request_brings_a_killed_run_home(tmp_path: Path) -> None:
    """A run that was killed is loaded by whatever is harvested next, and its row says what became of it."""
    with _slow_bench(tmp_path, 40) as bench:
        process = _start(bench)
        _wait_for_requests(bench, process, 60)
        process.kill()
        process.communicate()
        bench.services.faults.latency_ms = 0
        asked = len(bench.asked())
        bench.harvest("django-scheduler")
        in_flight = 4 + 1  # these may reach the sandbox's ledger after the process was killed
        assert len(bench.asked()) - asked <= 6 + in_flight
        assert bench.rows("select outcome from runs order by run_id") == [{"outcome": "failed"}, {"outcome": "done"}]
        assert bench.rows("select count(*) as n from repo_observations where outcome = 'ok'")[0]["n"] > 1


def test_a_budget_counts_on_when_a_run_is_resumed(tmp_path: Path) -> None:
    """What was spent before the interruption is spent: the run as a whole keeps to its budget."""
    with _slow_bench(tmp_path, 150) as bench:
        bench.overrides["github_graphql"] = "off"
        process = _start(bench, budget="60")
        _wait_for_requests(bench, process, 50)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 1
        bench.services.faults.latency_ms = 0
        again = _start(bench, budget="60")
        again.communicate(timeout=100)
        assert again.returncode == 3
        assert bench.rows("select github_units_count as n from runs") == [{"n": 60}]
        assert len(bench.asked("github")) == 60


def test_what_the_interrupted_part_heard_closes_a_repository(tmp_path: Path) -> None:
    """A repository found missing before the interruption is not asked for its other values after it."""
    with _slow_bench(tmp_path, 150) as bench:
        bench.services.world.delete("bitmazk/django-calendarium")
        process = _start(bench)
        _wait_for_requests(bench, process, 50)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        bench.services.faults.latency_ms = 0
        _start(bench).communicate(timeout=100)
        assert bench.asked(path="/repos/bitmazk/django-calendarium") == ["/repos/bitmazk/django-calendarium"]
        assert bench.rows("select count(*) as n from head_observations where subject like '%calendarium'") == [{"n": 0}]


def test_a_run_whose_report_is_damaged_is_brought_home(tmp_path: Path) -> None:
    """What a killed run landed joins the history although its report cannot be read."""
    with _slow_bench(tmp_path, 150) as bench:
        process = _start(bench)
        _wait_for_requests(bench, process, 70)
        process.kill()
        process.communicate()
        for report in bench.data.glob("landing/runs/*/*.json"):
            report.write_text("{")
        bench.services.faults.latency_ms = 0
        bench.now += timedelta(minutes=1)
        bench.harvest("django-scheduler")
        assert bench.rows("select count(*) as n from repo_observations where outcome = 'ok'")[0]["n"] > 1
        assert bench.rows("select detail from runs order by run_id limit 1") == [{"detail": "its report is lost"}]


def test_a_lost_store_is_filled_again_before_anything_is_asked(bench: Bench) -> None:
    """A store that was deleted is rebuilt from the landing by the next harvest, which then asks nothing."""
    bench.harvest()
    bench.data.joinpath("store", "store.duckdb").unlink()
    assert bench.harvest().run["requests_count"] == 0
    assert bench.package("django-scheduler")["stars_count"] == 1331


def test_a_replay_between_kill_and_resume_changes_nothing(tmp_path: Path) -> None:
    """A replay leaves an unfinished run to the harvest that goes on with it; afterwards store and landing say the same."""
    with _slow_bench(tmp_path, 150) as bench:
        bench.harvest("django-scheduler")
        process = _start(bench)
        _wait_for_requests(bench, process, 70)
        process.kill()
        process.communicate()
        bench.services.faults.latency_ms = 0
        bench.replay()
        again = _start(bench)
        _out, err = again.communicate(timeout=100)
        assert again.returncode == 0, err
        before = _published(bench)
        bench.replay()
        assert _published(bench) == before


def test_two_harvests_at_once_lose_nothing(bench: Bench) -> None:
    """The second ends at once, naming the first; the first is not disturbed."""
    folder = DataFolder(bench.data)
    with folder.lock(), pytest.raises(DataFolderBusy) as refusal:
        bench.harvest()
    assert refusal.value.pid == os.getpid()
    assert bench.asked() == []
    assert bench.harvest("django-scheduler").run["outcome"] == "done"


def test_the_same_request_is_known_by_its_content() -> None:
    """Order of slugs does not make another request; a budget does."""
    assert HarvestOptions(slugs=("a", "b")).fingerprint() == HarvestOptions(slugs=("b", "a")).fingerprint()
    assert HarvestOptions(budget=1).fingerprint() != HarvestOptions().fingerprint()
