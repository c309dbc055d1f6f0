"""Asking less: what a run with a token asks of GitHub and PyPI, and what it need not ask."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.commits import log
from sandbox.faults import Fault, Mishap
from sandbox.index import Index, Serials
from sandbox.limits import Published, broken_limits
from sandbox.server import running
from sandbox.subjects import weekly_commits
from tests.conftest import NOW, Bench, prompt_world

DAY = timedelta(days=1)
SLUG = "django-scheduler"
NAME = "llazzaro/django-scheduler"


def asked_of(bench: Bench, facet: str) -> list[dict[str, Any]]:
    """Rows of the ledger of the newest run, of one kind of question."""
    return bench.rows(f"from fetches where facet = '{facet}' and run_id = (select max(run_id) from runs) order by sequence")  # noqa: S608


def history(bench: Bench, table: str) -> list[dict[str, Any]]:
    """Rows of a table about django-scheduler's repository."""
    return bench.rows(f"from {table} where subject = 'github:{NAME}'")


def next_day(bench: Bench) -> None:
    """A day later, also for the sandbox."""
    bench.now += DAY
    today = bench.now.date()
    bench.services.world.today = lambda: today


def test_the_sample_is_asked_for_in_few_queries(bench: Bench) -> None:
    """One probe for all repositories, histories together, one list each; nothing else over REST but what GraphQL cannot tell."""
    bench.harvest()
    assert [row["targets_count"] for row in asked_of(bench, "probe")] == [23]
    assert asked_of(bench, "repo") == asked_of(bench, "head") == asked_of(bench, "weeks") == []
    assert bench.rows("select count(*) as n from packages where weeks_source = 'history'") == [{"n": 24}]


def test_an_unmoved_head_costs_a_probe_and_shifts_the_weeks(bench: Bench) -> None:
    """A day later nothing else is asked; the weeks end a day later, with the state that says so, and are the true ones."""
    bench.harvest()
    before = bench.package(SLUG)
    next_day(bench)
    report = bench.harvest()
    assert report.run["github_units_count"] == 0
    assert report.run["graphql_points_count"] == 1
    row = bench.package(SLUG)
    assert (row["weeks_state"], row["weeks_end_on"]) == ("shifted", bench.now.date())
    assert row["weeks_observed_at"] == row["participants_observed_at"] == bench.now
    assert row["participants"] == before["participants"]
    repo = bench.services.world.repository(NAME)
    assert repo is not None
    assert row["weeks"] == weekly_commits(repo, bench.now.date())
    assert row["weeks"] != before["weeks"]
    assert len(history(bench, "week_observations")) == 1, "a day without a push adds no row"


def test_a_push_by_an_old_hand_costs_a_page_of_commits_and_carries_the_list_on(bench: Bench) -> None:
    """The weeks are read again, the list counts the new commits for their author, and GitHub's list is not asked for."""
    bench.harvest(SLUG)
    repo = bench.services.world.repository(NAME)
    assert repo is not None
    login = repo.participants[-1][0]
    next_day(bench)
    bench.services.world.push(NAME, on=bench.now - timedelta(hours=30), login=login, commits=3)
    report = bench.harvest(SLUG)
    assert (report.run["github_units_count"], report.run["graphql_points_count"]) == (0, 2)
    row = bench.package(SLUG)
    repo = bench.services.world.repository(NAME)
    assert repo is not None
    assert row["participants"] == [name for name, _ in repo.participants]
    assert row["participants_state"] == "shifted"
    assert row["last_commit_at"] == repo.head_at
    assert row["weeks_state"] == "ok"


def test_somebody_new_has_the_list_asked_for_again(bench: Bench) -> None:
    """One unit, and the list is GitHub's own again."""
    bench.harvest(SLUG)
    next_day(bench)
    bench.services.world.push(NAME, on=bench.now - timedelta(hours=5), login="newcomer")
    report = bench.harvest(SLUG)
    assert report.run["github_units_count"] == 1
    row = bench.package(SLUG)
    assert "newcomer" in row["participants"]
    assert row["participants_state"] == "ok"


