"""A publication held against the expectations of ``expectations.toml``: what share of it is amiss, and ten examples.

An expectation is not met when more than its bound of what is judged is amiss, and at least ``fewest``. Where several sources are
judged apart, the worst of them counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import duckdb

from warehouse.expectations import Expectation

EXAMPLES = 10

_JUDGED = "CREATE OR REPLACE TEMP TABLE judged (slug VARCHAR, is_amiss BOOLEAN, before VARCHAR, after VARCHAR, part VARCHAR)"
# The part that misses its bound by most; among those that do not, the one that comes nearest to it.
_WORST = """
SELECT part, count(*) AS judged_count, count(*) FILTER (is_amiss) AS amiss_count FROM judged GROUP BY part
ORDER BY amiss_count >= ? AND amiss_count > ? * judged_count DESC, amiss_count / judged_count DESC, part LIMIT 1
"""
_EXAMPLES = """
SELECT slug, before, after FROM judged WHERE is_amiss AND part IS NOT DISTINCT FROM ?
ORDER BY TRY_CAST(before AS DOUBLE) DESC NULLS LAST, slug LIMIT ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One expectation held against a publication.

    Attributes:
        name: the expectation's.
        stops: when it is not met, the publication does not become the current one.
        bound: the share that may be amiss.
        part: the source that was judged, where they are judged apart.
        judged_count: how many things were judged.
        amiss_count: how many of them are amiss.
        is_met: true also when there was nothing to judge, or nothing to compare with.
        message: for one that is not met, what was found, what it means and what to do next.
        examples: for one that is not met, up to ten of what is amiss: ``slug``, ``before`` and ``after`` as text.
    """

    name: str
    stops: bool
    bound: float
    part: str | None
    judged_count: int
    amiss_count: int
    is_met: bool
    message: str
    examples: tuple[Mapping[str, str | None], ...] = ()

    @property
    def refuses(self) -> bool:
        """It keeps the publication from becoming the current one."""
        return not self.is_met and self.stops

    def as_dict(self) -> dict[str, Any]:
        """For a manifest or a report."""
        return {**asdict(self), "examples": [dict(example) for example in self.examples]}


def evaluate_checks(
    connection: duckdb.DuckDBPyConnection, expectations: Iterable[Expectation], *, run_id: str, as_of: datetime, has_previous: bool
) -> tuple[CheckResult, ...]:
    """Measure the publication attached as ``staged``, where ``has_previous`` against the one attached as ``previous``.

    A last publication of another schema is compared as far as it has the columns.
    """
    connection.execute("SET VARIABLE run_id = ?", [run_id])
    connection.execute("SET VARIABLE as_of = ?", [as_of])
    return tuple(_evaluate(connection, expectation) for expectation in expectations if has_previous or not expectation.compares)


def _evaluate(connection: duckdb.DuckDBPyConnection, expectation: Expectation) -> CheckResult:
    connection.execute(_JUDGED)
    try:
        connection.execute("INSERT INTO judged BY NAME " + expectation.judged)
    except (duckdb.BinderException, duckdb.CatalogException):
        if not expectation.compares:
            raise
    worst = connection.execute(_WORST, [expectation.fewest, expectation.bound]).fetchall()
    part, judged, amiss = worst[0] if worst else (None, 0, 0)
    is_met = amiss < expectation.fewest or amiss <= expectation.bound * judged
    found = [] if is_met else connection.execute(_EXAMPLES, [part, EXAMPLES]).fetchall()
    return CheckResult(
        name=expectation.name,
        stops=expectation.stops,
        bound=expectation.bound,
        part=part,
        judged_count=judged,
        amiss_count=amiss,
        is_met=is_met,
        message="" if is_met else _told(expectation, part, judged, amiss),
        examples=tuple({"slug": slug, "before": before, "after": after} for slug, before, after in found),
    )


def _told(expectation: Expectation, part: str | None, judged: int, amiss: int) -> str:
    among = f"{part}: " if part else ""
    share = f"{amiss:,} of {judged:,} ({amiss / judged:.1%}), expected at most {expectation.bound:.1%}"
    return f"{expectation.name}: {among}{share}; {expectation.message}"
