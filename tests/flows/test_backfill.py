"""The past asked for: what it brings, what it costs, what it refuses, and what happens when it is killed or runs beside a harvest."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from flows.backfilling import backfill_sequence
from flows.past import publish_in_hindsight
from flows.past_runs import preview_backfill
from flows.past_window import BackfillOptions, InvalidWindow
from flows.publishing import republish
from flows.report import RunReport
from flows.sequence import run_step
from sandbox.commits import log
from sandbox.faults import Fault, Mishap
from sandbox.server import running
from sandbox.stars import stars_on, stars_until
from sandbox.subjects import Repository
from sandbox.synthetic import SYNTHETIC_MOMENT, synthetic_world
from sandbox.synthetic_catalog import write_synthetic_catalog
from tests.conftest import ROOT, Bench
from warehouse.catalog_files import load_catalog
from warehouse.errors import DataFolderBusy
from warehouse.folder import DataFolder
from warehouse.landing import read_captures
from warehouse.reports import read_run_reports

DAY = timedelta(days=1)
TODAY = SYNTHETIC_MOMENT.date()
SINCE, UNTIL = TODAY - 730 * DAY, TODAY - DAY
PACKAGES = 24
PROGRAM = """
import asyncio, os, sys
from datetime import date, datetime
from pathlib import Path
from flows.backfilling import backfill_sequence
from flows.past import publish_in_hindsight
from flows.past_runs import BackfillInterrupted
from flows.past_window import BackfillOptions
from flows.sequence import run_step
from settings import load_settings
since, until, now = date.fromisoformat(sys.argv[1]), date.fromisoformat(sys.argv[2]), datetime.fromisoformat(sys.argv[3])
settings = load_settings({}, os.environ, Path("absent.toml"))
try:
    options = BackfillOptions(since=since, until=until, fixed_now=now)
    report = asyncio.run(backfill_sequence(options, settings, run_step=run_step, engine="none"))
except BackfillInterrupted as error:
    print(error, file=sys.stderr)
    sys.exit(1)
