"""How fresh a publication is: how many packages are in each state, and which were longest without a confirmation."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa

from transforms.schemas import PACKAGES
from warehouse.database import columns_of, fill
from warehouse.readers import Publication, query

STATE_COLUMNS = tuple(name for name in PACKAGES.names if name.endswith("_state"))

_STATES = "SELECT $columns FROM packages"
_OLDEST = "SELECT slug, fetched_at FROM packages ORDER BY fetched_at NULLS FIRST, slug LIMIT 10"


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
