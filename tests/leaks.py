"""Tokens where none may be: in what a test left on the disk, compressed Parquet included, and in what it printed or logged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

# Those the tests use, and whatever has the form of a real one.
TOKEN = "sandbox-token-of-the-tests"  # noqa: S105 - the sandbox takes any
FORMS = re.compile(TOKEN.encode() + b"|gh[pousr]_[A-Za-z0-9]{36}|github_pat" + b"_[A-Za-z0-9_]{22,}")
GIVEN = frozenset({".toml", ".env", ".py"})  # what a test hands in


def leaks(folder: Path) -> Iterator[str]:
    """Each file below the folder that tells a token."""
    for path in folder.rglob("*"):
        if path.suffix in GIVEN or path.is_symlink() or not path.is_file():
            continue
        found = FORMS.search(path.read_bytes())
        if found is None and path.suffix == ".parquet" and "landing" in path.parts:
            found = _in_columns(path)
        if found:
            yield f"{path.relative_to(folder)} tells {found.group().decode()[:12]}…"


def _in_columns(path: Path) -> re.Match[bytes] | None:
    """A token in the values, which are compressed in the file."""
    try:
        table = pq.ParquetFile(path).read()
    except (OSError, pa.ArrowException):
        return None  # damaged by the test
    buffers = (buffer for column in table.columns for chunk in column.chunks for buffer in chunk.buffers() if buffer is not None)
    return next((found for found in map(FORMS.search, map(memoryview, buffers)) if found), None)
