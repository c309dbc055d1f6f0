"""Compaction of the landing: the same answers in the same order, whatever landed and whenever the process dies; small, and never half."""

from __future__ import annotations

import json
import time
from datetime import date
from random import Random

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.warehouse.scenes import capture, child, observation, rows_of, run_row, small_disk
from transforms.schemas import REPO_OBSERVATIONS
from warehouse import archives as archives_module
from warehouse.archives import Archives
from warehouse.compaction import archive_runs
from warehouse.copies import shrink_store
from warehouse.errors import ArchiveDamaged, DataFolderUnusable, StoreUnusable
from warehouse.folder import DataFolder
from warehouse.foundation import begin_with_foundation, foundation_run, next_foundation
from warehouse.landing import LandingWriter, landed_files, read_captures
from warehouse.reports import read_run_reports, write_run_report
from warehouse.store import open_store

DAY = date(2026, 1, 1)


def never(damaged):
    """For files that are whole."""
    raise AssertionError(damaged)


def land(folder, run_id, captures, *, per_file=5):
    """Seal the answers of a run, so many to a file."""
    writer = LandingWriter(folder, run_id=run_id, on=DAY)
    for start in range(0, len(captures), per_file):
        for item in captures[start : start + per_file]:
            writer.add(item)
        writer.flush()


def everything(folder, **options):
    """All answers with the names of their files."""
    return list(read_captures(folder, on_damaged=never, **options))


def loose(folder):
    """Sealed files that lie singly."""
    return sorted(path.name for path in folder.landing.glob("*/2026-01-01/*.parquet"))


def archives(folder):
    """Names of the archives."""
    return sorted(path.name for path in folder.landing.glob("*/archive/*"))


def fill_landing(folder, runs=6, seed=0):
    """Runs that ask the same questions of two sources again and again; returns their ids."""
    folder.prepare()
    draw = Random(seed)  # noqa: S311 - a landing, no secret
    for number in range(1, runs + 1):
        items = []
        for sequence in range(1, 13):
            source, facet = ("github", "probe") if sequence % 3 else ("pypi", "project")
            lines = [f'{{"name":"{name}","stars":{name * 7 + (number if draw.random() < 0.1 else 0)}}}' for name in range(40)]
            draw.shuffle(lines)
            items.append(
                capture(sequence, run_id=f"run-{number}", source=source, facet=facet, body="\n".join(lines).encode(), request=f"[{number}]")
            )
        land(folder, f"run-{number}", items)
    return [f"run-{number}" for number in range(1, runs + 1)]


@pytest.fixture
def folder(tmp_path):
    """A prepared data folder."""
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    return folder


