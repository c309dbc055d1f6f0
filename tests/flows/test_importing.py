"""An import from its sources to a checked catalog: what is added, what stays, what is told, and what happens when it is killed."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from api.app import create_app
from flows.import_options import ImportOptions, ImportRefused, ImportReport
from flows.importing import import_catalog
from sandbox.faults import Fault, Mishap
from tests.api.running import running as serving
from tests.api.sample_rows import NEW_YORK
from tests.conftest import NOW, ROOT, Bench
from transforms.catalog import Catalog, InvalidCatalog
from transforms.source_kinds import Kind
from warehouse.catalog_files import load_catalog
from warehouse.catalog_writing import CatalogFolder
from warehouse.errors import CatalogUnwritable

NAMES = "django-scheduler\nDjango_Recurrence\ndjango-scheduler\n"


def run(bench: Bench, tmp_path: Path, text: str = NAMES, *, file: str = "names.txt", **options: Any) -> ImportReport:
    """Import a file of this text into ``tmp_path/catalog`` at the sandbox's moment."""
    bench.show(lambda: NOW)
    (tmp_path / file).write_text(text)
    given = {"sources": (str(tmp_path / file),), "into": tmp_path / "catalog", "fixed_now": NOW, **options}
    return import_catalog(ImportOptions(**given), bench.settings(), io.BytesIO())


def imported(tmp_path: Path) -> Catalog:
    """The catalog that was made."""
    return load_catalog(tmp_path / "catalog")


def test_names_become_a_catalog(bench: Bench, tmp_path: Path) -> None:
    """One row for a project, in the order named, with what PyPI calls it and where its repository is."""
    report = run(bench, tmp_path)
    entries = imported(tmp_path).entries
    assert [(entry.id, entry.slug, entry.project, entry.created_at) for entry in entries] == [
        (1, "django-scheduler", "django-scheduler", NOW),
        (2, "django-recurrence", "django-recurrence", NOW),
    ]
    assert entries[0].repo_url == "https://github.com/llazzaro/django-scheduler"
    assert (report.named, report.present, report.asked, report.exit_code) == (2, 0, 2, 0)
    assert sorted(bench.asked("pypi")) == ["/pypi/django-recurrence/json", "/pypi/django-scheduler/json"]
    assert not list((tmp_path / "catalog" / ".import").glob("answers/*"))


def test_what_is_not_on_pypi_is_told_and_left_out(bench: Bench, tmp_path: Path) -> None:
    """With file and line; and it is not asked for again at once."""
    report = run(bench, tmp_path, "django-scheduler\nno-such-project\n")
    assert [entry.slug for entry in imported(tmp_path).entries] == ["django-scheduler"]
    assert [(Path(told.file).name, told.line) for told in report.missing] == [("names.txt", 2)]
    asked = len(bench.asked("pypi"))
    again = run(bench, tmp_path, "django-scheduler\nno-such-project\n", is_update=True)
    assert len(again.missing) == 1
    assert len(bench.asked("pypi")) == asked


def test_every_mistake_is_told_and_nothing_written(bench: Bench, tmp_path: Path) -> None:
    """Of all sources, before anything is asked; --skip-invalid leaves them out."""
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["a b"]\n')
    sources = (str(tmp_path / "requirements.txt"), str(tmp_path / "pyproject.toml"), str(tmp_path / "absent.txt"))
    text = "django-scheduler\n???\n-r missing.txt\n"
    with pytest.raises(InvalidCatalog) as caught:
        run(bench, tmp_path, text, file="requirements.txt", sources=sources)
    assert [(Path(told.file).name, told.line) for told in caught.value.mistakes] == [
        ("requirements.txt", 2),
        ("requirements.txt", 3),
        ("pyproject.toml", 2),
        ("absent.txt", None),
    ]
    assert not (tmp_path / "catalog").exists()
    assert bench.asked() == []
    report = run(bench, tmp_path, text, file="requirements.txt", sources=sources, is_lenient=True)
    assert len(report.skipped) == 4
    assert len(imported(tmp_path).entries) == 1


