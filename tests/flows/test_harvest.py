"""The whole way by REST: catalog, questions, landing, store, publication, payload. GraphQL's way stands in ``test_economy.py``."""

from __future__ import annotations

import http.client
import json
import threading
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
import uvicorn

from api.app import create_app
from flows.runs import UnknownPackages
from flows.steps import preview
from sandbox.faults import Fault, Mishap
from tests.conftest import ROOT, Bench
from transforms.payload import package_payload, render

SAMPLE = json.loads((ROOT / "tests" / "golden" / "v4-package-1776-indented.json").read_text())
NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(autouse=True)
def by_rest(bench: Bench) -> None:
    """As without a token, with the quota of one."""
    bench.overrides["github_graphql"] = "off"


def _payload(bench: Bench, slug: str) -> dict[str, object]:
    return package_payload(bench.package(slug), base_url="https://djangopackages.org", zone=NEW_YORK)


def test_django_scheduler_equals_the_sample_in_all_fields(bench: Bench) -> None:
    """The record of the sample comes out with its 18 fields in its order, byte for byte."""
    report = bench.harvest()
    payload = _payload(bench, "django-scheduler")
    assert list(payload) == list(SAMPLE)
    assert payload == SAMPLE
    assert report.run["outcome"] == "done"
    assert report.exit_code == 0


def test_show_api_row_and_parquet_say_the_same(bench: Bench) -> None:
    """One package reads the same through the payload, the API, the table and the Parquet file."""
    bench.harvest()
    row = bench.package("django-scheduler")
    with bench.published() as publication:
        parquet = pq.read_table(publication.path / "parquet" / "packages.parquet").to_pylist()
    assert next(other for other in parquet if other["slug"] == "django-scheduler") == row
    app = create_app(bench.data, zone=NEW_YORK, base_url="https://djangopackages.org")
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    connection = http.client.HTTPConnection("127.0.0.1", server.servers[0].sockets[0].getsockname()[1], timeout=10)
    connection.request("GET", "/api/v4/packages/1776/")
    body = connection.getresponse().read()
    connection.close()
    server.should_exit = True
    thread.join(10)
    assert body == render(package_payload(row, base_url="https://djangopackages.org", zone=NEW_YORK))
    assert json.loads(body) == SAMPLE


def test_a_second_harvest_asks_nothing(bench: Bench) -> None:
    """What is young enough is not asked for again, and the second publication says the same."""
    bench.harvest()
    before, asked = bench.rows("from packages"), len(bench.asked())
    report = bench.harvest()
    assert len(bench.asked()) == asked
    assert report.run["requests_count"] == 0
    assert bench.rows("from packages") == before


def test_full_asks_everything_again(bench: Bench) -> None:
    """``full`` overrides the greatest age, and history notes a confirmation, not a change."""
    bench.harvest()
    asked = len(bench.asked())
    bench.now += timedelta(hours=1)
    bench.harvest(full=True)
    assert len(bench.asked()) == 2 * asked
    rows = bench.rows(
        "select count(*) as rows, min(sighting_count) as seen from repo_observations where subject = 'github:llazzaro/django-scheduler'"
    )
    assert rows == [{"rows": 1, "seen": 2}]


def test_values_are_asked_for_again_once_old_enough(bench: Bench) -> None:
    """After ``max_age`` every value is due, before it none."""
    bench.harvest()
    bench.now += timedelta(hours=19)
    assert bench.harvest().run["requests_count"] == 0
    bench.now += timedelta(hours=2)
    assert bench.harvest().run["planned_count"] == 116, "statuses rest for a month"


def test_named_slugs_limit_the_asking_but_not_the_publication(bench: Bench) -> None:
    """One package is asked for; all of the catalog is published, the rest honestly unknown."""
    report = bench.harvest("django-scheduler")
    assert report.run["planned_count"] == 6
    assert set(bench.asked("github")) == {
        "/repos/llazzaro/django-scheduler",
        "/repos/llazzaro/django-scheduler/commits?per_page=1",
        "/repos/llazzaro/django-scheduler/stats/participation",
        "/repos/llazzaro/django-scheduler/contributors?per_page=100",
    }
    other = bench.package("django-rest-framework")
    assert other["stars_count"] is None
    assert other["repo_state"] == "pending"
    payload = package_payload(other, base_url="https://x.example", zone=NEW_YORK)
    assert payload["repo_watchers"] is None
    assert payload["commits_over_52"] == []
    assert payload["last_fetched"] is None
    assert report.exit_code == 0, "the package asked about is fresh"


