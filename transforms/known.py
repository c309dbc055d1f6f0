"""What was known before a run, looked up by subject: over Arrow tables, so that nothing is made of subjects nobody asks for.

Only good answers of the series that a subject follows now are known; see ``Store.latest``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from transforms.schemas import FACET_TABLES

CLOSED = frozenset({"missing", "blocked"})


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWeeks:
    """Commits of a repository as last read: at which head, from where, by UTC author day (empty for GitHub's own numbers)."""

    head_oid: str | None
    source: str
    days: dict[date, int]
    weeks_end_on: date | None


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
    """Lookups over the newest good rows."""

    def __init__(self, latest: Mapping[str, pa.Table]) -> None:
        """Take what ``Store.latest`` gives; tables that are absent know nothing."""
        self._tables: dict[str, pa.Table] = {}
        self._rows: dict[str, dict[str, int]] = {}
        self._closed: dict[str, tuple[str, str | None]] = {}
        projects = latest.get(FACET_TABLES["project"].name)
        if projects is not None:
            newest = projects.sort_by([("confirmed_at", "ascending"), ("observed_at", "ascending")])
            told = zip(newest["outcome"].to_pylist(), newest["detail"].to_pylist(), strict=True)
            said = dict(zip(newest["subject"].to_pylist(), told, strict=True))
            self._closed = {subject: (outcome, detail) for subject, (outcome, detail) in said.items() if outcome in CLOSED}
        for facet, table in FACET_TABLES.items():
            rows = latest.get(table.name)
            if rows is None:
                continue
            good = rows.filter(rows["is_good"]).combine_chunks()
            good = good.sort_by([("confirmed_at", "ascending"), ("observed_at", "ascending")])
            self._tables[facet] = good
            self._rows[facet] = {subject: index for index, subject in enumerate(good["subject"].to_pylist())}

    def repo(self, subject: str) -> tuple[int, str | None, str] | None:
        """GitHub's numeric id, its GraphQL id and ``owner/name`` as it spells it."""
        row = self._row("repo", subject, ("repo_id", "node_id", "full_name"))
        return (row["repo_id"], row["node_id"], row["full_name"]) if row else None

    def repo_ids(self) -> dict[str, int]:
        """GitHub's numeric id of every repository known."""
        table = self._tables.get("repo")
        if table is None:
            return {}
        return dict(zip(table["subject"].to_pylist(), table["repo_id"].to_pylist(), strict=True))

    def head_oid(self, subject: str) -> str | None:
        """The newest commit."""
        row = self._row("head", subject, ("head_oid",))
        return row["head_oid"] if row else None

    def weeks(self, subject: str) -> KnownWeeks | None:
        """The commits as last read."""
        row = self._row("weeks", subject, ("weeks_head_oid", "weeks_source", "weeks_end_on", "days_on", "day_counts"))
        if row is None:
            return None
        days = dict(zip(row["days_on"] or (), row["day_counts"] or (), strict=True))
        return KnownWeeks(head_oid=row["weeks_head_oid"], source=row["weeks_source"], days=days, weeks_end_on=row["weeks_end_on"])

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

    def projects(self) -> Iterator[tuple[str, int]]:
        """Every project with its serial, where one is known."""
        table = self._tables.get("project")
        if table is None:
            return
        held = table.filter(pc.is_valid(table["serial"]))
        yield from zip(held["subject"].to_pylist(), held["serial"].to_pylist(), strict=True)

    def closed_projects(self) -> Mapping[str, tuple[str, str | None]]:
        """Outcome and reason of every project that was missing or withheld when last asked for."""
        return self._closed

    def _row(self, facet: str, subject: str, columns: tuple[str, ...]) -> dict[str, Any] | None:
        index = self._rows.get(facet, {}).get(subject)
        if index is None:
            return None
        table = self._tables[facet]
        return {name: table[name][index].as_py() for name in columns}
