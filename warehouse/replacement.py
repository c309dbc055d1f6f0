"""The content of a data folder taking the place of what was there before, whatever kills the process in between.

    .restoring/<part>          the content to come; with the file ``ready`` it is whole, and whoever has the lock next puts it in place
    before-restore-<time>/     what was there before; nobody but a person removes it

The parts are moved one by one, each by one rename. Until ``ready`` is there nothing has moved; from then on all of them have to, and
whoever has the lock next goes on where a killed process stopped.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from warehouse.durable import make_folder, point, remove_tree, sync_file, sync_folder

PARTS = ("landing", "published", "store/store.duckdb", "store/store.duckdb.wal")
BEFORE = "before-restore-"
_READY = "ready"


def staging(root: Path) -> Path:
    """Where the content to come is written; hold the folder's lock."""
    return root / ".restoring"


def declare_ready(root: Path, *, named: str, current: str | None) -> None:
    """Say that all of it is there and on the disk; ``named`` tells times apart, ``current`` is the publication to lead to."""
    coming = staging(root)
    aside = coming / ".ready.aside"
    parts = [part for part in PARTS if (coming / part).exists()]
    aside.write_text(json.dumps({"named": named, "current": current, "parts": parts}), encoding="utf-8")
    sync_file(aside)
    aside.rename(coming / _READY)
    sync_folder(coming)


def finish(root: Path) -> bool:
    """Put what is ready in its place, and remove what never became so; hold the folder's lock. Tells whether anything moved."""
    coming = staging(root)
    if not (coming / _READY).exists():
        remove_tree(coming)
        return False
    ready = json.loads((coming / _READY).read_text(encoding="utf-8"))
    before = root / f"{BEFORE}{ready['named']}"
    for part in PARTS:
        _replace(root / part, coming / part, before / part, is_placed=part in ready["parts"] and not (coming / part).exists())
    if ready["current"]:
        point(root / "current", root / ready["current"])
    else:
        (root / "current").unlink(missing_ok=True)
    (coming / _READY).unlink()
    sync_folder(coming)
    remove_tree(coming)
    return True


def _replace(path: Path, coming: Path, before: Path, *, is_placed: bool) -> None:
    """Move one part away and its successor, if it has one, in its place."""
    if is_placed:
        return
    if path.exists() and not before.exists():
        make_folder(before.parent)
        path.rename(before)
        sync_folder(before.parent)
    if coming.exists():
        make_folder(path.parent)
        if path.is_dir():  # made anew, and empty, since its predecessor was moved away
            remove_tree(path)
        coming.rename(path)
        sync_folder(path.parent)


def former_contents(root: Path) -> Sequence[Path]:
    """What earlier restores moved away, oldest first."""
    return sorted(root.glob(f"{BEFORE}*"))
