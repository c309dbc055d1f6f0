"""What a data folder takes of its disk, part by part, and what is left there."""

from __future__ import annotations

import shutil
from pathlib import Path

PARTS = ("landing", "store", "published", "prefect")


def size_of(path: Path) -> int:
    """The bytes of a file, or of all files below a folder; what goes meanwhile is not counted."""
    paths = [path] if path.is_file() else path.rglob("*")
    return sum(_size(item) for item in paths)


def sizes(root: Path) -> dict[str, int]:
    """The bytes of each part of a data folder; ``other`` is what earlier restores and people put there."""
    known = {part: size_of(root / part) for part in PARTS}
    others = [path for path in root.iterdir() if path.name not in PARTS and not path.is_symlink()] if root.is_dir() else []
    return {**known, "other": sum(size_of(path) for path in others)}


def free_bytes(path: Path) -> int | None:
    """What a user may still write where ``path`` is or will be; ``None`` when nobody can tell."""
    try:
        return shutil.disk_usage(next(folder for folder in (path, *path.absolute().parents) if folder.exists())).free
    except (OSError, StopIteration):
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() and not path.is_symlink() else 0
    except OSError:
        return 0
