"""The data folder: its paths, and the lock that lets one process at a time write in it.

    landing/<source>/<yyyy-mm-dd>/<run_id>-<nnnnnn>.parquet   sealed answers, never changed (landing.py)
    landing/<source>/<yyyy-mm-dd>/<…>.parquet.damaged         a sealed file that could not be read, set aside
    landing/<source>/archive/<file>+<file>+<count>.parquet    many of them in one, after a compaction (archives.py)
    landing/runs/<yyyy-mm-dd>/<run_id>.json                   run reports (reports.py)
    landing/foundation/<run_id>.duckdb                              the history of runs that outlived the retention (foundation.py)
    landing/.unsealed/                                        files being written; what a killed process left is swept
    landing/.unsealed-past/                                   the same, of a backfill, which asks without the lock
    store/store.duckdb                                        history and ledger (store.py); replay rebuilds it from landing/
    store/.lock                                               held while a process writes; says which, where and since when (locking.py)
    store/.backfill.lock                                      held by a backfill from its start to its end
    store/.spill/                                             DuckDB's room for what does not fit in memory
    published/<run_id>/                                       immutable publications (publication.py)
    published/.<run_id>.staging/                              one being written; what a killed process left is swept
    current -> published/<run_id>                             the last good publication
    .restoring/, before-restore-<time>/                       a restore under way, and what was there before one (replacement.py)

Everything in ``landing/`` is evidence, which only a retention that was asked for drops; all else can be rebuilt from it. The kernel
frees the lock of a process that dies, however it dies.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from warehouse.durable import make_folder, remove_tree
from warehouse.errors import DataFolderUnusable
from warehouse.locking import held
from warehouse.replacement import finish

BRIEF_SECONDS = 600.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_FULL = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The paths below one data folder; making one touches nothing."""

    root: Path

    @property
    def landing(self) -> Path:
        """Sealed answers and run reports."""
        return self.root / "landing"

    @property
    def unsealed(self) -> Path:
        """Landing files being written."""
        return self.landing / ".unsealed"

    @property
    def unsealed_past(self) -> Path:
        """Likewise, of a backfill: it writes while others hold the lock, and what they sweep is not its own."""
        return self.landing / ".unsealed-past"

    @property
    def store(self) -> Path:
        """The folder of the store."""
        return self.root / "store"

    @property
    def store_file(self) -> Path:
        """The store's database."""
        return self.store / "store.duckdb"

    @property
    def lock_file(self) -> Path:
        """Held while a process writes."""
        return self.store / ".lock"

    @property
    def backfill_lock_file(self) -> Path:
        """Held by a backfill from its start to its end."""
        return self.store / ".backfill.lock"

    @property
    def spill(self) -> Path:
        """DuckDB's temporary files."""
        return self.store / ".spill"

    @property
    def published(self) -> Path:
        """All publications."""
        return self.root / "published"

    @property
    def current(self) -> Path:
        """The link to the last good publication."""
        return self.root / "current"

    def prepare(self) -> None:
        """Make the folders; raises DataFolderUnusable when that or writing in them is impossible."""
        for folder in (self.root, self.unsealed, self.store, self.published):
            try:
                make_folder(folder)
                probe = folder / ".probe"  # always the same name, so that one a killed process left goes with the next
                probe.touch()
                probe.unlink(missing_ok=True)
            except OSError as error:
                raise unusable(self.root, error) from error

    @contextmanager
    def lock(self, *, is_brief: bool = False, patience: float = 0.0) -> Iterator[None]:
        """Be the one process that writes here; sweeps what a killed one left behind, and finishes a restore it had begun.

        A brief holder (a backfill while it loads, a backup) says so and is waited for up to ten minutes; others ``patience`` seconds.
        Raises DataFolderBusy when another process (or this one) holds it otherwise, DataFolderUnusable when the folder cannot be used.
        """
        self.prepare()
        with (
            _open(self.root, self.lock_file) as handle,
            _entered(self.root, held(handle, self.lock_file, brief_patience=BRIEF_SECONDS, patience=patience, is_brief=is_brief)),
        ):
            with refusals_told(self.root):
                self._sweep()
            yield

    @contextmanager
    def backfill_lock(self) -> Iterator[None]:
        """Be the one backfill of this folder, which asks while others may write; sweeps what a killed one was writing.

        Raises DataFolderBusy at once when another backfill is under way, DataFolderUnusable when the folder cannot be used.
        """
        self.prepare()
        with (
            _open(self.root, self.backfill_lock_file) as handle,
            _entered(self.root, held(handle, self.backfill_lock_file)),
        ):
            remove_tree(self.unsealed_past)
            yield

    def _sweep(self) -> None:
        """Finish or remove what only a killed process can have left; safe under the lock alone."""
        if finish(self.root):
            self.prepare()
        for path in self.unsealed.iterdir():
            path.unlink(missing_ok=True)
        for path in self.published.glob(".*.staging"):
            remove_tree(path)
        remove_tree(self.spill)
        with suppress(FileNotFoundError):
            (self.root / ".current.aside").unlink()


@contextmanager
def _entered(root: Path, lock: AbstractContextManager[None]) -> Iterator[None]:
    """Hold a lock, of which a full or read-only disk may allow no record."""
    with ExitStack() as stack:
        with refusals_told(root):
            stack.enter_context(lock)
        yield


@contextmanager
def _open(root: Path, path: Path) -> Iterator[int]:
    """The file of a lock, open for writing."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise unusable(root, error) from error
    try:
        yield handle
    finally:
        os.close(handle)


def checked_name(text: str) -> str:
    """A run id or source as it may stand in a path; raises ValueError for anything that could leave its folder."""
    if not _NAME.fullmatch(text):
        message = f"{text!r} cannot be part of a file name: letters, digits, dot, dash and underscore only"
        raise ValueError(message)
    return text


def unusable(root: Path, error: OSError) -> DataFolderUnusable:
    """The operating system's refusal, in words that tell what to do."""
    where = error.filename or root
    reason = (error.strerror or str(error)).lower()
    remedy = "free some space" if error.errno in _FULL else "choose another folder with --data, or make this one writable"
    return DataFolderUnusable(
        f"cannot write in the data folder {root}: {reason} ({where}); everything sealed before is kept. "
        f"Next: {remedy}, then run the same command again"
    )


@contextmanager
def refusals_told(root: Path) -> Iterator[None]:
    """Let what the operating system refuses in the block be told as DataFolderUnusable."""
    try:
        yield
    except OSError as error:
        raise unusable(root, error) from error
