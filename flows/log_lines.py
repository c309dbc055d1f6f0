"""What is said on stderr as lines of JSON, for machines that collect logs: one object a line, each with ``time``, ``level``, ``message``.

Beside them, where known: ``run_id``, ``event`` (``said``, ``stage``, ``progress``, ``wait``, ``finding``, ``end``), ``subject``, ``code``
and counts. No token is in a message, so none is here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

from flows.report import ASKING, DONE, FAILED, RunReport

PROGRESS_EVERY_SECONDS = 30.0
_COUNTS = ("requests_count", "github_units_count", "graphql_points_count", "pypi_requests_count")


def log_line(now: datetime, message: str, *, level: str = "info", **known: Any) -> str:
    """One line; what is ``None`` is left out."""
    told = {"time": now.astimezone(UTC).isoformat(timespec="milliseconds"), "level": level, "message": message}
    return json.dumps({**told, **{name: value for name, value in known.items() if value is not None}}, ensure_ascii=False, default=str)


class JsonProgress:
    """Progress as lines of JSON; a count at most every half minute."""

    def __init__(
        self, stream: TextIO, *, now: Callable[[], datetime] = lambda: datetime.now(UTC), monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._now, self._monotonic = now, monotonic
        self._run_id: str | None = None
        self._total = self._done = 0
        self._what = self._note = ""
        self._told_at = monotonic()

    def name_run(self, run_id: str) -> None:
        """Let all lines from now on bear it."""
        self._run_id = run_id

    def begin(self, total: int, what: str) -> None:
        """Tell the stage."""
        self._total, self._done, self._what, self._told_at = total, 0, what, self._monotonic()
        self._tell(what, event="stage", total=total)

    def advance(self, count: int = 1) -> None:
        """Count, and tell when the last line is old enough."""
        self._done += count
        if self._monotonic() - self._told_at >= PROGRESS_EVERY_SECONDS:
            self._told_at = self._monotonic()
            self._tell(self._what, event="progress", done=self._done, total=max(self._done, self._total), note=self._note or None)

    def note(self, text: str) -> None:
        """Tell a wait when it begins."""
        if text.startswith("waiting") and "waiting" not in self._note:
            self._tell(text, event="wait")
        self._note = text

    def say(self, text: str) -> None:
        """Tell it."""
        self._tell(text, event="said")

    def report(self, report: RunReport) -> None:
        """Tell every finding, every check that is not met, and how the run ended."""
        run = report.run
        for finding in report.findings:
            level = finding["level"] if finding["level"] in ("info", "warning", "error") else "warning"
            self._tell(finding["message"], level=level, event="finding", subject=finding["subject"], code=finding["code"])
        for check in report.unmet():
            self._tell(check["message"], level="error" if check["stops"] else "warning", event="check", code=check["name"])
        counts = {name: run.get(name) for name in _COUNTS} if run["kind"] in ASKING else {}
        level = "info" if run["outcome"] == DONE else "error" if run["outcome"] == FAILED else "warning"
        message = f"{run['kind']} {run['outcome']}"
        self._tell(
            message, level=level, event="end", outcome=run["outcome"], detail=run.get("detail"), exit_code=report.exit_code, **counts
        )

    def _tell(self, message: str, *, level: str = "info", **known: Any) -> None:
        self._stream.write(log_line(self._now(), message, level=level, run_id=self._run_id, **known) + "\n")
        self._stream.flush()