def test_unknown_slugs_are_refused_before_anything_is_asked(bench: Bench) -> None:
    """A slip of the pen costs no request."""
    with pytest.raises(UnknownPackages, match="djnago-scheduler"):
        bench.harvest("djnago-scheduler", "django-scheduler")
    assert bench.asked() == []


def test_a_plan_asks_nothing_and_writes_nothing(bench: Bench) -> None:
    """The forecast is free, also on a folder that does not exist yet."""
    from flows.options import HarvestOptions

    plan = preview(HarvestOptions(), bench.settings())
    assert plan.facet_count == 140
    assert plan.forecast.requests["project"] == plan.forecast.requests["status"] == 24
    assert bench.asked() == []
    assert not bench.data.exists()


def test_a_budget_stops_politely_and_keeps_what_landed(bench: Bench) -> None:
    """No unit beyond the budget is spent, what landed is published, and the next harvest asks for the rest alone."""
    report = bench.harvest(budget=10)
    assert report.run["github_units_count"] == 10
    assert report.run["outcome"] == "stopped"
    assert report.exit_code == 3
    assert "budget of 10 units" in report.run["detail"]
    answered = bench.rows("select count(*) as n from repo_observations where outcome = 'ok'")[0]["n"]
    assert answered >= 2
    first = set(bench.asked("github"))
    bench.harvest()
    repeated = [path for path in first if bench.asked("github").count(path) > 1]
    unfinished = {line.path for line in bench.services.ledger.lines(service="github") if line.status == 301}
    assert set(repeated) <= unfinished, "only a redirect the budget left no unit to follow is asked for again"
    assert bench.rows("select count(*) as n from packages where repo_state = 'pending'") == [{"n": 0}]


def test_pending_statistics_are_taken_up_in_a_second_pass(bench: Bench) -> None:
    """A 202 is asked again within the run, and nothing of it is published as zeros."""
    bench.services.world.change("llazzaro/django-scheduler", pending_answers=1)
    bench.harvest("django-scheduler")
    assert len(bench.asked(path="/repos/llazzaro/django-scheduler/stats")) == 2
    assert bench.package("django-scheduler")["weeks"] == SAMPLE["commits_over_52"]


def test_statistics_that_stay_pending_keep_the_old_weeks(bench: Bench) -> None:
    """Weeks known yesterday stay with yesterday's date when GitHub never finishes computing."""
    bench.harvest("django-scheduler")
    bench.services.world.change("llazzaro/django-scheduler", pending_answers=-1, pushed_at=bench.now)
    bench.now += timedelta(days=1)
    bench.harvest("django-scheduler")
    row = bench.package("django-scheduler")
    assert row["weeks"] == SAMPLE["commits_over_52"]
    assert row["weeks_state"] == "pending"
    assert row["weeks_observed_at"] == bench.now - timedelta(days=1)
    assert row["fetched_at"] == bench.now - timedelta(days=1), "the oldest source dates the record"
    assert row["repo_observed_at"] == bench.now


def test_a_rename_is_followed_and_noted(bench: Bench) -> None:
    """The series goes on under the forge's id, and a finding says what to change in the catalog."""
    bench.harvest("django-scheduler")
    bench.services.world.rename("llazzaro/django-scheduler", "newowner/django-scheduler")
    bench.now += timedelta(days=1)
    report = bench.harvest("django-scheduler")
    assert any(f["code"] == "repo_renamed" and "newowner/django-scheduler" in f["message"] for f in report.findings)
    row = bench.package("django-scheduler")
    assert row["repo_full_name"] == "newowner/django-scheduler"
    assert row["stars_count"] == 1331
    assert row["repo_url"] == "https://github.com/llazzaro/django-scheduler", "curated fields are never written"
    assert bench.rows("select count(distinct series) as n from repo_observations where subject = 'github:llazzaro/django-scheduler'") == [
        {"n": 1}
    ]


