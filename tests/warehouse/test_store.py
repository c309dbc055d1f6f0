from __future__ import annotations

import duckdb
import pytest

from tests.warehouse.scenes import child, hour, observation, rows_of, run_row, small_disk
from transforms.schemas import FETCHES, FINDINGS, REPO_OBSERVATIONS, STORE_TABLES
from warehouse.errors import DataFolderBusy, DataFolderUnusable, StoreUnusable
from warehouse.folder import DataFolder
from warehouse.store import Store, open_store, rebuilt_store

REPOS = "repo_observations"
FETCH = {"run_id": "run-1", "sequence": 1, "source": "github", "subject": "github:a/b", "verdict": "ok"}
FINDING = {"run_id": "run-1", "subject": "github:a/b", "code": "repo_renamed", "found_at": hour(1), "message": "renamed"}


WRITE = """
    import sys
    from pathlib import Path
    from tests.warehouse.scenes import run_row
    from warehouse.folder import DataFolder
    from warehouse.store import open_store
    with open_store(DataFolder(Path(sys.argv[1])), is_read_only=False) as store:
        store.record_run(run_row("run-1"))
        print("open", flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path):
    """A prepared data folder."""
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    return folder


def fill(folder, stars=7):
    """Load one run into the store."""
    with open_store(folder, is_read_only=False) as store:
        store.load(
            run=run_row("run-1"),
            tables={REPOS: rows_of(REPO_OBSERVATIONS, [observation(1, stars_count=stars)]), "findings": rows_of(FINDINGS, [FINDING])},
            fetches=[FETCH],
            files=["github/2026-01-01/run-1-000001.parquet"],
        )


def count(store, table):
    """Rows of a table."""
    return store.connection.execute(f"SELECT count(*) FROM store.main.{table}").fetchall()[0][0]  # noqa: S608 - ours


def test_a_run_loaded_twice_is_loaded_once(folder):
    """History, ledger, findings, runs and files are the same after the second load, and after closing in between."""
    fill(folder)
    fill(folder)
    with open_store(folder, is_read_only=True) as store:
        assert {table.name: count(store, table.name) for table in STORE_TABLES if count(store, table.name)} == {
            REPOS: 1,
            "sighted_series": 1,
            "sighting_spans": 1,
            "fetches": 1,
            "runs": 1,
            "findings": 1,
        }
        assert store.loaded_files() == {"github/2026-01-01/run-1-000001.parquet"}


def test_rows_of_the_ledger_may_come_as_arrow_and_repeat(folder):
    """The same row twice in one load is one row."""
    with open_store(folder, is_read_only=False) as store:
        store.load(run=None, tables={}, fetches=rows_of(FETCHES, [FETCH, FETCH, FETCH | {"sequence": 2}]))
        assert count(store, "fetches") == 2


def test_the_row_of_a_run_is_replaced(folder):
    """A run is recorded when it loads and again when its end is known."""
    with open_store(folder, is_read_only=False) as store:
        store.record_run(run_row("run-2"))
        store.record_run(run_row("run-1"))
        store.record_run(run_row("run-2") | {"outcome": "refused", "ended_at": hour(3)})
        assert [(run["run_id"], run["outcome"], run["ended_at"]) for run in store.runs()] == [
            ("run-1", "done", None),
            ("run-2", "refused", hour(3)),
        ]


def test_a_load_that_fails_leaves_nothing(folder):
    """One transaction: what joined before the failure is taken back, and the store goes on."""
    with open_store(folder, is_read_only=False) as store:
        rows = rows_of(REPO_OBSERVATIONS, [observation(1)])
        with pytest.raises(KeyError):
            store.load(run=None, tables={REPOS: rows, "findings": rows})
        assert count(store, REPOS) == 0
        store.load(run=None, tables={REPOS: rows})
        assert count(store, REPOS) == 1


def test_tables_and_columns_carry_their_comments(folder):
    """Whoever opens the store with another client can read what is in it; it was written for the previous major too."""
    fill(folder)
    with open_store(folder, is_read_only=True) as store:
        found = store.connection.execute(
            "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE database_name = 'store'"
        ).fetchall()
        comments = {(table, column): comment for table, column, comment in found}
        for table in STORE_TABLES:
            assert {column.name: comments[table.name, column.name] for column in table.columns} == {
                c.name: c.comment for c in table.columns
            }
        tables = store.connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'store' AND comment IS NULL"
        ).fetchall()
        assert tables == []
        tags = store.connection.execute("SELECT tags FROM duckdb_databases() WHERE database_name = 'store'").fetchall()[0][0]
        assert tags["storage_version"].startswith("v1.5.0")


def test_missing_store_reads_as_empty(folder):
    """Planning before the first harvest finds nothing known and makes no file."""
    with open_store(folder, is_read_only=True) as store:
        assert (store.last_outcomes(), store.known_series(), store.loaded_files(), store.runs()) == ({}, {}, frozenset(), [])
        assert all(table.num_rows == 0 for table in store.latest().values())
    assert not folder.store_file.exists()


def _junk(path):
    path.write_bytes(b"this is no database" * 1000)


def _torn(path):
    path.write_bytes(path.read_bytes()[:20_000])


def _scribbled(path):
    content = bytearray(path.read_bytes())
    content[12_000 : len(content)] = b"\xff" * (len(content) - 12_000)
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", [_junk, _torn, _scribbled])
def test_corrupt_store_is_refused_and_rebuilt(folder, damage):
    """A damaged store is one message with the way out, is not touched, and a rebuilt one takes its place."""
    fill(folder)
    damage(folder.store_file)
    content = folder.store_file.read_bytes()
    for is_read_only in (True, False):
        with pytest.raises(StoreUnusable, match=r"store\.duckdb cannot be used \(.*Next: rebuild it .* packhouse replay"):
            open_store(folder, is_read_only=is_read_only)
    assert folder.store_file.read_bytes() == content
    with rebuilt_store(folder) as store:
        store.load(run=None, tables={REPOS: rows_of(REPO_OBSERVATIONS, [observation(1)])})
    with open_store(folder, is_read_only=False) as store:
        assert count(store, REPOS) == 1


def test_rebuilding_that_fails_keeps_the_old_store(folder):
    """The old store stays until the new one is whole; what a failed attempt left does not hinder the next."""
    fill(folder)
    with pytest.raises(RuntimeError), rebuilt_store(folder):
        raise RuntimeError
    with rebuilt_store(folder) as store:
        assert count(store, REPOS) == 0
        with open_store(folder, is_read_only=True) as old:
            assert count(old, REPOS) == 1
    with open_store(folder, is_read_only=True) as store:
        assert count(store, REPOS) == 0
    assert sorted(path.name for path in folder.store.iterdir() if path.is_file()) == ["store.duckdb"]


def test_an_old_write_ahead_log_does_not_reach_a_rebuilt_store(folder):
    """A log left by a killed process belongs to the store that was replaced."""
    with child(WRITE, folder.root) as process:
        assert process.stdout.readline() == "open\n"
        process.kill()
        process.wait()
    assert folder.store_file.with_name("store.duckdb.wal").exists()
    with rebuilt_store(folder):
        pass
    with open_store(folder, is_read_only=False) as store:
        assert store.runs() == []


PLACE = """
    import os, sys
    from pathlib import Path
    from warehouse.errors import DataFolderUnusable
    from warehouse.folder import DataFolder
    from warehouse.store import rebuilt_store
    replace, moment = Path.replace, sys.argv[2]
    def interrupted(path, target):
        if path.name == "rebuilt.duckdb" and moment == "before":
            os._exit(9)
        if path.name == "rebuilt.duckdb" and moment == "instead":
            raise PermissionError
        replace(path, target)
        if path.name == "rebuilt.duckdb":
            os._exit(9)
    Path.replace = interrupted
    try:
        with rebuilt_store(DataFolder(Path(sys.argv[1]))):
            pass
    except DataFolderUnusable:
        sys.exit(9)
