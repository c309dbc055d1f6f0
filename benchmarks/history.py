"""How fast the past is, as of any day of a year of daily history, and how fast a publication is. Made-up rows, written by SQL.

.venv/bin/python benchmarks/history.py 5000 100000
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from transforms.catalog import Catalog, Category, Entry
from transforms.records import build_packages, build_participants
from transforms.references import parse_project_reference, parse_repo_url
from transforms.schemas import PUBLIC_TABLES
from warehouse.as_of import as_of_macros
from warehouse.database import attach, connect, fill
from warehouse.folder import DataFolder
from warehouse.publication import STORAGE_VERSION, make_public_table, publish
from warehouse.store import open_store

DAYS = 365
MEMORY = "1GB"  # as packhouse opens a publication
# Changes of each history in the year, as made up; every repository and project is seen every day.
_HEAD = """$day AS observed_at, least(at_day(d + $step), at_day(365)) - to_days(1) AS confirmed_at, $step AS sighting_count,
    $kind || i AS series, $subject || i AS subject, 'ok' AS outcome, 'run-' || d AS run_id"""
_FROM = "FROM range($n) t(i), range(0, $days, $step) u(d)"
_ROWS = """
CREATE OR REPLACE MACRO at_day(day) AS TIMESTAMPTZ '2025-01-01 03:17:00+00' + to_days(day::INTEGER);
INSERT INTO made.main.publications
SELECT at_day(d) + INTERVAL 1 HOUR, 'run-' || lpad(d::VARCHAR, 4, '0'), at_day(d), 72000, false FROM range(365) t(d);
INSERT INTO made.main.package_entries BY NAME
SELECT i AS id, 'package-' || i AS slug, 'Package ' || i AS title, 1 AS category_id, 'apps' AS category,
    'https://github.com/o/p' || i AS repo_url, 'p' || i AS pypi_url, at_day(0) AS created_at, at_day(0) AS modified_at,
    'github:o/p' || i AS repo_subject, 'p' || i AS project, at_day(0) AS known_at FROM range($n) t(i);
