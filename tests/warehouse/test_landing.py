from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from random import Random

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.warehouse.scenes import capture, child, hour, small_disk
from warehouse.errors import DataFolderUnusable
from warehouse.folder import DataFolder
from warehouse.landing import SEAL_BYTES, LandingWriter, landed_files, read_captures

DAY = date(2026, 1, 1)


def never(damaged):
    """For files that are whole."""
    raise AssertionError(damaged)


def land(folder, captures, run_id="run-1", *, per_file=100):
    """Seal captures, so many to a file."""
    writer = LandingWriter(folder, run_id=run_id, on=DAY)
    for start in range(0, len(captures), per_file):
        for item in captures[start : start + per_file]:
            writer.add(item)
        writer.flush()
    return writer.files


@pytest.fixture
def folder(tmp_path):
    """A prepared data folder."""
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    return folder


def test_answers_come_back_as_they_were(folder):
    """Every field survives: bytes that are no text, a missing status, an empty body, an error."""
    landed = [
        capture(1, body=bytes(range(256)) * 50, headers={"etag": 'W/"x"', "link": "<a>; rel=next"}),
        capture(2, status=None, headers={}, body=b"", error="timeout", attempt=3),
        capture(3, fetched_at=datetime(2026, 1, 1, 5, 6, 7, 123456, tzinfo=UTC), page=7, identity="ghp:1234"),
        capture(4, facet="probe", subject="github", request='[{"subject": "github:a/b"}]'),
    ]
    assert land(folder, landed) == ["github/2026-01-01/run-1-000001.parquet"]
    assert [item for _, item in read_captures(folder, on_damaged=never)] == landed


def test_answers_landed_before_there_were_questions_about_many_are_read(folder):
    """Their files have no column for what was asked of each; nothing was."""
    (file,) = land(folder, [capture(1), capture(2)])
    path = folder.landing / file
    older = pq.read_table(path).drop_columns(["request"])
    path.unlink()
    pq.write_table(older, path, write_page_checksum=True)
    assert [item for _, item in read_captures(folder, on_damaged=never)] == [capture(1), capture(2)]


texts = st.text(max_size=20)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bodies=st.lists(st.binary(max_size=300), min_size=1, max_size=8),
    url=texts,
    headers=st.dictionaries(texts, texts, max_size=4),
    error=st.none() | texts,
    status=st.none() | st.integers(100, 599),
    per_file=st.integers(1, 4),
)
def test_whatever_a_service_sends_lands(tmp_path_factory, bodies, url, headers, error, status, per_file):
    """Landing then reading is the identity on everything that is valid text, in any split into files."""
    folder = DataFolder(tmp_path_factory.mktemp("data"))
    landed = [capture(n, body=body, url=url, headers=headers, error=error, status=status) for n, body in enumerate(bodies, 1)]
    land(folder, landed, per_file=per_file)
    assert [item for _, item in read_captures(folder, on_damaged=never)] == landed


def test_lone_surrogates_do_not_stop_the_run(folder):
    """Text that has no UTF-8 is landed with replacement characters."""
    land(folder, [capture(1, error="bad \udcff byte", headers={"x\udcff": "\ud800"})])
    (found,) = [item for _, item in read_captures(folder, on_damaged=never)]
    assert (found.error, found.headers) == ("bad ? byte", {"x?": "?"})


def test_order_is_that_of_landing_across_sources_and_runs(folder):
    """Two sources are merged by sequence within a run; runs follow each other, also one whose id begins like another's."""
    mixed = [capture(n, source="pypi" if n % 3 else "github") for n in range(1, 200)]
    land(folder, mixed, per_file=7)
    land(folder, [capture(1, run_id="run-1-0002")], "run-1-0002")
    found = [(item.run_id, item.sequence) for _, item in read_captures(folder, on_damaged=never)]
    assert found == [("run-1", n) for n in range(1, 200)] + [("run-1-0002", 1)]
    assert [item.sequence for _, item in read_captures(folder, run_id="run-1-0002", on_damaged=never)] == [1]
    assert len(landed_files(folder, run_id="run-1")) == len(landed_files(folder)) - 1


def test_files_to_skip_are_not_read(folder):
    """What was loaded is left out by its name."""
    first, _ = land(folder, [capture(1), capture(2)], per_file=1)
    assert [item.sequence for _, item in read_captures(folder, skip={first}, on_damaged=never)] == [2]


def test_answers_wait_at_most_a_second_between_ticks(folder):
    """A tick seals when a second has passed since the last seal; until then nothing of it is visible."""
    writer = LandingWriter(folder, run_id="run-1", on=DAY)
    writer.flush_if_due(100.0)
    writer.add(capture(1))
    writer.flush_if_due(100.5)
    assert landed_files(folder) == []
    writer.flush_if_due(101.0)
    assert len(landed_files(folder)) == 1
    writer.flush_if_due(200.0)
    assert len(landed_files(folder)) == 1