def test_one_404_deletes_nothing(bench: Bench) -> None:
    """A repository that is missing once keeps its values and their date; the package stays."""
    bench.harvest("django-scheduler")
    bench.services.world.delete("llazzaro/django-scheduler")
    bench.now += timedelta(days=1)
    report = bench.harvest("django-scheduler")
    row = bench.package("django-scheduler")
    assert row["stars_count"] == 1331
    assert row["repo_state"] == "stale"
    assert "/repositories/" in " ".join(bench.asked("github")), "the id is asked before a 404 is believed"
    assert report.exit_code == 3


def test_a_refused_token_ends_github_not_the_run(bench: Bench) -> None:
    """PyPI is still harvested, one request tells the token is bad, and the old values stay."""
    bench.services.limits.bad_tokens = frozenset({bench.token or ""})
    report = bench.harvest()
    assert len(bench.asked("github")) <= 16, "no more than were in flight"
    assert len(bench.asked("pypi")) == 48
    assert report.run["outcome"] == "stopped"
    assert "GITHUB_TOKEN" in report.run["detail"]
    assert bench.package("django-scheduler")["latest_version"] == "0.12.0"


def test_a_refusal_does_not_rest(bench: Bench) -> None:
    """A firewall's 403 settles nothing: the next run asks again."""
    bench.services.faults.add(Fault(pattern="/pypi/*", mishap=Mishap.STATUS, status=403))
    bench.harvest("django-scheduler")
    bench.services.faults.clear()
    bench.now += timedelta(minutes=5)
    assert bench.harvest("django-scheduler").run["pypi_requests_count"] == 2
    assert bench.package("django-scheduler")["project_state"] == "ok"


def test_one_harvest_with_a_smaller_age_does_not_judge_the_rest(bench: Bench) -> None:
    """``max_age`` decides what one harvest asks; what counts as stale for every reader stays with the setting."""
    bench.harvest()
    bench.now += timedelta(hours=3)
    report = bench.harvest("django-scheduler", max_age="1h")
    assert report.run["planned_count"] == 5
    assert bench.rows("select count(*) as n from packages where repo_state = 'stale'") == [{"n": 0}]


def test_without_a_token_the_hourly_quota_is_respected(bench: Bench) -> None:
    """Sixty requests an hour: the plan says so, and with a budget of sixty nothing is refused by GitHub."""
    bench.token = None
    report = bench.harvest(budget=60)
    statuses = {line.status for line in bench.services.ledger.lines(service="github")}
    assert 403 not in statuses
    assert report.run["github_units_count"] == 60


@pytest.mark.parametrize("mishap", [Mishap.HTML, Mishap.TRUNCATED], ids=["HTML with 200", "truncated JSON"])
def test_garbage_with_status_200_is_no_observation(bench: Bench, mishap: Mishap) -> None:
    """What is not JSON changes no value; the answer is landed, reported, and asked again next time."""
    bench.harvest("django-scheduler")
    bench.services.faults.add(
        Fault(pattern="/github/repos/llazzaro/django-scheduler", mishap=mishap), Fault(pattern="/pypi/*", mishap=mishap)
    )
    bench.services.world.change("llazzaro/django-scheduler", stars=1400)  # or the answer would be a 304, which has no body to spoil
    bench.services.world.release("django-scheduler", "0.13.0", at=bench.now)
    bench.now += timedelta(days=1)
    report = bench.harvest("django-scheduler")
    row = bench.package("django-scheduler")
    assert (row["stars_count"], row["latest_version"]) == (1331, "0.12.0")
    assert (row["repo_state"], row["project_state"]) == ("stale", "stale")
    assert report.findings
    bench.services.faults.clear()
    bench.now += timedelta(minutes=1)
    bench.harvest("django-scheduler")
    row = bench.package("django-scheduler")
    assert (row["stars_count"], row["latest_version"], row["repo_state"]) == (1400, "0.13.0", "ok")


