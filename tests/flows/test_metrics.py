"""Machines that watch: metrics of a run in a file, and what is said as lines of JSON; whatever becomes of the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import NOW, Bench
from tests.test_packhouse import packhouse
from warehouse.errors import DataFolderBusy
from warehouse.folder import DataFolder


def samples(path: Path) -> dict[tuple[str, ...], float]:
    """What the file says, by name and sorted values of labels."""
    families = text_string_to_metric_families(path.read_text())
    return {(sample.name, *sorted(sample.labels.values())): sample.value for family in families for sample in family.samples}


@pytest.fixture
def watched(bench: Bench, tmp_path: Path) -> Bench:
    """A bench whose runs write metrics."""
    (tmp_path / "node").mkdir()
    bench.overrides |= {"metrics_file": str(tmp_path / "node" / "packhouse.prom"), "log_format": "json"}
    return bench


def test_a_run_tells_what_it_spent_and_how_things_stand(watched: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """Counts as in its report, states, ages, disk; one JSON object a line, with the run; and no token anywhere."""
    report = watched.harvest()
    path = watched.settings().metrics_file
    assert path is not None
    told = samples(path)
    assert told["packhouse_run_outcome", "done", "harvest"] == 1
    assert told["packhouse_run_outcome", "failed", "harvest"] == 0
    assert told["packhouse_run_requests", "harvest"] == report.run["requests_count"]
    assert told["packhouse_run_graphql_points", "harvest"] == report.run["graphql_points_count"]
    assert told["packhouse_packages", "ok", "repo"] == 24
    assert told["packhouse_oldest_value_timestamp_seconds", "github"] == pytest.approx(NOW.timestamp())
    assert told["packhouse_data_bytes", "landing"] > 100_000
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert all({"time", "level", "message"} <= line.keys() for line in lines)
    assert {line["run_id"] for line in lines} == {report.run["run_id"]}
    assert lines[-1] | {"event": "end", "outcome": "done", "exit_code": 0} == lines[-1]
    assert str(watched.token) not in path.read_text() + json.dumps(lines)
    assert [item.name for item in path.parent.iterdir()] == ["packhouse.prom"]


def test_failed_runs_say_so_and_refused_ones_nothing(watched: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be written costs nothing else; a broken store is an outcome; a busy folder is the other run's matter."""
    path = watched.settings().metrics_file
    assert path is not None
    watched.overrides["metrics_file"] = str(tmp_path / "absent" / "packhouse.prom")
    assert watched.harvest().run["outcome"] == "done"
    assert "The metrics could not be written to" in json.loads(capsys.readouterr().err.splitlines()[-1])["message"]
    watched.overrides["metrics_file"] = str(path)
    watched.harvest()
    before = path.read_text()
    with DataFolder(watched.data).lock(), pytest.raises(DataFolderBusy):
        watched.harvest()
    assert path.read_text() == before
    watched.replay()
    assert samples(path.with_name("packhouse-replay.prom"))["packhouse_run_outcome", "done", "replay"] == 1
    assert path.read_text() == before, "another kind of run has a file of its own"
    (watched.data / "store" / "store.duckdb").write_bytes(b"no database" * 1000)
    with pytest.raises(Exception, match="packhouse replay"):
        watched.harvest()
    assert samples(path)["packhouse_run_outcome", "failed", "harvest"] == 1
    assert samples(path)["packhouse_packages", "ok", "repo"] == 24, "what is published stands"
    capsys.readouterr()


def test_errors_of_the_command_line_are_lines_too(bench: Bench, tmp_path: Path) -> None:
    """A message that a person would read is one object with level error; the exit code is the same."""
    done = packhouse(bench, "show", "x", "--data", str(tmp_path / "empty"), PACKHOUSE_LOG_FORMAT="json")
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert json.loads(line)["level"] == "error"
    assert "packhouse harvest" in json.loads(line)["message"]
