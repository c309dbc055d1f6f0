"""From the tables of an earlier schema of the store to those of today: what a copy of the rows (copies.py) alone would not carry over.

A store is carried over without the landing, so only a change that loses nothing by it has a step here. Where a new column has to be read
from the answers again there is none, and the store is refused until a replay has filled it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From one version to the next.

    Attributes:
        gone: tables of the earlier version that the next does not have, with their columns in order.
        made: tables of the next version that ``statements`` fill; all others stayed as they were.
        statements: run on the attached ``store``, after the rows of the tables both have were copied from the attached ``former``.
    """

    gone: dict[str, tuple[str, ...]] = field(default_factory=dict)
    made: frozenset[str] = frozenset()
    statements: tuple[str, ...] = ()


_NUMBER_SERIES = """
INSERT INTO store.main.sighted_series BY NAME
SELECT facet, row_number() OVER (PARTITION BY facet ORDER BY first_at, subject, series) AS number, subject, series
FROM (SELECT facet, subject, series, min(seen_at) AS first_at FROM former.main.sightings GROUP BY ALL)
"""
_FIND_SPANS = """
INSERT INTO store.main.sighting_spans BY NAME
SELECT seen_at, facet, run_id, min(number) AS first_number, max(number) AS last_number
FROM (
    SELECT s.seen_at, s.facet, s.run_id, k.number,
        k.number - row_number() OVER (PARTITION BY s.facet, s.seen_at, s.run_id ORDER BY k.number) AS stretch
    FROM former.main.sightings s JOIN store.main.sighted_series k USING (facet, subject, series)
)
GROUP BY seen_at, facet, run_id, stretch ORDER BY seen_at, facet, first_number
"""

# By the version a step starts from.
STEPS = {
    3: Step(
        gone={"sightings": ("seen_at", "facet", "subject", "series", "run_id")},
        made=frozenset({"sighted_series", "sighting_spans"}),
        statements=(_NUMBER_SERIES, _FIND_SPANS),
    ),
}


def steps_from(version: int, until: int) -> tuple[Step, ...] | None:
    """The steps that lead from one version to a later one; ``None`` when one is missing."""
    steps = [STEPS.get(number) for number in range(version, until)]
    return tuple(step for step in steps if step) if steps and all(steps) else None


def tables_before(steps: Iterable[Step], today: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The columns of every table as they were before these steps, from those of today."""
    steps = tuple(steps)
    made = {name for step in steps for name in step.made}
    gone = {name: names for step in steps for name, names in step.gone.items() if name not in made}
    return {name: names for name, names in today.items() if name not in made} | gone
