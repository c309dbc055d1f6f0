"""A tree of files for other programs to read, outside of the data folder: put in place whole, and replaced in one step.

    public -> .public.export-<random>   the link moves when the tree behind it is complete
    .public.export-<random>/            the files; the tree before it stays until the next export, for whoever is still copying it

Only a link of ours is ever replaced. The file system is synced once, before the link moves: an export can be made again.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from warehouse.durable import point, remove_tree
from warehouse.errors import ExportFailed


def put_tree(target: Path, files: Iterable[tuple[str, bytes]]) -> int:
    """Write files (relative path, bytes) and let ``target`` lead to them; returns how many there are.

    Another process doing the same waits. Raises ExportFailed; ``target`` is then what it was.
    """
    target = target.parent.resolve() / target.name  # itself not resolved: it is the link that moves
    try:
        with _alone(target.parent):
            _refuse_foreign(target)
            _sweep(target)
            aside = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
            try:
                count = _write(aside, files)
                os.sync()
                point(target, aside)
            except BaseException:
                remove_tree(aside)
                raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ExportFailed(
            f"cannot write the export {target}: {reason} ({error.filename or target}); what was there before is untouched. "
            "Next: free some space or make the folder writable, then run the same command again"
        ) from error
    return count


@contextmanager
def _alone(parent: Path) -> Iterator[None]:
    """Be the one process that exports below this folder; the kernel frees the lock of one that dies."""
    parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _refuse_foreign(target: Path) -> None:
    is_ours = target.is_symlink() and _is_tree_of(target, target.parent / target.readlink())
    if not is_ours and (target.exists() or target.is_symlink()):
        raise ExportFailed(
            f"{target} is there already and no export of packhouse; nothing was written. Next: name a folder that does not exist yet; "
            "it becomes a link, which every later export moves"
        )


def _prefix(target: Path) -> str:
    return f".{target.name}.export-"


def _is_tree_of(target: Path, path: Path) -> bool:
    return path.parent == target.parent and path.name.startswith(_prefix(target))


def _sweep(target: Path) -> None:
    """Remove every tree of this target but the one it leads to."""
    current = target.parent / target.readlink() if target.is_symlink() else None
    for path in target.parent.iterdir():
        if _is_tree_of(target, path) and path != current and path.is_dir() and not path.is_symlink():
            remove_tree(path)


def _write(root: Path, files: Iterable[tuple[str, bytes]]) -> int:
    root.chmod(0o755)  # a web server of another user reads it
    count = 0
    for name, body in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        count += 1
    return count