def test_large_bodies_are_sealed_at_once(folder):
    """Memory holds at most 8 MiB of bodies and the last answer."""
    writer = LandingWriter(folder, run_id="run-1", on=DAY)
    writer.add(capture(1, body=b"x" * (SEAL_BYTES - 1)))
    assert landed_files(folder) == []
    writer.add(capture(2, body=b"y"))
    assert len(landed_files(folder)) == 1


def test_a_writer_goes_on_after_another_of_the_same_run(folder):
    """A resumed run adds files and never replaces one."""
    land(folder, [capture(1)])
    assert land(folder, [capture(2)]) == ["github/2026-01-01/run-1-000002.parquet"]
    assert [item.sequence for _, item in read_captures(folder, on_damaged=never)] == [1, 2]


def test_unsealed_files_do_not_count(folder):
    """What a killed process was writing is no landed file."""
    (folder.unsealed / "github-run-1-000001.parquet").write_bytes(b"PAR1")
    assert list(read_captures(folder, on_damaged=never)) == []


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def _flip(path):
    content = bytearray(path.read_bytes())
    at = content.index(b"needle")
    content[at] ^= 1
    path.write_bytes(bytes(content))


def _empty(path):
    path.write_bytes(b"")


def _replace(path):
    pq.write_table(pq.read_table(path).select(["run_id", "sequence"]), path)


@pytest.mark.parametrize("damage", [_truncate, _flip, _empty, _replace])
def test_damaged_file_is_set_aside_and_the_rest_is_read(folder, damage):
    """A file that cannot be read is renamed and told as a finding, none of its answers is used, and the others are."""
    files = land(folder, [capture(1), capture(2, body=b"needle"), capture(3)], per_file=1)
    damage(folder.landing / files[1])
    damaged = []
    assert [item.sequence for _, item in read_captures(folder, on_damaged=damaged.append)] == [1, 3]
    assert [item.file for item in damaged] == [files[1]]
    assert (folder.landing / (files[1] + ".damaged")).exists()
    assert landed_files(folder) == [files[0], files[2]]
    finding = damaged[0].finding(hour(9))
    assert finding | {"message": ""} == {
        "run_id": "run-1",
        "subject": files[1],
        "code": "landing_damaged",
        "level": "warning",
        "message": "",
        "found_at": hour(9),
    }
    assert "Next:" in finding["message"]


def test_full_disk_is_told_and_what_was_sealed_is_kept(tmp_path):
    """When the disk is full the answer stays buffered, nothing half stays behind, and it lands once there is room."""
    with small_disk(tmp_path / "disk", 400) as disk:
        folder = DataFolder(disk)
        folder.prepare()
        land(folder, [capture(1)])
        (disk / "other").write_bytes(b"x" * 360_000)
        writer = LandingWriter(folder, run_id="run-1", on=DAY)
        writer.add(capture(2, body=Random(1).randbytes(100_000)))  # noqa: S311 - noise
        with pytest.raises(DataFolderUnusable, match=r"no space left on device.*everything sealed before is kept.*free some space"):
            writer.flush()
        assert list(folder.unsealed.iterdir()) == []
        assert [item.sequence for _, item in read_captures(folder, on_damaged=never)] == [1]
        (disk / "other").unlink()
        writer.flush()
        assert [item.sequence for _, item in read_captures(folder, on_damaged=never)] == [1, 2]


LIMITED = """
    import resource, sys
    from datetime import date
    from pathlib import Path
    from random import Random
    from tests.warehouse.scenes import capture
    from warehouse.errors import DataFolderUnusable
    from warehouse.folder import DataFolder
    from warehouse.landing import LandingWriter
    writer = LandingWriter(DataFolder(Path(sys.argv[1])), run_id="run-1", on=date(2026, 1, 1))
    writer.add(capture(1))
    writer.flush()
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    writer.add(capture(2, body=Random(1).randbytes(50_000)))
    try:
        writer.flush()
    except DataFolderUnusable as error:
        print(error)
"""


def test_file_too_large_for_the_disk_is_told(folder):
    """A write the system refuses is a message, not a torn file."""
    with child(LIMITED, folder.root) as process:
        said = process.stdout.read()
    assert "file too large" in said
    assert "free some space" in said
    assert [item.sequence for _, item in read_captures(folder, on_damaged=never)] == [1]


def test_recorded_strings_are_small(folder):
    """Repeated columns are dictionary encoded and bodies compressed: a thousand equal answers take little room."""
    (file,) = land(folder, [capture(n, body=b"x" * 1000) for n in range(1, 1001)], per_file=1000)
    assert (folder.landing / file).stat().st_size < 60_000
    assert sys.getsizeof(b"x" * 1000) * 1000 > 60_000
