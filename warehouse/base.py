"""The base: the store as it was after the last run that fell out of retention; replay starts from it.

``landing/base/<run_id>.duckdb`` has every row of the store up to that run, and those of the runs are all that is left of them: their
answers are gone. So a base cannot be mended by a replay; it is read column by column, so that a later schema takes over what it still has.
The newest base counts, and answers and reports of its runs or older ones count no more, whether they were removed yet or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from warehouse.copies import adopt
from warehouse.database import DUCKDB_ERRORS, first_line
from warehouse.durable import seal, sync_folder
from warehouse.errors import ArchiveDamaged
from warehouse.folder import DataFolder, checked_name, unusable
from warehouse.store import Store


def base_run(folder: DataFolder) -> str:
    """The last run of the base; empty when every run is still in the landing."""
    return max((path.stem for path in _bases(folder)), default="")


def begin_with_base(folder: DataFolder, store: Store) -> None:
    """Let a store without runs begin with the rows of the base, if there is one; raises ArchiveDamaged when it cannot be read."""
    run_id = base_run(folder)
    if run_id and not store.runs():
        path = _path(folder, run_id)
        try:
            adopt(store, path)
        except DUCKDB_ERRORS as error:
            raise ArchiveDamaged(
                f"the base {path} cannot be read ({first_line(error)}); nothing was changed, and the store and what is published stay. "
                "Next: put it back from the backup"
            ) from error


@contextmanager
def next_base(folder: DataFolder, run_id: str) -> Iterator[Store]:
    """A store that begins with the base and takes its place, as of ``run_id``, when the block ends well; hold the folder's lock."""
    aside = folder.unsealed / "base.duckdb"
    former = list(_bases(folder))
    with Store(aside, spill=folder.spill, is_read_only=False) as store:
        begin_with_base(folder, store)
        yield store
    path = _path(folder, checked_name(run_id))
    try:
        seal(path, aside=aside, write=lambda _aside: None)
        for old in former:
            if old != path:
                old.unlink()
        sync_folder(path.parent)
    except OSError as error:
        raise unusable(folder.root, error) from error


def _path(folder: DataFolder, run_id: str) -> Path:
    return folder.landing / "base" / f"{run_id}.duckdb"


def _bases(folder: DataFolder) -> Iterator[Path]:
    return folder.landing.glob("base/*.duckdb")
