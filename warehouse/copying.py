"""Files copied with their checksums: whole and on the disk, or an error."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

_CHUNK = 1024 * 1024


def copy_file(origin: Path, target: Path) -> tuple[int, str]:
    """Copy one regular file, synced, and tell its bytes and SHA-256 as they were read; raises OSError, also for a symbolic link."""
    digest, size = hashlib.sha256(), 0
    source = os.open(origin, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(source, "rb") as reading, target.open("wb") as writing:
        if not stat.S_ISREG(os.fstat(source).st_mode):
            message = f"{origin} is no file"
            raise OSError(message)
        while chunk := reading.read(_CHUNK):
            digest.update(chunk)
            writing.write(chunk)
            size += len(chunk)
        writing.flush()
        os.fsync(writing.fileno())
    return size, digest.hexdigest()


def checksum(path: Path) -> tuple[int, str]:
    """The bytes and SHA-256 of one file, not of what a symbolic link leads to; raises OSError."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as reading:
        digest = hashlib.file_digest(reading, "sha256")
        return reading.tell(), digest.hexdigest()


def sync_tree(folder: Path) -> None:
    """Have the kernel put the names of all folders below one on the disk."""
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())):
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
