"""Replay: the landing alone brings everything back, byte for byte."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.conftest import Bench
from warehouse.errors import NothingPublished, StoreUnusable
from warehouse.folder import DataFolder
from warehouse.store import open_store


def _parquet(bench: Bench) -> dict[str, bytes]:
    with bench.published() as publication:
        return {path.name: path.read_bytes() for path in sorted((publication.path / "parquet").iterdir())}


def _live(bench: Bench) -> None:
    """Three days with a release, a rename, a deletion and a bad answer."""
    world = bench.services.world
    bench.harvest()
    bench.now += timedelta(days=1)
    world.rename("llazzaro/django-scheduler", "newowner/django-scheduler")
    world.release("django-scheduler", "0.13.0", at=bench.now)
    bench.harvest()
    bench.now += timedelta(days=1)
    world.delete("newowner/django-scheduler")
    bench.harvest()


def test_a_replay_is_byte_equal_and_asks_nothing(bench: Bench) -> None:
    """The store rebuilt from the landing publishes the same Parquet, twice."""
    _live(bench)
    before, asked = _parquet(bench), len(bench.asked())
    report = bench.replay()
    assert report.run["outcome"] == "done"
    assert len(bench.asked()) == asked
    assert _parquet(bench) == before
    bench.replay()
    assert _parquet(bench) == before


def test_a_lost_or_damaged_store_is_rebuilt(bench: Bench) -> None:
    """A harvest on a damaged store says what to do; the publication stands; replay mends it."""
    bench.harvest()
    before = _parquet(bench)
    store = bench.data / "store" / "store.duckdb"
    store.write_bytes(b"this is no database" * 1000)
    bench.now += timedelta(days=1)
    with pytest.raises(StoreUnusable, match="packhouse replay"):
        bench.harvest()
    assert _parquet(bench) == before
    bench.replay()
    assert _parquet(bench) == before
    store.unlink()
    bench.replay()
    assert _parquet(bench) == before


def test_history_goes_on_after_a_replay(bench: Bench) -> None:
    """A replayed store knows what is young enough, so the next harvest asks nothing."""
    bench.harvest()
    bench.replay()
    assert bench.harvest().run["requests_count"] == 0


def test_a_deleted_publication_is_made_again(bench: Bench) -> None:
    """Publications are disposable: replay writes a new one from the landing."""
    bench.harvest()
    before = _parquet(bench)
    with bench.published() as publication:
        folder = publication.path
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
    with pytest.raises(NothingPublished, match="packhouse"):
        bench.rows("from packages")
    bench.replay()
    assert _parquet(bench) == before


def test_a_damaged_landing_file_costs_its_answers_only(bench: Bench) -> None:
    """A sealed file that cannot be read is set aside; the poorer publication is refused until the next harvest asked again."""
    bench.harvest()
    for damaged in sorted(bench.data.glob("landing/pypi/*/*.parquet")):
        damaged.write_bytes(damaged.read_bytes()[:-20])
    report = bench.replay()
    assert report.run["outcome"] == "refused"
    assert report.exit_code == 3
    assert bench.package("django-scheduler")["latest_version"] == "0.12.0", "the last good publication stands"
    assert len(list(bench.data.rglob("landing/pypi/*/*.damaged"))) >= 1
    bench.now += timedelta(minutes=1)
    assert bench.harvest().run["pypi_requests_count"] == 48
    assert bench.package("django-scheduler")["latest_version"] == "0.12.0"
    assert bench.rows("select distinct code from findings where code = 'landing_damaged'")


def test_nothing_landed_is_nothing_to_replay(bench: Bench) -> None:
    """Replay on an empty folder says so."""
    with pytest.raises(NothingPublished, match="nothing has landed"):
        bench.replay()


def test_a_run_of_which_nothing_can_be_read_has_its_finding(bench: Bench) -> None:
    """All its landed files are set aside, and the store says so; a replay that would publish nothing but unknowns is refused."""
    bench.harvest()
    for path in (bench.data / "landing").glob("*/*/*.parquet"):
        if path.parts[-3] in ("github", "pypi"):
            path.write_bytes(b"torn")
    report = bench.replay()
    assert report.exit_code == 3
    assert report.published is None
    with open_store(DataFolder(bench.data), is_read_only=True) as store:
        found = store.connection.execute("SELECT subject FROM store.main.findings WHERE code = 'landing_damaged' ORDER BY ALL").fetchall()
    aside = sorted(path.name for path in (bench.data / "landing").rglob("*.damaged"))
    assert aside
    assert sorted(f"{subject.rpartition('/')[2]}.damaged" for (subject,) in found) == aside