captures_of_a_run = st.lists(
    st.builds(
        dict,
        source=st.sampled_from(["github", "pypi"]),
        facet=st.sampled_from(["probe", "repo", "index"]),
        subject=st.sampled_from(["github:a/b", "pypi:c", "pypi"]),
        page=st.integers(1, 3),
        url=st.text(st.characters(codec="utf-8"), max_size=5),
        status=st.none() | st.integers(100, 599),
        headers=st.dictionaries(
            st.text(st.characters(codec="utf-8"), max_size=4), st.text(st.characters(codec="utf-8"), max_size=4), max_size=3
        ),
        body=st.binary(max_size=40) | st.lists(st.sampled_from([b"{a}", b"{b}", b"\n", b"c}", b"d"]), max_size=30).map(b"".join),
        error=st.none() | st.text(st.characters(codec="utf-8"), max_size=5),
        request=st.none() | st.text(st.characters(codec="utf-8"), max_size=5),
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(data=st.data())
def test_the_same_answers_in_the_same_order(data, tmp_path_factory):
    """Whatever landed, in whatever batches, and however often it is compacted: names, order and every byte stay."""
    folder = DataFolder(tmp_path_factory.mktemp("any"))
    folder.prepare()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archives_module, "PATCHED_FROM_BYTES", data.draw(st.sampled_from([1, 20, 1 << 20])))
        patch.setattr(archives_module, "FULL_BYTES", data.draw(st.sampled_from([1, 100, 1 << 27])))
        runs = []
        for _ in range(data.draw(st.integers(1, 3))):
            for _ in range(data.draw(st.integers(0, 3))):
                run_id = f"run-{len(runs) + 1:02}"
                runs.append(run_id)
                items = data.draw(captures_of_a_run)
                order = data.draw(st.permutations(range(1, len(items) + 1)))
                per_file = data.draw(st.integers(1, 4))
                land(folder, run_id, [capture(n, run_id=run_id, **item) for n, item in zip(order, items, strict=True)], per_file=per_file)
            before = everything(folder)
            chosen = set(data.draw(st.lists(st.sampled_from(runs)))) if runs else set()
            archive_runs(folder, chosen)
            assert everything(folder) == before
            assert landed_files(folder) == list(dict.fromkeys(sorted(landed_files(folder), key=lambda name: name.rsplit("/")[-1])))
            for run_id in runs:
                assert everything(folder, run_id=run_id) == [pair for pair in before if pair[1].run_id == run_id]
                assert not chosen or run_id not in chosen or not [name for name in loose(folder) if name.startswith(f"{run_id}-")]


def test_files_keep_their_names_and_only_named_runs_move(folder):
    """What the store notes as loaded stays true, and a run nobody named lies where it lay."""
    runs = fill_landing(folder)
    before, names = everything(folder), landed_files(folder)
    moved = archive_runs(folder, set(runs[:-1]))
    assert everything(folder) == before
    assert landed_files(folder) == names
    assert set(names) - set(moved) == {
        f"{path.parent.parent.name}/2026-01-01/{path.name}" for path in folder.landing.glob("*/2026-01-01/*")
    }
    assert {name.split("-0")[0] for name in loose(folder)} == {runs[-1]}
    assert archive_runs(folder, set(runs[:-1])) == []
    assert everything(folder, skip=frozenset(names[:-1])) == [pair for pair in before if pair[0] == names[-1]]


def test_what_hardly_changes_costs_hardly_anything(folder):
    """The second to last answers to the same questions add less than a tenth of what the first took, however they are shuffled."""
    fill_landing(folder, runs=1)
    archive_runs(folder, {"run-1"})
    (one, _) = sorted(path.stat().st_size for path in folder.landing.glob("*/archive/*"))[::-1]
    fill_landing(folder, runs=20)
    archive_runs(folder, {f"run-{number}" for number in range(1, 21)})
    total = sum(path.stat().st_size for path in folder.landing.glob("*/archive/*"))
    assert total < 12 * one
    assert len(archives(folder)) == 2


def test_an_index_lands_as_its_difference(folder):
    """A body of megabytes that hardly changed takes a hundredth, also where it is farther back than the compressor looks."""
    draw = Random(1)  # noqa: S311 - as above
    entries = [b'{"name":"%s","serial":%d}' % (draw.randbytes(20).hex().encode(), n) for n in range(60_000)]
    for number in range(1, 6):
        for _ in range(20):
            entries[draw.randrange(len(entries))] = b'{"name":"new-%d","serial":%d}' % (draw.getrandbits(60), draw.getrandbits(30))
        land(
            folder,
            f"run-{number}",
            [capture(1, run_id=f"run-{number}", source="pypi", facet="index", body=b'{"projects":[' + b",".join(entries) + b"]}")],
        )
    before = everything(folder)
    assert len(before[0][1].body) > 3_000_000
    archive_runs(folder, {f"run-{number}" for number in range(1, 6)})
    (path,) = folder.landing.glob("pypi/archive/*")
    group = pq.read_metadata(path).row_group(0)
    (bodies,) = [group.column(n) for n in range(group.num_columns) if group.column(n).path_in_schema == "body"]
    assert bodies.total_uncompressed_size < 1.1 * len(before[0][1].body)
    assert everything(folder) == before
    for number in (5, 2, 4, 4, 1):  # in any order, through one reader
        assert everything(folder, run_id=f"run-{number}") == [before[number - 1]]
    reader = Archives.of(folder)
    for number in (5, 2, 4, 4, 1):
        assert everything(folder, run_id=f"run-{number}", archives=reader) == [before[number - 1]]


def spans(folder):
    """The first and the last run of each archive of GitHub's answers."""
    stems = [path.stem.split("+") for path in folder.landing.glob("github/archive/*")]
    return sorted(f"{first.rpartition('-')[0]} to {last.rpartition('-')[0]}" for first, last, _ in stems)


def test_a_full_archive_is_left_alone_and_an_unfilled_one_taken_up(folder, monkeypatch):
    """Archives are filled up to a size, so their number grows with the answers and not with the compactions."""
    runs = fill_landing(folder, runs=4)
    archive_runs(folder, {runs[0]})
    assert spans(folder) == ["run-1 to run-1"]
    archive_runs(folder, {runs[1]})
    assert spans(folder) == ["run-1 to run-2"]
    monkeypatch.setattr(archives_module, "FULL_BYTES", 1)
    before, kept = everything(folder), set(archives(folder))
    archive_runs(folder, set(runs))
    assert kept < set(archives(folder))
    assert spans(folder) == ["run-1 to run-2", *["run-3 to run-3"] * 3, *["run-4 to run-4"] * 3]
    assert everything(folder) == before


def test_a_damaged_file_stays_where_it_is(folder):
    """Whoever reads it next sets it aside and says so; the rest of its run moves."""
    fill_landing(folder, runs=1)
    damaged = min(folder.landing.glob("github/2026-01-01/*"))
    damaged.write_bytes(damaged.read_bytes()[:-20])
    moved = archive_runs(folder, {"run-1"})
    assert damaged.exists()
    assert len(moved) == len(landed_files(folder)) - 1
    found = []
    list(read_captures(folder, on_damaged=found.append))
    assert [item.file for item in found] == [f"github/2026-01-01/{damaged.name}"]


@pytest.mark.parametrize("harm", ["footer", "page"])
def test_a_damaged_archive_is_refused_and_costs_nobody_else(folder, harm):
    """It is neither set aside nor passed over: reading its runs and compacting say what to do; other runs are read."""
    runs = fill_landing(folder, runs=3)
    archive_runs(folder, set(runs[:2]))
    (path,) = folder.landing.glob("github/archive/*")
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + b"x" + whole[-8:] if harm == "footer" else whole[:400] + b"harmed!!" + whole[408:])
    with pytest.raises(ArchiveDamaged, match=r"put it back from the backup"):
        everything(folder, run_id="run-1")
    assert len(everything(folder, run_id="run-3")) == 12
    with pytest.raises(ArchiveDamaged):
        archive_runs(folder, set(runs))
    assert path.exists()
    assert len([name for name in loose(folder) if name.startswith("run-3")]) > 0
    path.write_bytes(whole)
    assert len(everything(folder)) == 36


