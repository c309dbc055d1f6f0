"""The answers of one run become rows: at most one per (subject, facet), the current releases, and what a human should see.

The last answer to a question decides: retries, redirects and second passes supersede what came before. Pages count together, when
they are complete. Answers about many subjects come divided, one part a subject. The order in which answers to *different* subjects
landed changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from transforms.clocks import Clocks, skew_of
from transforms.findings import find, merge_findings
from transforms.github import decipher_head
from transforms.histories import Histories
from transforms.known import Known
from transforms.lists import Lists
from transforms.past import Past
from transforms.projects import confirm_projects, explain_missing
from transforms.readings import PRIVATE, CaptureView, Reading, read_answer, read_probe
from transforms.row_buffer import RowBuffer
from transforms.schemas import FACET_TABLES, FINDINGS, PARTICIPANT_OBSERVATIONS, RELEASES, STATUS_OBSERVATIONS, VALIDATORS, Table

__all__ = ["CaptureView", "Gathering", "ledger_row"]

HTTP_OK = 200
GITHUB, PYPI = "github", "pypi"
REPO_FACETS = ("repo", "head", "weeks", "participants")
# Whose answers may be asked for with the validators of the one before. Not weeks: GitHub gives them one ETag with the 202 before,
# and they move on by themselves. Not the index: a 304 of it would leave nothing to compare serials with.
CONDITIONAL = frozenset({"repo", "head", "participants", "project", "status"})

# Beside the columns of the table: which answer a row comes from, and the kind of finding it deserves.
_EXTRA = (pa.field("ordinal", pa.int64()), pa.field("code", pa.string()))
_GITHUB_PATH = re.compile(r"/(?:repos|repositories)/.*")


class Gathering:
    """Collects the answers of **one** run in landing order; ``known`` is what the store knew before it.

    Memory grows with the rows, not with the bodies; but for PyPI's index, which is held until the end.
    """

    def __init__(self, known: Known) -> None:
        self._known = known
        self._buffers = {facet: RowBuffer(pa.schema([*table.schema, *_EXTRA])) for facet, table in FACET_TABLES.items()}
        self._buffers["status"] = RowBuffer(pa.schema([*STATUS_OBSERVATIONS.schema, pa.field("serial", pa.int64()), *_EXTRA]))
        self._carried = RowBuffer(pa.schema([*PARTICIPANT_OBSERVATIONS.schema, *_EXTRA]))
        self._releases = RowBuffer(pa.schema([*RELEASES.schema, _EXTRA[0]]))
        self._validators = RowBuffer(pa.schema([*VALIDATORS.schema, _EXTRA[0]]))
        self._histories = Histories(known)
        self._lists = Lists(known)
        self._past = Past()
        self._heads: dict[str, str | None] = {}
        self._refused: set[str] = set()
        self._index: CaptureView | None = None
        self._clocks = Clocks()
        self._run_id = ""
        self._ordinal = 0

    def add(self, capture: CaptureView, verdict: str) -> None:
        """Take one answer and what it was taken for (``extractors/verdict.py``); never fails for what a service sent."""
        self._ordinal += 1
        self._run_id = capture.run_id
        self._clocks.add(capture.source, capture.headers, capture.fetched_at)
        match capture.facet:
            case "probe":
                was_missing = self._known.was_missing(capture.subject)
                for facet, reading in read_probe(capture, self._believed(capture, verdict), was_missing=was_missing).items():
                    self._put(facet, capture, reading)
            case "history" | "commits":
                self._add_history(capture, verdict)
            case "participants":
                self._add_page(capture, read_answer(capture, self._believed(capture, verdict)))
            case "past":
                self._past.add_commits(capture, verdict)
            case "stars":
                self._past.add_stars(capture, verdict)
            case "index":
                self._index = capture if verdict == "ok" else self._index
            case facet:
                reading = read_answer(capture, self._believed(capture, verdict))
                self._put(facet, capture, reading)
                if facet == "repo":
                    self._confirm_head(capture, reading)
                self._add_releases(capture, reading)
                if facet in CONDITIONAL:
                    self._add_validators((capture,), capture.fetched_at)

    def _confirm_head(self, capture: CaptureView, reading: Reading) -> None:
        """A repository nobody has pushed to has the newest commit it had; one that is asked for all the same decides."""
        seen = reading.row if reading.outcome == "ok" else None
        if reading.outcome in ("ok", "unchanged") and self._known.is_unpushed(capture.subject, seen):
            self._put("head", capture, Reading(outcome="unchanged"))

    def _add_history(self, capture: CaptureView, verdict: str) -> None:
        reading = read_answer(capture, verdict)
        if capture.facet == "commits" and capture.page == 1 and reading.history and reading.history.commits:
            self._put("head", capture, Reading(outcome="ok", row=decipher_head(capture.body)))
        told = self._histories.add(capture, reading)
        if told is None:
            return
        self._put("weeks", capture, told.weeks, at=told.at)
        if told.participants is not None:
            self._carried.add(self._row(capture, told.participants, at=told.at))

    def _add_page(self, capture: CaptureView, reading: Reading) -> None:
        if reading.people is None and reading.outcome != "unchanged":
            self._put("participants", capture, reading)
            return
        listed = self._lists.add(capture, reading.people)
        self._put("participants", capture, listed.reading, url=listed.url)
        self._add_validators(listed.answers, capture.fetched_at)

    def _add_releases(self, capture: CaptureView, reading: Reading) -> None:
        for release in reading.releases:
            project = capture.subject.partition(":")[2]
            row = {"project": project, "observed_at": capture.fetched_at, "run_id": capture.run_id, **release}
            self._releases.add({**row, "ordinal": self._ordinal})

    def _add_validators(self, captures: Iterable[CaptureView], seen_at: datetime) -> None:
        """Keep what the answers of one value say of its version; ``tables`` leaves out those whose value was no good."""
        for capture in captures:
            etag, last_modified = capture.headers.get("etag"), capture.headers.get("last-modified")
            if capture.status == HTTP_OK and (etag or last_modified):
                self._validators.add(
                    {
                        "identity": capture.identity,
                        "api_version": capture.headers.get("x-github-api-version-selected", ""),
                        "url": capture.url,
                        "subject": capture.subject,
                        "facet": capture.facet,
                        "etag": etag,
                        "last_modified": last_modified,
                        "seen_at": seen_at,
                        "ordinal": self._ordinal,
                    }
                )

    def _put(self, facet: str, capture: CaptureView, reading: Reading, *, at: datetime | None = None, url: str | None = None) -> None:
        """Add one row of a facet's table."""
        if facet == "head" and reading.outcome in ("ok", "unchanged"):
            oid = self._known.head_oid(capture.subject) if reading.outcome == "unchanged" else reading.row["head_oid"]
            self._heads[capture.subject] = oid
        self._buffers[facet].add(self._row(capture, reading, at=at, url=url))

    def _row(self, capture: CaptureView, reading: Reading, *, at: datetime | None = None, url: str | None = None) -> dict[str, Any]:
        return {
            "observed_at": at or capture.fetched_at,
            "confirmed_at": at or capture.fetched_at,
            "sighting_count": 1,
            "subject": capture.subject,
            "outcome": reading.outcome,
            "detail": reading.detail,
            "run_id": capture.run_id,
            "source_url": _path(url or capture.url),
            **reading.row,
            "ordinal": self._ordinal,
            "code": reading.code,
        }

    def tables(self) -> dict[str, pa.Table]:
        """The history tables, ``releases``, ``validators`` and ``findings``, sorted by key, and what a backfill told.

        ``findings`` has each kind once per subject.
        """
        newest = {facet: _newest(buffer.table()) for facet, buffer in self._buffers.items()}
        newest["project"] = explain_missing(newest["project"], newest["status"])
        if self._index is not None:
            newest["project"] = confirm_projects(newest["project"], self._index, self._known)
        newest["participants"] = _with_carried(newest["participants"], _newest(self._carried.table()), self._known)
        newest = self._without_undated(_without_private(newest))
        for facet in ("weeks", "participants"):
            newest[facet] = self._with_heads(newest[facet], f"{facet}_head_oid")
        tables: dict[str, pa.Table] = self._past.tables()
        findings: list[dict[str, Any]] = [*self._past.problems, *self._clocks.findings(self._run_id)]
        series = self._series(newest)
        for facet, table in FACET_TABLES.items():
            rows = newest[facet]
            findings += find(facet, rows, self._known)
            follows = rows["subject"]
            if facet in REPO_FACETS:
                follows = pa.array([series.get(subject, subject) for subject in follows.to_pylist()], pa.string())
            rows = rows.set_column(0, "series", follows)
            tables[table.name] = _shape(rows, table)
        tables[RELEASES.name] = _shape(_of_answers(self._releases.table(), newest["project"]), RELEASES)
        tables[VALIDATORS.name] = self._good_validators(newest)
        tables[FINDINGS.name] = _shape(pa.Table.from_pylist(merge_findings(findings), schema=FINDINGS.schema), FINDINGS)
        return tables

    def _without_undated(self, newest: dict[str, pa.Table]) -> dict[str, pa.Table]:
        """Nothing of a source whose clock is far from ours."""
        off = self._clocks.off()
        return {facet: rows.slice(0, 0) if (GITHUB if facet in REPO_FACETS else PYPI) in off else rows for facet, rows in newest.items()}

    def _believed(self, capture: CaptureView, verdict: str) -> str:
        """A repository whose organisation refused our token may be private: that it is not shown to strangers is no 404."""
        if verdict == "refused":
            self._refused.add(capture.subject)
        return "refused" if verdict == "missing" and capture.subject in self._refused else verdict

    def _with_heads(self, rows: pa.Table, column: str) -> pa.Table:
        """Say of GitHub's own figures which commit was the newest in the run that read them."""
        columns = rows.select([column, "subject", "outcome"]).to_pylist()
        good = ("ok", "capped", "unchanged")
        oids = [row[column] or (self._heads.get(row["subject"]) if row["outcome"] in good else None) for row in columns]
        return rows.set_column(rows.column_names.index(column), column, pa.array(oids, pa.string()))

    def _series(self, newest: Mapping[str, pa.Table]) -> dict[str, str]:
        """Series of each repository: by the id this run saw, else the one known before."""
        repos = newest["repo"].filter(pc.is_valid(newest["repo"]["repo_id"]))
        ids = dict(zip(repos["subject"].to_pylist(), repos["repo_id"].to_pylist(), strict=True))
        for facet in REPO_FACETS:
            for subject in newest[facet]["subject"].to_pylist():
                if subject not in ids and (known := self._known.repo(subject)):
                    ids[subject] = known[0]
        return {subject: f"github:{repo_id}" for subject, repo_id in ids.items()}

    def _good_validators(self, newest: Mapping[str, pa.Table]) -> pa.Table:
        """Only of answers whose value stands: none of a list that is not whole, or of a document that is older than promised."""
        validators = self._validators.table()
        kept = [VALIDATORS.schema.empty_table()]
        for facet in sorted(CONDITIONAL):
            rows = newest[facet]
            good = rows.filter(pc.is_in(rows["outcome"], value_set=pa.array(["ok", "capped"])))
            of_facet = validators.filter(pc.equal(validators["facet"], facet))
            kept.append(_of_answers(of_facet, good).select(VALIDATORS.names).cast(VALIDATORS.schema))
        return _shape(_newest(pa.concat_tables(kept), VALIDATORS.key), VALIDATORS)