sys.exit(report.exit_code)
"""


@contextmanager
def a_bench(folder: Path, count: int = PACKAGES, latency_ms: float = 0) -> Iterator[Bench]:
    """A small synthetic catalog beside its world."""
    write_synthetic_catalog(folder / "catalog", count, 3)
    with running(synthetic_world(count, 3), clock=lambda: SYNTHETIC_MOMENT) as services:
        services.faults.latency_ms = latency_ms
        for repo_id in services.world.repository_ids():
            repo = services.world.repository_by_id(repo_id)
            assert repo is not None
            services.world.change(repo.full_name, pending_answers=0)
        yield Bench(data=folder / "data", services=services, now=SYNTHETIC_MOMENT, catalog=folder / "catalog")


def options_of(bench: Bench, *slugs: str, since: date = SINCE, until: date = UNTIL, **changes: Any) -> BackfillOptions:
    """A request of the tests."""
    return BackfillOptions(since=since, until=until, slugs=slugs, fixed_now=bench.now, **changes)


def backfill(bench: Bench, *slugs: str, **changes: Any) -> RunReport:
    """Backfill in this process, without an engine."""
    options = options_of(bench, *slugs, **changes)
    return asyncio.run(backfill_sequence(options, bench.settings(), run_step=run_step, engine="none"))


def start(bench: Bench) -> subprocess.Popen[str]:
    """Backfill in a process of its own."""
    asked = [SINCE.isoformat(), UNTIL.isoformat(), bench.now.isoformat()]
    variables = bench.variables()
    bench.show(lambda: bench.now)
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *asked],
        cwd=ROOT,
        env=variables,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def repositories(bench: Bench) -> list[Repository]:
    """Those of the catalog that answer."""
    names = [subject.removeprefix("github:") for subject in load_catalog(bench.catalog).subjects if subject.startswith("github:")]
    found = {repo.id: repo for name in names if (repo := bench.services.world.repository(name)) is not None}
    return [repo for repo in found.values() if not repo.block and not repo.refuses_tokens]


def true_days(bench: Bench) -> dict[tuple[str, date], int]:
    """Commits by day of the window, as the world has them."""
    days = {}
    for repo in repositories(bench):
        counted = Counter(commit.authored_at.date() for commit in log(repo))
        days |= {(f"github:{repo.id}", day): count for day, count in counted.items() if SINCE <= day <= UNTIL}
    return days


def told_days(bench: Bench) -> dict[tuple[str, date], int]:
    """The same as published."""
    rows = bench.rows(f"from commit_days where authored_on between '{SINCE}' and '{UNTIL}'")
    return {(row["series"], row["authored_on"]): row["commits_count"] for row in rows}


def tables(bench: Bench) -> dict[str, list[dict[str, Any]]]:
    """What a backfill is to bring about, without the names of runs and without when each row was seen."""
    cast_off = ("run_id", "observed_at", "confirmed_at")
    return {
        name: [{k: v for k, v in row.items() if k not in cast_off} for row in bench.rows(f"from {name} order by all")]
        for name in ("commit_days", "commit_reach", "star_days", "releases", "packages")
    }


def asked_since(bench: Bench, count: int) -> list[str]:
    """What was asked after so many requests."""
    return bench.asked()[count:]


def test_two_years_of_a_harvested_catalog(tmp_path: Path) -> None:
    """Commits by day and stars are the world's own, foreseen within 15 %, asked once, and left alone by what is harvested later."""
    with a_bench(tmp_path) as bench:
        bench.harvest()
        requests = len(bench.asked())
        plan = preview_backfill(options_of(bench), bench.settings())
        assert len(bench.asked()) == requests, "a plan asks nothing"
        report = backfill(bench)
        run = report.run
        assert (run["kind"], run["outcome"], report.exit_code) == ("backfill", "done", 0)
        assert report.plan["requests"] == plan.as_json()["requests"]
        for foreseen, spent in ((plan.github_units, run["github_units_count"]), (plan.graphql_points, run["graphql_points_count"])):
            assert abs(foreseen - spent) <= max(0.15 * spent, 1), f"{foreseen} foreseen, {spent} spent"
        assert run["pypi_requests_count"] == 0, "every project was harvested"

        assert told_days(bench) == true_days(bench)
        known = {row["series"] for row in bench.rows(f"from commit_reach where from_on <= '{SINCE}'")}
        assert known == {f"github:{repo.id}" for repo in repositories(bench)}
        for repo in repositories(bench):
            rows = bench.rows(f"from star_days where series = 'github:{repo.id}' order by starred_on")
            assert [row["retained_count"] for row in rows] == [stars_on(repo, row["starred_on"]) for row in rows]
            assert rows[0]["starred_on"] <= max(SINCE, repo.created_at.date())
            assert rows[-1]["starred_on"] == TODAY - 2 * DAY

        before, requests = tables(bench), len(bench.asked())
        assert backfill(bench).run["requests_count"] == 0
        assert asked_since(bench, requests) == []
        assert tables(bench) == before, "twice is once"

        bench.now += 3 * DAY
        bench.harvest(full=True)
        assert told_days(bench) == true_days(bench)
        before = tables(bench)
        bench.replay()
        assert tables(bench) == before, "the landing has all of it"


def test_a_catalog_that_was_never_harvested(tmp_path: Path) -> None:
    """Repositories are probed first, projects asked once; a window that begins before a repository was created asks no page too many."""
    with a_bench(tmp_path, 12) as bench:
        report = backfill(bench)
        assert told_days(bench) == true_days(bench)
        world = bench.services.world
        told = {(row["project"], row["version"]) for row in bench.rows("from releases")}
        projects = [world.project(name) for name in world.project_names()]
        assert told == {(project.name, version) for project in projects if project for version in project.document["releases"]}
        assert report.run["pypi_requests_count"] > 0
        requests = len(bench.asked())
        backfill(bench)
        assert [path for path in asked_since(bench, requests) if path != "/graphql"] == []