def test_a_full_disk_changes_nothing(tmp_path):
    """Compaction needs room for one archive; without it everything reads as before and the message says what to do."""
    with small_disk(tmp_path / "disk", 400) as disk:
        folder = DataFolder(disk / "data")
        folder.prepare()
        land(folder, "run-1", [capture(1, body=Random(1).randbytes(150_000))])  # noqa: S311 - as above
        before = everything(folder)
        (disk / "ballast").write_bytes(bytes(150_000))
        with pytest.raises(DataFolderUnusable, match="free some space"):
            archive_runs(folder, {"run-1"})
        assert everything(folder) == before
        assert list(folder.unsealed.iterdir()) == []
        (disk / "ballast").unlink()
        archive_runs(folder, {"run-1"})
        assert everything(folder) == before
        assert loose(folder) == []


COMPACT = """
    import sys
    from pathlib import Path
    from warehouse.compaction import archive_runs
    from warehouse.folder import DataFolder
    from warehouse.landing import landed_files, run_of
    import warehouse.archives
    warehouse.archives.FULL_BYTES = int(sys.argv[2])
    folder = DataFolder(Path(sys.argv[1]))
    with folder.lock():
        runs = sorted({run_of(file) for file in landed_files(folder)})
        print("begin", flush=True)
        for count in range(1, len(runs) + 1):
            archive_runs(folder, set(runs[:count]))
            print(count, flush=True)
"""