def _newest(rows: pa.Table, key: tuple[str, ...] = ("subject",)) -> pa.Table:
    """The last row of each key, in the order of landing."""
    keys = rows.select(list(key)).to_pandas(types_mapper=pd.ArrowDtype)
    return rows.filter(pa.array(~keys.duplicated(keep="last").to_numpy(), pa.bool_()))


def _with_carried(listed: pa.Table, carried: pa.Table, known: Known) -> pa.Table:
    """Lists carried on with the commits since count where GitHub was not asked for its own; that it did not give it is no secret.

    GitHub's may be some hours old: one that lacks somebody who has committed since does not count either. The carried list then
    speaks of no commit, so that GitHub is asked again.
    """
    own = {row["subject"]: row for row in listed.select(["subject", "outcome", "logins"]).to_pylist()}
    stands, behind = [], []
    for row in carried.select(["subject", "logins"]).to_pylist():
        answer = own.get(row["subject"])
        people = known.participants(row["subject"])
        strangers = set(row["logins"] or ()) - set(people.logins if people else ())
        is_good = answer is not None and answer["outcome"] in ("ok", "capped", "unchanged")
        stands.append(answer is None or (is_good and bool(strangers - set(answer["logins"] or ()))))
        behind.append(answer is not None)
    kept = carried.append_column("behind", pa.array(behind, pa.bool_())).filter(pa.array(stands, pa.bool_()))
    heads = pc.if_else(kept["behind"], pa.scalar(None, pa.string()), kept["participants_head_oid"])
    kept = kept.set_column(kept.column_names.index("participants_head_oid"), "participants_head_oid", heads).drop_columns(["behind"])
    is_replaced = pc.is_in(listed["subject"], value_set=kept["subject"].combine_chunks())
    return pa.concat_tables([listed.filter(pc.invert(is_replaced)), kept])


def _of_answers(rows: pa.Table, answers: pa.Table) -> pa.Table:
    """The rows that were read from these answers."""
    return rows.filter(pc.is_in(rows["ordinal"], value_set=answers["ordinal"].combine_chunks()))


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
    skew = skew_of(capture.headers, capture.fetched_at)
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
        "clock_skew_seconds": None if skew is None else round(skew.total_seconds()),
        "identity": capture.identity,
    }