def test_a_list_that_did_not_change_for_thirty_days_costs_no_unit(bench: Bench) -> None:
    """It is asked for with its validator; the 304 confirms it, is free, and the list is young again."""
    bench.harvest(SLUG)
    bench.now += timedelta(days=31)
    report = bench.harvest(SLUG)
    asked = asked_of(bench, "participants")
    assert [(row["status"], row["verdict"], row["units_count"]) for row in asked] == [(304, "unchanged", 0)]
    assert report.run["github_units_count"] == 0
    assert report.run["unchanged_count"] == 3, "PyPI's document and page have not changed either"
    assert [row["listed_at"] for row in history(bench, "participant_observations")] == [bench.now]
    next_day(bench)
    bench.harvest(SLUG)
    assert asked_of(bench, "participants") == []


def test_a_rewritten_past_is_read_again_from_the_start(bench: Bench) -> None:
    """After a force-push the weeks and the participants are those of the new history."""
    bench.harvest(SLUG)
    next_day(bench)
    repo = bench.services.world.force_push(NAME, drop=4, on=bench.now - timedelta(hours=30), login="llazzaro", commits=1)
    bench.harvest(SLUG)
    row = bench.package(SLUG)
    begins = NOW.date() + DAY - timedelta(days=364)
    counted = sum(row["commits_count"] for row in history(bench, "commit_days"))
    assert counted == sum(commit.authored_at.date() >= begins for commit in log(repo))
    assert row["participants"] == [name for name, _ in repo.participants]


def test_a_year_too_large_is_read_as_statistics(bench: Bench) -> None:
    """GitHub's own 52 numbers are taken, and it says so; an unmoved head does not make them those of another day."""
    repo = bench.services.world.repository(NAME)
    assert repo is not None
    busiest = max(repo.commit_days)
    bench.services.world.push(NAME, on=NOW - timedelta(hours=3), login=repo.participants[0][0], commits=2500)
    assert busiest
    bench.harvest(SLUG)
    assert bench.package(SLUG)["weeks_source"] == "participation"
    assert len(asked_of(bench, "history")) == 1
    next_day(bench)
    bench.harvest(SLUG)
    assert len(asked_of(bench, "weeks")) == 1
    row = bench.package(SLUG)
    assert (row["weeks_state"], row["weeks_end_on"], row["weeks"][-1] >= 2500) == ("ok", bench.now.date(), True)


def test_a_take_over_of_a_renamed_repositorys_name_is_noticed(bench: Bench) -> None:
    """The rename continues the series; the new repository under the old name begins its own, and says so."""
    bench.harvest(SLUG)
    world = bench.services.world
    world.rename(NAME, "newowner/django-scheduler")
    next_day(bench)
    report = bench.harvest(SLUG)
    assert any(finding["code"] == "repo_renamed" for finding in report.findings)
    old = world.repository("newowner/django-scheduler")
    assert old is not None
    world.add(replace(old, id=987_654_321, owner="llazzaro", stars=2))
    next_day(bench)
    report = bench.harvest(SLUG)
    assert any(finding["code"] == "repo_replaced" for finding in report.findings)
    assert bench.package(SLUG)["stars_count"] == 2


def test_a_repository_graphql_does_not_find_is_looked_into_once(bench: Bench) -> None:
    """REST tells that it is missing; from then on GraphQL is believed, and three days later it is gone without another unit."""
    bench.harvest(SLUG)
    bench.services.world.delete(NAME)
    units = []
    for _day in range(4):
        next_day(bench)
        units.append(bench.harvest(SLUG).run["github_units_count"])
    assert units == [2, 0, 0, 0], "by name and by number"
    assert bench.package(SLUG)["repo_state"] == "gone"


def test_a_refused_organisation_is_asked_without_the_token(bench: Bench) -> None:
    """What its policy keeps from our token it tells a stranger; the token is not even offered."""
    bench.services.world.change(NAME, refuses_tokens=True)
    bench.harvest(SLUG)
    row = bench.package(SLUG)
    assert (row["stars_count"], row["repo_state"], row["weeks_state"]) == (1331, "ok", "ok")
    assert bench.rows("select distinct identity from fetches where facet in ('repo', 'head', 'commits', 'weeks', 'participants')") == [
        {"identity": "anonymous"}
    ]