@pytest.mark.parametrize("seed", range(6))
def test_killed_while_compacting(tmp_path, seed):
    """Killed at any moment no answer is lost or doubled, and the next compaction leaves one copy of each."""
    folder = DataFolder(tmp_path)
    runs = fill_landing(folder, runs=12, seed=seed)
    before = everything(folder)
    with child(COMPACT, tmp_path, 5_000 if seed % 2 else 1 << 27) as process:
        assert process.stdout.readline() == "begin\n"
        time.sleep(Random(seed).uniform(0, 0.5))  # noqa: S311 - any moment will do
        process.kill()
        process.wait()
    assert everything(folder) == before
    with folder.lock():
        archive_runs(folder, set(runs))
    assert everything(folder) == before
    assert loose(folder) == []
    held = [file for files in Archives.of(folder).contents.values() for file in files]
    assert sorted(held) == sorted(set(held)), "no file lies in two archives"


DIE_WHEN_SEALED = """
    import os, sys
    from pathlib import Path
    from warehouse.compaction import archive_runs
    from warehouse.folder import DataFolder
    archive_runs(DataFolder(Path(sys.argv[1])), set(sys.argv[2:]), on_sealed=lambda path: os.kill(os.getpid(), 9))
"""


def test_killed_between_sealing_and_removing(folder):
    """The worst moments exactly: an archive is sealed and what it holds lies there too, once singly, once in the archive before."""
    runs = fill_landing(folder, runs=4)
    before, names = everything(folder), landed_files(folder)
    for count in (2, 4):
        with child(DIE_WHEN_SEALED, folder.root, *runs[:count]) as process:
            assert process.wait(60) == -9
        assert loose(folder)
        assert everything(folder) == before
        assert landed_files(folder) == names
    archive_runs(folder, set(runs))
    assert everything(folder) == before
    assert len(archives(folder)) == 2


