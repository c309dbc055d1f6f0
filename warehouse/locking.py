"""The lock of a data folder: one process at a time, on one machine by the kernel, on several as far as their file system lets us.

The lock is ``flock``, which the kernel gives back however its holder dies. Most network file systems carry it from machine to machine
(https://man7.org/linux/man-pages/man2/flock.2.html, "NFS details"); some mounts keep it to one machine (``nolock``, ``local_lock``).
So the file also says who holds it, and the holder touches it twice a minute: a record of another machine that was touched lately counts
as held, whatever ``flock`` says. Only a machine that starts at the very same moment is not seen so.

The record: pid, host, boot (an id the kernel makes when it starts, the same in all its containers), since; and ``brief``.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from warehouse.errors import DataFolderBusy

BRIEF = "brief"  # what a lock says of a holder that will be gone soon
PAUSE_SECONDS = 0.2
TOUCH_SECONDS = 30.0
ALIVE_SECONDS = 120.0  # a holder on another machine that has not touched its record for so long is dead
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_RECORD_BYTES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a lock, as far as its file says."""

    pid: int | None
    host: str | None = None
    boot: str | None = None
    since: datetime | None = None
    is_brief: bool = False

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is on another machine; two containers of one kernel are not."""
        return self.host is not None and self.host != socket.gethostname() and self.boot != _boot()

    def described(self) -> str:
        """In words."""
        if self.pid is None:
            return "another process is working in it"
        where = f" on the machine {self.host}" if self.host is not None and self.host != socket.gethostname() else ""
        since = f" since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        return f"process {self.pid}{where} has been working in it{since}"


@contextmanager
def held(
    handle: int, path: Path, *, brief_patience: float = 0.0, patience: float = 0.0, is_brief: bool = False, what: str = ""
) -> Iterator[None]:
    """Hold the lock whose file is open at ``handle``; a holder is waited for so many seconds, a brief one longer; ``what`` is locked.

    Raises DataFolderBusy when another process holds it otherwise. The caller closes the file.
    """
    began = time.monotonic()
    while not _taken(handle):
        holder = _read(handle)
        if time.monotonic() - began >= (max(patience, brief_patience) if holder.is_brief else patience):
            raise _busy(what, path, holder)
        time.sleep(PAUSE_SECONDS)
    before = _read(handle)
    if before.is_elsewhere and _age_seconds(handle, path) < ALIVE_SECONDS:
        raise _busy(
            what, path, before, f" It was at work less than {ALIVE_SECONDS:.0f} s ago, and this file system keeps locks to one machine."
        )
    _write(handle, is_brief=is_brief)
    ended = threading.Event()
    touching = threading.Thread(target=_touch, args=(handle, ended), daemon=True)
    touching.start()
    try:
        yield
    finally:
        ended.set()
        touching.join()
        with suppress(OSError):
            os.ftruncate(handle, 0)


def holder_of(path: Path) -> Holder | None:
    """Who holds the lock at ``path`` now; ``None`` when nobody does. Takes nothing away from anybody."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        if not _taken(handle, fcntl.LOCK_SH):
            return _read(handle)
        holder = _read(handle)
        return holder if holder.is_elsewhere and time.time() - os.fstat(handle).st_mtime < ALIVE_SECONDS else None
    finally:
        os.close(handle)


def _taken(handle: int, how: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _boot() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return "-"


def _write(handle: int, *, is_brief: bool) -> None:
    host = "".join(socket.gethostname().split()) or "-"
    words = (str(os.getpid()), host, _boot(), datetime.now(UTC).isoformat(timespec="seconds"), *([BRIEF] if is_brief else []))
    os.ftruncate(handle, 0)
    os.pwrite(handle, (" ".join(words) + "\n").encode(), 0)


def _read(handle: int) -> Holder:
    words = os.pread(handle, _RECORD_BYTES, 0).decode("utf-8", "replace").split()
    is_brief = words[-1:] == [BRIEF]
    pid, host, boot, since = [*(words[:-1] if is_brief else words), *[""] * 4][:4]
    began: datetime | None = None
    with suppress(ValueError):
        began = datetime.fromisoformat(since)
    return Holder(
        pid=int(pid) if pid.isascii() and pid.isdigit() else None, host=host or None, boot=boot or None, since=began, is_brief=is_brief
    )


def _age_seconds(handle: int, path: Path) -> float:
    """How long ago the record was touched, by the clock of whoever keeps the files: both times are its."""
    with tempfile.TemporaryFile(dir=path.parent) as probe:
        probe.write(b"-")
        probe.flush()
        os.fsync(probe.fileno())
        return os.fstat(probe.fileno()).st_mtime - os.fstat(handle).st_mtime


def _touch(handle: int, ended: threading.Event) -> None:
    while not ended.wait(TOUCH_SECONDS):
        with suppress(OSError):
            os.utime(handle)


def _busy(what: str, path: Path, holder: Holder, why: str = "") -> DataFolderBusy:
    return DataFolderBusy(
        f"{what or f'the data folder {path.parent.parent}'} is busy: {holder.described()}; nothing was started and nothing lost.{why} "
        "Next: wait for it to end, or choose another folder with --data",
        pid=holder.pid,
        since=holder.since,
    )
