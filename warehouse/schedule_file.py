"""What a schedule remembers across restarts, in ``<data>/schedule.json``, and the lock that lets one schedule at a time run a data folder.

The file is written whole, before a run begins, when it ends, and when the next due time is known. Its fields are those of
``ScheduleState``, times in ISO 8601, UTC. It is disposable: without it a schedule begins anew, as at its first start.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from warehouse.durable import make_folder, seal
from warehouse.errors import DataFolderBusy
from warehouse.folder import unusable

FILE = "schedule.json"
LOCK = ".schedule.lock"
KEPT_STARTS = 100


@dataclass(slots=True, kw_only=True)
class LastRun:
    """The newest run that ended: when it was due, when it began and ended, and its exit code (negative: the signal it died of)."""

    due_at: datetime
    started_at: datetime
    ended_at: datetime
    exit_code: int


@dataclass(slots=True, kw_only=True)
class ScheduleState:
    """How far a schedule has come.

    Attributes:
        schedule: the schedule in words, as the command line gave it; another one begins anew.
        anchor_at: when it was first started.
        seen_at: due times up to here are dealt with.
        started: the newest due times that had a run, in order; they have none again when the clock is set back.
        running_due_at: the due time of the run at work; after a crash or a power cut that run is made up for.
        next_due_at: when the next run is due.
        last: the newest run that ended.
    """

    schedule: str
    anchor_at: datetime
    seen_at: datetime
    started: list[datetime] = field(default_factory=list)
    running_due_at: datetime | None = None
    next_due_at: datetime | None = None
    last: LastRun | None = None


@dataclass(frozen=True, slots=True)
class ScheduleFile:
    """The file and the lock in one data folder; making one touches nothing."""

    root: Path

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the one schedule of this data folder; raises DataFolderBusy, or DataFolderUnusable when nothing can be written there."""
        try:
            make_folder(self.root)
            handle = os.open(self.root / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise unusable(self.root, error) from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise self._busy(handle) from None
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(handle)

    def _busy(self, handle: int) -> DataFolderBusy:
        text = os.pread(handle, 64, 0).decode("ascii", "replace").strip()
        pid = int(text) if text.isdigit() else None
        who = f"process {pid}" if pid else "another process"
        return DataFolderBusy(
            f"a schedule runs the data folder {self.root} already: {who}; nothing was started. "
            "Next: end that one first, or choose another folder with --data",
            pid=pid,
            since=None,
        )

    def read(self, schedule: str) -> ScheduleState | None:
        """What was remembered of ``schedule``; ``None`` for another schedule, no file, or one that cannot be read."""
        try:
            raw = json.loads((self.root / FILE).read_text(encoding="utf-8"))
            state = _state(raw)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return state if state.schedule == schedule else None

    def write(self, state: ScheduleState) -> None:
        """Keep it; raises DataFolderUnusable."""
        del state.started[:-KEPT_STARTS]
        values = {each.name: getattr(state, each.name) for each in fields(state)}
        text = json.dumps(values, indent=2, default=_plain) + "\n"
        path = self.root / FILE
        try:
            seal(path, aside=path.with_name(f".{FILE}.aside"), write=lambda aside: _write(aside, text))
        except OSError as error:
            raise unusable(self.root, error) from error


def _state(raw: dict[str, Any]) -> ScheduleState:
    last = raw["last"]
    return ScheduleState(
        schedule=raw["schedule"],
        anchor_at=_moment(raw["anchor_at"]),
        seen_at=_moment(raw["seen_at"]),
        started=[_moment(text) for text in raw["started"]],
        running_due_at=_moment(raw["running_due_at"]) if raw["running_due_at"] else None,
        next_due_at=_moment(raw["next_due_at"]) if raw["next_due_at"] else None,
        last=LastRun(**{name: _moment(last[name]) for name in ("due_at", "started_at", "ended_at")}, exit_code=int(last["exit_code"]))
        if last
        else None,
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _plain(value: object) -> str | dict[str, Any]:
    if isinstance(value, LastRun):
        return asdict(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    message = f"{type(value).__name__} cannot stand in a schedule's file"
    raise TypeError(message)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
