"""The versions of the catalog that were in force, kept as the files they were: replay and as-of read them.

``landing/catalogs/<yyyy-mm-dd>/<yyyymmddThhmmss.ffffffZ>.parquet``, named by the moment from which the version was published; a row is
one file, its name and bytes. A version is sealed only when it differs from the newest one. The order of the names is that of time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.catalog import Catalog, InvalidCatalog
from warehouse.catalog_files import parse_catalog
from warehouse.durable import seal
from warehouse.folder import DataFolder, unusable
from warehouse.landing import DamagedFile

_NAME = "%Y%m%dT%H%M%S.%fZ"
_SCHEMA = pa.schema([pa.field("file", pa.string(), nullable=False), pa.field("body", pa.large_binary(), nullable=False)])


def land_catalog(folder: DataFolder, files: Mapping[str, bytes], known_at: datetime) -> None:
    """Seal the files of a catalog as what is in force from ``known_at`` (aware) on, unless the newest version is the same.

    A version never comes before the one that is there: with a clock set back it gets the next microsecond.
    Raises DataFolderUnusable.
    """
    names = landed_catalogs(folder)
    if names:
        if _files_of(folder, names[-1]) == dict(files):
            return
        known_at = max(known_at, _time_of(names[-1]) + timedelta(microseconds=1))
    known_at = known_at.astimezone(UTC)
    path = folder.landing / "catalogs" / known_at.date().isoformat() / f"{known_at.strftime(_NAME)}.parquet"
    table = pa.table([list(files), list(files.values())], schema=_SCHEMA)
    try:
        seal(path, aside=folder.unsealed / f"catalogs-{path.name}", write=lambda aside: pq.write_table(table, aside, compression="zstd"))
    except OSError as error:
        raise unusable(folder.root, error) from error


def landed_catalogs(folder: DataFolder) -> list[str]:
    """Names of the versions below ``landing/``, oldest first."""
    return sorted(path.relative_to(folder.landing).as_posix() for path in folder.landing.glob("catalogs/*/*.parquet"))


def read_landed_catalog(folder: DataFolder, name: str, *, on_damaged: Callable[[DamagedFile], None]) -> tuple[datetime, Catalog] | None:
    """A version and the moment from which it was in force; ``None`` when the file is damaged, which is told to ``on_damaged``."""
    files = _files_of(folder, name)
    try:
        if files is not None:
            return _time_of(name), parse_catalog(files)
        reason = "not a version of the catalog"
    except (InvalidCatalog, KeyError) as error:
        reason = str(error).partition("\n")[0]
    on_damaged(DamagedFile(file=name, run_id=Path(name).stem, reason=reason))
    return None


def _files_of(folder: DataFolder, name: str) -> dict[str, bytes] | None:
    try:
        rows = pq.read_table(folder.landing / name, schema=_SCHEMA).to_pylist()
    except (OSError, pa.ArrowException):
        return None
    return {row["file"]: row["body"] for row in rows}


def _time_of(name: str) -> datetime:
    return datetime.strptime(Path(name).name, f"{_NAME}.parquet").replace(tzinfo=UTC)
