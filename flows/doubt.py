"""What was said first in a run that the checks refused is doubted: the next run asks for it as if nobody had ever said it.

A history keeps what was said, zeros included; but nothing is spared, shifted or confirmed by a 304 on the strength of it. Weeks and
participants are doubted also where they were only said again: what was true of one newest commit was then said of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from itertools import takewhile
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from flows.planning import FOLLOWING, LastAnswer
from flows.report import DONE, REFUSED, STOPPED
from transforms.schemas import FACET_TABLES


def doubted_runs(runs: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The runs since the last one that was published, when one of them was refused; ``runs`` are rows of ``runs``, oldest first."""
    unpublished = list(takewhile(lambda run: run["outcome"] not in (DONE, STOPPED), reversed(list(runs))))
    return frozenset(run["run_id"] for run in unpublished) if any(run["outcome"] == REFUSED for run in unpublished) else frozenset()


def without_doubted(
    latest: Mapping[str, pa.Table], heard: Mapping[tuple[str, str], tuple[str, datetime, str]], runs: AbstractSet[str]
) -> tuple[Mapping[str, pa.Table], Mapping[tuple[str, str], LastAnswer]]:
    """What the store knows and heard last (``Store.latest``, ``Store.last_outcomes``), without what is doubted of these runs."""
    if not runs:
        return latest, {key: LastAnswer(outcome=outcome, confirmed_at=heard_at) for key, (outcome, heard_at, _) in heard.items()}
    believed: dict[str, pa.Table] = {}
    doubted = {(subject, facet) for (subject, facet), (_, _, run_id) in heard.items() if facet in FOLLOWING and run_id in runs}
    names = pa.array(sorted(runs), pa.string())
    for facet, table in FACET_TABLES.items():
        rows = latest[table.name]
        again = pa.array([subject for subject, doubtful in doubted if doubtful == facet], pa.string())
        is_doubted = pc.or_(pc.is_in(rows["run_id"], value_set=names), pc.is_in(rows["subject"], value_set=again))
        believed[table.name] = rows.filter(pc.invert(is_doubted))
        doubted.update((subject, facet) for subject in rows.filter(is_doubted)["subject"].to_pylist())
    last = {key: LastAnswer(outcome=outcome, confirmed_at=heard_at) for key, (outcome, heard_at, _) in heard.items() if key not in doubted}
    return believed, last