def test_a_window_in_two_parts_costs_what_is_missing(tmp_path: Path) -> None:
    """A later window asks for the days between, not for those known; its answers never touch newer ones."""
    with a_bench(tmp_path, 8) as bench:
        bench.harvest()
        backfill(bench, until=TODAY - 500 * DAY)
        plan = preview_backfill(options_of(bench), bench.settings())
        assert {item.from_on for item in plan.due if item.from_on} == {TODAY - 499 * DAY}
        assert {item.until_on for item in plan.due if item.until_on} == {TODAY - 365 * DAY}
        backfill(bench)
        assert told_days(bench) == true_days(bench)


@pytest.mark.slow
def test_killed_three_times_it_equals_an_undisturbed_one(tmp_path: Path) -> None:
    """After three ``kill -9`` the same command ends with the tables of a calm run, and no more than two seconds' worth is asked again."""
    with a_bench(tmp_path / "calm") as calm:
        calm.harvest()
        backfill(calm)
        expected = tables(calm)
    with a_bench(tmp_path / "killed") as bench:
        bench.harvest()
        requests = len(bench.asked())
        bench.services.faults.latency_ms = 400
        for _ in range(3):
            process, until = start(bench), len(bench.asked()) + 20
            while len(bench.asked()) < until and process.poll() is None:
                time.sleep(0.01)
            assert process.poll() is None, "it was done before the plug was pulled"
            process.kill()
            process.communicate()
        bench.services.faults.latency_ms = 0
        again = start(bench)
        _out, err = again.communicate(timeout=100)
        assert again.returncode == 0, err
        assert "Going on with backfill" in err
        assert tables(bench) == expected
        assert told_days(bench) == true_days(bench)
        assert [row["outcome"] for row in bench.rows("from runs where kind = 'backfill'")] == ["done"]
        repeated = sum(count - 1 for path, count in Counter(asked_since(bench, requests)).items() if path != "/graphql")
        in_flight = 4 + 1
        assert repeated <= 3 * in_flight * (2 / 0.4 + 1), "more than two seconds' worth was asked again"
        assert repeated < 60, "nothing that landed was recalled"


def test_it_goes_on_with_the_page_after_the_last_that_landed(tmp_path: Path) -> None:
    """A signal ends it cleanly; the same command asks no page of commits and no page of stars twice."""
    with a_bench(tmp_path, latency_ms=60) as bench:
        process = start(bench)
        while len(bench.asked()) < 25 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _out, err = process.communicate(timeout=60)
        assert process.returncode == 1, err
        assert "goes on where it stopped" in err
        bench.services.faults.latency_ms = 0
        again = start(bench)
        again.communicate(timeout=100)
        assert again.returncode == 0
        assert [path for path, count in Counter(bench.asked()).items() if count > 1 and path != "/graphql"] == []
        captures = [capture for _file, capture in read_captures(DataFolder(bench.data), on_damaged=lambda _file: None)]
        pages = Counter(
            (capture.facet, target["subject"], target.get("page"))
            for capture in captures
            if capture.request
            for target in orjson.loads(capture.request)
        )
        assert max(pages.values()) == 1
        assert told_days(bench) == true_days(bench)


