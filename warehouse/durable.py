"""Files that are whole or absent, whatever kills the process or the machine.

Every file is written aside, synced, renamed into place, and the folder that names it is synced too. A rename within one
file system is atomic (POSIX ``rename``), so a reader sees the old state or the new one; without the two syncs the *machine*
could lose a file whose name it kept.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path


def sync_file(path: Path) -> None:
    """Have the kernel put the file's bytes on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Have the kernel put the folder's names on the disk."""
    sync_file(path)


def make_folder(path: Path) -> None:
    """Make the folder and its parents; their names are on the disk when this returns."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in reversed(missing):
        sync_folder(folder.parent)


def seal(path: Path, *, aside: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` make the file at ``aside`` (same file system), then give it its name; on an error nothing is left."""
    make_folder(path.parent)
    make_folder(aside.parent)
    try:
        write(aside)
        sync_file(aside)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def point(link: Path, target: Path) -> None:
    """Let the symbolic link ``link`` lead to ``target`` from one instant to the next, by a relative path."""
    aside = link.with_name(f".{link.name}.aside")
    aside.unlink(missing_ok=True)
    aside.symlink_to(os.path.relpath(target, link.parent))
    aside.replace(link)
    sync_folder(link.parent)


def remove_tree(path: Path) -> None:
    """Remove a folder and what is in it, as far as possible."""
    shutil.rmtree(path, ignore_errors=True)
