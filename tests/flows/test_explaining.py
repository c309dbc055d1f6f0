"""Every field of a record explains itself."""

from __future__ import annotations

from datetime import timedelta

from flows.explaining import FIELDS, describe, explain
from tests.conftest import Bench


def explained(bench: Bench, slug: str):
    """The fields of a package, by name."""
    with bench.published() as publication:
        return {item.field: item for item in explain(publication, publication.package(slug=slug), bench.settings())}


def test_every_field_says_where_it_comes_from(bench: Bench) -> None:
    """Value, time, endpoint, answer, state and next due; what is curated says so."""
    bench.harvest("django-scheduler")
    fields = explained(bench, "django-scheduler")
    assert set(fields) == set(FIELDS)
    stars = fields["repo_watchers"]
    assert (stars.value, stars.state, stars.observed_at) == (1331, "ok", bench.now)
    assert stars.endpoint == "/graphql (probe, HTTP 200)"
    assert stars.next_due == "2026-02-16 18:19 UTC"
    assert fields["commits_over_52"].endpoint == "/graphql (history, HTTP 200)"
    assert fields["participants"].endpoint.endswith("/contributors?per_page=100 (participants, HTTP 200)")
    assert fields["pypi_version"].endpoint == "/pypi/django-scheduler/json (project, HTTP 200)"
    assert fields["title"].endpoint == "catalog"
    run_id, _, sequence = str(stars.answer).partition("/")
    rows = bench.rows(f"select facet, status from fetches where run_id = '{run_id}' and sequence = {int(sequence)}")  # noqa: S608
    assert rows == [{"facet": "probe", "status": 200}]


def test_a_value_that_was_shifted_or_kept_says_so(bench: Bench) -> None:
    """Weeks of an unmoved head name the probe that confirmed them; a kept value names what was heard since."""
    bench.harvest("django-scheduler")
    bench.now += timedelta(days=1)
    bench.services.world.remove_project("django-scheduler")
    bench.harvest("django-scheduler")
    fields = explained(bench, "django-scheduler")
    weeks, version = fields["commits_over_52"], fields["pypi_version"]
    assert (weeks.state, weeks.observed_at, weeks.endpoint) == ("shifted", bench.now, "/graphql (probe, HTTP 200)")
    assert "newest commit has not changed" in str(weeks.note)
    assert (version.value, version.state, version.observed_at) == ("0.12.0", "stale", bench.now - timedelta(days=1))
    assert "missing" in str(version.note)
    text = "\n".join(describe(list(fields.values())))
    assert "next due: when the newest commit has changed" in text


def test_a_package_never_harvested_explains_that(bench: Bench) -> None:
    """Unknown values are due in the next run and come from nowhere."""
    bench.harvest("django-scheduler")
    stars = explained(bench, "django-rest-framework")["repo_watchers"]
    assert (stars.value, stars.state, stars.observed_at, stars.endpoint, stars.next_due) == (
        None,
        "pending",
        None,
        "never answered",
        "next run",
    )