def test_what_is_asked_without_the_token_is_asked_sparingly(bench: Bench) -> None:
    """Without a push since, a repository is one request a day, which confirms its newest commit and what was read at that."""
    bench.services.world.change(NAME, refuses_tokens=True)
    repo = bench.services.world.repository(NAME)
    assert repo is not None
    units = []
    for day in range(3):
        units.append(bench.harvest(SLUG).run["github_units_count"])
        row = bench.package(SLUG)
        assert [row[f"{facet}_state"] for facet in ("repo", "head", "participants", "weeks")] == ["ok"] * 3 + ["shifted" if day else "ok"]
        assert {row[f"{facet}_observed_at"] for facet in ("repo", "head", "weeks", "participants")} == {bench.now}
        assert row["weeks"] == weekly_commits(repo, bench.now.date())
        bench.now += timedelta(minutes=5)
        assert bench.harvest(SLUG).run["requests_count"] == 0, "nothing is due so soon again"
        bench.now -= timedelta(minutes=5)
        next_day(bench)
    assert units == [3, 1, 1]
    bench.services.world.push(NAME, on=bench.now - timedelta(hours=2), login="newcomer")
    assert bench.harvest(SLUG).run["github_units_count"] == 3
    row = bench.package(SLUG)
    assert "newcomer" in row["participants"]
    assert row["weeks"] == weekly_commits(bench.services.world.repository(NAME), bench.now.date())
    assert [row["facet"] for row in bench.rows(
        "from fetches where source = 'github' and run_id = (select max(run_id) from runs) order by sequence"
    )] == [
        "probe", "repo", "commits", "participants",
    ]  # fmt: skip


def test_a_push_whose_commit_was_not_read_is_not_taken_for_seen(bench: Bench) -> None:
    """That the repository says the same as last time confirms nothing when its newest commit was not asked for then."""
    bench.services.world.change(NAME, refuses_tokens=True)
    bench.harvest(SLUG)
    next_day(bench)
    bench.services.world.push(NAME, on=bench.now - timedelta(hours=2), login="newcomer")
    repo = bench.services.world.repository(NAME)
    assert repo is not None
    assert repo.head_at is not None
    bench.harvest(SLUG, budget=2)  # the probe, and the repository
    assert asked_of(bench, "commits") == []
    assert len(asked_of(bench, "repo")) == 1
    assert bench.package(SLUG)["last_commit_at"] < repo.head_at
    next_day(bench)
    bench.harvest(SLUG)
    assert bench.package(SLUG)["last_commit_at"] == repo.head_at.replace(microsecond=0)


def test_a_year_too_full_for_a_stranger_is_read_as_statistics(bench: Bench) -> None:
    """More than three pages of commits are not worth the sixty requests an hour."""
    repo = bench.services.world.repository(NAME)
    assert repo is not None
    days = {bench.now.date() - timedelta(days=age): 10 for age in range(1, 41)}
    bench.services.world.change(NAME, refuses_tokens=True, commit_days=days)
    bench.harvest(SLUG)
    assert bench.package(SLUG)["weeks_source"] == "participation"
    assert [row["page"] for row in asked_of(bench, "commits")] == [1]
    next_day(bench)
    bench.harvest(SLUG)
    assert asked_of(bench, "commits") == []


def test_without_graphql_everything_comes_over_rest(bench: Bench) -> None:
    """A service whose GraphQL fails is asked singly, and the records are the same."""
    bench.services.faults.add(Fault(pattern="/github/graphql", mishap=Mishap.STATUS, status=502))
    bench.harvest(SLUG)
    row = bench.package(SLUG)
    assert (row["stars_count"], row["repo_state"], row["weeks_source"]) == (1331, "ok", "participation")


def test_commits_that_graphql_will_not_tell_any_more_are_taken_as_statistics(bench: Bench) -> None:
    """When it fails for good after the probe, the weeks come over REST in the same run."""
    bench.services.faults.add(Fault(pattern="/github/graphql", mishap=Mishap.STATUS, status=502, after=1))
    bench.harvest()
    assert bench.rows("select count(*) as n from packages where repo_state = 'ok' and weeks_state = 'ok'") == [{"n": 24}]


