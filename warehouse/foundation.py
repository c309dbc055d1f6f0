"""The foundation: the store as it was after the last run that fell out of retention; replay starts from it.

``landing/foundation/<run_id>.duckdb`` has every row of the store up to that run, and of those runs it is all that is left: their answers
are gone. So a replay cannot mend it; it is read column by column, so that a later schema takes over what it still has.
The newest one counts, and answers and reports of its runs or older ones count no more, whether they were removed yet or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from warehouse.copies import adopt
from warehouse.database import DUCKDB_ERRORS, first_line
from warehouse.durable import seal, sync_folder
from warehouse.errors import ArchiveDamaged
from warehouse.folder import DataFolder, checked_name, refusals_told
from warehouse.store import Store


def foundation_run(folder: DataFolder) -> str:
    """The last run of the foundation; empty when every run is still in the landing."""
    return max((path.stem for path in _foundations(folder)), default="")


def begin_with_foundation(folder: DataFolder, store: Store) -> None:
    """Let a store without runs begin with the rows of the foundation, if there is one; raises ArchiveDamaged when it cannot be read."""
    run_id = foundation_run(folder)
    if run_id and not store.runs():
        path = _path(folder, run_id)
        try:
            adopt(store, path)
        except DUCKDB_ERRORS as error:
            raise ArchiveDamaged(
                f"the foundation {path} cannot be read ({first_line(error)}); nothing was changed, the store and what is published stay. "
                "Next: put it back from the backup"
            ) from error


@contextmanager
def next_foundation(folder: DataFolder, run_id: str) -> Iterator[Store]:
    """A store that begins with the foundation and takes its place, as of ``run_id``, when the block ends well; hold the folder's lock."""
    loaded, aside = folder.unsealed / "loaded.duckdb", folder.unsealed / "foundation.duckdb"
    former = list(_foundations(folder))
    with Store(loaded, spill=folder.spill, is_read_only=False) as store:
        begin_with_foundation(folder, store)
        yield store
    with Store(aside, spill=folder.spill, is_read_only=False) as store:
        try:
            adopt(store, loaded)  # without the room that loading left
        except DUCKDB_ERRORS as error:
            raise store.explained(error) from error
        store.settle()
    path = _path(folder, checked_name(run_id))
    with refusals_told(folder.root):
        loaded.unlink()
        seal(path, aside=aside, write=lambda _aside: None)
        for old in former:
            if old != path:
                old.unlink()
        sync_folder(path.parent)


def _path(folder: DataFolder, run_id: str) -> Path:
    return folder.landing / "foundation" / f"{run_id}.duckdb"


def _foundations(folder: DataFolder) -> Iterator[Path]:
    return folder.landing.glob("foundation/*.duckdb")