"""


@pytest.mark.parametrize(("moment", "expected"), [("before", ["run-1"]), ("instead", ["run-1"]), ("after", [])])
def test_killed_or_refused_while_taking_the_place_one_store_is_whole(folder, moment, expected):
    """The old store with its log, or the new one without: never one with the other's."""
    with child(WRITE, folder.root) as process:
        assert process.stdout.readline() == "open\n"
        process.kill()
        process.wait()
    with child(PLACE, folder.root, moment) as process:
        assert process.wait() == 9
    with open_store(folder, is_read_only=False) as store:
        assert [run["run_id"] for run in store.runs()] == expected
    with rebuilt_store(folder):
        pass
    assert sorted(path.name for path in folder.store.iterdir() if path.is_file()) == ["store.duckdb"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE store_schema SET version = 99", r"written by a newer packhouse \(schema 99.*update packhouse"),
        ("DROP TABLE store_schema", r"has other tables than this packhouse \(schema unknown"),
        ("ALTER TABLE repo_observations DROP COLUMN stars_count", r"has other tables .*packhouse replay"),
        ("DROP TABLE fetches", r"has other tables .*packhouse replay"),
    ],
)
def test_store_of_another_schema_is_refused_untouched(folder, change, words):
    """A store written by a newer version, or by anything else, is told and left alone."""
    fill(folder)
    with duckdb.connect(folder.store_file) as connection:
        connection.execute(change)
    content = folder.store_file.read_bytes()
    with pytest.raises(StoreUnusable, match=words):
        open_store(folder, is_read_only=False)
    assert folder.store_file.read_bytes() == content


@pytest.mark.parametrize("is_read_only", [True, False])
def test_store_being_written_by_another_process_is_busy_not_broken(folder, is_read_only):
    """Looking at a store during a harvest is told to wait, not to rebuild."""
    with child(WRITE, folder.root) as process:
        assert process.stdout.readline() == "open\n"
        with pytest.raises(DataFolderBusy, match=r"being written by another process.*Next: try again"):
            open_store(folder, is_read_only=is_read_only)


def test_two_readers_share_a_store(folder):
    """Reading does not lock."""
    fill(folder)
    with open_store(folder, is_read_only=True) as one, open_store(folder, is_read_only=True) as other:
        assert one.known_series() == other.known_series()


def test_full_disk_while_loading_is_told_and_nothing_is_lost(tmp_path):
    """A load that finds no room leaves the store as it was; with room it goes through."""
    with small_disk(tmp_path / "disk", 12_000) as disk:
        folder = DataFolder(disk)
        folder.prepare()
        fill(folder)
        large = rows_of(REPO_OBSERVATIONS, [observation(2, f"github:{n}", description=f"{hash((n, n))}" * 40) for n in range(20_000)])
        with open_store(folder, is_read_only=False) as store:
            with pytest.raises(DataFolderUnusable, match=r"cannot be written \(.*it is as it was before.*free some space"):
                store.load(run=None, tables={REPOS: large})
            assert count(store, REPOS) == 1
            store.load(run=None, tables={REPOS: large.slice(0, 10)})
        with open_store(folder, is_read_only=True) as store:
            assert count(store, REPOS) == 11


def test_store_in_a_file_where_its_folder_should_be(tmp_path):
    """A path that cannot be opened is told, not a traceback."""
    (tmp_path / "file").touch()
    with pytest.raises((StoreUnusable, DataFolderUnusable)):
        Store(tmp_path / "file" / "store.duckdb", spill=None, is_read_only=False)