def load_run(store, number, **changes):
    """One run over a hundred repositories, a fifth of which change each time."""
    rows = [observation(number, f"github:{n}", subject=f"github:a/{n}", stars_count=(number + n) // 5) for n in range(100)]
    store.load(
        run=run_row(f"run-{number}"), tables={"repo_observations": rows_of(REPO_OBSERVATIONS, rows)}, files=[f"f-{number}"], **changes
    )


def content(store):
    """Everything the store says."""
    tables = ("repo_observations", "fetches", "runs", "standings", "landed_files", "store_schema")
    return {table: store.connection.execute(f"SELECT * FROM store.main.{table} ORDER BY ALL").fetchall() for table in tables}  # noqa: S608 - ours


def test_a_shrunk_store_says_the_same_in_less_room(folder):
    """Every row is kept and the room that updates freed is given back; the next run loads into it."""
    with folder.lock():
        with open_store(folder, is_read_only=False) as store:
            store.connection.execute("CREATE TABLE store.main.room AS SELECT md5(range::VARCHAR) FROM range(50_000)")
            store.connection.execute("CHECKPOINT store")
            for number in range(1, 30):
                load_run(store, number)
            store.connection.execute("DROP TABLE store.main.room")
            before = content(store)
        size = folder.store_file.stat().st_size
        shrink_store(folder)
        assert folder.store_file.stat().st_size < size / 2
        with open_store(folder, is_read_only=False) as store:
            assert content(store) == before
            load_run(store, 30)
            assert len(store.runs()) == 30


def test_a_damaged_store_is_not_shrunk(folder):
    """It is refused as everywhere, and stays for replay to replace."""
    with folder.lock():
        folder.store_file.write_bytes(b"this is no database" * 1000)
        with pytest.raises(StoreUnusable, match="packhouse replay"):
            shrink_store(folder)
        assert folder.store_file.read_bytes() == b"this is no database" * 1000


SHRINK = """
    import sys
    from pathlib import Path
    from warehouse.copies import shrink_store
    from warehouse.folder import DataFolder
    folder = DataFolder(Path(sys.argv[1]))
    with folder.lock():
        print("begin", flush=True)
        while True:
            shrink_store(folder)
"""


@pytest.mark.parametrize("seed", range(4))
def test_killed_while_shrinking(folder, seed):
    """The store is the old one or the new one, and says the same."""
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        for number in range(1, 10):
            load_run(store, number)
        before = content(store)
    with child(SHRINK, folder.root) as process:
        assert process.stdout.readline() == "begin\n"
        time.sleep(Random(seed).uniform(0, 0.6))  # noqa: S311 - any moment will do
        process.kill()
        process.wait()
    with folder.lock():
        with open_store(folder, is_read_only=False) as store:
            assert content(store) == before
        shrink_store(folder)
        assert sorted(path.name for path in folder.store.iterdir()) == [".lock", "store.duckdb"]


def test_runs_below_the_foundation_go_with_their_reports(folder):
    """Answers and reports until the foundation are removed, in archives as singly; those after it stay as they were."""
    runs = fill_landing(folder, runs=5)
    for run_id in runs:
        write_run_report(folder, run_row(run_id))
    archive_runs(folder, set(runs[:3]))
    before = everything(folder)
    with folder.lock():
        with next_foundation(folder, "run-2") as store:
            load_run(store, 1)
        assert foundation_run(folder) == "run-2"
        archive_runs(folder, set(runs[:4]))
    assert everything(folder) == [pair for pair in before if pair[1].run_id > "run-2"]
    assert [report["run_id"] for report in read_run_reports(folder, on_damaged=never)] == ["run-3", "run-4", "run-5"]
    assert [path.name for path in folder.landing.glob("foundation/*")] == ["run-2.duckdb"]


def test_a_foundation_is_the_beginning_of_the_next_and_of_empty_stores_only(folder):
    """The next foundation has what the one before had; a store that knows runs is not begun again."""
    with folder.lock():
        for number in (1, 2):
            with next_foundation(folder, f"run-{number}") as store:
                load_run(store, number)
        assert [path.name for path in folder.landing.glob("foundation/*")] == ["run-2.duckdb"]
        with open_store(folder, is_read_only=False) as store:
            begin_with_foundation(folder, store)
            assert [row["run_id"] for row in store.runs()] == ["run-1", "run-2"]
            before = content(store)
            begin_with_foundation(folder, store)
            assert content(store) == before
        (path,) = folder.landing.glob("foundation/*")
        path.write_bytes(b"no database" * 1000)
        folder.store_file.unlink()
        with open_store(folder, is_read_only=False) as store, pytest.raises(ArchiveDamaged, match="backup"):
            begin_with_foundation(folder, store)


def test_a_foundation_that_failed_leaves_the_one_before(folder):
    """Whatever goes wrong while runs are loaded into it: the foundation is as it was."""
    with folder.lock():
        with next_foundation(folder, "run-1") as store:
            load_run(store, 1)
        with pytest.raises(RuntimeError), next_foundation(folder, "run-2"):
            raise RuntimeError
        assert foundation_run(folder) == "run-1"
    with folder.lock():
        assert list(folder.unsealed.iterdir()) == []


def test_the_list_of_an_archive_is_in_its_footer(folder):
    """Whoever looks at an archive with another tool sees which files it holds."""
    fill_landing(folder, runs=1)
    names = landed_files(folder)
    archive_runs(folder, {"run-1"})
    listed = [json.loads(pq.read_schema(path).metadata[b"packhouse.files"]) for path in folder.landing.glob("*/archive/*")]
    assert sorted(name for files in listed for name, _ in files) == sorted(names)
