from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from random import Random

import duckdb
import pyarrow.parquet as pq
import pytest

from tests.warehouse.scenes import (
    brought,
    child,
    hour,
    observation,
    package,
    publish_packages,
    rows_of,
    run_row,
    small_disk,
)
from transforms.schemas import FINDINGS, PACKAGES, PUBLIC_TABLES, REPO_OBSERVATIONS, RUNS
from warehouse.database import BLOCK_SIZE
from warehouse.errors import PublicationFailed
from warehouse.folder import DataFolder
from warehouse.publication import DATABASE, KEEP, MANIFEST, SCHEMA_VERSION, publish
from warehouse.readers import open_current
from warehouse.store import open_store

MANY = [package(number) for number in range(1, 31)]


@pytest.fixture
def folder(tmp_path):
    """A data folder whose store knows two runs and one repository."""
    folder = DataFolder(tmp_path / "data")
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        rows = [observation(2, "github:2", stars_count=8, full_name="A/b"), observation(1, stars_count=7)]
        store.load(
            run=run_row("run-0"),
            tables={"repo_observations": rows_of(REPO_OBSERVATIONS, rows)},
            fetches=[{"run_id": "run-0", "sequence": n, "source": "github", "verdict": "ok"} for n in (3, 1, 2)],
        )
        store.record_run(run_row("run-1") | {"outcome": None})
    return folder


def names(folder):
    """What lies among the publications."""
    return sorted(path.name for path in folder.published.iterdir())


def test_a_publication_holds_every_table_as_told(folder):
    """Types, order, keys and COMMENTs are those of the schemas; rows of the store and of the caller are all there, sorted."""
    info = publish_packages(folder, "run-1", [package(2), package(1, stars_count=None, participants=[])])
    assert info.is_current
    assert info.path == folder.published / "run-1"
    with duckdb.connect(info.path / DATABASE, read_only=True) as connection:
        found = connection.execute("SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal ORDER BY column_index")
        columns = found.fetchall()
        for table in PUBLIC_TABLES:
            assert [(name, comment) for owner, name, comment in columns if owner == table.name] == [
                (c.name, c.comment) for c in table.columns
            ]
        comments = dict(connection.execute("SELECT table_name, comment FROM duckdb_tables()").fetchall())
        assert comments == {table.name: table.comment for table in PUBLIC_TABLES}
        rows = connection.execute("SELECT id, stars_count, participants FROM packages").fetchall()
        assert rows == [(1, None, []), (2, 100, ["ann", "bob"])]
        assert connection.execute("SELECT series, full_name FROM repo_observations").fetchall() == [
            ("github:1", None),
            ("github:2", "A/b"),
        ]
        assert connection.execute("SELECT sequence FROM fetches").fetchall() == [(1,), (2,), (3,)]
        keys = connection.execute("SELECT table_name FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY'").fetchall()
        assert {"packages", "categories", "grids", "grid_packages", "publication", "runs"} == {name for (name,) in keys}
        tags = connection.execute("SELECT tags FROM duckdb_databases() WHERE NOT internal").fetchall()[0][0]
        assert tags["storage_version"].startswith("v1.4.0")


def test_single_requests_and_findings_are_those_of_the_last_quarter(folder):
    """Older ones stay in the store; of a question whose last answer is older, that one stands."""
    asked = [
        (1, 0, "probe", 200),
        (2, 1, "weeks", 200),
        (3, 2, "weeks", 304),
        (4, 3, "weeks", 502),
        (5, 99, "probe", 200),
        (6, 99, "repo", 404),
    ]
    fetches = [
        {"run_id": "run-1", "sequence": n, "source": "github", "subject": "s", "facet": facet, "status": status, "verdict": "ok"}
        | {"fetched_at": hour(0) + timedelta(days=day)}
        for n, day, facet, status in asked
    ]
    finding = {"run_id": "run-1", "subject": "s", "code": "c", "level": "note", "message": "m"}
    findings = rows_of(FINDINGS, [finding | {"found_at": hour(0) + timedelta(days=day)} for day in (1, 60)])
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        store.load(run=None, tables={FINDINGS.name: findings}, fetches=fetches)
        run = run_row("run-1") | {"as_of_at": hour(0) + timedelta(days=100)}
        info = publish(folder, run=run, tables=brought([package(1)]), store=store, is_forced=True)
        assert store.connection.execute("SELECT count(*) FROM store.main.fetches WHERE run_id = 'run-1'").fetchall() == [(6,)]
    with duckdb.connect(info.path / DATABASE, read_only=True) as connection:
        assert connection.execute("SELECT sequence FROM fetches WHERE run_id = 'run-1'").fetchall() == [(3,), (5,), (6,)]
        assert connection.execute("SELECT count(*) FROM findings").fetchall() == [(1,)]


