"""Made publications of any size for the benchmarks of serving: records as full as real ones, written by the publication writer itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from transforms.schemas import CATEGORIES, GRID_PACKAGES, GRIDS, PACKAGES, PARTICIPANTS, RUNS, Table
from warehouse.folder import DataFolder
from warehouse.publication import publish
from warehouse.store import open_store

CATEGORIES_COUNT = 4
PACKAGES_PER_GRID = 25
MOST_PARTICIPANTS = 24
AS_OF = datetime(2026, 2, 15, 22, 20, tzinfo=UTC)


def publish_made(data: Path, count: int, *, edition: int = 1) -> Path:
    """Publish ``count`` packages with ids from 1 and let ``current`` lead to them; ``edition`` is told in every record and list.

    The stars of package n are n + 1,000,000 x edition, so that what belongs together can be told from outside.
    """
    folder = DataFolder(data)
    at = AS_OF + timedelta(days=edition)
    run = dict.fromkeys(RUNS.names) | {"run_id": f"{at:%Y%m%dT%H%M%SZ}-made", "as_of_at": at}
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        return publish(folder, run=run, tables=_tables(count, edition, at), store=store, is_forced=True).path


def _tables(count: int, edition: int, at: datetime) -> dict[str, pa.Table]:
    ids = np.arange(1, count + 1)
    grids = -(-count // PACKAGES_PER_GRID)
    made: dict[str, Any] = {"created_at": at - timedelta(days=4000), "modified_at": at - timedelta(days=30), "description": "Made."}
    members = {
        "grid_id": (ids - 1) // PACKAGES_PER_GRID + 1,
        "package_id": ids,
        "grid": [f"grid-{(n - 1) // PACKAGES_PER_GRID + 1}" for n in range(1, count + 1)],
        "package": [f"package-{n}" for n in range(1, count + 1)],
    }
    return {
        "packages": _table(PACKAGES, _packages(count, edition, at)),
        "categories": pa.Table.from_pylist(
            [
                dict.fromkeys(CATEGORIES.names)
                | made
                | {"id": n, "slug": f"kind-{n}", "title": f"Kind {n}", "title_plural": "", "show_pypi": True}
                for n in range(1, CATEGORIES_COUNT + 1)
            ],
            schema=CATEGORIES.schema,
        ),
        "grids": pa.Table.from_pylist(
            [
                dict.fromkeys(GRIDS.names) | made | {"id": n, "slug": f"grid-{n}", "title": f"Grid {n}", "is_locked": False, "header": True}
                for n in range(1, grids + 1)
            ],
            schema=GRIDS.schema,
        ),
        "grid_packages": _table(GRID_PACKAGES, members),
        "participants": PARTICIPANTS.schema.empty_table(),
    }


def _packages(count: int, edition: int, at: datetime) -> dict[str, Any]:
    chance = np.random.default_rng(1776)  # the same records every time
    numbers = range(1, count + 1)
    people = pa.array([f"person-{n}" for n in range(5000)]).dictionary_encode()
    crowd = np.concatenate([[0], np.cumsum(chance.integers(1, MOST_PARTICIPANTS, count))]).astype(np.int32)
    weeks = chance.poisson(0.8, count * 52).astype(np.int32)
    moments = np.datetime64(at.replace(tzinfo=None), "us") - chance.integers(0, 10**9, count).astype("timedelta64[s]")
    stars = np.arange(1, count + 1) + 1_000_000 * edition
    logins = people.dictionary.take(pa.array(chance.integers(0, 5000, int(crowd[-1]))))
    return {
        "id": np.arange(1, count + 1),
        "slug": [f"package-{n}" for n in numbers],
        "title": [f"package-{n}" for n in numbers],
        "category_id": np.arange(count) % CATEGORIES_COUNT + 1,
        "grid_ids": pa.ListArray.from_arrays(np.arange(count + 1, dtype=np.int32), np.arange(count) // PACKAGES_PER_GRID + 1),
        "repo_url": [f"https://github.com/example-{n % 997}/package-{n}" for n in numbers],
        "pypi_url": [f"https://pypi.org/project/package-{n}/" for n in numbers],
        "documentation_url": [f"https://package-{n}.readthedocs.io/" for n in numbers],
        "created_at": moments - np.timedelta64(1000, "D"),
        "modified_at": moments,
        "fetched_at": moments,
        "repo_description": [f"What package number {n} of the made catalog says of itself, in a sentence." for n in numbers],
        "stars_count": stars,
        "forks_count": stars % 1000,
        "last_commit_at": moments,
        "weeks": pa.ListArray.from_arrays(np.arange(0, count * 52 + 1, 52, dtype=np.int32), weeks),
        "participants": pa.ListArray.from_arrays(crowd, logins),
        "latest_version": [f"{n % 9}.{n % 31}.{n % 7}" for n in numbers],
        "latest_released_at": moments,
    }


def _table(table: Table, columns: Mapping[str, Any]) -> pa.Table:
    """Make a table of columns of one length; what is not given is unknown."""
    length = len(next(iter(columns.values())))
    arrays = [
        pa.array(columns[field.name]).cast(field.type) if field.name in columns else pa.nulls(length, field.type) for field in table.schema
    ]
    return pa.Table.from_arrays(arrays, schema=table.schema)
