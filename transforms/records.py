"""The catalog and the newest observations become the published rows: one wide row per package, one row per participant.

Whatever the newest answer was, the values are those of the newest *good* one, with its date; the state beside them tells
how far to trust them. Frames are joined on the subject and keep Arrow's types, so a missing count stays an int64 null.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from transforms.catalog import Catalog
from transforms.commits import DAYS_A_WEEK, WEEKS_COUNT
from transforms.schemas import FACET_TABLES, INSTANT, PACKAGES, PARTICIPANTS, TEXTS
from transforms.states import Standing, evaluate_states

REPO_FACETS = ("repo", "head", "weeks", "participants")
STATED = (*REPO_FACETS, "project")
MICROSECONDS_A_DAY = 86_400_000_000
HISTORY = "history"

# Facet -> column of its table -> column of `packages` (or a working name, cast off at the end).
_VALUES: Mapping[str, Mapping[str, str]] = {
    "repo": {
        "repo_id": "repo_id",
        "full_name": "repo_full_name",
        "description": "repo_description",
        "stars_count": "stars_count",
        "watchers_count": "watchers_count",
        "forks_count": "forks_count",
        "is_archived": "is_archived",
        "license": "repo_license",
        "pushed_at": "pushed_at",
    },
    "head": {"last_commit_at": "last_commit_at", "head_oid": "head_oid"},
    "weeks": {
        "weeks": "weeks",
        "weeks_end_on": "weeks_end_on",
        "weeks_source": "weeks_source",
        "weeks_head_oid": "weeks_head_oid",
        "days_on": "days_on",
        "day_counts": "day_counts",
    },
    "participants": {
        "logins": "participants",
        "commit_counts": "commit_counts",
        "participants_source": "participants_source",
        "participants_head_oid": "participants_head_oid",
    },
    "project": {
        "latest_version": "latest_version",
        "latest_released_at": "latest_released_at",
        "is_latest_yanked": "is_latest_yanked",
        "is_latest_prerelease": "is_latest_prerelease",
        "summary": "summary",
        "requires_python": "requires_python",
        "license": "project_license",
        "documentation_url": "project_documentation_url",
        "releases_count": "releases_count",
    },
    "status": {"project_status": "project_status"},
}
_ENTRY_COLUMNS = (
    "id", "slug", "title", "category_id", "category", "grid_ids", "grids", "repo_url", "pypi_url", "created_at", "modified_at",
    "repo_subject", "project",
)  # fmt: skip


def build_packages(catalog: Catalog, latest: Mapping[str, pa.Table], *, as_of: datetime, max_age: timedelta) -> pa.Table:
    """Build the table ``packages``, sorted by id.

    ``latest`` has for each history table the newest row and the newest good row of each subject (one row when they are the
    same), with a boolean column ``is_good``. ``as_of`` is aware. A subject that several packages name is shown by each.
    """
    frame = _entries(catalog).to_pandas(types_mapper=pd.ArrowDtype)
    for facet in FACET_TABLES:
        subject = "repo_subject" if facet in REPO_FACETS else "project_subject"
        facts = _facts(facet, latest)
        frame = frame.merge(facts, how="left", left_on=subject, right_on=f"{facet}.subject", validate="many_to_one")
    rows = pa.Table.from_pandas(frame, preserve_index=False)
    return _shape(_columns(rows, as_of, max_age), PACKAGES.schema)


def build_participants(catalog: Catalog, latest: Mapping[str, pa.Table]) -> pa.Table:
    """Build the table ``participants``, sorted by package and position, from the newest good lists."""
    frame = _entries(catalog).select(["id", "slug", "repo_subject"]).to_pandas(types_mapper=pd.ArrowDtype)
    facts = _facts("participants", latest)[["participants.subject", "participants", "commit_counts"]]
    frame = frame.merge(facts, left_on="repo_subject", right_on="participants.subject", validate="many_to_one")
    rows = pa.Table.from_pandas(frame, preserve_index=False).combine_chunks()
    logins = rows["participants"].combine_chunks() if rows.num_rows else pa.array([], TEXTS)
    parents = pc.list_parent_indices(logins)
    lengths = pc.fill_null(pc.list_value_length(logins), fill_value=0)
    starts = pc.subtract(pc.cumulative_sum(pc.cast(lengths, pa.int64())), pc.cast(lengths, pa.int64()))
    index = pa.array(range(len(parents)), pa.int64())
    columns = {
        "package_id": pc.take(rows["id"], parents),
        "package": pc.take(rows["slug"], parents),
        "position": pc.add(pc.subtract(index, pc.take(starts, parents)), 1),
        "login": pc.list_flatten(logins),
        "commits_count": pc.list_flatten(rows["commit_counts"]),
    }
    return _shape(columns, PARTICIPANTS.schema)


def _entries(catalog: Catalog) -> pa.Table:
    """The curated columns, sorted by id, and for each package what its sources are."""
    entries = sorted(catalog.entries, key=lambda entry: entry.id)
    category_ids = {category.slug: category.id for category in catalog.categories}
    grid_ids = {grid.slug: grid.id for grid in catalog.grids}
    grids: dict[str, list[tuple[int, str]]] = {}
    for grid, package in catalog.memberships:
        grids.setdefault(package, []).append((grid_ids[grid], grid))
    standing = [sorted(grids.get(entry.slug, ())) for entry in entries]
    columns = {
        name: [getattr(entry, name) for entry in entries] for name in _ENTRY_COLUMNS if name not in ("category_id", "grid_ids", "grids")
    }
    columns |= {
        "category_id": [category_ids[entry.category] for entry in entries],
        "grid_ids": [[grid_id for grid_id, _ in pairs] for pairs in standing],
        "grids": [[slug for _, slug in pairs] for pairs in standing],
    }
    types = {column.name: column.type for column in PACKAGES.columns}
    arrays = {name: pa.array(columns[name], types[name]) for name in _ENTRY_COLUMNS}
    arrays["curated_documentation_url"] = pa.array([entry.documentation_url for entry in entries], pa.string())
    arrays["project_subject"] = pa.array([entry.project_subject for entry in entries], pa.string())
    arrays["has_repo"] = pa.array([entry.repo is not None for entry in entries], pa.bool_())
    return pa.table(arrays)


def _facts(facet: str, latest: Mapping[str, pa.Table]) -> pd.DataFrame:
    """What is known of one facet, one row per subject: columns of the newest answer, and the values of the newest good one.

    A good answer counts only when it belongs to the series that the subject follows now: what was known of a repository
    is not true of another one that took its name.
    """
    values = _VALUES[facet]
    rows = latest[FACET_TABLES[facet].name]
    held = ("subject", "series", "observed_at", "confirmed_at", "sighting_count", "outcome", "is_good", *values)
    frame = rows.select(list(held)).to_pandas(types_mapper=pd.ArrowDtype).sort_values(["confirmed_at", "observed_at"], kind="stable")
    if facet in REPO_FACETS:
        frame = frame[_is_current(frame, latest)]
    newest = frame.drop_duplicates("subject", keep="last")
    good = frame[frame["is_good"].astype(bool)].drop_duplicates("subject", keep="last")
    facts = newest[["subject", "series", "outcome", "observed_at", "confirmed_at", "sighting_count"]].merge(
        good[["subject", "series", "outcome", "confirmed_at", *values]], how="left", on=["subject", "series"], suffixes=("", "_good")
    )
    own = {name: f"{facet}.{name}" for name in ("subject", "outcome", "observed_at", "confirmed_at", "sighting_count")}
    good_names = {"outcome_good": f"{facet}.good_outcome", "confirmed_at_good": f"{facet}.good_at"}
    named: pd.DataFrame = facts.drop(columns="series").rename(columns={**own, **good_names, **values})
    return named


def _is_current(frame: pd.DataFrame, latest: Mapping[str, pa.Table]) -> pd.Series[bool]:
    """Whether each row is of the repository that its subject names now, or (asked before its id was known) of the subject."""
    repos = (
        latest[FACET_TABLES["repo"].name].select(["subject", "series", "confirmed_at", "observed_at"]).to_pandas(types_mapper=pd.ArrowDtype)
    )
    repos = repos[repos["series"] != repos["subject"]].sort_values(["confirmed_at", "observed_at"], kind="stable")
    current = repos.drop_duplicates("subject", keep="last").set_index("subject")["series"]
    expected = frame["subject"].map(current)
    return expected.isna() | (frame["series"] == expected).fillna(value=False) | (frame["series"] == frame["subject"])


def _columns(rows: pa.Table, as_of: datetime, max_age: timedelta) -> dict[str, Any]:
    columns: dict[str, Any] = {name: rows[name].combine_chunks() for name in rows.column_names}
    has_repo, is_harvested = columns["has_repo"], pc.is_valid(columns["repo_subject"])
    has_project = pc.is_valid(columns["project"])
    for facet in ("weeks", "participants"):
        _confirm_by_head(columns, facet)
    derived = {"weeks": _shift_weeks(columns), "participants": pc.equal(columns["participants_source"], HISTORY)}
    for facet in STATED:
        is_project = facet == "project"
        standing = Standing(
            has_source=has_project if is_project else has_repo,
            is_supported=has_project if is_project else is_harvested,
            outcome=columns[f"{facet}.outcome"],
            first_at=columns[f"{facet}.observed_at"],
            last_at=columns[f"{facet}.confirmed_at"],
            sightings=columns[f"{facet}.sighting_count"],
            good_outcome=columns[f"{facet}.good_outcome"],
            good_at=columns[f"{facet}.good_at"],
            inherited=None if facet in ("repo", "project") else columns["repo_state"],
            is_derived=derived.get(facet),
        )
        columns[f"{facet}_state"] = evaluate_states(standing, as_of=as_of, max_age=max_age)
        columns[f"{facet}_observed_at"] = columns[f"{facet}.good_at"]
    columns["fetched_at"] = _oldest(columns, is_harvested, has_project)
    columns["documentation_url"] = pc.coalesce(columns["curated_documentation_url"], columns["project_documentation_url"])
    columns["license"] = pc.coalesce(columns["project_license"], columns["repo_license"])
    columns["participants_count"] = pc.list_value_length(columns["participants"])
    for name in ("weeks", "participants"):
        columns[name] = pc.coalesce(columns[name], pa.scalar([], PACKAGES.schema.field(name).type))
    lag = pc.cast(pc.subtract(columns["last_commit_at"], columns["latest_released_at"]), pa.int64())
    columns["release_lag_days"] = pc.divide(lag, MICROSECONDS_A_DAY)  # integers: whole days, towards zero
    return columns


def _confirm_by_head(columns: dict[str, Any], facet: str) -> None:
    """What was read at a head holds as long as that is the newest commit: it is confirmed whenever the head is.

    A failure to read it again does not count then. GitHub's own 52 numbers hold for one day only.
    """
    is_same = pc.fill_null(pc.equal(columns["head_oid"], columns[f"{facet}_head_oid"]), fill_value=False)
    if facet == "weeks":
        is_of_day = pc.equal(pc.cast(columns["head.good_at"], pa.date32()), columns["weeks_end_on"])
        is_same = pc.and_(is_same, pc.or_(pc.is_valid(columns["days_on"]), pc.fill_null(is_of_day, fill_value=False)))
    is_later = pc.fill_null(pc.greater(columns["head.good_at"], columns[f"{facet}.good_at"]), fill_value=False)
    is_later = pc.and_(is_same, is_later)
    for name in ("good_at", "confirmed_at"):
        columns[f"{facet}.{name}"] = pc.if_else(is_later, columns["head.good_at"], columns[f"{facet}.{name}"])
    columns[f"{facet}.outcome"] = pc.if_else(is_same, columns[f"{facet}.good_outcome"], columns[f"{facet}.outcome"])


def _shift_weeks(columns: dict[str, Any]) -> Any:
    """Count the weeks anew for the UTC day on which they were last confirmed; tells where that is later than the day they were read.

    Only where commits by day are known; GitHub's own 52 numbers stay as they are.
    """
    ends_on = pc.cast(columns["weeks.good_at"], pa.date32())
    has_days = pc.and_(pc.is_valid(columns["days_on"]), pc.is_valid(ends_on))
    is_later = pc.fill_null(pc.and_(has_days, pc.greater(ends_on, columns["weeks_end_on"])), fill_value=False)
    if pc.any(is_later).as_py():
        columns["weeks"] = pc.if_else(is_later, _windows(columns["days_on"], columns["day_counts"], ends_on), columns["weeks"])
        columns["weeks_end_on"] = pc.if_else(is_later, ends_on, columns["weeks_end_on"])
    return is_later


def _windows(days_on: Any, day_counts: Any, ends_on: Any) -> Any:
    """52 windows of 7 days for each row, oldest first, the last ending at the UTC midnight that begins ``ends_on``."""
    rows = pc.list_parent_indices(days_on).to_numpy()
    ends = pc.fill_null(pc.cast(ends_on, pa.int32()), fill_value=0).to_numpy()
    ages = ends[rows] - pc.cast(pc.list_flatten(days_on), pa.int32()).to_numpy() - 1
    counts = pc.list_flatten(day_counts).to_numpy()
    is_within = (ages >= 0) & (ages < WEEKS_COUNT * DAYS_A_WEEK)
    places = rows[is_within] * WEEKS_COUNT + WEEKS_COUNT - 1 - ages[is_within] // DAYS_A_WEEK
    sums = np.bincount(places, weights=counts[is_within], minlength=len(ends) * WEEKS_COUNT).astype(np.int32)
    offsets = pa.array(np.arange(0, len(sums) + 1, WEEKS_COUNT, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(sums))


def _oldest(columns: Mapping[str, Any], is_harvested: Any, has_project: Any) -> Any:
    """The oldest time at which a source of the package was confirmed; null until each of them was.

    What the forge says it cannot tell (``unsupported``) is no source the package has; a value it told before still counts.
    """
    times = [columns[f"{facet}_observed_at"] for facet in STATED]
    lacks = pa.scalar(value=False)
    for facet, time in zip(STATED, times, strict=True):
        is_expected = pc.and_(has_project if facet == "project" else is_harvested, pc.not_equal(columns[f"{facet}_state"], "unsupported"))
        lacks = pc.or_(lacks, pc.and_(pc.fill_null(is_expected, fill_value=False), pc.is_null(time)))
    oldest = pc.min_element_wise(*[pc.cast(time, pa.int64()) for time in times])  # there is none for times with a zone
    return pc.if_else(lacks, pa.scalar(None, INSTANT), pc.cast(oldest, INSTANT))


def _shape(columns: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    """Exactly the columns of ``schema``, each of one chunk, without pandas' notes."""
    arrays = []
    for field in schema:
        column = columns[field.name]
        column = column if column.type == field.type else pc.cast(column, field.type)
        arrays.append(column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column)
    return pa.Table.from_arrays(arrays, schema=schema)
