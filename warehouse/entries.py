"""How versions of the catalog become the history of its entries: a row stands until a version says otherwise or leaves it out.

Versions come in the order of time; one that is not newer than what is known changes nothing, so loading twice is loading once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import duckdb
import pyarrow as pa

from transforms.schemas import ENTRY_TABLES
from warehouse.database import columns_of, fill

_NEWEST = "SELECT max(greatest(known_at, coalesce(ended_at, known_at))) FROM store.main.$table"

_END = """
UPDATE store.main.$table AS e SET ended_at = ? WHERE e.ended_at IS NULL AND NOT EXISTS (
    FROM incoming i WHERE row($said_now) IS NOT DISTINCT FROM row($stood)
)
"""

_BEGIN = """
INSERT INTO store.main.$table BY NAME
SELECT i.* FROM incoming i ANTI JOIN (FROM store.main.$table WHERE ended_at IS NULL) e USING ($key)
"""


def join_entries(connection: duckdb.DuckDBPyConnection, entries: Mapping[str, pa.Table], known_at: datetime) -> None:
    """Let a version (``Catalog.entries_at``) join the history in the attached ``store``; run inside a transaction."""
    newest = [connection.execute(fill(_NEWEST, table=table.name)).fetchall()[0][0] for table in ENTRY_TABLES]
    if any(moment is not None and moment >= known_at for moment in newest):
        return
    for table in ENTRY_TABLES:
        said = [name for name in table.names if name not in ("known_at", "ended_at")]
        key = [name for name in table.key if name != "known_at"]
        parts = {
            "table": table.name,
            "key": columns_of(key),
            "said_now": columns_of(said, alias="i"),
            "stood": columns_of(said, alias="e"),
        }
        connection.register("incoming", entries[table.name].select(table.names).cast(table.schema))
        connection.execute(fill(_END, **parts), [known_at])
        connection.execute(fill(_BEGIN, **parts))
        connection.unregister("incoming")
