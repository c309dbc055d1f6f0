"""What PyPI's answers of one run say together: a document that is missing and its page, documents and the serials of the index."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from transforms.answers import InvalidAnswer
from transforms.index import QUARANTINED, read_index
from transforms.known import Known
from transforms.readings import CaptureView

OK = "ok"
UNCHANGED = "unchanged"
ENTRIES_HELD = 50_000


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
    try:
        root = _root(index.body)
    except InvalidAnswer:
        return projects
    answered = projects["subject"].combine_chunks()
    of_answers = root.filter(pc.is_in(root["subject"], value_set=answered))
    promised = dict(zip(of_answers["subject"].to_pylist(), of_answers["serial"].to_pylist(), strict=True))
    before = known.projects
    before = before.filter(pc.invert(pc.is_in(before["subject"], value_set=answered)))
    confirmed = before.join(root, keys=["subject", "serial"], join_type="inner")["subject"].combine_chunks()
    closed = known.closed_projects
    is_told = pc.or_(
        pc.is_in(closed["subject"], value_set=answered), pc.is_in(closed["subject"], value_set=root["subject"].combine_chunks())
    )
    closed = closed.filter(pc.invert(is_told)).combine_chunks()
    said = [
        {"subject": confirmed, "outcome": pa.repeat(UNCHANGED, len(confirmed))},
        {name: closed[name].combine_chunks() for name in closed.column_names},
    ]
    return pa.concat_tables([_without_outdated(projects, promised, known), *[_rows_of(index, part, projects.schema) for part in said]])


def _root(body: bytes) -> pa.Table:
    """Subject and serial of every project listed; columns, since all of PyPI as Python's objects would take much memory."""
    chunks = []
    entries = read_index(body)
    while batch := list(islice(entries, ENTRIES_HELD)):
        subjects = pa.array([f"pypi:{name}" for name, _serial in batch], pa.string())
        chunks.append(pa.table({"subject": subjects, "serial": pa.array([serial for _name, serial in batch], pa.int64())}))
    return pa.concat_tables(chunks)


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


def _rows_of(index: CaptureView, said: Mapping[str, pa.Array], schema: pa.Schema) -> pa.Table:
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