def test_it_refuses_what_it_cannot_answer_with_all_mistakes_at_once(tmp_path: Path) -> None:
    """The future, the order, the time before GitHub and before a repository, a missing token: one message, nothing asked."""
    with a_bench(tmp_path, 6) as bench:
        bench.harvest()
        requests = len(bench.asked())
        slug, created_at = next(
            (row["slug"], row["repo_created_at"].date())
            for row in bench.rows("select p.slug, r.repo_created_at from packages p join repo_observations r on r.subject = p.repo_subject")
        )
        bench.token = None
        with pytest.raises(InvalidWindow) as refusal:
            backfill(bench, since=TODAY + 9 * DAY, until=TODAY)
        assert len(refusal.value.mistakes) == 3
        for words in ("is after --until", f"the last day that can be answered is {UNTIL}", "GITHUB_TOKEN"):
            assert words in str(refusal.value)
        bench.token = "sandbox-token"  # noqa: S105 - the sandbox takes any
        with pytest.raises(InvalidWindow) as refusal:
            backfill(bench, slug, since=date(2001, 1, 1), until=created_at - DAY)
        assert len(refusal.value.mistakes) == 2
        for words in ("the first day that can be answered is 2007-10-29", f"it can be answered from {created_at} on"):
            assert words in str(refusal.value)
        assert asked_since(bench, requests) == []
        assert [row["kind"] for row in bench.rows("from runs")] == ["harvest"]


def test_a_harvest_runs_beside_it(tmp_path: Path) -> None:
    """While a backfill asks, a harvest does all its work; neither disturbs the other, and a second backfill is refused."""
    with a_bench(tmp_path, latency_ms=60) as bench:
        process = start(bench)
        while len(bench.asked()) < 20 and process.poll() is None:
            time.sleep(0.01)
        with pytest.raises(DataFolderBusy):
            backfill(bench)
        report = bench.harvest()
        assert report.run["outcome"] == "done"
        assert process.poll() is None, "the backfill was still asking"
        bench.services.faults.latency_ms = 0
        _out, err = process.communicate(timeout=100)
        assert process.returncode == 0, err
        assert told_days(bench) == true_days(bench)
        assert sorted((row["kind"], row["outcome"]) for row in bench.rows("from runs")) == [("backfill", "done"), ("harvest", "done")]


def test_a_backfill_waits_for_a_harvest_and_says_so(tmp_path: Path) -> None:
    """What holds the data folder is waited for, not failed on."""
    with a_bench(tmp_path, 4) as bench:
        folder = DataFolder(bench.data)
        with folder.lock():
            process = start(bench)
            assert process.stderr is not None
            said = next(line for line in process.stderr if "Waiting" in line)
            assert f"process {os.getpid()}" in said
            assert bench.asked() == []
        process.communicate(timeout=100)
        assert process.returncode == 0
        assert told_days(bench) == true_days(bench)


def test_a_killed_one_is_left_alone_by_a_harvest_and_brought_home_by_another(tmp_path: Path) -> None:
    """A harvest and a replay do not touch what may go on; a backfill with another request keeps what was whole and asks the rest."""
    with a_bench(tmp_path, latency_ms=150) as bench:
        process = start(bench)
        while len(bench.asked()) < 45 and process.poll() is None:
            time.sleep(0.01)
        process.kill()
        process.communicate()
        bench.services.faults.latency_ms = 0
        bench.harvest()
        bench.replay()
        folder = DataFolder(bench.data)
        kinds = {report["kind"]: report.get("ended_at") for report in read_run_reports(folder, on_damaged=lambda _file: None)}
        assert kinds["backfill"] is None
        backfill(bench, since=SINCE + DAY)
        assert sorted((row["kind"], row["outcome"]) for row in bench.rows("from runs")) == [
            ("backfill", "done"), ("backfill", "failed"), ("harvest", "done"),
        ]  # fmt: skip
        assert told_days(bench).items() >= {key: count for key, count in true_days(bench).items() if key[1] > SINCE}.items()
        pages = [path for path in bench.asked() if "/stargazers/history" in path]
        assert len(pages) - len(set(pages)) <= 5 * (2 / 0.15 + 1), "what had landed was not asked for again"
        before = tables(bench)
        bench.data.joinpath("store", "store.duckdb").unlink()
        bench.harvest()
        assert tables(bench) == before, "a lost store is filled again, with the past"