def test_included_files_are_read_once(bench: Bench, tmp_path: Path) -> None:
    """Relative to the file that names them, in a circle too."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "base.txt").write_text("-r ../requirements.txt\nsix\n")
    run(bench, tmp_path, "-r more/base.txt\nattrs\n", file="requirements.txt", has_urls=False)
    assert {entry.slug for entry in imported(tmp_path).entries} == {"six", "attrs"}


def test_without_urls_nothing_is_asked(bench: Bench, tmp_path: Path) -> None:
    """Names are believed; the repository of a direct reference is kept."""
    run(bench, tmp_path, "six\nthing @ git+https://github.com/o/thing@main\n2048\n", file="requirements.txt", has_urls=False)
    assert [(entry.slug, entry.repo_url) for entry in imported(tmp_path).entries] == [
        ("six", None),
        ("thing", "https://github.com/o/thing"),
        ("2048-package", None),
    ]
    assert bench.asked() == []


def test_an_update_keeps_every_byte(bench: Bench, tmp_path: Path) -> None:
    """Rows that are there stay as they were written; new ones follow with the next ids."""
    shutil.copytree(ROOT / "catalog", tmp_path / "catalog")
    before = {path.name: path.read_bytes() for path in (tmp_path / "catalog").glob("*.csv")}
    old = imported(tmp_path)
    report = run(bench, tmp_path, "django-scheduler\nsix\nattrs\n", is_update=True, has_urls=False, category="apps")
    after = {path.name: path.read_bytes() for path in (tmp_path / "catalog").glob("*.csv")}
    assert all(after[name].startswith(data) for name, data in before.items())
    assert {name for name in before if before[name] != after[name]} == {"packages.csv"}
    new = imported(tmp_path)
    assert new.entries[: len(old.entries)] == old.entries
    last = max(entry.id for entry in old.entries)
    assert [(entry.id, entry.slug) for entry in new.entries[len(old.entries) :]] == [(last + 1, "six"), (last + 2, "attrs")]
    assert (report.named, report.present) == (3, 1)


def test_a_table_may_change_its_format(bench: Bench, tmp_path: Path) -> None:
    """CSV becomes Parquet with the same values, and Parquet gets rows in the types it has."""
    shutil.copytree(ROOT / "catalog", tmp_path / "catalog")
    old = imported(tmp_path)
    run(bench, tmp_path, "six\n", is_update=True, has_urls=False, category="apps", style="parquet")
    assert not list((tmp_path / "catalog").glob("*.csv"))
    assert imported(tmp_path).entries[:-1] == old.entries
    path = tmp_path / "catalog" / "packages.parquet"
    texts = pq.read_table(path)
    pq.write_table(texts.set_column(7, "created", texts["created"].cast("date32", safe=False)), path)
    run(bench, tmp_path, "attrs\n", is_update=True, has_urls=False, category="apps")
    entries = imported(tmp_path).entries
    assert [entry.slug for entry in entries[-2:]] == ["six", "attrs"]
    assert entries[-1].created_at.hour == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "--update"),
        ({"is_update": True}, "--category, one of"),
        ({"is_update": True, "category": "nope"}, "no category of the catalog"),
        ({"is_update": True, "category": "a b"}, "--category"),
        ({"sources": (), "is_update": True}, "nothing to import"),
        ({"kind": Kind.PYPI_INDEX, "is_update": True}, "name no source"),
        ({"sources": ("http://djangopackages.org",), "is_update": True}, "unencrypted"),
    ],
)
def test_what_cannot_be_done_is_refused_early(bench: Bench, tmp_path: Path, options: dict[str, Any], words: str) -> None:
    """Before anything is asked; the catalog stays as it is."""
    shutil.copytree(ROOT / "catalog", tmp_path / "catalog")
    before = (tmp_path / "catalog" / "packages.csv").read_bytes()
    with pytest.raises(ImportRefused, match=words):
        run(bench, tmp_path, "six\n", **options)
    assert (tmp_path / "catalog" / "packages.csv").read_bytes() == before
    assert bench.asked() == []


def test_a_catalog_with_mistakes_is_not_added_to(bench: Bench, tmp_path: Path) -> None:
    """Its mistakes come first."""
    shutil.copytree(ROOT / "catalog", tmp_path / "catalog")
    with (tmp_path / "catalog" / "packages.csv").open("a") as file:
        file.write("x,y\n")
    with pytest.raises(InvalidCatalog):
        run(bench, tmp_path, "six\n", is_update=True, category="apps")


def test_all_of_pypi_comes_piece_by_piece(bench: Bench, tmp_path: Path) -> None:
    """--limit asks about the next ones only; an update asks about what is left, and no document is asked for twice."""
    options: dict[str, Any] = {"sources": (), "kind": Kind.PYPI_INDEX, "style": "parquet"}
    first = run(bench, tmp_path, limit=3, **options)
    assert len(imported(tmp_path).entries) + len(first.missing) == 3
    second = run(bench, tmp_path, is_update=True, **options)
    assert (first.unasked, second.unasked) == (second.asked, 0)
    documents = [path for path in bench.asked("pypi") if path.endswith("/json")]
    assert len(documents) == len(set(documents)) == first.asked + second.asked
    assert [entry.id for entry in imported(tmp_path).entries] == list(range(1, len(imported(tmp_path).entries) + 1))


def test_an_answer_that_does_not_come_is_asked_for_next_time(bench: Bench, tmp_path: Path) -> None:
    """What was answered is in the catalog, the rest is counted, and the exit code says that the import is not at its end."""
    bench.services.faults.add(Fault(pattern="/pypi/*recurrence*", mishap=Mishap.STATUS, status=503, is_json=True))
    report = run(bench, tmp_path)
    assert (report.exit_code, report.unasked) == (3, 1)
    assert [entry.slug for entry in imported(tmp_path).entries] == ["django-scheduler"]
    bench.services.faults.clear()
    again = run(bench, tmp_path, is_update=True)
    assert (again.exit_code, again.asked) == (0, 1)
    assert [entry.id for entry in imported(tmp_path).entries] == [1, 2]


def started(bench: Bench, tmp_path: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """An import of all of the sample's PyPI in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "packhouse",
        "catalog",
        "import",
        "--from",
        "pypi-index",
        "--into",
        str(tmp_path / "catalog"),
        *arguments,
    ]
    return subprocess.Popen(command, cwd=ROOT, env=bench.variables(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def pieces(tmp_path: Path) -> list[Path]:
    """The sealed answers."""
    return sorted((tmp_path / "catalog" / ".import" / "answers").glob("*.parquet"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_import_that_was_ended_goes_on(bench: Bench, tmp_path: Path, number: signal.Signals) -> None:
    """Answers are sealed as they come; the same command asks for the rest only, and the catalog is there whole or not at all."""
    bench.services.faults.latency_ms = 150
    with started(bench, tmp_path) as process:
        deadline = time.monotonic() + 60
        while not pieces(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, number)
        _, err = process.communicate()
    assert not CatalogFolder(tmp_path / "catalog").is_there
    if number == signal.SIGINT:
        assert process.returncode == 1
        assert b"goes on where it stopped" in err
    bench.services.faults.latency_ms = 0
    with started(bench, tmp_path, "--json") as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    told = json.loads(out)
    documents = [path for path in bench.asked("pypi") if path.endswith("/json")]
    assert 0 < told["asked"] < told["named"]
    assert len(documents) - len(set(documents)) <= 8, "only what was in flight or not sealed is asked for twice"
    assert told["added"]["packages"] + len(told["missing"]) == told["named"]


def test_what_was_ready_is_moved_by_whoever_comes_next(tmp_path: Path) -> None:
    """A kill between two moves leaves a catalog without mistakes, and the rest is moved later."""
    shutil.copytree(ROOT / "catalog", tmp_path / "catalog")
    folder = CatalogFolder(tmp_path / "catalog")
    old = imported(tmp_path)
    made = tmp_path / "made"
    shutil.copytree(ROOT / "catalog", made)
    with (made / "categories.csv").open("a") as file:
        file.write("900,New,new,,News,true,2026-01-01,2026-01-01\n")
    with (made / "packages.csv").open("a") as file:
        file.write("900000,New,new,new,,,,2026-01-01,2026-01-01\n")
    folder.state.mkdir()
    made.rename(folder.state / "ready")
    (folder.state / "ready" / "categories.csv").replace(tmp_path / "catalog" / "categories.csv")
    assert len(imported(tmp_path).entries) == len(old.entries)
    with folder.lock():
        assert imported(tmp_path).entries[-1].slug == "new"
    assert not (folder.state / "ready").exists()


def test_two_imports_into_one_catalog_do_not_meet(bench: Bench, tmp_path: Path) -> None:
    """The second is refused at once."""
    folder = CatalogFolder(tmp_path / "catalog")
    with folder.lock(), pytest.raises(CatalogUnwritable, match="busy"):
        run(bench, tmp_path, has_urls=False)


def test_a_folder_that_cannot_be_written_is_told(bench: Bench, tmp_path: Path) -> None:
    """In words, and nothing is half done."""
    (tmp_path / "file").write_text("")
    with pytest.raises(CatalogUnwritable, match="cannot write in the catalog"):
        run(bench, tmp_path, has_urls=False, into=tmp_path / "file" / "catalog")


def test_an_address_without_such_an_api_is_refused(bench: Bench, tmp_path: Path) -> None:
    """With what it answered, and what to name instead."""
    with pytest.raises(ImportRefused, match="answered 404"):
        run(bench, tmp_path, sources=(bench.services.pypi_url,))
    assert not (tmp_path / "catalog").exists()


@contextmanager
def v4_server(bench: Bench) -> Iterator[str]:
    """The API over the harvested sample, whose links lead to itself."""
    app = create_app(bench.data, zone=NEW_YORK, base_url=None)
    with serving(app) as port:
        yield f"http://127.0.0.1:{port}"


def test_an_exported_catalog_comes_back_as_it_was(bench: Bench, tmp_path: Path) -> None:
    """Through the v4 API: ids, slugs, titles, flags, times, addresses, categories, grids and their members."""
    bench.harvest()
    asked = len(bench.asked())
    with v4_server(bench) as address:
        report = run(bench, tmp_path, sources=(f"{address}/api/v4/",))
        again = run(bench, tmp_path, sources=(address,), is_update=True)
    old, new = load_catalog(bench.catalog), imported(tmp_path)
    for name in ("categories", "grids"):
        assert sorted(getattr(new, name), key=lambda row: row.id) == sorted(getattr(old, name), key=lambda row: row.id), name
    curated = {entry.id: entry for entry in old.entries}
    for entry in new.entries:  # where none is curated, v4 shows the documentation that PyPI names
        shown = entry if curated[entry.id].documentation_url else replace(entry, documentation_url=None)
        assert shown == curated[entry.id]
    assert set(new.memberships) == set(old.memberships)
    assert report.added["packages"] == len(old.entries) == report.named
    assert not any(again.added.values())
    assert len(bench.asked()) == asked


def test_stdin_and_exit_codes(bench: Bench, tmp_path: Path) -> None:
    """Names come through a pipe; mistakes are told as compilers write them; usage is told with what to do."""

    def packhouse(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        command = [sys.executable, "-m", "packhouse", "catalog", "import", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=bench.variables(), input=stdin, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    into = str(tmp_path / "catalog")
    code, out, err = packhouse("-", "--into", into, stdin="django-scheduler\nnope-nope\n")
    assert (code, "added 1 categories, 0 grids, 1 packages" in out) == (0, True)
    assert "stdin:2: nope-nope is not on PyPI" in err
    code, _, err = packhouse("-", "--from", "names", "--into", into, "--update", stdin="a b\n")
    assert (code, err.startswith("stdin:1: ")) == (2, True)
    code, _, err = packhouse("--into", into)
    assert (code, "nothing to import" in err) == (2, True)
