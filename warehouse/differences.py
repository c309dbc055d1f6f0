"""What differs between two moments: packages that came or went, and every value that is another, one row each.

Times of confirmation move with every run, so they are no difference; what a value was and is, and its state, are.
"""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa

from transforms.schemas import INSTANT, PACKAGES
from transforms.times import parse_moment
from warehouse.database import DUCKDB_ERRORS, fill, first_line
from warehouse.errors import InvalidQuery
from warehouse.readers import Publication

SCHEMA = pa.schema(
    [
        pa.field("slug", pa.string()),
        pa.field("change", pa.string()),
        pa.field("column", pa.string()),
        pa.field("before", pa.string()),
        pa.field("after", pa.string()),
    ]
)
MOVING = frozenset({"id", "fetched_at", "weeks_end_on", *(name for name in PACKAGES.names if name.endswith("_observed_at"))})

_BOTH = """
WITH one AS MATERIALIZED (FROM packages_as_of($before)), other AS MATERIALIZED (FROM packages_as_of($after))
SELECT slug, change, "column", before, after FROM (
    SELECT one.slug, 'removed' AS change, NULL AS "column", NULL AS before, NULL AS after FROM one ANTI JOIN other USING (id)
    UNION ALL
    SELECT other.slug, 'added', NULL, NULL, NULL FROM other ANTI JOIN one USING (id)
    UNION ALL
    $changes
) ORDER BY slug, "column"
"""
_CHANGE = """SELECT other.slug, 'changed', '$column', $one_text, $other_text
    FROM one JOIN other USING (id) WHERE one.$column IS DISTINCT FROM other.$column"""


def differences(publication: Publication, before: datetime, after: datetime) -> pa.Table:
    """What differs between the records as of two aware times.

    Columns ``slug``, ``change`` (added, removed, changed), ``column``, ``before``, ``after``, sorted by slug and column; values as text,
    times in ISO 8601, UTC; an unknown one is null. Raises InvalidQuery.
    """
    changes = " UNION ALL ".join(
        fill(_CHANGE, column=name, one_text=_text(f"one.{name}", name), other_text=_text(f"other.{name}", name))
        for name in PACKAGES.names
        if name not in MOVING
    )
    cursor = publication.cursor()
    try:
        cursor.execute("SET VARIABLE before = ?", [before])
        cursor.execute("SET VARIABLE after = ?", [after])
        query = fill(_BOTH, before="getvariable('before')", after="getvariable('after')", changes=changes)
        return cursor.sql(query).to_arrow_table().cast(SCHEMA)
    except DUCKDB_ERRORS as error:
        raise InvalidQuery(f"the two moments cannot be compared: {first_line(error)}") from error
    finally:
        cursor.close()


def _text(value: str, column: str) -> str:
    is_time = PACKAGES.schema.field(column).type == INSTANT
    return f"strftime(timezone('UTC', {value}), '%Y-%m-%dT%H:%M:%S.%fZ')" if is_time else f"{value}::VARCHAR"


def moment_of(publication: Publication, text: str) -> datetime:
    """When the publication of a run first became the current one, or the time a text names; raises InvalidQuery for neither."""
    cursor = publication.cursor()
    try:
        found: datetime | None = cursor.execute("SELECT min(published_at) FROM publications WHERE run_id = ?", [text]).fetchall()[0][0]
    finally:
        cursor.close()
    try:
        return found or parse_moment(text)
    except ValueError as error:
        raise InvalidQuery(f"no run that was published is named so, and {error}. Next: packhouse sql 'from publications'") from None