def test_what_github_breaks_off_is_asked_again_among_fewer(tmp_path: Path) -> None:
    """Limits of resources halve the queries; a page of stars that fails leaves the rest, and the next backfill asks for it alone."""
    with a_bench(tmp_path, 12) as bench:
        bench.harvest()
        bench.services.faults.add(Fault(pattern="/github/graphql*", mishap=Mishap.ALIAS_LIMITS, times=3, share=0.5))
        bench.services.faults.add(Fault(pattern="*/stargazers/history*page=2", mishap=Mishap.STATUS, status=404, times=1, is_json=True))
        report = backfill(bench)
        assert report.run["outcome"] == "done"
        assert told_days(bench) == true_days(bench)
        requests = len(bench.asked())
        backfill(bench)
        again = asked_since(bench, requests)
        assert again
        assert all("/stargazers/history" in path for path in again)
        assert len(again) <= 4
        requests = len(bench.asked())
        backfill(bench)
        assert asked_since(bench, requests) == []


def test_records_of_each_month(tmp_path: Path) -> None:
    """With --every: commits, releases, the version of the time and retained stars are the world's; what is not known is null."""
    with a_bench(tmp_path, 12) as bench:
        young = max(repositories(bench), key=lambda each: each.stars)
        bench.services.world.change(young.full_name, created_at=bench.now - 500 * DAY)
        bench.harvest()
        backfill(bench, every="month")
        rows = bench.rows(
            "select r.*, 'github:' || p.repo_id as series, p.project from period_records r join packages p on p.id = r.package_id"
        )
        assert len({row["period_end_on"] for row in rows}) == 23, "whole months from March 2024 to January 2026"
        assert len(rows) == 12 * 23
        days, repos = true_days(bench), {f"github:{repo.id}": repo for repo in repositories(bench)}
        for row in rows:
            first, last, repo = row["period_from_on"], row["period_end_on"], repos.get(row["series"])
            committed = sum(count for (series, day), count in days.items() if series == row["series"] and first <= day <= last)
            assert row["commits_count"] == (committed if repo else None)
            is_young = repo is not None and SINCE - 6 * DAY <= repo.created_at.date() <= last
            assert row["retained_stars_count"] == (stars_until(repo, last + DAY) if is_young and repo else None)
            project = bench.services.world.project(row["project"]) if row["project"] else None
            files = {version: files[0] for version, files in project.document["releases"].items()} if project else {}
            uploads = {version: date.fromisoformat(file["upload_time"][:10]) for version, file in files.items()}
            assert row["releases_count"] == (sum(first <= day <= last for day in uploads.values()) if project else None)
            stable = [name for name, day in uploads.items() if day <= last and "rc" not in name and not files[name]["yanked"]]
            assert row["latest_version"] == (stable[-1] if stable else None)
        for column in ("commits_count", "releases_count", "latest_version", "retained_stars_count"):
            assert {row[column] is None for row in rows} == {True, False}, f"{column}: known of some, unknown of others"
        before = bench.rows("from period_records order by all")
        bench.replay()
        assert bench.rows("from period_records order by all") == before