@pytest.mark.parametrize("mishap", [Mishap.HUGE, Mishap.BOMB], ids=["100 MB", "compressed bomb"])
def test_a_huge_body_is_cut_and_costs_nothing_else(bench: Bench, mishap: Mishap) -> None:
    """A body past the cap is no answer; the other questions are answered and the good values stay."""
    bench.harvest("django-scheduler")
    bench.services.faults.add(Fault(pattern="/pypi/*", mishap=mishap))
    bench.now += timedelta(days=1)
    bench.harvest("django-scheduler")
    row = bench.package("django-scheduler")
    assert row["latest_version"] == "0.12.0"
    assert row["project_state"] == "stale"
    assert row["repo_state"] == "ok"
    landed = sum(path.stat().st_size for path in bench.data.rglob("landing/*/*/*.parquet"))
    assert landed < 5_000_000


def test_a_vanished_field_is_never_a_zero(bench: Bench) -> None:
    """When GitHub stops sending a field, the answer is invalid, the finding names the field, the last good value stays."""
    bench.harvest("django-scheduler")
    original = bench.services.world.repository("llazzaro/django-scheduler")
    assert original is not None
    bench.services.world.change("llazzaro/django-scheduler", stars=None)
    bench.now += timedelta(days=1)
    report = bench.harvest("django-scheduler")
    assert any("stargazers_count" in finding["message"] for finding in report.findings)
    assert bench.package("django-scheduler")["stars_count"] == 1331


def test_an_unreachable_service_leaves_the_last_publication_standing(bench: Bench, tmp_path: Path) -> None:
    """Nobody answers: the run ends soon, says whom it could not reach, and the values stay."""
    bench.harvest("django-scheduler")
    bench.overrides = {"github_api_url": "http://127.0.0.1:9", "pypi_url": "http://127.0.0.1:9"}
    bench.now += timedelta(days=1)
    report = bench.harvest("django-scheduler")
    assert report.exit_code == 3
    assert bench.package("django-scheduler")["stars_count"] == 1331
    assert bench.package("django-scheduler")["repo_state"] == "stale"


def test_no_token_lands_anywhere(bench: Bench) -> None:
    """The token is in no file below the data folder, not even where a service repeats it."""
    assert bench.token is not None
    bench.services.world.change("llazzaro/django-scheduler", description=f"leaked {bench.token}")
    bench.harvest()
    for path in bench.data.rglob("*"):
        if path.is_file():
            assert bench.token.encode() not in path.read_bytes(), path
    for path in bench.data.rglob("landing/*/*/*.parquet"):
        assert bench.token not in str(pq.read_table(path).to_pylist())


def test_two_packages_in_one_repository_are_asked_for_once(bench: Bench) -> None:
    """A monorepo is harvested once and shown twice."""
    bench.harvest()
    shared = bench.rows(
        "select repo_subject, count(*) as n, count(distinct stars_count) as stars from packages "
        "where repo_subject is not null group by all having n > 1"
    )
    assert shared
    for row in shared:
        assert row["stars"] == 1
        assert bench.asked("github").count("/repos/" + row["repo_subject"].removeprefix("github:")) <= 1


def test_every_request_is_in_the_ledger_with_its_cost(bench: Bench) -> None:
    """``fetches`` has one row per request the sandbox counted, and its units are those GitHub's meter lost."""
    report = bench.harvest()
    rows = bench.rows("select source, count(*) as n, sum(units_count) as units from fetches group by all order by source")
    assert [row["n"] for row in rows] == [len(bench.asked("github")), len(bench.asked("pypi"))]
    lowest = bench.rows("select min(remaining_count) as n from fetches where meter = 'core'")[0]["n"]
    assert rows[0]["units"] == 5000 - lowest == report.run["github_units_count"]


def test_requests_identify_us_and_pin_the_api_version(bench: Bench) -> None:
    """Every request carries our name; GitHub's also the version of its API."""
    bench.harvest("django-scheduler")
    for line in bench.services.ledger.lines():
        assert line.headers["user-agent"].startswith("packhouse/")
        assert (line.headers.get("x-github-api-version") == "2026-03-10") == (line.service == "github")
