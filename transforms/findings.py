"""What a human should see: each row that a run observed is looked at for something to do or to know.

A finding says what happened, what it means for the values shown, and what to do. Failures that only mean "try again"
(limits, time-outs) are in the ledger and the states, not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from transforms.known import Known
from transforms.schemas import FINDINGS
from transforms.versions import is_valid_requires_python

NOTE, WARNING, ERROR = "note", "warning", "error"
_SAYING_NOTHING = ("ok", "unchanged", "empty")
_KEPT = "The last good values stay, with their date."


def find(facet: str, rows: pa.Table, known: Known) -> list[dict[str, Any]]:
    """Findings of one facet's rows of one run.

    ``rows`` has the columns of the facet's table and ``code`` (a kind of finding the reader already named). Columns of the
    result are those of ``findings``; ``found_at`` is the time of the answer, so that the same answers give the same findings.
    """
    looked_at = {"subject", "outcome", "detail", "run_id", "observed_at", "code"}
    found = [
        _finding(row, *told)
        for row in rows.filter(pc.invert(pc.is_in(rows["outcome"], value_set=pa.array(_SAYING_NOTHING))))
        .select(sorted(looked_at))
        .to_pylist()
        for told in _of_outcome(facet, row)
    ]
    look, columns = {"repo": (_of_repo, ("repo_id", "full_name")), "project": (_of_project, ("requires_python",))}.get(facet, (None, ()))
    if look is not None:
        good = rows.filter(pc.equal(rows["outcome"], "ok")).select(sorted(looked_at.union(columns)))
        found += [_finding(row, *told) for row in good.to_pylist() for told in look(row, known)]
    return found


def merge_findings(findings: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One finding per key of the table: what two facets of a subject say under one code at one moment is told together."""
    merged: dict[tuple[Any, ...], dict[str, Any]] = {}
    for finding in findings:
        key = tuple(finding[name] for name in FINDINGS.key)
        if key in merged:
            merged[key]["message"] += f"\n{finding['message']}"
        else:
            merged[key] = dict(finding)
    return list(merged.values())


def _finding(row: Mapping[str, Any], code: str, level: str, message: str) -> dict[str, Any]:
    return {
        "run_id": row["run_id"],
        "subject": row["subject"],
        "code": code,
        "level": level,
        "message": message,
        "found_at": row["observed_at"],
    }


def _of_outcome(facet: str, row: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    subject, outcome, detail = row["subject"], row["outcome"], row["detail"]
    if row["code"] == "project_name_mismatch":
        yield row["code"], ERROR, f"PyPI answered about another project than {subject}: {detail}. {_KEPT} Check the name in the catalog."
    elif row["code"] == "repo_private":
        advice = "Take it out of the catalog, or use a token that does not see it."
        yield row["code"], WARNING, f"{subject} is private: only your token sees it, so nothing of it is published. {_KEPT} {advice}"
    elif outcome == "invalid":
        yield "invalid_answer", ERROR, f"The answer to {facet} of {subject} cannot be used: {detail}. {_KEPT}"
    elif outcome == "missing" and facet in ("repo", "project"):
        yield f"{facet}_missing", WARNING, f"{subject} was not found. {_KEPT} Missed for days it counts as gone; check its address."
    elif outcome == "blocked" and facet in ("repo", "project"):
        yield f"{facet}_blocked", WARNING, f"{subject}: {detail}. {_KEPT}"
    elif outcome == "refused":
        yield f"{facet}_refused", WARNING, f"{facet} of {subject} was refused: {detail}. {_KEPT} Another token may be allowed."
    elif outcome == "unsupported" and facet == "participants":
        yield "too_large_contributors", NOTE, f"GitHub does not list the contributors of {subject}: {detail}. {_KEPT}"
    elif outcome == "capped":
        yield f"{facet}_capped", NOTE, f"{facet} of {subject} are not all: {detail}."


def _of_repo(row: Mapping[str, Any], known: Known) -> Iterator[tuple[str, str, str]]:
    subject, full_name = row["subject"], row["full_name"]
    if f"github:{full_name}".lower() != subject:
        asked = subject.partition(":")[2]
        yield "repo_renamed", NOTE, f"{asked} is now called {full_name}. Its history continues; change repo_url in the catalog."
    before = known.repo(subject)
    known_id = before[0] if before else None
    if known_id is not None and known_id != row["repo_id"]:
        message = (
            f"{subject} is another repository than before (id {row['repo_id']}, was {known_id}): created anew or taken over. "
            "A new history begins; check that it is still the one you list."
        )
        yield "repo_replaced", WARNING, message


def _of_project(row: Mapping[str, Any], _known: Known) -> Iterator[tuple[str, str, str]]:
    specifier = row["requires_python"]
    if specifier is not None and not is_valid_requires_python(specifier):
        message = f"{row['subject']} requires Python {specifier!r}, which installers cannot read. It is kept as declared."
        yield "invalid_requires_python", NOTE, message
