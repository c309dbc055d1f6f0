"""Asking the incumbent's stack: its process, and our rows as it wants them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.api.sample_rows import Rows

HERE = Path(__file__).parent
PYTHON = HERE.parent.parent / ".cache" / "oracle" / "bin" / "python"

PACKAGE = {
    "id": "id",
    "title": "title",
    "slug": "slug",
    "category_id": "category_id",
    "grid_ids": "grid_ids",
    "last_commit_at": "last_updated",
    "fetched_at": "last_fetched",
    "repo_url": "repo_url",
    "latest_version": "pypi_version",
    "created_at": "created",
    "modified_at": "modified",
    "forks_count": "repo_forks",
    "repo_description": "repo_description",
    "pypi_url": "pypi_url",
    "documentation_url": "documentation_url",
    "stars_count": "repo_watchers",
    "weeks": "commits_over_52",
    "participants": "participants",
}
NEVER_NULL = {"repo_url": "", "pypi_url": "", "weeks": [], "participants": []}

Answer = tuple[int, list[tuple[str, str]], bytes]


def records(rows: Rows) -> dict[str, list[dict[str, Any]]]:
    """Turn a publication into the records of the incumbent: another name for each column, and blanks where it knows no null."""
    packages = [{name: _value(row, column) for column, name in PACKAGE.items()} for row in rows.packages()]
    members = {row["id"]: [package["id"] for package in rows.packages() if row["id"] in package["grid_ids"]] for row in rows.grids()}
    grids = [_curated(row) | {"package_ids": members[row["id"]]} for row in rows.grids()]
    found = [_found_grid(row) for row in rows.grids()] + [_found_package(row, rows) for row in rows.packages()]
    return {"categories": [_curated(row) for row in rows.categories()], "grids": grids, "packages": packages, "found": found}


class Incumbent:
    """The incumbent's process; answers one request after another."""

    def __init__(self, rows: Rows, folder: Path) -> None:
        file = folder / "records.json"
        file.write_text(json.dumps(records(rows)), encoding="utf-8")
        command = [str(PYTHON), "-X", "utf8", str(HERE / "incumbent.py"), str(file)]
        environment = os.environ | {"PYTHONHASHSEED": "0"}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout

    def ask(self, method: str, target: str, headers: list[tuple[str, str]], body: str) -> Answer:
        """Ask once; returns status, headers in order with names in lower case, body."""
        line = json.dumps({"method": method, "target": target, "headers": headers, "body": body})
        self._in.write(line + "\n")
        self._in.flush()
        said = json.loads(self._out.readline())
        return said["status"], [(name.lower(), value) for name, value in said["headers"]], bytes.fromhex(said["body"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._in.close()
        self._process.wait(timeout=30)
        self._out.close()


def _value(row: Mapping[str, Any], column: str) -> Any:
    value = row[column]
    if value is None:
        return NEVER_NULL.get(column)
    return value.isoformat() if isinstance(value, datetime) else value


def _curated(row: Mapping[str, Any]) -> dict[str, Any]:
    names = {"created_at": "created", "modified_at": "modified"}
    return {names.get(column, column): _value(row, column) for column in row}


def _found_grid(row: Mapping[str, Any]) -> dict[str, Any]:
    zeros = dict.fromkeys(("repo_watchers", "repo_forks", "pypi_downloads", "score", "usage"), 0)
    own = {"item_type": "grid", "absolute_url": f"/grids/g/{row['slug']}/", "description": row["description"], "category": ""}
    return _called(row) | zeros | own | {"participants": ""}


def _found_package(row: Mapping[str, Any], rows: Rows) -> dict[str, Any]:
    return _called(row) | {
        "item_type": "package",
        "absolute_url": f"/packages/p/{row['slug']}/",
        "description": row["repo_description"],
        "category": next(category["title"] for category in rows.categories() if category["id"] == row["category_id"]),
        "repo_watchers": row["stars_count"],
        "repo_forks": row["forks_count"],
        "participants": ",".join(row["participants"] or []),
        "last_committed": _value(row, "last_commit_at"),
        "last_released": _value(row, "latest_released_at"),
    }


def _called(row: Mapping[str, Any]) -> dict[str, Any]:
    title, slug = row["title"], row["slug"]
    names = {"title": title, "title_no_prefix": title, "clean_title": title, "slug": slug, "slug_no_prefix": slug}
    return names | {"created": _value(row, "created_at"), "modified": _value(row, "modified_at")}
