"""What was read at a head holds as long as that is the newest commit: its confirmation moves with the head's.

The commits of a head never change, so nobody asks for weeks or participants again while it stands. That they held until the head was
seen last is kept with them, for the day the head has moved and they could not be read anew. Only the newest row moves, and only when
it is good: what was heard after it is not talked over. GitHub's own 52 numbers are those of one day, and do not move.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from transforms.schemas import HEAD_OBSERVATIONS, PARTICIPANT_OBSERVATIONS, WEEK_OBSERVATIONS
from warehouse.database import fill

_CONFIRM = """
WITH heads AS (
    SELECT series, head_oid, confirmed_at FROM store.main.$heads
    WHERE outcome = 'ok' AND series IN (SELECT series FROM observed)
    QUALIFY row_number() OVER (PARTITION BY series ORDER BY confirmed_at DESC, observed_at DESC) = 1
), tips AS (
    SELECT t.series, t.observed_at, h.confirmed_at FROM (
        SELECT * FROM store.main.$table WHERE series IN (SELECT series FROM heads)
        QUALIFY row_number() OVER (PARTITION BY series ORDER BY confirmed_at DESC, observed_at DESC) = 1
    ) t JOIN heads h ON h.series = t.series AND h.head_oid = t.$head_oid AND h.confirmed_at > t.confirmed_at
    WHERE t.$values IS NOT NULL
)
UPDATE store.main.$table AS t SET confirmed_at = p.confirmed_at FROM tips p WHERE t.series = p.series AND t.observed_at = p.observed_at
"""


def confirm_by_heads(connection: duckdb.DuckDBPyConnection, heads: pa.Table) -> None:
    """Confirm what is known at the heads just heard of; run inside a transaction, when the histories have been joined."""
    connection.register("observed", heads.select(["series"]))
    for table, head_oid, values in (
        (WEEK_OBSERVATIONS, "weeks_head_oid", "days_on"),
        (PARTICIPANT_OBSERVATIONS, "participants_head_oid", "logins"),
    ):
        connection.execute(fill(_CONFIRM, heads=HEAD_OBSERVATIONS.name, table=table.name, head_oid=head_oid, values=values))
    connection.unregister("observed")
