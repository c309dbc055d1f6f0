"""What the ledger of requests tells of the near future: what the meters had left, and how long answers take."""

from __future__ import annotations

from datetime import datetime

from warehouse.database import DUCKDB_ERRORS
from warehouse.store import Store

_METERS = """
SELECT meter, arg_max(remaining_count, fetched_at), max(resets_at)
FROM store.main.fetches WHERE identity = ? AND remaining_count IS NOT NULL AND resets_at > ?
GROUP BY meter
"""

_SECONDS = """
SELECT facet, avg(duration_ms) / 1000 FROM store.main.fetches
WHERE status BETWEEN 200 AND 399 AND run_id IN (SELECT run_id FROM store.main.runs ORDER BY run_id DESC LIMIT 3)
GROUP BY facet
"""


def meters_left(store: Store, *, identity: str, as_of: datetime) -> dict[str, tuple[int, datetime]]:
    """What an identity had left of each meter that is not full again by ``as_of`` (aware): ``{"core": (units, resets_at)}``."""
    try:
        rows = store.connection.execute(_METERS, [identity, as_of]).fetchall()
    except DUCKDB_ERRORS as error:
        raise store.explained(error) from error
    return {meter: (left, resets_at) for meter, left, resets_at in rows}


def answer_seconds(store: Store) -> dict[str, float]:
    """Mean time of an answer in the last three runs, by facet."""
    try:
        return dict(store.connection.execute(_SECONDS).fetchall())
    except DUCKDB_ERRORS as error:
        raise store.explained(error) from error
