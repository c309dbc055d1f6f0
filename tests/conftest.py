"""What every test may lean on: a clean environment, a sandbox on loopback, and a harvest in one call."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from flows.options import HarvestOptions
from flows.report import RunReport
from flows.sequence import harvest_sequence, replay_sequence, run_step
from sandbox.app import system_clock
from sandbox.clock import Dial
from sandbox.sample import sample_world
from sandbox.server import Running, running
from sandbox.world import World
from settings import Settings, load_settings
from tests.leaks import FORMS, TOKEN, leaks
from warehouse.catalog_files import load_catalog
from warehouse.folder import DataFolder
from warehouse.readers import Publication, open_current, query

ROOT = Path(__file__).resolve().parent.parent
NOW = datetime(2026, 2, 15, 22, 19, 55, 437989, tzinfo=UTC)

# Every run of the tests judges the same examples, so that red means the change; `make search` looks for new ones.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.register_profile("search", max_examples=2_000, deadline=None, print_blob=True)
hypothesis.settings.load_profile("steady")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of the machine it runs on."""
    for name in list(os.environ):
        if name.startswith(("PACKHOUSE_", "PREFECT_", "GITHUB_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_secret_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """After every test: no token is in its folder."""
    yield
    folder = request.node.funcargs.get("tmp_path") if hasattr(request.node, "funcargs") else None
    if folder is not None:
        found = list(leaks(folder))
        assert not found, found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test whose output or log tells a token has failed."""
    report = yield
    if report.when == "call" and any(FORMS.search(text.encode("utf-8", "replace")) for _name, text in report.sections):
        report.outcome, report.longrepr = "failed", "its output or log tells a token"
    return report


def oldest_client() -> Path:
    """The folder of the oldest DuckDB that is promised to open a publication; put it on PYTHONPATH of a process."""
    folder = Path(sys.prefix) / "oldest-client"
    if not folder.is_dir():
        pytest.fail("the oldest DuckDB client is not installed. Next: make clean && make test, which installs it")
    return folder


def prompt_world() -> World:
    """The sample world whose statistics are ready at once, so that no test waits for a second pass."""
    world = sample_world()
    for subject in load_catalog(ROOT / "catalog").subjects:
        if subject.startswith("github:") and (repo := world.repository(subject.removeprefix("github:"))):
            world.change(repo.full_name, pending_answers=0)
    return world


@dataclass(slots=True, kw_only=True)
class Bench:
    """A data folder beside a running sandbox, and what one does with them."""

    data: Path
    services: Running
    now: datetime = NOW
    catalog: Path = ROOT / "catalog"
    overrides: dict[str, str] = field(default_factory=dict)
    token: str | None = TOKEN
    skew: timedelta = timedelta()

    @property
    def environ(self) -> dict[str, str]:
        """The environment a process of packhouse gets."""
        return {"GITHUB_TOKEN": self.token} if self.token else {}

    def flags(self) -> dict[str, str]:
        """Settings by name."""
        return {
            "data": str(self.data),
            "catalog": str(self.catalog),
            "github_api_url": self.services.github_url,
            "pypi_url": self.services.pypi_url,
            "base_url": "https://djangopackages.org",
            **self.overrides,
        }

    def settings(self) -> Settings:
        """The settings in force."""
        return load_settings(self.flags(), self.environ, self.data / "absent.toml")

    def variables(self) -> dict[str, str]:
        """The same as environment variables, for a process of its own, whose time is the real one: the sandbox follows it."""
        self.show(system_clock)
        names = {
            "data": "PACKHOUSE_DATA",
            "catalog": "PACKHOUSE_CATALOG",
            "base_url": "PACKHOUSE_BASE_URL",
            "pypi_url": "PACKHOUSE_PYPI_URL",
        }
        named = {names.get(name, f"PACKHOUSE_{name.upper()}"): text for name, text in self.flags().items()}
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        return {**kept, **named, **self.environ}

    def show(self, clock: Callable[[], datetime]) -> None:
        """Let the sandbox's answers bear the dates of this clock."""
        if isinstance(self.services.clock, Dial):
            self.services.clock.show(clock)

    def harvest(self, *slugs: str, **options: Any) -> RunReport:
        """Harvest in this process, without an engine, at a moment that the sandbox shares but for its ``skew``."""
        self.show(lambda: self.now + self.skew)
        asked = HarvestOptions(slugs=slugs, fixed_now=self.now, **options)
        return asyncio.run(harvest_sequence(asked, self.settings(), run_step=run_step, engine="none"))

    def replay(self) -> RunReport:
        """Replay in this process, without an engine."""
        return asyncio.run(replay_sequence(self.settings(), run_step=run_step))

    @contextmanager
    def published(self) -> Iterator[Publication]:
        """The current publication."""
        with open_current(DataFolder(self.data)) as publication:
            yield publication

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a query over the current publication."""
        with self.published() as publication:
            rows: list[dict[str, Any]] = query(publication, sql).read_all().to_pylist()
            return rows

    def package(self, slug: str) -> Mapping[str, Any]:
        """The row of one package."""
        with self.published() as publication:
            row = publication.package(slug=slug)
            assert row is not None
            return row

    def asked(self, service: str | None = None, path: str | None = None) -> list[str]:
        """Paths the sandbox was asked for."""
        return [line.path for line in self.services.ledger.lines(service=service, path=path)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """The sample catalog beside a sandbox with the sample's figures, at the moment of the sample record."""
    with running(prompt_world(), clock=lambda: NOW) as services:
        yield Bench(data=tmp_path / "data", services=services)