def test_a_token_revoked_in_mid_run_ends_github_not_the_run(bench: Bench) -> None:
    """What GitHub told before stays, PyPI is asked to the end, and one sentence says why."""
    bench.overrides["concurrency"] = "1"
    bench.services.faults.add(Fault(pattern="/github/*", mishap=Mishap.STATUS, status=401, is_json=True, after=3))
    report = bench.harvest()
    assert report.run["outcome"] == "stopped"
    assert report.run["detail"].count("GITHUB_TOKEN") == 1
    assert bench.rows("select count(*) as n from packages where project_state = 'ok'") == [{"n": 24}]
    assert bench.rows("select count(*) as n from packages where repo_state = 'ok'") == [{"n": 24}]


@pytest.fixture
def indexed(bench: Bench) -> Bench:
    """With so low a threshold that the sample counts as a large catalog."""
    bench.overrides["pypi_index_threshold"] = "10"
    return bench


def test_the_index_tells_which_projects_changed(indexed: Bench) -> None:
    """A day later one read of the index, and the one project that released."""
    indexed.harvest()
    next_day(indexed)
    indexed.services.world.release(SLUG, "0.13.0", at=indexed.now - timedelta(hours=2))
    report = indexed.harvest()
    assert report.run["pypi_requests_count"] == 2
    assert indexed.package(SLUG)["latest_version"] == "0.13.0"
    assert indexed.rows(
        "select count(*) as n from packages where project_state = 'ok' and project_observed_at = (select max(as_of_at) from runs)"
    ) == [{"n": 24}]
    assert report.saved["PyPI's index"] == 23


def test_an_answer_older_than_promised_is_pending_and_asked_again(indexed: Bench) -> None:
    """PyPI's edge may trail its index: the old value stays with its date until the new one is there."""
    indexed.harvest()
    next_day(indexed)
    indexed.services.index.stale_answers = 2
    indexed.services.world.release(SLUG, "0.13.0", at=indexed.now - timedelta(hours=2))
    indexed.harvest()
    row = indexed.package(SLUG)
    assert (row["latest_version"], row["project_state"]) == ("0.12.0", "pending")
    assert row["project_observed_at"] == indexed.now - DAY
    indexed.now += timedelta(minutes=15)
    indexed.harvest()
    assert (indexed.package(SLUG)["latest_version"], indexed.package(SLUG)["project_state"]) == ("0.13.0", "ok")


@pytest.mark.parametrize("serials", list(Serials), ids=lambda serials: serials.name.lower())
def test_serials_may_be_numbers_texts_or_absent(tmp_path: Path, serials: Serials) -> None:
    """A mirror spells them as text or not at all: then each project is asked for itself, and the records are the same."""
    with running(prompt_world(), clock=lambda: NOW, index=Index(serials=serials)) as services:
        bench = Bench(data=tmp_path / "data", services=services, overrides={"pypi_index_threshold": "10"})
        bench.harvest()
        next_day(bench)
        report = bench.harvest()
        assert report.run["pypi_requests_count"] == (1 if serials is not Serials.NONE else 24), "a useless index is not read again"
        assert bench.rows("select count(*) as n from packages where project_state = 'ok'") == [{"n": 24}]


def test_quarantined_deleted_and_empty_projects_are_told_apart(indexed: Bench) -> None:
    """All three answer 404; their page of the index tells, and their absence from its root says the same again."""
    world = indexed.services.world
    indexed.harvest()
    world.set_status("django-axes", "quarantined")
    world.remove_project("django-ical")
    for version in list(world.project("django-rq").document["releases"]):  # type: ignore[union-attr]
        world.remove_release("django-rq", version)
    counts = []
    for _day in range(4):
        next_day(indexed)
        counts.append(indexed.harvest().run["pypi_requests_count"])
    states = {row["project"]: row for row in indexed.rows("select project, project_state, latest_version, releases_count from packages")}
    assert states["django-axes"]["project_state"] == "blocked"
    assert states["django-axes"]["latest_version"] is not None, "the last good value stays"
    assert states["django-ical"]["project_state"] == "gone"
    assert (states["django-rq"]["project_state"], states["django-rq"]["latest_version"]) == ("ok", None)
    assert counts[1:] == [1, 1, 1]


