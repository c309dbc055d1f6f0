"""The store as it was: everything that was known at the moment of a publication, and nothing else, in a store of its own.

Rows heard later are left out, and what later answers did to a row is undone: ``confirmed_at`` and ``sighting_count`` go back, a release
or an entry of the catalog that has ended since stands again. Whatever reads a store reads this one as it would have then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from transforms.schemas import (
    COMMIT_READINGS,
    ENTRY_TABLES,
    FACET_TABLES,
    FETCHES,
    FINDINGS,
    HEAD_OBSERVATIONS,
    PUBLICATIONS,
    RELEASES,
    RUNS,
    SIGHTED_SERIES,
    SIGHTING_SPANS,
    STAR_DAYS,
    Table,
)
from warehouse.as_of import known_rows
from warehouse.commit_days import join_commit_days
from warehouse.database import columns_of, fill
from warehouse.folder import DataFolder
from warehouse.sightings import EACH_SIGHTING
from warehouse.store import Store

_PUBLISHED = """
SELECT published_at, as_of_at, run_id, max_age_seconds FROM store.main.publications
WHERE published_at <= ? AND is_hindsight IS NOT TRUE ORDER BY published_at DESC LIMIT 1
"""

_STANDINGS = """
INSERT INTO store.main.standings BY NAME
SELECT subject, facet, series, '' AS outcome, seen_at AS heard_at, run_id FROM ($sightings)
QUALIFY row_number() OVER (PARTITION BY facet, subject ORDER BY seen_at DESC, series) = 1
"""

_SIGHTED = """
FROM store.main.sighted_series k WHERE EXISTS (
    FROM store.main.sighting_spans s WHERE s.facet = k.facet AND k.number BETWEEN s.first_number AND s.last_number AND s.seen_at <= ?
)
"""


@dataclass(frozen=True, slots=True)
class Moment:
    """A row of ``publications``."""

    published_at: datetime
    as_of_at: datetime
    run_id: str
    max_age_seconds: int | None


@contextmanager
def past_store(store: Store, folder: DataFolder, at: datetime) -> Iterator[tuple[Store, Moment] | None]:
    """The store as it was when the publication current at ``at`` (aware) was made, with that row of ``publications``.

    ``None`` when nothing was published by then. It is held in memory, or spilled beside the store.
    """
    found = store.connection.execute(_PUBLISHED, [at]).fetchall()
    if not found:
        yield None
        return
    moment = Moment(*found[0])
    with Store(None, spill=folder.spill, is_read_only=False) as past:
        for facet, table in FACET_TABLES.items():
            _copy(store, past, table, known_rows(facet, "store.main"), [moment.published_at])
        _copy(store, past, SIGHTED_SERIES, _SIGHTED, [moment.as_of_at])
        _copy(store, past, SIGHTING_SPANS, "FROM store.main.sighting_spans WHERE seen_at <= ?", [moment.as_of_at])
        _copy(store, past, RELEASES, _standing(RELEASES, "observed_at"), [moment.as_of_at, moment.as_of_at])
        for table in ENTRY_TABLES:
            _copy(store, past, table, _standing(table, "known_at"), [moment.published_at, moment.published_at])
        for table, column in ((RUNS, "ended_at"), (FINDINGS, "found_at"), (PUBLICATIONS, "published_at"), (FETCHES, "fetched_at")):
            query = fill("FROM store.main.$table WHERE $column <= ?", table=table.name, column=column)
            _copy(store, past, table, query, [moment.published_at])
        _copy(store, past, STAR_DAYS, "FROM store.main.star_days WHERE observed_at <= ?", [moment.as_of_at])
        past.connection.execute(fill(_STANDINGS, sightings=fill(EACH_SIGHTING, home="store.main.", condition="true")))
        with past.writing() as connection:
            weeks = connection.sql("FROM store.main.week_observations").to_arrow_table()
            heads = HEAD_OBSERVATIONS.schema.empty_table()
            join_commit_days(connection, weeks=weeks, heads=heads, readings=COMMIT_READINGS.schema.empty_table())
        yield past, moment


def _standing(table: Table, begun: str) -> str:
    """Rows that had begun, standing again where they ended later."""
    text = "SELECT * REPLACE (CASE WHEN ended_at <= ? THEN ended_at END AS ended_at) FROM store.main.$table WHERE $begun <= ?"
    return fill(text, table=table.name, begun=begun)


def _copy(store: Store, past: Store, table: Table, query: str, values: list[datetime]) -> None:
    columns = columns_of(table.names)
    rows = store.connection.sql(fill("SELECT $columns FROM ($query)", columns=columns, query=query), params=values).to_arrow_table()
    past.connection.register("incoming", rows)
    past.connection.execute(fill("INSERT INTO store.main.$table BY NAME SELECT $columns FROM incoming", table=table.name, columns=columns))
    past.connection.unregister("incoming")
