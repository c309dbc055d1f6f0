"""Small rows, captures and publications for the tests of this room, and child processes that can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from transforms.observations import CaptureView
from transforms.schemas import CATEGORIES, GRID_PACKAGES, GRIDS, PACKAGES, PARTICIPANTS, Table
from warehouse.folder import DataFolder
from warehouse.publication import PublicationInfo, publish
from warehouse.store import open_store

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2026, 1, 1, tzinfo=UTC)


def hour(number: float) -> datetime:
    """A moment so many hours after the start of every scene."""
    return START + timedelta(hours=number)


def capture(sequence: int, **changes: Any) -> CaptureView:
    """One landed answer."""
    values: dict[str, Any] = {
        "run_id": "run-1",
        "sequence": sequence,
        "source": "github",
        "subject": "github:a/b",
        "facet": "repo",
        "page": 1,
        "url": "/repos/a/b",
        "attempt": 1,
        "status": 200,
        "headers": {"content-type": "application/json"},
        "body": b'{"id": 1}',
        "error": None,
        "fetched_at": hour(sequence),
        "duration_ms": 12,
        "identity": "anonymous",
    }
    return CaptureView(**values | changes)


def observation(number: float, series: str = "github:1", **changes: Any) -> dict[str, Any]:
    """One row of a history table, observed at that hour."""
    row: dict[str, Any] = {
        "series": series,
        "observed_at": hour(number),
        "confirmed_at": hour(number),
        "sighting_count": 1,
        "subject": "github:a/b",
        "outcome": "ok",
        "run_id": f"run-{number}",
        "source_url": "/repos/a/b",
    }
    return row | changes


def release(number: float, version: str, **changes: Any) -> dict[str, Any]:
    """One release as listed at that hour."""
    row: dict[str, Any] = {"project": "a", "version": version, "observed_at": hour(number), "position": 1, "is_yanked": False}
    return row | {"run_id": f"run-{number}"} | changes


def rows_of(table: Table, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Arrow rows in the schema of a table; what a row does not say is null."""
    return pa.Table.from_pylist(list(rows), schema=table.schema)


def package(number: int, **changes: Any) -> dict[str, Any]:
    """One row of ``packages``."""
    row: dict[str, Any] = {
        "id": number,
        "slug": f"package-{number}",
        "title": f"Package {number}",
        "repo_subject": f"github:a/{number}",
        "repo_id": 1000 + number,
        "stars_count": 100,
        "forks_count": 50,
        "weeks": [1] * 52,
        "last_commit_at": START,
        "project": f"package-{number}",
        "latest_version": "1.0",
        "participants": ["ann", "bob"],
        "participants_count": 4,
        "repo_state": "ok",
        "project_state": "ok",
    }
    return row | changes


def brought(packages: Sequence[dict[str, Any]]) -> dict[str, pa.Table]:
    """What a caller brings to a publication."""
    return {
        "packages": rows_of(PACKAGES, packages),
        "categories": rows_of(CATEGORIES, [{"id": 1, "slug": "apps"}]),
        "grids": rows_of(GRIDS, [{"id": 1, "slug": "calendars"}]),
        "grid_packages": rows_of(GRID_PACKAGES, [{"grid_id": 1, "package_id": 1, "grid": "calendars", "package": "package-1"}]),
        "participants": rows_of(PARTICIPANTS, [{"package_id": 1, "position": 1, "login": "ann", "commits_count": 3}]),
    }


def run_row(run_id: str) -> dict[str, Any]:
    """One row of ``runs``."""
    return {"run_id": run_id, "kind": "harvest", "started_at": START, "as_of_at": hour(24), "outcome": "done"}


def publish_packages(folder: DataFolder, run_id: str, packages: Sequence[dict[str, Any]], *, is_forced: bool = False) -> PublicationInfo:
    """Publish these packages over whatever the store has."""
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        return publish(folder, run=run_row(run_id), tables=brought(packages), store=store, is_forced=is_forced)


@contextmanager
def child(code: str, *arguments: object, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process running ``code`` in this repository, with these variables; killed at the end if it still lives."""
    environment = {**os.environ, **variables}
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def small_disk(path: Path, kilobytes: int) -> Iterator[Path]:
    """A file system of that size; the test is skipped where mounting one is not allowed."""
    path.mkdir(parents=True, exist_ok=True)
    made = _system("mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", path)
    if made.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield path
    finally:
        _system("umount", "-l", path)


def make_read_only(disk: Path) -> None:
    """Let the small disk take no more writes."""
    _system("mount", "-o", "remount,ro", disk)


def _system(*command: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([str(word) for word in command], capture_output=True, check=False)