def test_an_archived_project_is_noticed_by_the_slow_sweep(indexed: Bench) -> None:
    """Archiving moves no serial; after thirty to forty days the status is read again, of all others it is a 304."""
    indexed.harvest()
    indexed.services.world.set_status(SLUG, "archived")
    next_day(indexed)
    indexed.harvest()
    assert indexed.package(SLUG)["project_status"] == "active"
    indexed.now += timedelta(days=40)
    indexed.services.ledger.clear()
    indexed.harvest()
    assert indexed.package(SLUG)["project_status"] == "archived"
    said = Counter(line.status for line in indexed.services.ledger.lines(service="pypi") if line.path.startswith("/simple/"))
    assert said[200] == 2, "the index and one page"
    assert said[304] > 10


def test_the_published_limits_hold_at_every_second(tmp_path: Path) -> None:
    """With GitHub's limits in force nothing is refused, and the sandbox's own ledger finds no window that broke one."""
    with running(prompt_world(), clock=lambda: NOW) as services:
        services.limits.points_per_minute, services.limits.graphql_points_per_minute = 900, 2000
        services.limits.graphql_seconds_per_minute, services.limits.concurrent = 60, 100
        bench = Bench(data=tmp_path / "data", services=services)
        bench.harvest()
        assert broken_limits(services.ledger.lines(), Published()) == []
        assert {line.status for line in services.ledger.lines(service="github")} == {200}


def test_the_good_size_of_a_query_is_remembered(bench: Bench) -> None:
    """A service that answers ten at once is asked about ten at once, from the first query of the next run on."""
    bench.services.limits.probe_capacity = 10
    bench.harvest()
    assert all(row["repo_state"] in ("ok", "unsupported") for row in bench.rows("select repo_state from packages"))
    next_day(bench)
    bench.harvest()
    assert max(row["targets_count"] for row in asked_of(bench, "probe")) <= 12


def test_a_plan_foresees_what_the_run_then_spends(bench: Bench) -> None:
    """The forecast stands in the report beside what was spent, and in ``runs``."""
    report = bench.harvest()
    run = report.run
    assert run["forecast_points_count"] == 2
    assert run["forecast_pypi_requests_count"] == run["pypi_requests_count"] == 48
    assert report.plan["requests"]["participants"] == 23
    assert any(sentence.startswith("Foreseen were") for sentence in report.sentences())
    next_day(bench)
    report = bench.harvest()
    assert any("Saved, beside asking for everything one by one" in sentence for sentence in report.sentences())
    assert report.saved["unchanged newest commits"] > 23


def test_a_budget_counts_units_and_points(bench: Bench) -> None:
    """No more than it says of either meter together; what landed is kept, and the rest comes first next time."""
    report = bench.harvest(budget=8)
    assert report.run["outcome"] == "stopped"
    assert report.run["github_units_count"] + report.run["graphql_points_count"] == 8
    assert bench.rows("select count(*) as n from packages where repo_state = 'ok'") == [{"n": 24}]
    bench.now += timedelta(minutes=5)
    report = bench.harvest()
    assert report.run["outcome"] == "done"
    assert bench.rows("select count(*) as n from packages where participants_state = 'pending'") == [{"n": 0}]
    assert asked_of(bench, "history") or asked_of(bench, "participants")


def test_a_list_of_people_without_accounts_says_that_it_is_not_all(bench: Bench) -> None:
    """Somebody has committed, and GitHub names nobody: that is no empty repository."""
    repo = bench.services.world.repository(NAME)
    assert repo is not None
    people = sum(count for _login, count in repo.participants)
    bench.services.world.change(NAME, participants=(), anonymous_count=repo.anonymous_count + people)
    report = bench.harvest(SLUG)
    row = bench.package(SLUG)
    assert (row["participants"], row["participants_state"]) == ([], "capped")
    assert any(finding["code"] == "participants_capped" and "no account" in finding["message"] for finding in report.findings)
