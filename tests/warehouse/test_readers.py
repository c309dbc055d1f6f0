from __future__ import annotations

import shutil
import signal
import tempfile
import threading
import time

import duckdb
import pyarrow as pa
import pytest

from tests.warehouse.scenes import child, hour, package, publish_packages
from transforms.schemas import PUBLIC_TABLES
from warehouse.errors import InvalidQuery, NothingPublished
from warehouse.folder import DataFolder
from warehouse.publication import DATABASE, MANIFEST
from warehouse.readers import open_current, open_publication, query
from warehouse.spill import left_spills
from warehouse.views import VIEWS


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A data folder with thirty packages published, which nobody changes."""
    folder = DataFolder(tmp_path_factory.mktemp("made") / "data")
    publish_packages(folder, "run-1", [package(number) for number in range(1, 31)])
    return folder


@pytest.fixture
def folder(made, tmp_path):
    """A data folder of one's own with thirty packages published."""
    shutil.copytree(made.root, tmp_path / "data", symlinks=True)
    return DataFolder(tmp_path / "data")


@pytest.fixture
def publication(made):
    """The current publication, open."""
    with open_current(made) as publication:
        yield publication


def test_a_package_is_found_by_id_and_by_slug(publication):
    """Both give the same row, with lists as lists and times aware; an unknown one gives nothing."""
    row = publication.package(id=7)
    assert row == publication.package(slug="package-7")
    assert (row["title"], row["weeks"], row["participants"], row["last_commit_at"]) == ("Package 7", [1] * 52, ["ann", "bob"], hour(0))
    assert publication.package(id=99) is None
    assert publication.package(slug="x' OR true --") is None


def test_rows_come_by_key(publication):
    """Packages, categories, grids and their members, in order."""
    assert [row["id"] for row in publication.packages()] == list(range(1, 31))
    assert [row["slug"] for row in publication.categories()] == ["apps"]
    assert [row["slug"] for row in publication.grids()] == ["calendars"]
    assert [(row["grid"], row["package"]) for row in publication.grid_packages()] == [("calendars", "package-1")]
    assert (publication.run_id, publication.as_of_at) == ("run-1", hour(24))


def test_an_open_publication_stays_while_others_come(folder):
    """A reader sees the publication it opened, whole, however often `current` moves; a new reader sees the newest."""
    with open_current(folder) as old:
        rows = old.packages()
        first = next(rows)
        publish_packages(folder, "run-2", [package(number, stars_count=200) for number in range(1, 31)])
        assert {row["stars_count"] for row in [first, *rows]} == {100}
        assert old.package(id=1)["stars_count"] == 100
        with open_current(folder) as new:
            assert (new.run_id, new.package(id=1)["stars_count"]) == ("run-2", 200)


def test_a_publication_deleted_under_its_reader_stays_readable(folder):
    """Someone removes the folder: who has it open goes on, who comes later is told."""
    with open_current(folder) as publication:
        shutil.rmtree(folder.published)
        assert sum(1 for _ in publication.packages()) == 30
        assert query(publication, "SELECT sum(stars_count) AS stars FROM packages").read_all().to_pylist() == [{"stars": 3000}]
        with pytest.raises(NothingPublished, match=r"the link `current` leads nowhere\. Next: run packhouse harvest"):
            open_current(folder)


