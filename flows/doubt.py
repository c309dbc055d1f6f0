"""What was said first in a run that the checks refused is doubted: the next run asks for it as if nobody had ever said it.

A history keeps what was said, zeros included; but nothing is spared, shifted or confirmed by a 304 on the strength of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from itertools import takewhile
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from flows.planning import LastAnswer
from flows.report import DONE, REFUSED, STOPPED
from transforms.schemas import FACET_TABLES


def doubted_runs(runs: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The runs since the last one that was published, when one of them was refused; ``runs`` are rows of ``runs``, oldest first."""
    unpublished = list(takewhile(lambda run: run["outcome"] not in (DONE, STOPPED), reversed(list(runs))))
    return frozenset(run["run_id"] for run in unpublished) if any(run["outcome"] == REFUSED for run in unpublished) else frozenset()


def without_doubted(
    latest: Mapping[str, pa.Table], last: Mapping[tuple[str, str], LastAnswer], runs: AbstractSet[str]
) -> tuple[Mapping[str, pa.Table], Mapping[tuple[str, str], LastAnswer]]:
    """What the store knows (``Store.latest``) and heard last, without the values that were first said in these runs."""
    if not runs:
        return latest, last
    names = pa.array(sorted(runs), pa.string())
    believed: dict[str, pa.Table] = {}
    doubted: set[tuple[str, str]] = set()
    for facet, table in FACET_TABLES.items():
        rows = latest[table.name]
        is_doubted = pc.is_in(rows["run_id"], value_set=names)
        believed[table.name] = rows.filter(pc.invert(is_doubted))
        doubted.update((subject, facet) for subject in rows.filter(is_doubted)["subject"].to_pylist())
    return believed, {key: answer for key, answer in last.items() if key not in doubted}
