"""The answers of one run become rows: at most one per (subject, facet), the current releases, and what a human should see.

The last answer to a question decides: retries, redirects and second passes supersede what came before. Pages of
participants are combined and count only when the list is complete. The order in which answers to *different* subjects
landed changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from transforms.findings import find, merge_findings
from transforms.github import are_participants_capped, merge_participants
from transforms.histories import Histories
from transforms.index import decipher_index
from transforms.known import Known
from transforms.readings import PRIVATE, CaptureView, Reading, read_answer, read_probe
from transforms.row_buffer import RowBuffer
from transforms.schemas import FACET_TABLES, FINDINGS, RELEASES, VALIDATORS, Table
from transforms.times import utc_day

__all__ = ["CaptureView", "Gathering", "ledger_row"]

# The harvest stops asking after this many pages of participants.
PAGES_MAX = 50
HTTP_OK = 200
LISTED = frozenset({"ok", "capped", "unchanged"})

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
    """Collects the answers of **one** run in landing order; answers about many subjects come divided, one part a subject.

    ``known`` tells what the store knew before the run. Memory grows with the rows, not with the bodies.
    """

    def __init__(self, known: Known) -> None:
        self._known = known
        self._buffers = {facet: RowBuffer(pa.schema([*table.schema, *_EXTRA])) for facet, table in FACET_TABLES.items()}
        self._releases = RowBuffer(pa.schema([*RELEASES.schema, _EXTRA[0]]))
        self._validators = RowBuffer(VALIDATORS.schema)
        self._histories = Histories(known)
        self._lists: dict[str, _Pages] = {}
        self._listed: set[str] = set()
        self._heads: dict[str, str] = {}
        self._refused: set[str] = set()
        self._promised: dict[str, int] = {}
        self._statuses: dict[str, Mapping[str, Any]] = {}
        self._ordinal = 0

    def add(self, capture: CaptureView, verdict: str) -> None:
        """Take one answer and what it was taken for (``extractors/verdict.py``); never fails for what a service sent."""
        match capture.facet:
            case "probe":
                for facet, reading in read_probe(capture, self._believed(capture, verdict)).items():
                    self._add_probed(capture, facet, reading)
            case "history":
                self._add_history(capture, read_answer(capture, verdict))
            case "index":
                self._add_index(capture, verdict)
            case _:
                self._add_single(capture, self._believed(capture, verdict))

    def _add_probed(self, capture: CaptureView, facet: str, reading: Reading) -> None:
        if facet == "head" and reading.outcome == "ok":
            self._heads[capture.subject] = reading.row["head_oid"]
        if reading.people is not None:
            row = {**merge_participants([reading.people]), "participants_source": "contributors", "listed_at": capture.fetched_at}
            reading = Reading(outcome="ok", row=row)
            self._listed.add(capture.subject)
        self._put(capture, facet, reading)

    def _add_history(self, capture: CaptureView, reading: Reading) -> None:
        told = self._histories.add(capture, reading)
        self._put(capture, "weeks", told.weeks)
        if told.participants is not None and capture.subject not in self._listed:
            self._put(capture, "participants", told.participants)

    def _add_index(self, capture: CaptureView, verdict: str) -> None:
        """Confirm what the root confirms: projects whose serial is the one known, and those known to be missing from it."""
        known = dict(self._known.projects())
        closed = self._known.closed_projects()
        names = {subject.partition(":")[2] for subject in (*known, *closed)}
        serials = decipher_index(capture.body, names) if verdict == "ok" else None
        if serials is None:
            return
        self._promised = {f"pypi:{name}": serial for name, serial in serials.items()}
        for subject, serial in known.items():
            if self._promised.get(subject) == serial and subject not in closed:
                self._put(capture, "project", Reading(outcome="unchanged"), subject=subject)
        for subject, (outcome, detail) in closed.items():
            if subject not in self._promised:
                self._put(capture, "project", Reading(outcome=outcome, detail=detail), subject=subject)

    def _add_single(self, capture: CaptureView, verdict: str) -> None:
        reading = read_answer(capture, verdict)
        url = capture.url
        if reading.people is not None or (capture.facet == "participants" and reading.outcome == "unchanged"):
            reading, url = self._add_page(capture, reading.people)
        self._note_validator(capture, verdict, reading)
        reading = self._completed(capture, reading)
        self._put(capture, capture.facet, reading, url=url)
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

    def _completed(self, capture: CaptureView, reading: Reading) -> Reading:
        """What other answers of this run add to a reading."""
        subject, row = capture.subject, dict(reading.row)
        match capture.facet:
            case "head" if reading.outcome == "ok":
                self._heads[subject] = row["head_oid"]
            case "status" if reading.outcome == "ok":
                self._statuses[subject] = row
            case "weeks" if reading.outcome in LISTED:
                row |= {"weeks_head_oid": self._heads.get(subject), "weeks_end_on": utc_day(capture.fetched_at)}
            case "participants" if reading.outcome in LISTED:
                self._listed.add(subject)
                row |= {
                    "participants_head_oid": self._heads.get(subject),
                    "participants_source": "contributors",
                    "listed_at": capture.fetched_at,
                }
            case "project" if reading.outcome == "ok" and row["serial"] is not None and row["serial"] < self._promised.get(subject, 0):
                detail = f"PyPI's edge still serves serial {row['serial']}, its index promises {self._promised[subject]}"
                return Reading(outcome="pending", detail=detail)
        return replace(reading, row=row)

    def _note_validator(self, capture: CaptureView, verdict: str, reading: Reading) -> None:
        """Keep the validators of a good answer; an answer that says otherwise at the same address voids them. None of a 202 or 304."""
        is_good = verdict == "ok" and capture.status == HTTP_OK and reading.outcome in ("ok", "capped", "limited")
        etag, last_modified = capture.headers.get("etag"), capture.headers.get("last-modified")
        if (is_good and (etag or last_modified)) or verdict in ("missing", "blocked"):
            self._validators.add(
                {
                    "identity": capture.identity,
                    "api_version": capture.headers.get("x-github-api-version-selected", ""),
                    "url": capture.url,
                    "subject": capture.subject,
                    "facet": capture.facet,
                    "etag": etag if is_good else None,
                    "last_modified": last_modified if is_good else None,
                    "seen_at": capture.fetched_at,
                }
            )

    def _put(self, capture: CaptureView, facet: str, reading: Reading, *, subject: str | None = None, url: str | None = None) -> None:
        """Add one row of a facet's table."""
        self._ordinal += 1
        self._buffers[facet].add(
            {
                "observed_at": capture.fetched_at,
                "confirmed_at": capture.fetched_at,
                "sighting_count": 1,
                "subject": subject or capture.subject,
                "outcome": reading.outcome,
                "detail": reading.detail,
                "run_id": capture.run_id,
                "source_url": _path(url or capture.url),
                **reading.row,
                "ordinal": self._ordinal,
                "code": reading.code,
            }
        )

    def tables(self) -> dict[str, pa.Table]:
        """The history tables, ``releases``, ``validators`` and ``findings``, sorted by key; ``findings`` has each kind once per subject."""
        self._explain_missing()
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
        tables[VALIDATORS.name] = _shape(_newest(self._validators.table(), VALIDATORS.key), VALIDATORS)
        tables[FINDINGS.name] = _shape(pa.Table.from_pylist(merge_findings(findings), schema=FINDINGS.schema), FINDINGS)
        return tables

    def _believed(self, capture: CaptureView, verdict: str) -> str:
        """A repository whose organisation refused our token may be private: that it is not shown to strangers is no 404."""
        if verdict == "refused":
            self._refused.add(capture.subject)
        return "refused" if verdict == "missing" and capture.subject in self._refused else verdict

    def _explain_missing(self) -> None:
        """A project without a document may be quarantined or have no release; its page of the index, asked in the same run, tells."""
        projects = _newest(self._buffers["project"].table())
        missing = projects.filter(pc.equal(projects["outcome"], "missing")).to_pylist()
        for row in missing:
            status = self._statuses.get(row["subject"])
            if status is None:
                continue
            said: dict[str, Any]
            if status["project_status"] == "quarantined":
                said = {"outcome": "blocked", "detail": "PyPI has quarantined it"}
            elif status["files_count"] == 0:
                name = row["subject"].partition(":")[2]
                said = {"outcome": "empty", "detail": "the project has no release", "project_name": name, "releases_count": 0}
            else:
                said = {"outcome": "failed", "detail": "its index lists files, but it has no document"}
            self._ordinal += 1
            self._buffers["project"].add({**row, **said, "ordinal": self._ordinal})

    def _add_page(self, capture: CaptureView, people: list[tuple[str, int]] | None) -> tuple[Reading, str]:
        """Put one page where it belongs, and say what is known of the list now; ``None`` is a page that has not changed (304)."""
        held = self._lists.pop(capture.subject, None)
        if people is None:
            return Reading(outcome="unchanged"), capture.url
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
        ids = self._known.repo_ids()
        seen = repos.filter(pc.is_valid(repos["repo_id"]))
        ids.update(zip(seen["subject"].to_pylist(), seen["repo_id"].to_pylist(), strict=True))
        return {subject: f"github:{repo_id}" for subject, repo_id in ids.items()}

    def _current_releases(self, projects: pa.Table) -> pa.Table:
        releases = self._releases.table()
        return _shape(releases.filter(pc.is_in(releases["ordinal"], value_set=projects["ordinal"].combine_chunks())), RELEASES)


def _newest(rows: pa.Table, key: tuple[str, ...] = ("subject",)) -> pa.Table:
    """The last row of each key, in the order of landing."""
    keys = rows.select(list(key)).to_pandas(types_mapper=pd.ArrowDtype)
    return rows.filter(pa.array(~keys.duplicated(keep="last").to_numpy(), pa.bool_()))


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
    resets = capture.headers.get("x-ratelimit-reset", "")
    return {
        "run_id": capture.run_id,
        "sequence": capture.sequence,
        "source": capture.source,
        "subject": capture.subject,
        "targets_count": len(orjson.loads(capture.request)) if capture.request else 1,
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
        "resets_at": datetime.fromtimestamp(int(resets), UTC) if re.fullmatch(r"[0-9]{1,10}", resets) else None,
        "identity": capture.identity,
    }
