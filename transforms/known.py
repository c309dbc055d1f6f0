"""What was known before a run, looked up by subject: over Arrow tables, so that nothing is made of subjects nobody asks for.

Only good answers of the series that a subject follows now are known; see ``Store.latest``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.schemas import FACET_TABLES

CLOSED = ("missing", "blocked")
_AGE = [("subject", "ascending"), ("confirmed_at", "ascending"), ("observed_at", "ascending")]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWeeks:
    """Commits of a repository as last read: at which head, from where, by UTC author day (empty for GitHub's own numbers), in all."""

    head_oid: str | None
    source: str
    days: dict[date, int]
    weeks_end_on: date | None
    commits_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownParticipants:
    """Participants of a repository as last known: most commits first, at which head, from where, and when GitHub listed them."""

    logins: list[str]
    counts: list[int]
    head_oid: str | None
    source: str | None
    listed_at: datetime | None
    outcome: str


class Known:
    """Lookups over the newest good rows; ``latest`` is what ``Store.latest`` gives, a table that is absent knows nothing."""

    def __init__(self, latest: Mapping[str, pa.Table]) -> None:
        self.latest = latest
        self._good: dict[str, pa.Table] = {}

    def repo(self, subject: str) -> tuple[int, str | None, str] | None:
        """GitHub's numeric id, its GraphQL id and ``owner/name`` as it spells it."""
        row = self._row("repo", subject, ("repo_id", "node_id", "full_name"))
        return (row["repo_id"], row["node_id"], row["full_name"]) if row else None

    def created_at(self, subject: str) -> datetime | None:
        """When the repository was created."""
        row = self._row("repo", subject, ("repo_created_at",))
        return row["repo_created_at"] if row else None

    def is_unpushed(self, subject: str, seen: Mapping[str, Any] | None) -> bool:
        """Whether the newest commit known is the newest still, by what the repository says of its last push.

        ``seen`` are the value columns of the repository as it is now, ``None`` when it says what it said last. Without a push to any
        branch no commit is new, provided that the newest one was read after what is known of the repository.
        """
        known = self._row("repo", subject, ("repo_id", "default_branch", "pushed_at", "observed_at"))
        head = self._row("head", subject, ("confirmed_at",))
        if known is None or head is None or head["confirmed_at"] < known["observed_at"]:
            return False
        return seen is None or all(seen[name] == known[name] for name in ("repo_id", "default_branch", "pushed_at"))

    def was_missing(self, subject: str) -> bool:
        """Whether the repository was missing when last asked for, as REST told it."""
        rows = self._newest_repos
        return rows.get(subject) == "missing"

    def head_oid(self, subject: str) -> str | None:
        """The newest commit."""
        row = self._row("head", subject, ("head_oid",))
        return row["head_oid"] if row else None

    def committed_at(self, subject: str, oid: str) -> datetime | None:
        """When a commit was committed, if it is the newest one known."""
        row = self._row("head", subject, ("head_oid", "last_commit_at"))
        return row["last_commit_at"] if row and row["head_oid"] == oid else None

    def weeks(self, subject: str) -> KnownWeeks | None:
        """The commits as last read."""
        row = self._row("weeks", subject, ("weeks", "weeks_head_oid", "weeks_source", "weeks_end_on", "days_on", "day_counts"))
        if row is None:
            return None
        days = dict(zip(row["days_on"] or (), row["day_counts"] or (), strict=True))
        return KnownWeeks(
            head_oid=row["weeks_head_oid"],
            source=row["weeks_source"],
            days=days,
            weeks_end_on=row["weeks_end_on"],
            commits_count=sum(days.values()) or sum(row["weeks"] or ()),
        )

    def participants(self, subject: str) -> KnownParticipants | None:
        """The participants as last known."""
        row = self._row(
            "participants", subject, ("logins", "commit_counts", "participants_head_oid", "participants_source", "listed_at", "outcome")
        )
        if row is None:
            return None
        return KnownParticipants(
            logins=row["logins"] or [],
            counts=row["commit_counts"] or [],
            head_oid=row["participants_head_oid"],
            source=row["participants_source"],
            listed_at=row["listed_at"],
            outcome=row["outcome"],
        )

    def serial(self, subject: str) -> int | None:
        """PyPI's serial of the last good answer."""
        row = self._row("project", subject, ("serial",))
        return row["serial"] if row else None

    def activity(self, subject: str) -> tuple[datetime, datetime] | None:
        """When the newest commit or release was made, and when that was last confirmed."""
        is_repo = subject.startswith("github:")
        facet, column = ("head", "last_commit_at") if is_repo else ("project", "latest_released_at")
        row = self._row(facet, subject, (column, "confirmed_at"))
        return (row[column], row["confirmed_at"]) if row and row[column] is not None else None

    @property
    def projects(self) -> pa.Table:
        """``subject`` and ``serial`` of every project whose newest answer is good (others have no values), where a serial is known."""
        rows = self._newest_projects
        return rows.filter(pc.is_valid(rows["serial"])).select(["subject", "serial"])

    @property
    def closed_projects(self) -> pa.Table:
        """``subject``, ``outcome`` and ``detail`` of every project that was missing or withheld when last asked for."""
        rows = self._newest_projects
        return rows.filter(pc.is_in(rows["outcome"], value_set=pa.array(CLOSED))).select(["subject", "outcome", "detail"])

    @cached_property
    def _newest_repos(self) -> dict[str, str]:
        """Outcome of the newest answer about each repository that did not end well."""
        rows = self.latest.get(FACET_TABLES["repo"].name)
        if rows is None:
            return {}
        rows = _last_of_each(rows.select(["subject", "confirmed_at", "observed_at", "outcome"]))
        rows = rows.filter(pc.equal(rows["outcome"], "missing"))
        return dict(zip(rows["subject"].to_pylist(), rows["outcome"].to_pylist(), strict=True))

    @cached_property
    def _newest_projects(self) -> pa.Table:
        rows = self.latest.get(FACET_TABLES["project"].name)
        if rows is not None:
            rows = rows.select(["subject", "confirmed_at", "observed_at", "outcome", "detail", "serial"])
        return _last_of_each(FACET_TABLES["project"].schema.empty_table() if rows is None else rows)

    def _row(self, facet: str, subject: str, columns: tuple[str, ...]) -> dict[str, Any] | None:
        rows = self._rows(facet)
        subjects = rows["subject"].chunk(0) if rows.num_rows else []
        index = bisect_left(range(len(subjects)), subject, key=lambda at: subjects[at].as_py())
        if index == len(subjects) or subjects[index].as_py() != subject:
            return None
        return {name: rows[name][index].as_py() for name in columns}

    def _rows(self, facet: str) -> pa.Table:
        """The good rows of a facet, one a subject, sorted by subject."""
        if facet not in self._good:
            rows = self.latest.get(FACET_TABLES[facet].name)
            self._good[facet] = FACET_TABLES[facet].schema.empty_table() if rows is None else _last_of_each(rows.filter(rows["is_good"]))
        return self._good[facet]


def _last_of_each(rows: pa.Table) -> pa.Table:
    """The row of each subject that was confirmed last, sorted by subject, in one chunk."""
    rows = rows.sort_by(_AGE).combine_chunks()
    if rows.num_rows < 2:  # noqa: PLR2004 - nothing to compare
        return rows
    subjects = rows["subject"].chunk(0)
    is_last = np.append(pc.not_equal(subjects[1:], subjects[:-1]).to_numpy(zero_copy_only=False), True)
    return rows.filter(pa.array(is_last)).combine_chunks()
