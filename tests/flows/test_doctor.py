"""The doctor finds what is really broken, says what to do about it, spends nothing and changes nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from extractors.conversation import GITHUB
from flows.doctor import examine
from sandbox.app import system_clock
from sandbox.server import running
from tests.conftest import NOW, Bench, prompt_world
from transforms.diagnoses import exit_code
from warehouse.folder import DataFolder


def findings(bench: Bench, *, is_offline: bool = True) -> dict[str, tuple[str, str]]:
    """Level and words of each thing looked at."""
    return {row.name: (row.level, f"{row.found} Next: {row.remedy}") for row in examine(bench.settings(), is_offline=is_offline)}


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One harvest that all tests begin with."""
    with running(prompt_world(), clock=lambda: NOW) as services:
        bench = Bench(data=tmp_path_factory.mktemp("doctor") / "data", services=services)
        bench.harvest()
        yield bench


@pytest.fixture
def harvested(origin: Bench, tmp_path: Path) -> Bench:
    """A data folder of its own with that harvest."""
    shutil.copytree(origin.data, tmp_path / "data", symlinks=True)
    return Bench(data=tmp_path / "data", services=origin.services, overrides={"contact": "ops@example.org"})


def tree(path: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(item.relative_to(path)): item.read_bytes() for item in path.rglob("*") if item.is_file()}


def test_a_sound_installation_is_all_ok_and_nothing_is_spent_or_changed(harvested: Bench) -> None:
    """Services are asked once each, for what is free; the data folder is byte for byte what it was."""
    harvested.show(system_clock)
    before, asked = tree(harvested.data), len(harvested.asked())
    diagnoses = list(examine(harvested.settings()))
    assert [row.line() for row in diagnoses if row.level != "ok"] == []
    assert exit_code(diagnoses) == 0
    assert sorted(harvested.asked()[asked:]) == ["/", "/rate_limit"]
    assert tree(harvested.data) == before
    assert {"github", "pypi", "clock, github", "quota, core", "quota, graphql", "ledger", "publication"} <= {row.name for row in diagnoses}
    assert not any(str(harvested.token) in row.line() for row in diagnoses)


def test_services_that_are_away_refuse_or_have_another_clock(harvested: Bench) -> None:
    """Out of reach, a clock an hour off, no token: each with its remedy; offline asks nobody."""
    harvested.show(lambda: system_clock() + timedelta(hours=2))
    found = findings(harvested, is_offline=False)
    assert found["clock, github"][0] == "error"
    assert "ahead of ours. Next: set the machine's clock" in found["clock, github"][1]
    harvested.token = None
    assert findings(harvested)["token"] == ("warning", "there is none; GitHub then answers 60 requests an hour. Next: set GITHUB_TOKEN")
    asked = len(harvested.asked())
    assert GITHUB not in findings(harvested)
    assert len(harvested.asked()) == asked
    harvested.overrides["github_api_url"] = "http://127.0.0.1:9"
    assert findings(harvested, is_offline=False)[GITHUB][0] == "error"


def _first_landed(data: Path) -> Path:
    return next(path for path in sorted(data.glob("landing/github/*/*.parquet")))


def _flip(path: Path) -> None:
    path.chmod(0o644)
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 0xFF
    path.write_bytes(bytes(body))


def _wreck_landing(data: Path) -> None:
    _flip(_first_landed(data))


def _lose_landed(data: Path) -> None:
    _first_landed(data).unlink()


def _wreck_store(data: Path) -> None:
    (data / "store" / "store.duckdb").write_bytes(b"no database" * 1000)


def _wreck_publication(data: Path) -> None:
    _flip(next((data / "current").resolve().glob("parquet/packages.parquet")))


def _wreck_report(data: Path) -> None:
    next(data.glob("landing/runs/*/*.json")).write_text("{")


def _leave_staging(data: Path) -> None:
    (data / "published" / ".x.staging").mkdir()


def _leave_former(data: Path) -> None:
    (data / "before-restore-20260101T000000Z").mkdir()


def _end_nothing(data: Path) -> None:
    path = next(data.glob("landing/runs/*/*.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), "ended_at": None}))


@pytest.mark.parametrize(
    ("damage", "name", "level", "words"),
    [
        (_wreck_landing, "landing", "error", "cannot be read: github/.*Next: put them back from a backup"),
        (_lose_landed, "loaded files", "error", "have gone from the landing: github/.*backup"),
        (_wreck_store, "store", "error", "cannot be used.*packhouse replay"),
        (_wreck_publication, "publication", "error", "parquet/packages.parquet of .* not as they were written.*packhouse publish"),
        (_wreck_report, "run reports", "warning", "runs/.*json cannot be read"),
        (_leave_staging, "leftovers", "warning", "staging.*the next run removes"),
        (_leave_former, "former data", "warning", "before-restore-.*remove them when"),
        (_end_nothing, "unfinished", "ok", "gone on with"),
    ],
)
def test_what_is_broken_is_found(harvested: Bench, damage: Callable[[Path], None], name: str, level: str, words: str) -> None:
    """Each by itself, with the way out; what is whole beside it stays ok."""
    damage(harvested.data)
    found = findings(harvested)
    assert found[name][0] == level
    assert re.search(words, found[name][1]), found[name][1]
    assert found["catalog"][0] == "ok"


def test_a_folder_of_another_user_is_told(harvested: Bench) -> None:
    """As after one run as root."""
    if os.geteuid():
        pytest.skip("giving files away needs root")
    os.chown(DataFolder(harvested.data).store_file, 12345, -1)
    level, words = findings(harvested)["ownership"]
    assert level == "warning"
    assert "1 files are of another user: store/store.duckdb" in words
    assert "chown -R" in words


def test_an_empty_place_is_no_error(bench: Bench) -> None:
    """Before the first harvest there is nothing to be wrong, and looking makes no folder."""
    found = findings(bench)
    assert found["data folder"][0] == "warning"
    assert not bench.data.exists()
