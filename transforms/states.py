"""How true a value is: one word per facet of a package, decided by rules over the newest and the newest good answer.

The rules are column operations, first match wins, and know no clock: ``as_of`` is given. A value never becomes better by
growing older, and a single miss never makes a repository "gone": that takes several, days apart, and heals by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from transforms.times import require_utc

# Outcomes whose values are true: `empty` says that a repository has no commits.
GOOD_OUTCOMES = ("ok", "capped", "empty")
GONE_AFTER_SIGHTINGS = 3
GONE_AFTER = timedelta(days=3)
# The newest answer stands for the whole repository: with the repository, its other facets are gone or blocked.
INHERITED_STATES = ("gone", "blocked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of one facet of every package, column-wise; null where nothing is.

    Attributes:
        has_source: the package has such a source (bool).
        is_supported: that source can be harvested (bool).
        outcome: outcome of the newest answer.
        first_at: since when it is said; ``last_at`` when it was said last (UTC).
        sightings: in how many runs.
        good_outcome: outcome of the newest good answer.
        good_at: when that was last confirmed (UTC).
        inherited: state of the repository itself, for its other facets.
        is_derived: the value was made here from what was read before (bool).
    """

    has_source: Any
    is_supported: Any
    outcome: Any
    first_at: Any
    last_at: Any
    sightings: Any
    good_outcome: Any
    good_at: Any
    inherited: Any | None = None
    is_derived: Any | None = None


def evaluate_states(standing: Standing, *, as_of: datetime, max_age: timedelta) -> Any:
    """Give the state of every package for one facet, as an Arrow column of strings; null where it has no such source.

    In order: no source; forge not supported (``unsupported``); the repository itself is gone or blocked; ``blocked``;
    missing in three runs over three days (``gone``); ``unsupported``; ``pending`` when the newest answer is and the good one
    is not too old, or when there never was a good one; ``stale`` when the newest answer is not good, or when the good one was
    last confirmed longer than twice ``max_age`` before ``as_of``; ``capped``; ``shifted``; ``ok``.
    """
    outcome = standing.outcome
    span = pc.cast(pc.subtract(standing.last_at, standing.first_at), pa.int64())
    is_gone = _all(
        pc.equal(outcome, "missing"),
        pc.greater_equal(standing.sightings, GONE_AFTER_SIGHTINGS),
        pc.greater_equal(span, GONE_AFTER // timedelta(microseconds=1)),
    )
    oldest = pa.scalar(require_utc(as_of) - 2 * max_age, pa.timestamp("us", tz="UTC"))
    is_old = pc.less(standing.good_at, oldest)
    inherited = pa.nulls(len(outcome), pa.string()) if standing.inherited is None else standing.inherited
    rules: list[tuple[Any, Any]] = [
        (pc.invert(standing.has_source), pa.scalar(None, pa.string())),
        (pc.invert(standing.is_supported), "unsupported"),
        (pc.is_in(inherited, value_set=pa.array(INHERITED_STATES)), inherited),
        (pc.equal(outcome, "blocked"), "blocked"),
        (is_gone, "gone"),
        (pc.equal(outcome, "unsupported"), "unsupported"),
        (pc.or_(_all(pc.equal(outcome, "pending"), pc.invert(is_old)), pc.is_null(standing.good_outcome)), "pending"),
        (pc.invert(pc.is_in(outcome, value_set=pa.array(GOOD_OUTCOMES))), "stale"),
        (is_old, "stale"),
        (pc.equal(standing.good_outcome, "capped"), "capped"),
        (pa.array([False] * len(outcome), pa.bool_()) if standing.is_derived is None else _all(standing.is_derived), "shifted"),
    ]
    conditions = pc.make_struct(*[condition for condition, _ in rules], field_names=[str(index) for index in range(len(rules))])
    return pc.case_when(conditions, *[state for _, state in rules], "ok")


def _all(*conditions: Any) -> Any:
    """All of them, where null counts as no."""
    known = [pc.fill_null(condition, fill_value=False) for condition in conditions]
    result = known[0]
    for condition in known[1:]:
        result = pc.and_(result, condition)
    return result
