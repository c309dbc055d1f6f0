from __future__ import annotations

import json

import pytest

from tests.warehouse.scenes import hour
from warehouse.folder import DataFolder
from warehouse.reports import read_run_reports, write_run_report


@pytest.fixture
def folder(tmp_path):
    """A prepared data folder."""
    folder = DataFolder(tmp_path)
    folder.prepare()
    return folder


def report(run_id, **more):
    """A report as a flow writes it."""
    return {"run_id": run_id, "kind": "harvest", "started_at": hour(1), "as_of_at": None, "waited_seconds": 1.5, **more}


def test_report_comes_back_with_its_times(folder):
    """A report is at its place, times are aware again, and what the table does not know is kept too."""
    path = write_run_report(folder, report("run-2", request={"slugs": ["a"]}, ended_at=hour(2)))
    assert path.relative_to(folder.root).as_posix() == "landing/runs/2026-01-01/run-2.json"
    assert list(read_run_reports(folder, on_damaged=pytest.fail)) == [report("run-2", request={"slugs": ["a"]}, ended_at=hour(2))]


def test_reports_are_replaced_whole_and_read_in_order(folder):
    """The report at the end takes the place of the one at the start; runs come by id, whatever the day."""
    write_run_report(folder, report("run-2"))
    write_run_report(folder, report("run-1") | {"started_at": hour(48)})
    write_run_report(folder, report("run-2", ended_at=hour(3)))
    assert [(row["run_id"], row.get("ended_at")) for row in read_run_reports(folder, on_damaged=pytest.fail)] == [
        ("run-1", None),
        ("run-2", hour(3)),
    ]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"run_id": "../x"}', '{"run_id": "a", "started_at": "soon"}', "\udcff"])
def test_report_that_cannot_be_read_is_left_out_and_told(folder, content):
    """One bad report costs its own row, not the replay."""
    write_run_report(folder, report("run-1"))
    bad = folder.landing / "runs" / "2026-01-01" / "run-0.json"
    bad.write_bytes(content.encode("utf-8", "surrogateescape"))
    damaged = []
    assert [row["run_id"] for row in read_run_reports(folder, on_damaged=damaged.append)] == ["run-1"]
    assert [(item.run_id, item.file) for item in damaged] == [("run-0", "runs/2026-01-01/run-0.json")]


def test_report_is_json_a_person_can_read(folder):
    """Times are ISO 8601 with their offset; a value that has no JSON is refused and leaves no file."""
    path = write_run_report(folder, report("run-1"))
    assert json.loads(path.read_text())["started_at"] == "2026-01-01T01:00:00+00:00"
    with pytest.raises(TypeError):
        write_run_report(folder, report("run-3", odd=object()))
    assert [row["run_id"] for row in read_run_reports(folder, on_damaged=pytest.fail)] == ["run-1"]
