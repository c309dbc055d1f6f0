"""Run reports: what each run was, written beside its answers so that replay knows the runs without the store.

``landing/runs/<yyyy-mm-dd>/<run_id>.json``: the columns of ``runs`` (times in ISO 8601, UTC) and whatever else the flow wants to keep.
The day is that of ``started_at``. Written when a run starts and again when it ends, each time whole or not at all; a run without an
``ended_at`` was killed. A report that cannot be read is left out and reported; it costs its run's row in ``runs``, no answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from transforms.schemas import INSTANT, RUNS
from warehouse.durable import seal
from warehouse.folder import DataFolder, checked_name, unusable
from warehouse.landing import DamagedFile

_TIMES = tuple(column.name for column in RUNS.columns if column.type == INSTANT)


def write_run_report(folder: DataFolder, report: Mapping[str, Any]) -> Path:
    """Write (or replace) the report of one run; needs ``run_id`` and ``started_at``, times aware."""
    run_id, started_at = checked_name(report["run_id"]), report["started_at"]
    path: Path = folder.landing / "runs" / started_at.date().isoformat() / f"{run_id}.json"
    text = json.dumps(report, indent=2, default=_iso, allow_nan=False) + "\n"
    try:
        seal(path, aside=folder.unsealed / f"{run_id}.json", write=lambda aside: _write(aside, text))
    except OSError as error:
        raise unusable(folder.root, error) from error
    return path


def read_run_reports(folder: DataFolder, *, on_damaged: Callable[[DamagedFile], None]) -> Iterator[dict[str, Any]]:
    """Every run's report, in the order of the run ids; the times of ``runs`` come back as aware datetimes."""
    for path in sorted(folder.landing.glob("runs/*/*.json"), key=lambda path: path.stem):
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            for name in _TIMES:
                if report.get(name) is not None:
                    report[name] = datetime.fromisoformat(report[name])
            checked_name(report["run_id"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            name = path.relative_to(folder.landing).as_posix()
            on_damaged(DamagedFile(file=name, run_id=path.stem, reason=f"not a run report: {error}"))
            continue
        yield report


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    message = f"{type(value).__name__} cannot stand in a run report"
    raise TypeError(message)