INSERT INTO made.main.grid_package_entries BY NAME
SELECT i % 50 AS grid_id, i AS package_id, 'grid-' || (i % 50) AS grid, 'package-' || i AS package, at_day(0) AS known_at
FROM range($n) t(i);
INSERT INTO made.main.sighted_series
SELECT facet, i + 1, subject || i, series || i FROM $facets, range($n) t(i);
INSERT INTO made.main.sighting_spans
SELECT at_day(d) + to_milliseconds(i), facet, 'run-' || d, i + 1, least(i + 25, $n)
FROM range(365) u(d), $facets, range(0, $n, 25) t(i)
"""
# What is asked of every subject each day, in batches of 25.
_FACETS = """(VALUES ('head', 'github:o/p', 'github:'), ('project', 'pypi:p', 'pypi:p'), ('repo', 'github:o/p', 'github:'))
    f(facet, subject, series)"""
# Columns of each history, and after how many days each changes.
_HISTORIES = {
    ("repo_observations", 7): """i AS repo_id, 'o/p' || i AS full_name, '' AS description, i + d AS stars_count, 3 AS watchers_count,
        d AS forks_count, 'main' AS default_branch""",
    ("head_observations", 30): "md5(i || '-' || d) AS head_oid, at_day(d - 1) AS last_commit_at",
    ("week_observations", 30): """list_transform(range(52), lambda w: 1::INTEGER) AS weeks, at_day(d)::DATE AS weeks_end_on,
        'history' AS weeks_source, md5(i || '-' || d) AS weeks_head_oid,
        list_transform(range(30), lambda w: at_day(d)::DATE - (w * 11 + 1)::INTEGER) AS days_on,
        list_transform(range(30), lambda w: 2::INTEGER) AS day_counts""",
    ("participant_observations", 30): """list_transform(range(12), lambda w: 'login-' || w) AS logins,
        list_transform(range(12), lambda w: 12 - w) AS commit_counts, md5(i || '-' || d) AS participants_head_oid,
        'contributors' AS participants_source""",
    ("project_observations", 60): """'1.' || d AS latest_version, at_day(d) AS latest_released_at, 'A package' AS summary,
        9 AS releases_count""",
}
QUESTIONS = {
    "packages_as_of, every column of every package": """SELECT count(*), sum(len(weeks)), sum(stars_count)
        FROM packages_as_of(TIMESTAMPTZ '2025-07-15 12:00:00+00')""",
    "the same, another day": """SELECT count(*), sum(len(weeks)), sum(stars_count)
        FROM packages_as_of(TIMESTAMPTZ '2025-09-15 12:00:00+00')""",
    "payload_as_of one package": "FROM payload_as_of('package-17', TIMESTAMPTZ '2025-07-15 12:00:00+00')",
}


def make(path: Path, packages: int) -> None:
    """Write a database with the tables of a publication and a year of history."""
    connection = connect(spill=path.parent / "spill")
    attach(connection, path, "made", storage_version=STORAGE_VERSION)
    for table in PUBLIC_TABLES:
        make_public_table(connection, "made", table)
    for statement in fill(_ROWS, n=str(packages), facets=_FACETS).split(";"):
        connection.execute(statement)
    fill_histories(connection, "made", packages, DAYS)
    connection.execute("USE made.main")
    for statement in as_of_macros("made"):
        connection.execute(statement)
    connection.execute("CHECKPOINT made")
    connection.close()


def fill_histories(connection: duckdb.DuckDBPyConnection, catalog: str, packages: int, days: int) -> None:
    """Write so many days of every history."""
    for (history, step), columns in _HISTORIES.items():
        kind, subject = ("'pypi:p'", "'pypi:p'") if history.startswith("project") else ("'github:'", "'github:o/p'")
        parts = {"n": str(packages), "step": str(step), "days": str(days), "day": "at_day(d)", "kind": kind, "subject": subject}
        connection.execute(fill(f"INSERT INTO {catalog}.main.{history} BY NAME SELECT {_HEAD}, {columns} {_FROM}", **parts))


def publish_once(root: Path, packages: int) -> None:
    """Time one publication of a store with a first observation of everything: records built, written, judged, exported, made current."""
    at = datetime(2025, 1, 1, 4, tzinfo=UTC)
    category = Category(id=1, slug="apps", title="Apps", description="", title_plural="Apps", show_pypi=True, created_at=at, modified_at=at)
    entries = tuple(
        Entry(
            id=number,
            slug=f"package-{number}",
            title=f"Package {number}",
            category="apps",
            repo_url=f"https://github.com/o/p{number}",
            pypi_url=f"p{number}",
            documentation_url=None,
            created_at=at,
            modified_at=at,
            repo=parse_repo_url(f"https://github.com/o/p{number}"),
            project=parse_project_reference(f"p{number}"),
        )
        for number in range(packages)
    )
    catalog = Catalog(categories=(category,), grids=(), entries=entries, memberships=())
    folder = DataFolder(root / "data")
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        store.connection.execute(_ROWS.split(";", maxsplit=1)[0])
        fill_histories(store.connection, "store", packages, 1)
        store.connection.execute("""INSERT INTO store.main.standings SELECT subject, facet, series, 'ok', confirmed_at, run_id FROM (
            SELECT *, 'repo' AS facet FROM store.main.repo_observations UNION ALL BY NAME
            SELECT *, 'project' AS facet FROM store.main.project_observations)""")
        begun = time.perf_counter()
        latest = store.latest()
        tables = {
            **catalog.tables(),
            "packages": build_packages(catalog, latest, as_of=at, max_age=timedelta(hours=20)),
            "participants": build_participants(catalog, latest),
        }
        built = time.perf_counter()
        run = {"run_id": "run-1", "as_of_at": at, "started_at": at, "ended_at": at, "kind": "harvest", "outcome": "done"}
        info = publish(folder, run=run, tables=tables, store=store, is_forced=True)
        ended = time.perf_counter()
    size = sum(path.stat().st_size for path in info.path.rglob("*")) / 1e6
    print(f"  publication of {packages:,} packages: {ended - begun:6.2f} s ({built - begun:.2f} s of it the records), {size:,.0f} MB")
    print(f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


def ask(path: Path) -> None:
    """Time three questions in a process of its own, with two threads and bounded memory."""
    config: dict[str, str | bool | int | float | list[str]] = {"memory_limit": MEMORY, "threads": 2, "temp_directory": f"{path}.spill"}
    with duckdb.connect(str(path), read_only=True, config=config) as connection:
        for name, sql in QUESTIONS.items():
            begun = time.perf_counter()
            rows = connection.sql(sql).fetchall()
            print(f"  {name:48} {time.perf_counter() - begun:6.2f} s", rows[0] if len(rows[0]) > 1 else "")
    print(f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


def main() -> None:
    """Make a year for each size named, and ask it."""
    if sys.argv[1:2] == ["--ask"]:
        ask(Path(sys.argv[2]))
        return
    if sys.argv[1:2] == ["--publish"]:
        publish_once(Path(sys.argv[2]), int(sys.argv[3]))
        return
    for packages in [int(text) for text in sys.argv[1:]] or [5_000]:
        with tempfile.TemporaryDirectory(prefix="packhouse-history-") as folder:
            path = Path(folder) / "packhouse.duckdb"
            begun = time.perf_counter()
            make(path, packages)
            seconds, size = time.perf_counter() - begun, path.stat().st_size / 1e6
            print(f"{packages:,} packages, {DAYS} days: {size:,.0f} MB, written in {seconds:.0f} s", flush=True)
            subprocess.run([sys.executable, __file__, "--ask", str(path)], check=True)  # noqa: S603 - ourselves
            subprocess.run([sys.executable, __file__, "--publish", folder, str(packages)], check=True)  # noqa: S603 - as above


if __name__ == "__main__":
    main()
