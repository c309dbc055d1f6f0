"""Records of hindsight in the shape of the published tables: what is not known of that time is null, and its state says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from transforms.catalog import Catalog
from transforms.schemas import PACKAGES, PARTICIPANTS

# State column -> the column whose value it speaks of.
_STATED = {
    "repo_state": "stars_count",
    "head_state": "last_commit_at",
    "weeks_state": "weeks_end_on",
    "participants_state": "participants_known",
    "project_state": "latest_version",
}
_OF_PROJECT = ("project_state",)


def hindsight_tables(records: pa.Table) -> dict[str, pa.Table]:
    """``packages`` and ``participants`` of records of hindsight (columns as the macro ``packages_in_hindsight`` gives them).

    A value that is known is ``ok``, one that is not is ``pending``; a source the package does not have, or that cannot be harvested, has
    no state. Nothing has a time of observation: the records were never seen so.
    """
    columns = {name: records[name].combine_chunks() for name in records.column_names}
    sizes = pc.list_value_length(columns["participants"])
    columns["participants_known"] = pc.if_else(pc.greater(sizes, 0), sizes, pa.scalar(None, sizes.type))
    for state, value in _STATED.items():
        has_source = pc.not_equal(pc.coalesce(columns["pypi_url" if state in _OF_PROJECT else "repo_url"], pa.scalar("")), "")
        told = pc.if_else(pc.is_valid(columns[value]), "ok", "pending")
        columns[state] = pc.if_else(has_source, told, pa.scalar(None, pa.string()))
    columns["participants_count"] = columns["participants_known"]
    arrays = [
        pc.cast(columns[field.name], field.type) if field.name in columns else pa.nulls(records.num_rows, field.type)
        for field in PACKAGES.schema
    ]
    return {
        PACKAGES.name: pa.Table.from_arrays(arrays, schema=PACKAGES.schema),
        PARTICIPANTS.name: _participants(columns),
    }


def _participants(columns: dict[str, pa.Array]) -> pa.Table:
    rows = [
        {"package_id": identifier, "package": slug, "position": position, "login": login, "commits_count": None}
        for identifier, slug, logins in zip(*(columns[name].to_pylist() for name in ("id", "slug", "participants")), strict=True)
        for position, login in enumerate(logins, 1)
    ]
    return pa.Table.from_pylist(rows, schema=PARTICIPANTS.schema)


def catalog_of(catalog: Catalog, at: datetime) -> Catalog:
    """The entries of a catalog that had been created by ``at`` (aware)."""
    entries = tuple(entry for entry in catalog.entries if entry.created_at <= at)
    slugs = {entry.slug for entry in entries}
    return replace(catalog, entries=entries, memberships=tuple(pair for pair in catalog.memberships if pair[1] in slugs))
