"""The validators of answers (ETag, Last-Modified), kept as long as the value they vouch for is the newest good one.

A 304 says that an answer is what it was when its validator was given. So a validator goes as soon as something else was observed since,
be it by another question: the answer before the last is no longer what "unchanged" would confirm. It belongs to the identity that got
it; of the tokens only the newest keeps its own, for a token that was replaced does not come back. Two subjects whose repository is one
share addresses; each has its own history, hence its own validators.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb
import pyarrow as pa

from transforms.schemas import FACET_TABLES, VALIDATORS
from warehouse.database import columns_of, fill
from warehouse.history import CIRCUMSTANCES, GOOD, said_columns

ValidatorKey = tuple[str, str, str]

_REPLACE = """
DELETE FROM store.main.validators v USING incoming i
WHERE v.api_version = i.api_version AND v.url = i.url AND v.subject = i.subject AND v.seen_at <= i.seen_at
AND (v.identity = i.identity OR (v.identity <> 'anonymous' AND i.identity <> 'anonymous'))
"""

_ADD = "INSERT INTO store.main.validators BY NAME SELECT i.* FROM incoming i ANTI JOIN store.main.validators v USING ($key)"

_FORGET = """
WITH held AS (
    SELECT v.rowid AS id, v.seen_at, o.series FROM store.main.validators v JOIN (SELECT DISTINCT subject, series FROM observed) o
    ON o.subject = v.subject WHERE v.facet = ?
), good AS (
    SELECT series, observed_at, row($said) AS said FROM store.main.$table
    WHERE outcome IN $good AND series IN (SELECT series FROM held)
), vouched AS (
    SELECT d.id, g.said FROM held d ASOF JOIN good g ON g.series = d.series AND d.seen_at >= g.observed_at
)
DELETE FROM store.main.validators WHERE rowid IN (
    SELECT d.id FROM held d LEFT JOIN vouched u ON u.id = d.id JOIN good g ON g.series = d.series AND g.observed_at > d.seen_at
    WHERE g.said IS DISTINCT FROM u.said
)
"""

_OF = """
SELECT v.identity, v.api_version, v.url, v.etag, v.last_modified FROM store.main.validators v SEMI JOIN asked a ON a.subject = v.subject
"""


def join_validators(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, pa.Table]) -> None:
    """Let the validators among ``tables`` join those in the attached ``store``, and forget those of values that changed.

    Run inside a transaction, when the histories have been joined.
    """
    validators = tables.get(VALIDATORS.name)
    if validators is not None and validators.num_rows:
        connection.register("incoming", validators.select(VALIDATORS.names).cast(VALIDATORS.schema))
        connection.execute(_REPLACE)
        connection.execute(fill(_ADD, key=columns_of(VALIDATORS.key)))
        connection.unregister("incoming")
    for facet, table in FACET_TABLES.items():
        if table.name in tables and tables[table.name].num_rows:
            connection.register("observed", tables[table.name].select(["subject", "series"]))
            said = columns_of(name for name in said_columns(table) if name not in CIRCUMSTANCES)
            connection.execute(fill(_FORGET, table=table.name, good=GOOD, said=said), [facet])
            connection.unregister("observed")


def validators_of(connection: duckdb.DuckDBPyConnection, subjects: Iterable[str]) -> dict[ValidatorKey, tuple[str | None, str | None]]:
    """The validators about these subjects: ``{(identity, api_version, url): (etag, last_modified)}``."""
    connection.register("asked", pa.table({"subject": pa.array(sorted(set(subjects)), pa.string())}))
    rows = connection.execute(_OF).fetchall()
    connection.unregister("asked")
    return {(identity, api_version, url): (etag, last_modified) for identity, api_version, url, etag, last_modified in rows}
