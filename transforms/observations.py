"""The answers of one run become rows: at most one per (subject, facet), the current releases, and what a human should see.

The last answer to a question decides: retries, redirects and second passes supersede what came before. Pages of
participants are combined and count only when the list is complete. The order in which answers to *different* subjects
landed changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from transforms.findings import find, merge_findings
from transforms.github import are_participants_capped, merge_participants
from transforms.readings import PRIVATE, CaptureView, Reading, read_answer
from transforms.row_buffer import RowBuffer
from transforms.schemas import FACET_TABLES, FINDINGS, RELEASES, Table

__all__ = ["CaptureView", "Gathering", "ledger_row"]

# The harvest stops asking after this many pages of participants.
PAGES_MAX = 50

# Beside the columns of the table: which answer a row comes from, and the kind of finding it deserves.
_EXTRA = (pa.field("ordinal", pa.int64()), pa.field("code", pa.string()))
_TARGET = re.compile(r"<[^<>]*>")
_NEXT = re.compile(r";\s*rel\s*=\s*(?:\"[^\"]*\bnext\b[^\"]*\"|next\b)", re.IGNORECASE)
_GITHUB_PATH = re.compile(r"/(?:repos|repositories)/.*")


@dataclass(slots=True)
class _Pages:
    """Pages of one list so far, and where the first came from."""

    url: str
    pages: list[list[tuple[str, int]]]


class Gathering:
    """Collects the answers of **one** run in landing order.

    ``known_series`` tells for each subject known before the forge's numeric id and ``owner/name`` as last spelled.
    Memory grows with the rows, not with the bodies.
    """

    def __init__(self, known_series: Mapping[str, tuple[int | None, str | None]]) -> None:
        self._known = known_series
        self._buffers = {facet: RowBuffer(pa.schema([*table.schema, *_EXTRA])) for facet, table in FACET_TABLES.items()}
        self._releases = RowBuffer(pa.schema([*RELEASES.schema, _EXTRA[0]]))
        self._lists: dict[str, _Pages] = {}
        self._refused: set[str] = set()
        self._ordinal = 0

    def add(self, capture: CaptureView, verdict: str) -> None:
        """Take one answer and what it was taken for (``extractors/verdict.py``); never fails for what a service sent."""
        verdict = self._believed(capture, verdict)
        reading = read_answer(capture, verdict)
        url = capture.url
        if reading.people is not None:
            reading, url = self._add_page(capture, reading.people)
        self._ordinal += 1
        self._buffers[capture.facet].add(
            {
                "observed_at": capture.fetched_at,
                "confirmed_at": capture.fetched_at,
                "sighting_count": 1,
                "subject": capture.subject,
                "outcome": reading.outcome,
                "detail": reading.detail,
                "run_id": capture.run_id,
                "source_url": _path(url),
                **reading.row,
                "ordinal": self._ordinal,
                "code": reading.code,
            }
        )
        for release in reading.releases:
            self._releases.add(
                {
                    "project": capture.subject.partition(":")[2],
                    "observed_at": capture.fetched_at,
                    "run_id": capture.run_id,
                    **release,
                    "ordinal": self._ordinal,
                }
            )

    def tables(self) -> dict[str, pa.Table]:
        """The five history tables, ``releases`` and ``findings``, sorted by key; ``findings`` has each kind once per subject."""
        newest = _without_private({facet: _newest(buffer.table()) for facet, buffer in self._buffers.items()})
        series = self._series(newest["repo"])
        tables: dict[str, pa.Table] = {}
        findings: list[dict[str, Any]] = []
        for facet, table in FACET_TABLES.items():
            rows = newest[facet]
            findings += find(facet, rows, self._known)
            subjects = rows["subject"].to_pylist()
            rows = rows.set_column(0, "series", pa.array([series.get(subject, subject) for subject in subjects], pa.string()))
            tables[table.name] = _shape(rows, table)
        tables[RELEASES.name] = self._current_releases(newest["project"])
        tables[FINDINGS.name] = _shape(pa.Table.from_pylist(merge_findings(findings), schema=FINDINGS.schema), FINDINGS)
        return tables

    def _believed(self, capture: CaptureView, verdict: str) -> str:
        """A repository whose organisation refused our token may be private: that it is not shown to strangers is no 404."""
        if verdict == "refused":
            self._refused.add(capture.subject)
        return "refused" if verdict == "missing" and capture.subject in self._refused else verdict

    def _add_page(self, capture: CaptureView, people: list[tuple[str, int]]) -> tuple[Reading, str]:
        """Put one page where it belongs, and say what is known of the list now."""
        held = self._lists.pop(capture.subject, None)
        if capture.page == 1 or held is None:
            held = _Pages(capture.url, [])
        del held.pages[capture.page - 1 :]
        if len(held.pages) != capture.page - 1:
            return Reading(outcome="failed", detail=f"page {capture.page} came without those before it"), held.url
        held.pages.append(people)
        has_next = _has_next(capture.headers)
        if has_next or capture.page > 1:
            self._lists[capture.subject] = held
        if has_next and capture.page < PAGES_MAX:
            return Reading(outcome="limited", detail=f"page {capture.page + 1} was not asked for"), held.url
        values = merge_participants(held.pages)
        if has_next:
            return Reading(outcome="capped", detail=f"only the first {PAGES_MAX} pages were read", row=values), held.url
        if are_participants_capped(values["logins"]):
            return Reading(outcome="capped", detail="the forge links only the first 500 e-mail addresses to logins", row=values), held.url
        return Reading(outcome="ok", row=values), held.url

    def _series(self, repos: pa.Table) -> dict[str, str]:
        """Series of each repository: by the id this run saw, else the one known before."""
        ids = {subject: repo_id for subject, (repo_id, _) in self._known.items() if subject.startswith("github:") and repo_id is not None}
        seen = repos.filter(pc.is_valid(repos["repo_id"]))
        ids.update(zip(seen["subject"].to_pylist(), seen["repo_id"].to_pylist(), strict=True))
        return {subject: f"github:{repo_id}" for subject, repo_id in ids.items()}

    def _current_releases(self, projects: pa.Table) -> pa.Table:
        releases = self._releases.table()
        return _shape(releases.filter(pc.is_in(releases["ordinal"], value_set=projects["ordinal"].combine_chunks())), RELEASES)


def _newest(rows: pa.Table) -> pa.Table:
    """The last row of each subject, in the order of landing."""
    subjects = rows["subject"].to_pandas(types_mapper=pd.ArrowDtype)
    return rows.filter(pa.array(~subjects.duplicated(keep="last").to_numpy(), pa.bool_()))


def _without_private(newest: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """What else a private repository answered is left out; that it is private stays."""
    repos = newest["repo"]
    private = repos.filter(pc.equal(repos["code"], PRIVATE))["subject"].combine_chunks()
    return {
        facet: rows if facet == "repo" else rows.filter(pc.invert(pc.is_in(rows["subject"], value_set=private)))
        for facet, rows in newest.items()
    }


def _shape(rows: pa.Table, table: Table) -> pa.Table:
    """Exactly the columns of ``table``, sorted by its key; two addresses of one repository share a series, so by subject too."""
    tie = ("subject",) if "subject" in table.names else ()
    rows = rows.sort_by([(name, "ascending") for name in dict.fromkeys((*table.key, *tie))])
    return pa.Table.from_arrays([rows[name].combine_chunks() for name in table.names], schema=table.schema)


def _has_next(headers: Mapping[str, str]) -> bool:
    """Whether a ``Link`` header (RFC 8288) names a next page; addresses are set aside because they may say ``rel=next`` too."""
    return _NEXT.search(_TARGET.sub("", headers.get("link", ""))) is not None


def _path(url: str) -> str:
    """Path and query below the service's own address; an absolute address comes from a redirect or a next page."""
    if not url.startswith(("http://", "https://")):
        return url
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    below = _GITHUB_PATH.search(path)
    return below.group() if below else path


def ledger_row(capture: CaptureView, verdict: str, units: int) -> dict[str, Any]:
    """Give the row of ``fetches`` for one answer; ``units`` is what it cost on its meter."""
    remaining = capture.headers.get("x-ratelimit-remaining", "")
    return {
        "run_id": capture.run_id,
        "sequence": capture.sequence,
        "source": capture.source,
        "subject": capture.subject,
        "facet": capture.facet,
        "page": capture.page,
        "url": _path(capture.url),
        "attempt": capture.attempt,
        "status": capture.status,
        "verdict": verdict,
        "error": capture.error,
        "fetched_at": capture.fetched_at,
        "duration_ms": capture.duration_ms,
        "bytes_count": len(capture.body),
        "units_count": units,
        "meter": capture.headers.get("x-ratelimit-resource"),
        "remaining_count": int(remaining) if re.fullmatch(r"[0-9]{1,18}", remaining) else None,
        "identity": capture.identity,
    }
