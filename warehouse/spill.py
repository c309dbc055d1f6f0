"""Room for what does not fit in a reader's memory: a folder of its own in the machine's temporary one, gone with the reader.

A reader holds a lock on its folder, which the kernel gives back however it dies. So the next reader knows what killed ones left, and
removes it.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from warehouse.durable import remove_tree

PREFIX = "packhouse-spill-"
_TRIES = 3


@dataclass(frozen=True, slots=True)
class SpillFolder:
    """A folder for this user alone, by no name that one could guess; ``handle`` holds its lock."""

    path: Path
    handle: int

    def remove(self) -> None:
        """Remove it with all that is in it."""
        remove_tree(self.path)
        os.close(self.handle)


def make_spill_folder() -> SpillFolder | None:
    """Make one, and remove those of killed readers; ``None`` where none can be made: all has to fit in memory then."""
    with suppress(OSError):
        sweep_spills()
        for _ in range(_TRIES):
            path = Path(tempfile.mkdtemp(prefix=PREFIX))
            handle = _locked(path)
            if handle is not None and path.is_dir():  # nobody swept it between its making and its lock
                return SpillFolder(path, handle)
            if handle is not None:
                os.close(handle)
    return None


def left_spills() -> list[Path]:
    """Folders of this user that killed readers left."""
    left = []
    for path in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*")):
        handle = _locked(path)
        if handle is not None:
            os.close(handle)
            left.append(path)
    return left


def sweep_spills() -> None:
    """Remove the folders that killed readers left."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        handle = _locked(path)
        if handle is not None:
            remove_tree(path)
            os.close(handle)


def _locked(path: Path) -> int | None:
    """The folder, open and locked; ``None`` when somebody else holds it or it is not ours."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if os.fstat(handle).st_uid == os.getuid():
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
    except OSError:
        pass
    os.close(handle)
    return None