def test_a_rewritten_past_is_told_anew(tmp_path: Path) -> None:
    """After a force-push, a full backfill replaces the days it covers."""
    with a_bench(tmp_path, 6) as bench:
        bench.harvest()
        backfill(bench)
        repo = max(repositories(bench), key=lambda each: each.commit_count)
        bench.services.world.force_push(repo.full_name, drop=repo.commit_count // 2, on=bench.now - DAY, login="dev-1")
        assert told_days(bench) != true_days(bench)
        bench.now += timedelta(hours=1)
        backfill(bench, full=True)
        assert told_days(bench) == true_days(bench)


@pytest.mark.slow
def test_the_command_line_runs_it_as_a_flow_beside_a_harvest(tmp_path: Path) -> None:
    """Under Prefect, by its own command: a plan first, then the flow; a harvest under Prefect has its own engine meanwhile."""
    with a_bench(tmp_path, 6, latency_ms=150) as bench:
        now = ["--now", bench.now.isoformat()]
        variables = bench.variables()
        bench.show(lambda: bench.now)
        asked = [sys.executable, str(ROOT / "packhouse.py"), "backfill", "--since", SINCE.isoformat(), *now]
        planned = subprocess.run([*asked, "--plan"], cwd=tmp_path, env=variables, capture_output=True, text=True, check=True)
        assert f"From {SINCE} to {UNTIL}: " in planned.stdout
        assert bench.asked() == []
        process = subprocess.Popen(asked, cwd=tmp_path, env=variables, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        while not bench.asked() and process.poll() is None:
            time.sleep(0.01)
        harvest = [sys.executable, str(ROOT / "packhouse.py"), "harvest", *now]
        beside = subprocess.run(harvest, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False, timeout=100)
        assert beside.returncode in (0, 3), beside.stderr
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, err
        assert re.search(r"Backfill \S+: done", out)
        assert told_days(bench) == true_days(bench)


def test_hindsight_knows_commits_and_releases_of_any_day(tmp_path: Path) -> None:
    """By all that is known now, weeks and versions of any day of the past are the world's; what leaves no trace is unknown."""
    with a_bench(tmp_path, 16) as bench:
        bench.harvest()
        backfill(bench)
        days = true_days(bench)
        world = bench.services.world
        compared = Counter[str]()
        for ago in (0, 1, 40, 200, 360):
            on = TODAY - ago * DAY
            rows = bench.rows(f"from packages_in_hindsight(timestamptz '{on} 23:30:00+00')")
            for row in rows:
                repo = next(
                    (each for each in repositories(bench) if row["repo_url"] and each.full_name.lower() in row["repo_url"].lower()), None
                )
                if repo is not None:
                    weeks = [0] * 52
                    for (series, day), count in days.items():
                        if series == f"github:{repo.id}" and 1 <= (on - day).days <= 364:
                            weeks[51 - ((on - day).days - 1) // 7] += count
                    assert row["weeks"] == weeks
                    compared["weeks"] += 1
                assert row["stars_count"] is None or ago == 0, "nobody was watching"
                assert row["latest_version"] == newest_by(world, row["pypi_url"], f"{on}T23:30:00")
                compared["versions"] += row["latest_version"] is not None
        assert compared["weeks"] > 40
        assert compared["versions"] > 30
        at = datetime(TODAY.year - 1, TODAY.month, 1, tzinfo=UTC)
        told = bench.rows(f"from packages_in_hindsight(timestamptz '{at.isoformat()}') order by id")
        before = bench.rows("from packages order by id")
        report = publish_in_hindsight(bench.settings(), at, accepted="a test")
        assert report.published
        rows = bench.rows("from packages order by id")
        assert [[row[name] for name in told[0] if name in row] for row in rows] == [
            [row[name] for name in told[0] if name in rows[0]] for row in told
        ]
        assert {row["stars_count"] for row in rows} == {None}
        assert {row["repo_state"] for row in rows} == {"pending"}
        assert bench.rows("select as_of_at from publication") == [{"as_of_at": at}]
        republish(bench.settings(), accepted="back")
        assert bench.rows("from packages order by id") == before
        assert len(bench.rows("from publications where is_hindsight")) == 1


def newest_by(world: Any, pypi_url: str | None, moment: str) -> str | None:
    """The version PyPI's rule would have named then: the highest stable one uploaded and not yanked, else the next best."""
    project = world.project(canonicalize_name(pypi_url.rstrip("/").rpartition("/")[2])) if pypi_url else None
    if project is None:
        return None
    made = []
    for text, files in project.document["releases"].items():
        uploaded = [file["upload_time_iso_8601"][:19] for file in files]
        if uploaded and min(uploaded) <= moment:
            version = Version(text)
            made.append((not all(file["yanked"] for file in files), not version.is_prerelease, version, text))
    return max(made)[3] if made else None
