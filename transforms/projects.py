"""What PyPI's answers of one run say together: a document that is missing and its page, documents and the serials of the index."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from transforms.answers import InvalidAnswer
from transforms.index import QUARANTINED, read_index
from transforms.known import Known
from transforms.readings import CaptureView

OK = "ok"
UNCHANGED = "unchanged"


def explain_missing(projects: pa.Table, statuses: pa.Table) -> pa.Table:
    """Tell why a project has no document, where its page of the index was asked for in the same run.

    PyPI has none of a project that is quarantined or has no release (https://docs.pypi.org/api/json/); its page tells them from a
    deleted one. Tables are rows of the run, one a subject, with their ``ordinal``.
    """
    is_missing = pc.equal(projects["outcome"], "missing")
    if not pc.any(is_missing).as_py():
        return projects
    pages = {row["subject"]: row for row in statuses.select(["subject", "outcome", "project_status", "files_count", "serial"]).to_pylist()}
    explained = []
    for row in projects.filter(is_missing).to_pylist():
        page = pages.get(row["subject"])
        explained.append({**row, **_explain(row["subject"], page)} if page else row)
    return pa.concat_tables([projects.filter(pc.invert(is_missing)), pa.Table.from_pylist(explained, schema=projects.schema)])


def _explain(subject: str, page: dict[str, Any]) -> dict[str, Any]:
    if page["outcome"] == "missing":
        return {}
    if page["outcome"] != OK:
        return {"outcome": "failed", "detail": "it has no document, and whether it is listed could not be learnt"}
    if page["project_status"] == QUARANTINED:
        return {"outcome": "blocked", "detail": "quarantined by PyPI"}
    if page["files_count"]:
        return {"outcome": "failed", "detail": "its index lists files, but it has no document"}
    values = {"project_name": subject.partition(":")[2], "releases_count": 0, "serial": page["serial"]}
    return {"outcome": "empty", "detail": "the project has no release", **values}


def confirm_projects(projects: pa.Table, index: CaptureView, known: Known) -> pa.Table:
    """Hold the answers of a run, and what was known before, against the root of the index.

    A project whose serial is the one known has not changed. One that was missing or withheld and is not listed still is. An answer
    older than the serial promised is none yet: the edge of PyPI's network keeps documents for a day. An index without serials says
    nothing.
    """
    before = dict(known.projects())
    unlisted = dict(known.closed_projects)
    answered = frozenset(projects["subject"].to_pylist())
    promised: dict[str, int] = {}
    confirmed: list[str] = []
    try:
        for name, serial in read_index(index.body):
            subject = f"pypi:{name}"
            unlisted.pop(subject, None)
            if subject in answered:
                promised[subject] = serial
            elif before.get(subject) == serial:
                confirmed.append(subject)
    except InvalidAnswer:
        return projects
    closed = {subject: told for subject, told in unlisted.items() if subject not in answered}
    said = {
        "subject": pa.array([*confirmed, *closed], pa.string()),
        "outcome": pa.array([*[UNCHANGED] * len(confirmed), *[outcome for outcome, _detail in closed.values()]], pa.string()),
        "detail": pa.array([*[None] * len(confirmed), *[detail for _outcome, detail in closed.values()]], pa.string()),
    }
    return pa.concat_tables([_without_outdated(projects, promised, known), _rows_of(index, said, projects.schema)])


def _without_outdated(projects: pa.Table, promised: dict[str, int], known: Known) -> pa.Table:
    """Answers older than promised become pending."""
    outdated: dict[str, dict[str, Any]] = {}
    for row in projects.select(["subject", "outcome", "serial"]).to_pylist():
        subject, outcome = row["subject"], row["outcome"]
        serial = known.serial(subject) if outcome == UNCHANGED else row["serial"] if outcome == OK else None
        if serial is not None and serial < promised.get(subject, 0):
            detail = f"PyPI's edge still serves serial {serial}, the index promises {promised[subject]}"
            outdated[subject] = {"outcome": "pending", "detail": detail}
    if not outdated:
        return projects
    is_outdated = pc.is_in(projects["subject"], value_set=pa.array(list(outdated), pa.string()))
    kept = ("observed_at", "confirmed_at", "sighting_count", "subject", "run_id", "source_url")
    rows = [{**row, **outdated[row["subject"]]} for row in projects.filter(is_outdated).select(list(kept)).to_pylist()]
    return pa.concat_tables([projects.filter(pc.invert(is_outdated)), pa.Table.from_pylist(rows, schema=projects.schema)])


def _rows_of(index: CaptureView, said: dict[str, pa.Array], schema: pa.Schema) -> pa.Table:
    """Rows that the index itself says."""
    shared = {
        "observed_at": index.fetched_at,
        "confirmed_at": index.fetched_at,
        "sighting_count": 1,
        "run_id": index.run_id,
        "source_url": index.url,
    }
    count = len(said["subject"])
    columns = [said[f.name] if f.name in said else _repeated(shared.get(f.name), count, f.type) for f in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _repeated(value: Any, count: int, kind: pa.DataType) -> pa.Array:
    return pa.nulls(count, kind) if value is None else pa.repeat(pa.scalar(value, kind), count)
