"""Compaction between harvests: replays stay byte-equal, unfinished runs are left alone, dropped runs keep their history."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from flows.compaction import CompactionReport, compact_data
from flows.progress import PlainProgress
from sandbox.day import Shares, pass_day
from tests.conftest import ROOT, Bench
from warehouse.errors import ArchiveDamaged

pytestmark = pytest.mark.timeout(300)  # a week of harvests and replays
BUSY = Shares(pushed=0.3, starred=0.5, released=0.2, renamed=0.03, deleted=0.02, described=0.1, yanked=0.05)


def compact(bench: Bench, **overrides: str) -> CompactionReport:
    """Compact in this process, without an engine."""
    bench.overrides |= overrides
    return compact_data(bench.settings(), PlainProgress(sys.stderr))


def days(bench: Bench, count: int) -> None:
    """So many days pass, with a harvest at the end of each."""
    for _ in range(count):
        pass_day(bench.services.world, now=bench.now, shares=BUSY)
        bench.now += timedelta(days=1)
        bench.harvest()


def parquet(bench: Bench) -> dict[str, bytes]:
    """The tables as published."""
    with bench.published() as publication:
        return {path.name: path.read_bytes() for path in sorted((publication.path / "parquet").iterdir())}


def landed(bench: Bench) -> list[str]:
    """Every file of answers but the archives."""
    return sorted(str(path.relative_to(bench.data)) for path in bench.data.glob("landing/[gp]*/20*/*.parquet"))


def test_a_replay_is_byte_equal_before_and_after(bench: Bench) -> None:
    """Harvests, compactions between them and replays: the publication is the same Parquet, and what follows asks the same."""
    bench.harvest()
    days(bench, 2)
    before = parquet(bench)
    report = compact(bench)
    assert report.archived_files >= 6, "three runs, two sources"
    assert report.bytes_after["landing"] < report.bytes_before["landing"]
    assert report.waiting_runs == report.dropped_runs == ()
    assert landed(bench) == []
    assert parquet(bench) == before, "compaction publishes nothing"
    bench.replay()
    assert parquet(bench) == before
    days(bench, 2)
    before = parquet(bench)
    assert compact(bench).archived_files > 0
    assert compact(bench).archived_files == 0
    bench.replay()
    assert parquet(bench) == before
    assert bench.harvest().run["requests_count"] == 0, "what was heard is known"


def test_what_has_not_ended_or_is_not_loaded_is_left_alone(bench: Bench) -> None:
    """A run that was killed keeps its files, is named, and is gone on with; then they move as well."""
    bench.harvest()
    reports = sorted(bench.data.glob("landing/runs/*/*.json"))
    text = reports[0].read_text()
    reports[0].write_text(text.replace('"ended_at"', '"never_ended_at"'))
    files = landed(bench)
    report = compact(bench)
    assert report.archived_files == 0
    assert report.waiting_runs == (reports[0].stem,)
    assert "packhouse harvest" in report.sentences()[-1]
    assert landed(bench) == files
    reports[0].write_text(text)
    (bench.data / "store" / "store.duckdb").unlink()
    assert compact(bench).waiting_runs == (reports[0].stem,)
    assert landed(bench) == files
    bench.replay()
    assert compact(bench).archived_files == len(files)
    assert landed(bench) == []


def test_a_lost_store_comes_home_from_archives(bench: Bench) -> None:
    """The next harvest loads all runs again, also those in archives, and asks for nothing it knows."""
    bench.harvest()
    days(bench, 1)
    before = bench.rows("select count(*) as n from repo_observations")
    published = bench.rows("from publications")
    compact(bench)
    (bench.data / "store" / "store.duckdb").unlink()
    assert bench.harvest().run["requests_count"] == 0
    assert bench.rows("select count(*) as n from repo_observations") == before
    assert bench.rows("from publications")[0] == published[0], "as of then can still be asked"


def test_dropped_runs_keep_their_history(bench: Bench) -> None:
    """Whole runs go, oldest first; what a replay or a lost store gives afterwards is byte-equal, as often as more are dropped."""
    bench.harvest()
    days(bench, 3)
    compact(bench)
    days(bench, 1)
    before = parquet(bench)
    first, second, *_ = (row["run_id"] for row in bench.rows("from runs order by run_id"))
    report = compact(bench, retention="2d")
    assert report.dropped_runs == (first, second)
    assert "replay" in " ".join(report.sentences())
    assert not list(bench.data.glob(f"landing/runs/*/{first}.json"))
    assert not any(first in path.name for path in bench.data.glob("landing/*/archive/*"))
    replayed = bench.replay()
    assert second in str(replayed.run["detail"])
    assert parquet(bench) == before
    assert compact(bench).dropped_runs == ()
    days(bench, 2)
    before = parquet(bench)
    assert len(compact(bench).dropped_runs) == 2
    (bench.data / "store" / "store.duckdb").unlink()
    assert bench.harvest().run["requests_count"] == 0
    assert parquet(bench)["repo_observations.parquet"] == before["repo_observations.parquet"]
    bench.replay()
    assert parquet(bench)["releases.parquet"] == before["releases.parquet"]


def test_nothing_is_dropped_past_a_run_that_is_not_loaded(bench: Bench) -> None:
    """History joins in order: what comes after a run that waits cannot go before it."""
    bench.harvest()
    days(bench, 2)
    reports = sorted(bench.data.glob("landing/runs/*/*.json"))
    reports[0].write_text(reports[0].read_text().replace('"ended_at"', '"never_ended_at"'))
    assert compact(bench, retention="1d").dropped_runs == ()


def test_a_replay_refuses_a_damaged_archive(bench: Bench) -> None:
    """It would lose what the store still has: the store and the publication stay, and the message says what to do."""
    bench.harvest()
    compact(bench)
    before = parquet(bench)
    for path in bench.data.glob("landing/*/archive/*"):
        path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ArchiveDamaged, match="put it back from the backup"):
        bench.replay()
    assert parquet(bench) == before
    days(bench, 1)  # a harvest reads none of it
    assert len(bench.rows("from runs")) == 2


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_moment_nothing_is_lost(bench: Bench, seed: int) -> None:
    """The command killed again and again, with runs to drop: the publication of a replay is byte-equal, and the last one finishes it."""
    bench.harvest()
    days(bench, 3)
    before = parquet(bench)
    command = [str(Path(sys.executable).with_name("packhouse")), "compact", "--engine", "none", "--retention", "36h"]
    for number in range(3):
        process = subprocess.Popen(command, cwd=ROOT, env=bench.variables(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(Random(seed * 10 + number).uniform(0.6, 2.5))  # noqa: S311 - any moment will do
        process.kill()
        process.communicate()
    bench.replay()
    assert parquet(bench) == before
    done = subprocess.run(command, cwd=ROOT, env=bench.variables(), capture_output=True, text=True, check=True)
    assert "landing:" in done.stdout
    assert landed(bench) == []
    bench.replay()
    assert parquet(bench) == before
