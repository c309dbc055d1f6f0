"""The report in its three forms, and the exit code it decides."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from flows.report import RunReport

START = datetime(2026, 2, 15, 12, tzinfo=UTC)
RUN = {
    "run_id": "20260215T120000Z-0001",
    "kind": "harvest",
    "engine": "none",
    "started_at": START,
    "ended_at": START + timedelta(seconds=95),
    "as_of_at": START,
    "outcome": "done",
    "detail": None,
    "packages_count": 20,
    "planned_count": 100,
    "answered_count": 99,
    "requests_count": 110,
    "github_units_count": 90,
    "graphql_points_count": 7,
    "pypi_requests_count": 20,
    "received_bytes": 1000,
    "waited_seconds": 61.0,
}


@pytest.mark.parametrize(
    ("outcome", "states", "code"),
    [
        ("done", {"ok": 20}, 0),
        ("done", {"ok": 10, "blocked": 5, "gone": 3, "unsupported": 1, "capped": 1}, 0),
        ("done", {"ok": 19, "stale": 1}, 3),
        ("done", {"ok": 19, "pending": 1}, 3),
        ("stopped", {"ok": 20}, 3),
        ("refused", {"ok": 20}, 3),
        ("failed", {"ok": 20}, 1),
    ],
)
def test_the_exit_code_tells_done_from_finished_but(outcome: str, states: dict[str, int], code: int) -> None:
    """What is stale, pending, stopped or refused is 3; what is blocked or gone is the truth, hence 0."""
    assert RunReport(run={**RUN, "outcome": outcome}, states={"repo_state": states}).exit_code == code


def test_sentences_tell_cost_waits_and_what_is_wrong() -> None:
    """Requests, units, per package, waiting; each state that is not ok; failed checks once; findings up to ten."""
    finding = {"level": "warning", "message": "something odd", "code": "odd", "subject": "x", "run_id": "r", "found_at": START}
    examples = [
        {"slug": "django-a", "before": "1234", "after": None},
        {"slug": "django-b", "before": None, "after": "stale"},
        {"slug": None, "before": "25", "after": "0" * 200},
    ]
    check = {"name": "stars_held", "message": "stars_held: 3 of 30", "is_met": False, "stops": False, "examples": examples}
    refusing = {"name": "packages_kept", "message": "packages_kept: 9 of 20", "is_met": False, "stops": True, "examples": []}
    report = RunReport(
        run={**RUN, "forecast_units_count": 80, "forecast_points_count": 9, "forecast_pypi_requests_count": 20},
        states={"repo_state": {"ok": 18, "stale": 2}},
        findings=[finding] * 12,
        checks=[check, refusing],
        published="/x/packhouse.duckdb",
        saved={"answers of 304": 12, "PyPI's index": 0},
        slowest=[{"url": "/repos/a/b", "duration_ms": 1250}],
    )
    text = "\n".join(report.sentences())
    assert (
        "110 requests (5.50 per package), 90 GitHub quota units, 7 GraphQL points, 20 to PyPI, in 95 s, 61 s of them waiting"
        in text.replace("2 min", "95 s")
    )
    assert "Foreseen were 80 units, 9 points and 20 requests to PyPI." in text
    assert "Saved, beside asking for everything one by one: 12 by answers of 304." in text
    assert "Slowest answers: /repos/a/b (1,250 ms)." in text
    assert "repo_state: 18 ok, 2 stale." in text
    assert text.count("Check packages_kept: 9 of 20\nCheck stars_held: 3 of 30\n") == 1, "what refuses comes first"
    assert "  django-a: 1234 -> unknown; django-b: stale; 25 -> 000" in text
    assert "0" * 78 not in text
    assert "| django-a | 1234 | unknown |" in report.markdown()
    assert text.count("something odd") == 10
    assert "And 2 more" in text
    assert "/x/packhouse.duckdb" in text


def test_json_is_plain_and_markdown_escapes() -> None:
    """The JSON form survives a strict encoder; a bar in an address breaks no Markdown table."""
    report = RunReport(run=RUN, slowest=[{"url": "/a|b", "duration_ms": 9}], spent={"repo": {"requests": 1, "units": 1}})
    assert json.loads(json.dumps(report.as_json(), allow_nan=False))["run"]["started_at"] == START.isoformat()
    assert "/a\\|b" in report.markdown()
    assert "Nothing was published" in report.markdown()
