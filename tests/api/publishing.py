"""Real publications of a few rows, for tests of what reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.api.sample_rows import Rows
from transforms.schemas import CATEGORIES, GRID_PACKAGES, GRIDS, PACKAGES, PARTICIPANTS, RUNS, Table
from warehouse.folder import DataFolder
from warehouse.publication import publish
from warehouse.store import open_store


def publish_rows(data: Path, rows: Rows, run_id: str) -> Path:
    """Publish ``rows`` in a data folder and let `current` lead to them; returns the published folder."""
    folder = DataFolder(data)
    slugs = {row["id"]: row["slug"] for row in rows.grids()}
    members = [
        {"grid_id": grid, "package_id": row["id"], "grid": slugs[grid], "package": row["slug"]}
        for row in rows.packages()
        for grid in row["grid_ids"]
    ]
    tables = {
        "packages": to_arrow(PACKAGES, rows.packages()),
        "categories": to_arrow(CATEGORIES, rows.categories()),
        "grids": to_arrow(GRIDS, rows.grids()),
        "grid_packages": to_arrow(GRID_PACKAGES, members),
        "participants": to_arrow(PARTICIPANTS, []),
    }
    run = dict.fromkeys(RUNS.names) | {"run_id": run_id, "as_of_at": datetime(2026, 2, 15, 22, 20, tzinfo=UTC)}
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        return publish(folder, run=run, tables=tables, store=store, is_forced=True).path


def to_arrow(table: Table, rows: Sequence[Any]) -> pa.Table:
    """Make an Arrow table of the rows, null where a row has nothing to say."""
    return pa.Table.from_pylist([{name: row.get(name) for name in table.names} for row in rows], schema=table.schema)