def test_nothing_published_says_what_to_do(tmp_path):
    """An empty or missing data folder is told as such and not made."""
    with pytest.raises(NothingPublished, match=r"there is no publication yet\. Next: run packhouse harvest"):
        open_current(DataFolder(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", [DATABASE, MANIFEST])
@pytest.mark.parametrize("content", [None, b"", b"junk" * 5000])
def test_damaged_publication_is_told(folder, name, content):
    """A file missing or damaged is one message, not a traceback."""
    path = folder.current.resolve() / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NothingPublished, match=r"run-1 cannot be read \(.*Next: write a new one with packhouse publish"):
        open_current(folder)


def test_older_publications_can_be_opened_by_their_folder(folder):
    """What is kept can be read."""
    publish_packages(folder, "run-2", [package(number) for number in range(1, 31)])
    with open_publication(folder.published / "run-1") as publication:
        assert publication.run_id == "run-1"


def test_threads_share_a_publication(publication):
    """Each call has its own cursor, so requests of a server do not wait for or disturb each other."""
    found, failures = [], []

    def work(number):
        try:
            found.extend(publication.package(id=number)["id"] for _ in range(10))
            found.extend(row["id"] for row in publication.packages() if row["id"] == number)
        except Exception as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(found) == sorted(list(range(1, 9)) * 11)


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        ("SELECT * FROM packages", 30),
        ("FROM packages LIMIT 3;", 3),
        ("WITH a AS (SELECT 1 AS n) SELECT n FROM a -- comment", 1),
        ("VALUES (1), (2)", 2),
        ("SHOW TABLES", len(PUBLIC_TABLES) + len(VIEWS)),
        ("DESCRIBE grids", 8),
        ("SUMMARIZE categories", 8),
        ("EXPLAIN SELECT 1", 1),
        ("PIVOT packages ON repo_state USING count(*)", 30),
        ("SELECT * FROM packages WHERE id < 0", 0),
        ("SELECT ';' AS text", 1),
        ("SELECT timezone('Europe/Berlin', last_commit_at) FROM packages", 30),
        ("SELECT x, n FROM range(3000) a(x) JOIN range(3000) b(n) ON x + 2998 < n", 1),
    ],
)
def test_reading_statements_are_answered(publication, sql, count):
    """Whatever reads is answered as Arrow."""
    assert query(publication, sql).read_all().num_rows == count


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM packages",
        "INSERT INTO packages (id) VALUES (99)",
        "UPDATE packages SET stars_count = 0",
        "DROP TABLE packages",
        "CREATE TABLE mine AS SELECT 1",
        "CREATE TEMP TABLE mine AS SELECT 1",
        "CREATE MACRO mine() AS 1",
        "COPY packages TO 'out.csv'",
        "EXPORT DATABASE 'out'",
        "ATTACH 'other.duckdb' AS other",
        "DETACH publication",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "RESET lock_configuration",
        "USE memory",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "BEGIN",
        "CHECKPOINT",
        "VACUUM",
        "PREPARE p AS SELECT 1",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE packages",
        "",
        "   ;",
        "-- nothing",
        "EXPLAIN ANALYZE DELETE FROM packages",
        "SELEC 1",
        "SELECT nothing FROM packages",
        "SELECT * FROM nowhere",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_parquet('https://example.org/a.parquet')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT CAST(slug AS INTEGER) FROM packages",
        "SELECT error('told') FROM packages",
        "MERGE INTO packages USING (SELECT 1 AS id) x USING (id) WHEN MATCHED THEN DELETE",
        "IMPORT DATABASE 'in'",
        "SET VARIABLE x = 1",
        "CALL enable_logging()",
        "FROM enable_logging(storage = 'file', storage_path = 'log')",
        "FROM enable_profiling(save_location = 'profile')",
        "SELECT getenv('HOME')",
        "FROM read_json('/proc/self/environ')",
        "FROM read_blob('/etc/passwd')",
        "FROM sniff_csv('/etc/passwd')",
        "FROM parquet_metadata('/etc/passwd')",
        "FROM glob('*')",
        "FROM query('DROP TABLE packages')",
        "FROM query('COPY packages TO ''out.csv'' ')",
        "FROM query('WITH x AS (COPY packages TO ''out.csv'') FROM x')",
        "FROM query_table('/etc/passwd')",
        "FROM query_table(['packages', '/etc/passwd'])",
        "FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM read_text(''/etc/passwd'')'))",
        "PIVOT (FROM read_csv('/etc/passwd')) ON a USING count(*)",
        "SUMMARIZE '/etc/passwd'",
        "FROM duckdb_secrets()",
        "FROM duckdb_extensions()",
        "FROM which_secret('s3://bucket', 's3')",
        "FROM read_csv('https://example.org/a.csv')",
        "FROM arrow_scan(1, 1, 1)",
        "FROM pandas_scan(1)",
        "WITH x AS (INSERT INTO packages (id) VALUES (99) RETURNING id) FROM x",
        "WITH x AS (DELETE FROM packages RETURNING id) FROM x",
        "WITH x AS (UPDATE packages SET stars_count = 0 RETURNING id) FROM x",
        "EXPLAIN ANALYZE CREATE TABLE memory.main.mine AS SELECT 1",
        "EXPLAIN ANALYZE CREATE OR REPLACE MACRO memory.main.list_sum(x) AS 1",
        "EXPLAIN ANALYZE SET VARIABLE x = 1",
        "EXPLAIN (ANALYZE, FORMAT json) DROP TABLE packages",
        "EXPLAIN",
        "EXPLAIN ANALYZE",
    ],
)
def test_everything_else_is_refused_with_a_reason(publication, tmp_path, monkeypatch, sql):
    """Writes, settings, files, network, several statements and nonsense: one kind of error that says what next."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidQuery, match="Next: "):
        query(publication, sql).read_all()
    assert list(tmp_path.iterdir()) == []
    assert publication.package(id=1) is not None


WRITES = [
    "COPY (SELECT 1) TO '$path'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '$path'",
    "explain -- as if\n /* it */ analyze copy (select 1) to '$path'",
    "EXPLAIN (ANALYZE, FORMAT json) COPY (SELECT 1) TO '$path'",
    "WITH x AS (COPY (SELECT 1) TO '$path') FROM x",
    "WITH x AS MATERIALIZED (/* */ COPY (SELECT 1) TO '$path') SELECT 1",
    "WITH x AS (COPY (SELECT 1) TO '$path') PIVOT x ON Count USING count(*)",
    "WITH é AS (SELECT 'é'), x AS NOT MATERIALIZED ( -- (\n copy (SELECT 1) TO '$path') PIVOT x ON Count USING count(*)",
    "EXPLAIN WITH x AS (COPY (SELECT 1) TO '$path') PIVOT x ON Count USING count(*)",
    "EXPLAIN ANALYZE WITH x AS (COPY (SELECT 1) TO '$path') FROM x",
    "FROM query('WITH x AS (COPY (SELECT 1) TO ''$path'') FROM x')",
    "SELECT (WITH x AS (COPY (SELECT 1) TO '$path') FROM x)",
    "; WITH x AS (COPY (SELECT 1) TO '$path') FROM x",
]


@pytest.mark.parametrize("sql", WRITES)
def test_what_duckdb_needs_for_itself_is_nobody_elses(publication, sql):
    """Its file, the log beside it and the folder for what does not fit are paths it may write; no statement can use that."""
    (spill,) = query(publication, "SELECT current_setting('temp_directory')").read_all()[0].to_pylist()
    kept = {path: path.read_bytes() for path in publication.path.rglob("*") if path.is_file()}
    for path in (publication.path / f"{DATABASE}.wal", publication.path / f"{DATABASE}.wal.recovery", f"{spill}/x.csv"):
        with pytest.raises(InvalidQuery, match="Next: "):
            query(publication, sql.replace("$path", str(path))).read_all()
    assert {path: path.read_bytes() for path in publication.path.rglob("*") if path.is_file()} == kept
    assert query(publication, f"FROM glob('{spill}/*')").read_all().num_rows == 0


@pytest.mark.parametrize(
    ("sql", "drawn"),
    [
        ("SELECT slug,\n nothing\nFROM packages", "LINE 2:  nothing\n         ^"),
        ("\n\nSELECT nothing FROM packages", "LINE 3: SELECT nothing FROM packages\n               ^"),
        ("SELECT slug\nFORM packages", "LINE 2: FORM packages"),
        ("SELECT slugg FROM packages", 'Candidate bindings: "slug"'),
        ("FROM package", 'Did you mean "packages"?'),
    ],
)
def test_a_mistake_is_shown_where_it_was_made(publication, sql, drawn):
    """The line and column are those of the statement as written, and near names are proposed."""
    with pytest.raises(InvalidQuery) as refusal:
        query(publication, sql).read_all()
    assert drawn in str(refusal.value)


DEEP = {
    "parentheses": "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
    "lists": "SELECT " + "[" * 5_000 + "1" + "]" * 5_000,
    "subqueries": "FROM " + "(FROM " * 5_000 + "packages" + ")" * 5_000,
    "sums": "SELECT 1" + " + 1" * 5_000,
    "signs": "SELECT " + "- " * 5_000 + "1",
    "cases": "SELECT " + "CASE WHEN true THEN " * 3_000 + "1" + " END" * 3_000,
    "chain": "WITH a0 AS (FROM packages)" + "".join(f", a{n} AS (FROM a{n - 1})" for n in range(1, 2_000)) + " FROM a1999",
}


@pytest.mark.parametrize("sql", DEEP.values(), ids=DEEP)
def test_deep_nesting_is_an_error_and_not_the_end(publication, sql):
    """A statement nested beyond reason is refused, and the next one is answered."""
    with pytest.raises(InvalidQuery, match="depth limit"):
        query(publication, sql)
    assert query(publication, "SELECT 1").read_all().num_rows == 1


GREEDY = """
    import resource, sys
    from pathlib import Path
    from warehouse.database import bound_memory
    from warehouse.errors import InvalidQuery
    from warehouse.folder import DataFolder
    from warehouse.readers import open_current, query
    from warehouse.rows import write_rows
    bound_memory()
    with open_current(DataFolder(Path(sys.argv[1]))) as publication:
        for sql in sys.argv[2:]:
            try:
                write_rows(query(publication, sql), "csv", Path(sys.argv[1]) / "out")
            except InvalidQuery as error:
                print("refused" if "Out of Memory" in str(error) else error)
        print(query(publication, "SELECT 42 AS n").read_all().to_pylist(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20)
"""


def test_no_query_takes_the_machine(folder):
    """A list, a value and a set too large for the memory there may be are errors of the query; the process goes on, small."""
    greedy = ["SELECT range(2_000_000_000)", "SELECT list(r) FROM range(1_000_000_000) t(r)"]
    with child(GREEDY, folder.root, *greedy) as process:
        *refused, answered = process.stdout.read().splitlines()
    assert refused == ["refused", "refused"]
    answer, gigabytes = answered.rsplit(" ", 1)
    assert answer == "[{'n': 42}]"
    assert int(gigabytes) < 4


def test_what_does_not_fit_has_a_bound(publication):
    """The disk is not filled by a query either."""
    assert query(publication, "SELECT current_setting('max_temp_directory_size')").read_all()[0].to_pylist() == ["7.4 GiB"]


ENDLESS = """
    import sys
    from pathlib import Path
    from warehouse.folder import DataFolder
    from warehouse.readers import open_current, query
    with open_current(DataFolder(Path(sys.argv[1]))) as publication:
        print("ready", flush=True)
        try:
            query(publication, sys.argv[2]).read_all()
        except KeyboardInterrupt:
            print(query(publication, "SELECT 42 AS n").read_all().to_pylist(), flush=True)
"""


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM t) SELECT max(x) FROM t",
        "SELECT count(*) FROM range(10_000_000) a, range(10_000_000) b WHERE hash(a) = hash(b) + 1",
    ],
)
def test_an_interrupt_stops_the_query_and_nothing_else(folder, sql):
    """Ctrl-C comes out as KeyboardInterrupt while DuckDB works, and the next query is answered."""
    with child(ENDLESS, folder.root, sql) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)  # so that DuckDB is at work; sooner or later is right too
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "[{'n': 42}]\n"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("enable_external_access", False),
        ("lock_configuration", True),
        ("python_enable_replacements", False),
        ("autoinstall_known_extensions", False),
        ("TimeZone", "UTC"),
    ],
)
def test_the_room_is_locked(publication, setting, value):
    """Files, network, extensions and the variables of this program are closed, and nobody can open them again."""
    assert query(publication, f"SELECT current_setting('{setting}') AS value").read_all().to_pylist() == [{"value": value}]


@pytest.fixture
def spills(tmp_path, monkeypatch):
    """The folder that stands for the machine's own temporary one."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return tmp_path / "temporary"


def test_room_for_what_does_not_fit_is_private(folder, spills):
    """Every reader has a folder of its own that no other user can enter, and it goes when the reader does, closed or not."""
    with open_current(folder) as one, open_current(folder) as other:
        made = list(spills.iterdir())
        assert len(made) == 2
        assert {path.stat().st_mode & 0o777 for path in made} == {0o700}
        assert {query(p, "SELECT current_setting('temp_directory')").read_all()[0][0].as_py() for p in (one, other)} == set(map(str, made))
    assert list(spills.iterdir()) == []
    left = open_current(folder)
    assert left.package(id=1) is not None
    del left
    assert list(spills.iterdir()) == []


READ = """
    import sys
    from pathlib import Path
    from warehouse.folder import DataFolder
    from warehouse.readers import open_current
    publication = open_current(DataFolder(Path(sys.argv[1])))
    print("open", flush=True)
    sys.stdin.read()
"""


def test_room_of_a_killed_reader_is_swept_by_the_next(folder, spills):
    """A reader that lives keeps its room, one that was killed leaves it to whoever reads next."""
    with child(READ, folder.root, TMPDIR=str(spills)) as living, child(READ, folder.root, TMPDIR=str(spills)) as killed:
        assert living.stdout.readline() == killed.stdout.readline() == "open\n"
        assert len(list(spills.iterdir())) == 2
        killed.kill()
        killed.wait()
        assert len(left_spills()) == 1
        with open_current(folder) as publication:
            assert publication.package(id=1) is not None
            assert left_spills() == []
            assert len(list(spills.iterdir())) == 2, "that of the living, and ours"


def test_a_machine_without_room_still_answers(folder, spills):
    """Where no temporary folder can be made an answer has to fit in memory, and is given."""
    spills.rmdir()
    with open_current(folder) as publication:
        assert publication.package(id=1) is not None


def test_a_publication_that_cannot_be_opened_leaves_no_room_behind(folder, spills):
    """The folder goes with the attempt."""
    (folder.current.resolve() / MANIFEST).unlink()
    with pytest.raises(NothingPublished):
        open_current(folder)
    assert list(spills.iterdir()) == []


ZONED = """
    import sys
    from pathlib import Path
    from warehouse.folder import DataFolder
    from warehouse.readers import open_current, query
    with open_current(DataFolder(Path(sys.argv[1]))) as publication:
        print(query(publication, "SELECT last_commit_at::VARCHAR AS text FROM packages LIMIT 1").read_all()["text"][0])
"""


def test_times_are_told_in_utc_wherever_the_machine_is(folder):
    """The zone of the machine does not reach the answers."""
    with child(ZONED, folder.root, TZ="America/New_York") as process:
        assert process.stdout.read() == "2026-01-01 00:00:00+00\n"


def test_the_variables_of_this_program_are_no_tables(publication):
    """DuckDB for Python would find a table in a variable of whoever asks."""
    in_python = pa.table({"a": [1]})
    with pytest.raises(duckdb.CatalogException):
        publication.cursor().sql("FROM in_python")
    assert in_python.num_rows == 1


def test_a_large_answer_streams(publication):
    """The first rows are there before the last are made, and a failure in the middle is told as such."""
    reader = query(publication, "SELECT r FROM range(100_000_000_000) t(r)")
    assert isinstance(reader, pa.RecordBatchReader)
    assert reader.read_next_batch().column(0)[0].as_py() == 0
    reader.close()
    broken = query(publication, "SELECT CASE WHEN r = 3_000_000 THEN error('told') ELSE r::VARCHAR END AS r FROM range(4_000_000) t(r)")
    with pytest.raises(InvalidQuery, match="told"):
        for _ in broken:
            pass


def test_a_query_left_half_read_disturbs_nobody(publication):
    """Each query has its own cursor."""
    reader = query(publication, "SELECT * FROM range(1_000_000)")
    reader.read_next_batch()
    assert query(publication, "SELECT count(*) AS n FROM packages").read_all().to_pylist() == [{"n": 30}]
    assert publication.package(id=3)["id"] == 3
