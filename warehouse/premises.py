"""Whether the place of a data folder will do: what its file system can, whose its files are, how much room is left, what lies about."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from transforms.diagnoses import Diagnosis, doubtful, fine, some, wrong
from warehouse.durable import sync_folder
from warehouse.folder import DataFolder
from warehouse.locking import holder_of
from warehouse.occupancy import free_bytes, size_of
from warehouse.replacement import former_contents
from warehouse.spill import left_spills

NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "fuse.sshfs", "fuse.glusterfs", "afs", "lustre"})
PASSING = frozenset({"tmpfs", "ramfs", "overlay"})
SPARE_BYTES = 200_000_000  # what a run lands and spills at least
_MOUNTS = Path("/proc/self/mountinfo")


def inspect_premises(folder: DataFolder) -> Iterator[Diagnosis]:
    """Look at the place; writes and removes a probe of its own, nothing else."""
    if not folder.root.exists():
        yield doubtful(
            "data folder", f"{folder.root} does not exist yet.", "the first harvest makes it; if there should be one, see --data"
        )
        return
    yield _abilities(folder.root)
    yield _file_system(folder.root)
    yield _room(folder)
    yield _owners(folder.root)
    yield from _about(folder)


def _abilities(root: Path) -> Diagnosis:
    """Write, sync, rename, link and lock, as every run does."""
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=root) as name:
            probe = Path(name) / "probe"
            probe.write_bytes(b"-")
            handle = os.open(probe, os.O_RDWR)
            try:
                os.fsync(handle)
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            finally:
                os.close(handle)
            (Path(name) / "link").symlink_to("probe")
            probe.replace(Path(name) / "renamed")
            sync_folder(Path(name))
            parts = [root / part for part in ("landing", "store", "published") if (root / part).exists()]
            elsewhere = [path.name for path in parts if path.stat().st_dev != root.stat().st_dev]
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return wrong(
            "data folder", f"{root} cannot be used: {reason}.", f"make it writable for user {os.getuid()}, or choose another with --data"
        )
    if elsewhere:
        return doubtful(
            "data folder",
            f"{some(elsewhere)} lies on another file system than {root}; restore renames between them.",
            "put all of it on one",
        )
    return fine("data folder", f"{root} can be written, synced, renamed in and locked.")


def _file_system(root: Path) -> Diagnosis:
    kind = _kind_of(root)
    if kind in NETWORK:
        return doubtful(
            "file system",
            f"{root} lies on {kind}, a file system of the network; a lock may not reach from machine to machine.",
            "let one machine alone write in it; a local disk is faster and safer",
        )
    if kind in PASSING:
        return doubtful("file system", f"{root} lies on {kind}, which may not outlive this machine or container.", "mount a disk for it")
    return fine("file system", f"{kind or 'unknown'}.")


def _kind_of(root: Path) -> str | None:
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    place, found = root.resolve(), (-1, "")
    for line in lines:
        left, _, right = line.partition(" - ")
        point = Path(left.split()[4].replace("\\040", " "))
        if place.is_relative_to(point) and len(point.parts) >= found[0]:
            found = len(point.parts), right.split()[0]
    return found[1] or None


def _room(folder: DataFolder) -> Diagnosis:
    free = free_bytes(folder.root)
    if free is None:
        return doubtful("disk", "nobody can tell how much room is left.", "look with df")
    published = size_of(folder.current.resolve()) if folder.current.exists() else 0
    need = 2 * published + size_of(folder.store_file) + SPARE_BYTES
    found = f"{free / 1e6:,.0f} MB free; a run and a compaction want about {need / 1e6:,.0f} MB."
    if free < need:
        return wrong("disk", found, "free some space, or packhouse compact while it still fits; PACKHOUSE_RETENTION drops old answers")
    return doubtful("disk", found, "make room soon") if free < 3 * need else fine("disk", found)


def _owners(root: Path) -> Diagnosis:
    """As after one run as root: files that the next one cannot replace."""
    me = os.geteuid()
    others, locked = [], []
    for path in (root, *root.rglob("*")):
        try:
            state = path.lstat()
        except OSError:
            continue
        if state.st_uid != me:
            others.append(str(path.relative_to(root)))
        if path.is_dir() and not path.is_symlink() and not os.access(path, os.W_OK | os.X_OK):
            locked.append(str(path.relative_to(root)))
    if locked:
        return wrong("ownership", f"user {me} cannot write in {some(locked)}.", f"as root: chown -R {me} {root}")
    if others:
        return doubtful("ownership", f"{len(others):,} files are of another user: {some(others)}.", f"as root: chown -R {me} {root}")
    return fine("ownership", f"all files are of user {me}.")


def _about(folder: DataFolder) -> Iterator[Diagnosis]:
    """Who is at work, and what earlier processes left."""
    holders = [holder for holder in (holder_of(folder.lock_file), holder_of(folder.backfill_lock_file)) if holder]
    yield fine("lock", "; ".join(holder.described() for holder in holders) + "." if holders else "nobody is at work.")
    left = [] if holders else [*folder.unsealed.glob("*"), *folder.published.glob(".*.staging"), *folder.spill.glob("*")]
    left += [] if holders else [path for path in (folder.root / ".restoring",) if path.exists()]
    left += left_spills()
    if left:
        yield doubtful(
            "leftovers", f"{len(left):,} of killed processes: {some(map(str, left))}.", "nothing, the next run removes or finishes them"
        )
    else:
        yield fine("leftovers", "none of killed processes.")
    former = [*former_contents(folder.root), *folder.store.glob("*.bak")]
    if former:
        size = sum(size_of(path) for path in former) / 1e6
        yield doubtful("former data", f"{some(map(str, former))}, {size:,.0f} MB.", "remove them when you no longer want them")
    prefect = size_of(folder.root / "prefect")
    if prefect > SPARE_BYTES:
        yield doubtful(
            "prefect home", f"{prefect / 1e6:,.0f} MB of the embedded server.", f"delete {folder.root / 'prefect'} while nothing runs"
        )
    else:
        yield fine("prefect home", f"{prefect / 1e6:,.0f} MB.")