def test_the_run_stands_in_it_as_told(folder):
    """The row of its own run is the caller's, whatever the store has of it yet."""
    publish_packages(folder, "run-1", [package(1)])
    with open_current(folder) as publication:
        assert [(run["run_id"], run["outcome"]) for run in publication.rows(RUNS)] == [("run-0", "done"), ("run-1", "done")]


def test_parquet_has_the_same_rows_as_the_database(folder):
    """Every table, row for row and type for type."""
    info = publish_packages(folder, "run-1", MANY)
    with open_current(folder) as publication:
        for table in PUBLIC_TABLES:
            parquet = pq.read_table(info.path / "parquet" / f"{table.name}.parquet").cast(table.schema)
            assert parquet.to_pylist() == list(publication.rows(table)), table.name


def test_manifest_tells_what_it_is(folder):
    """Run, as-of, rows, checks, and size and checksum of every file there is."""
    info = publish_packages(folder, "run-1", MANY)
    manifest = json.loads((info.path / MANIFEST).read_text())
    assert (manifest["schema_version"], manifest["run_id"], manifest["as_of_at"]) == (SCHEMA_VERSION, "run-1", hour(24).isoformat())
    assert manifest["counts"] == dict(info.counts)
    assert manifest["counts"]["packages"] == 30
    assert {check["name"] for check in manifest["checks"]} == {check.name for check in info.checks}
    files = [path for path in info.path.rglob("*") if path.is_file() and path.name != MANIFEST]
    assert manifest["files"] == {
        path.relative_to(info.path).as_posix(): {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in files
    }
    assert len(files) == len(PUBLIC_TABLES) + 1


def test_a_published_folder_is_not_touched_again(folder):
    """Files are read-only, nothing is staged any more, and the same run published again gets a folder of its own."""
    first = publish_packages(folder, "run-1", [package(1)])
    content = {path: path.read_bytes() for path in first.path.rglob("*") if path.is_file()}
    assert all(path.stat().st_mode & 0o222 == 0 for path in content)
    second = publish_packages(folder, "run-1", [package(1), package(2)])
    assert names(folder) == ["run-1", "run-1-02"]
    assert second.path.name == "run-1-02"
    assert {path: path.read_bytes() for path in first.path.rglob("*") if path.is_file()} == content


def test_current_is_a_relative_link_to_the_newest(folder):
    """The data folder can be moved as a whole."""
    publish_packages(folder, "run-1", [package(1)])
    publish_packages(folder, "run-2", [package(1)])
    assert folder.current.readlink() == Path("published/run-2")
    folder.root.rename(folder.root.with_name("moved"))
    with open_current(DataFolder(folder.root.with_name("moved"))) as publication:
        assert publication.run_id == "run-2"


def test_only_the_newest_are_kept(folder):
    """After one more than are kept the oldest is gone."""
    for number in range(KEEP + 2):
        publish_packages(folder, f"run-{number:02}", [package(1)])
    assert names(folder) == [f"run-{number:02}" for number in range(2, KEEP + 2)]


def test_current_is_kept_whatever_its_age(folder):
    """A publication of an earlier run (a replay) is not pruned while readers are led to it."""
    for number in range(KEEP):
        publish_packages(folder, f"run-{number + 10}", [package(1)])
    publish_packages(folder, "run-01", [package(1)])
    assert names(folder) == ["run-01", *[f"run-{number + 10}" for number in range(KEEP)]]


def test_a_check_that_stops_keeps_it_back(folder):
    """A refused publication leaves `current`, and nothing of itself; the reason says what to do."""
    publish_packages(folder, "run-1", MANY)
    info = publish_packages(folder, "run-2", MANY[:5])
    assert not info.is_current
    assert [check.name for check in info.unmet] == ["packages_kept"]
    assert "packages_kept: 25 of 30 (83.3%), expected at most 10.0%; the catalog lost packages. Next:" in info.unmet[0].message
    assert names(folder) == ["run-1"]
    with open_current(folder) as publication:
        assert publication.run_id == "run-1"


def test_what_is_refused_can_be_overruled(folder):
    """What was meant is published with force, and its manifest keeps the truth about the checks."""
    publish_packages(folder, "run-1", MANY)
    info = publish_packages(folder, "run-2", MANY[:5], is_forced=True)
    assert info.is_current
    assert [check["is_met"] for check in json.loads((info.path / MANIFEST).read_text())["checks"] if check["name"] == "packages_kept"] == [
        False
    ]


def test_a_check_that_warns_lets_it_pass(folder):
    """It is published, and the warning is in the result."""
    info = publish_packages(folder, "run-1", [package(number, repo_state="stale") for number in range(1, 31)])
    assert info.is_current
    assert [(check.name, check.refuses) for check in info.unmet] == [("stale_share", False)]


def test_duplicate_keys_stop_it(folder):
    """Two packages with one id are a failure, not a publication."""
    publish_packages(folder, "run-1", [package(1)])
    with pytest.raises(PublicationFailed, match=r"duplicate key .*the last good publication is still the current one"):
        publish_packages(folder, "run-2", [package(1), package(1)])
    assert names(folder) == ["run-1"]


@pytest.mark.parametrize("damage", ["manifest", "database", "all"])
def test_a_last_publication_that_cannot_be_read_is_no_measure(folder, damage):
    """A lost or damaged publication does not keep the next one from being published."""
    path = publish_packages(folder, "run-1", MANY).path
    if damage == "manifest":
        (path / MANIFEST).unlink()
    elif damage == "database":
        (path / DATABASE).unlink()
        (path / DATABASE).write_bytes(b"junk" * 5000)
    else:
        path.rename(path.with_name("lost"))
    assert publish_packages(folder, "run-2", MANY[:5]).is_current


def test_a_last_publication_damaged_within_is_no_measure(folder):
    """One bad block behind a sound head is met only while comparing; the next publication comes all the same, and the one after."""
    noise = Random(1)  # noqa: S311 - noise
    rows = [row | {"repo_description": noise.randbytes(4000).hex(), "stars_count": noise.getrandbits(40)} for row in MANY]
    path = publish_packages(folder, "run-1", rows).path / DATABASE
    content = bytearray(path.read_bytes())
    for start in range(12_288, len(content), BLOCK_SIZE):
        content[start + 64 : start + 96] = bytes(byte ^ 0xFF for byte in content[start + 64 : start + 96])
        path.chmod(0o644)
        path.write_bytes(bytes(content))
        content[start + 64 : start + 96] = bytes(byte ^ 0xFF for byte in content[start + 64 : start + 96])
        with duckdb.connect() as connection, suppress(duckdb.Error):
            connection.execute("ATTACH ? AS last (READ_ONLY)", [str(path)])
            with suppress(duckdb.Error):
                connection.execute("SELECT sum(stars_count), max(repo_subject) FROM last.packages").fetchall()
                continue
            break
    else:
        pytest.fail("no block of packages was found")
    assert publish_packages(folder, "run-2", MANY[:5]).is_current
    assert [check.name for check in publish_packages(folder, "run-3", MANY[:1]).unmet] == []


def test_a_publication_that_cannot_become_current_is_removed(folder):
    """When `current` cannot be moved nothing is left that would pass for a publication."""
    publish_packages(folder, "run-1", [package(1)])
    folder.current.unlink()
    folder.current.mkdir()
    (folder.current / "in the way").touch()
    with pytest.raises(PublicationFailed, match="could not be written"):
        publish_packages(folder, "run-2", [package(1)])
    assert names(folder) == ["run-1"]


def test_the_store_goes_on_after_a_publication(folder):
    """Publishing leaves nothing attached, so the same store publishes and loads again; also after a failure."""
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        publish(folder, run=run_row("run-1"), tables=brought([package(1)]), store=store)
        with pytest.raises(PublicationFailed):
            publish(folder, run=run_row("run-2"), tables=brought([package(1), package(1)]), store=store)
        store.record_run(run_row("run-3"))
        publish(folder, run=run_row("run-3"), tables=brought([package(1)]), store=store)
        attached = store.connection.execute("SELECT database_name FROM duckdb_databases() WHERE NOT internal").fetchall()
        assert {name for (name,) in attached} == {"memory", "store"}


def test_full_disk_keeps_the_last_good_publication(tmp_path):
    """No room for the new one: a clear message, nothing left of it, `current` as it was, and the store still works."""
    with small_disk(tmp_path / "disk", 24_000) as disk:
        folder = DataFolder(disk)
        publish_packages(folder, "run-1", [package(1)])
        noise = Random(1)  # noqa: S311 - noise
        large = [package(number, repo_description=noise.randbytes(4000).hex()) for number in range(1, 3000)]
        with folder.lock(), open_store(folder, is_read_only=False) as store:
            with pytest.raises(PublicationFailed, match=r"nothing of it was kept.*Next: free some space and run: packhouse publish"):
                publish(folder, run=run_row("run-2"), tables=brought(large), store=store)
            assert names(folder) == ["run-1"]
            store.record_run(run_row("run-2") | {"outcome": "failed"})
            assert publish(folder, run=run_row("run-3"), tables=brought([package(1)]), store=store).is_current
        with open_current(folder) as publication:
            assert publication.run_id == "run-3"


LIMITED = """
    import resource, sys
    from pathlib import Path
    from tests.warehouse.scenes import package, publish_packages
    from warehouse.errors import PublicationFailed
    from warehouse.folder import DataFolder
    folder = DataFolder(Path(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, 700_000))
    try:
        publish_packages(folder, "run-2", [package(1)])
    except PublicationFailed as error:
        print(error)
"""


def test_a_write_the_system_refuses_is_told(folder):
    """The same without a small disk: a limit on the size of files."""
    publish_packages(folder, "run-1", [package(1)])
    with child(LIMITED, folder.root) as process:
        said = process.stdout.read()
    assert "Next: free some space and run: packhouse publish" in said
    assert names(folder) == ["run-1"]


def test_a_file_where_the_publication_should_go_is_told(folder):
    """A folder that cannot be made is a failure with a message, and `current` stays."""
    publish_packages(folder, "run-1", [package(1)])
    (folder.published / ".run-2.staging").write_text("in the way")
    with open_store(folder, is_read_only=False) as store, pytest.raises(PublicationFailed, match="could not be written"):
        publish(folder, run=run_row("run-2"), tables=brought([package(1)]), store=store)
    assert folder.current.readlink() == Path("published/run-1")


def test_run_ids_cannot_leave_the_folder(folder):
    """A run id becomes a folder name."""
    with open_store(folder, is_read_only=False) as store, pytest.raises(ValueError, match="cannot be part of a file name"):
        publish(folder, run=run_row("../evil"), tables=brought([package(1)]), store=store)


def test_rows_in_another_shape_are_a_mistake_of_the_caller(folder):
    """A table without its columns is refused, and nothing of the publication is left."""
    tables = brought([package(1)])
    tables["packages"] = tables["packages"].drop_columns(["slug"])
    with open_store(folder, is_read_only=False) as store, pytest.raises(KeyError):
        publish(folder, run=run_row("run-1"), tables=tables, store=store)
    assert names(folder) == []
    assert PACKAGES.name in tables
