"""How fresh a publication is: how many packages are in each state, what is older than was promised, and what waited longest."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from transforms.schemas import PACKAGES
from warehouse.database import columns_of, fill
from warehouse.readers import Publication, query

STATE_COLUMNS = tuple(name for name in PACKAGES.names if name.endswith("_state"))

_STATES = "SELECT $columns FROM packages"
_OLDEST = "SELECT slug, fetched_at FROM packages ORDER BY fetched_at NULLS FIRST, slug LIMIT 10"
# What a source says is lastingly so is not waited for. Bound: now - max_age, now - 2 * max_age.
_PROMISED = "FROM staleness WHERE state NOT IN ('gone', 'blocked', 'unsupported')"
_BY_SOURCE = f"""
SELECT source, count(*) AS values_count,
    count(*) FILTER (WHERE state IN ('stale', 'pending')) AS unfresh_count,
    count(*) FILTER (WHERE observed_at IS NULL OR observed_at <= $1) AS due_count,
    count(*) FILTER (WHERE observed_at IS NULL OR observed_at < $2) AS overdue_count,
    min(observed_at) AS oldest_at
{_PROMISED} GROUP BY source ORDER BY source
"""
_OLDEST_BY_SOURCE = f"""
SELECT source, package, facet, state, observed_at {_PROMISED}
QUALIFY row_number() OVER (PARTITION BY source ORDER BY observed_at NULLS FIRST, package, facet) <= 10
ORDER BY source, observed_at NULLS FIRST, package, facet
"""


def count_states(packages: pa.Table) -> dict[str, dict[str, int]]:
    """How many packages are in each state, by state column; packages without such a source are not counted."""
    return {name: dict(Counter(state for state in packages[name].to_pylist() if state is not None)) for name in STATE_COLUMNS}


def published_states(publication: Publication) -> dict[str, dict[str, int]]:
    """The same for a publication."""
    return count_states(query(publication, fill(_STATES, columns=columns_of(STATE_COLUMNS))).read_all())


def oldest_packages(publication: Publication) -> list[dict[str, Any]]:
    """The ten packages whose values were longest without a confirmation, those never complete first."""
    rows: list[dict[str, Any]] = query(publication, _OLDEST).read_all().to_pylist()
    return rows


def promise_by_source(publication: Publication, *, now: datetime, max_age: timedelta) -> list[dict[str, Any]]:
    """The promise against reality, by source: no value older than twice ``max_age``.

    ``values_count`` are promised, ``unfresh_count`` were stale or pending when it was published, ``due_count`` are to be asked for again
    by ``now``, ``overdue_count`` are later than promised by ``now``; ``oldest_at`` is the oldest confirmation, and ``oldest`` the ten
    oldest values.
    """
    with publication.cursor() as cursor:
        sources = cursor.sql(_BY_SOURCE, params=[now - max_age, now - 2 * max_age]).to_arrow_table().to_pylist()
        oldest = cursor.sql(_OLDEST_BY_SOURCE).to_arrow_table().to_pylist()
    return [row | {"oldest": [value for value in oldest if value["source"] == row["source"]]} for row in sources]
