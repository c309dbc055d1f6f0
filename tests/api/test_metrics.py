"""What is counted of requests, how it is told to Prometheus, and the line of each."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from api.app import create_app
from api.metrics import ADDRESSES, BOUNDS, SIZE, Metrics, address_name
from api.observing import access_line
from api.repeats import Call
from api.snapshot import take_snapshot
from tests.api.publishing import publish_rows
from tests.api.running import ask, running
from tests.api.sample_rows import BASE, NEW_YORK, SAMPLE

LINE = re.compile(r'[a-z_]+(\{[a-z_]+="[^"\\\n]*"(,[a-z_]+="[^"\\\n]*")*\})? [0-9.e+-]+|# (HELP|TYPE) [a-z_]+ .+')
SNAPSHOT = take_snapshot(SAMPLE)


def values(text: str) -> dict[str, float]:
    """Read the text format: every line is one that Prometheus reads."""
    assert text.endswith("\n")
    found = {}
    for line in text.splitlines():
        assert LINE.fullmatch(line), line
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            assert name not in found
            found[name] = float(value)
    return found


def test_requests_are_counted_by_what_they_are(tmp_path):
    """Each answer counts once under address, method and status, /metrics itself and streams too, and the publication's moment is told."""
    publish_rows(tmp_path, SAMPLE, "20260215T222000Z-a")
    lines: list[str] = []
    with running(create_app(tmp_path, zone=NEW_YORK, base_url=BASE, write_access=lines.append)) as port:
        for method, target in [
            ("GET", "/api/v4/packages/1776/"),
            ("GET", "/api/v4/packages/odd-one/"),
            ("HEAD", "/api/v4/packages/?limit=1"),
            ("GET", "/bulk/packages.ndjson"),
            ("DELETE", "/api/v4/grids/"),
            ("GET", "/anything/%22%0A"),
        ]:
            ask(port, method, target)
        status, headers, _ = ask(port, "GET", "/metrics")
        told = values(ask(port, "GET", "/metrics")[2].decode())
        assert ask(port, "POST", "/metrics")[0] == 405
    assert (status, dict(headers)["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    requests = {name: value for name, value in told.items() if name.startswith("packhouse_http_requests_total")}
    assert {tuple(re.findall(r'"([^"]*)"', name)): value for name, value in requests.items()} == {
        ("packages_record", "GET", "200"): 2,
        ("packages", "HEAD", "200"): 1,
        ("bulk", "GET", "200"): 1,
        ("grids", "other", "405"): 1,
        ("other", "GET", "404"): 1,
        ("metrics", "GET", "200"): 1,
    }
    assert told["packhouse_publication_as_of_timestamp_seconds"] == datetime(2026, 2, 15, 22, 20, tzinfo=UTC).timestamp()
    assert told['packhouse_publication_info{run_id="20260215T222000Z-a"}'] == 1
    assert told["packhouse_publication_is_behind"] == 0
    assert [line.split(" ", 2)[2].rsplit(" ", 4)[0] for line in lines][:3] == [
        "GET /api/v4/packages/1776/ 200",
        "GET /api/v4/packages/odd-one/ 200",
        "HEAD /api/v4/packages/?limit=1 200",
    ]
    assert all(re.fullmatch(r"\S+Z 127\.0\.0\.1 [A-Z]+ \S+ \d+ \d+ B \d+\.\d ms", line) for line in lines)


def test_durations_are_a_histogram():
    """Buckets grow up to the count, a duration at a bound is in it, and the sum is that of all."""
    metrics = Metrics()
    for seconds in (0.0005, 0.001, 0.02, 99.0):
        metrics.count("/api/v4/", "GET", 200, seconds)
    told = values(metrics.tell(SNAPSHOT, "why"))
    name = "packhouse_http_request_duration_seconds"
    buckets = [told[f'{name}_bucket{{address="root",le="{bound}"}}'] for bound in [*map(str, BOUNDS), "+Inf"]]
    assert buckets == [2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 4]
    assert told[f'{name}_count{{address="root"}}'] == 4
    assert told[f'{name}_sum{{address="root"}}'] == pytest.approx(99.0215)
    assert told["packhouse_publication_is_behind"] == 1


def test_several_rows_are_told_as_one():
    """Workers count in rows of their own; each tells the sum."""
    rows = [[0.0] * SIZE, [0.0] * SIZE]
    first, second = Metrics(rows, 0), Metrics(rows, 1)
    first.count("/api/v4/", "GET", 200, 0.1)
    second.count("/api/v4/", "GET", 200, 0.2)
    assert first.tell(SNAPSHOT, None) == second.tell(SNAPSHOT, None)
    assert values(first.tell(SNAPSHOT, None))['packhouse_http_requests_total{address="root",method="GET",status="200"}'] == 2
    assert sum(rows[0][:-1]) > 0 < sum(rows[1][:-1])


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/v4/", "root"),
        ("/api/v4/search/", "search"),
        ("/api/v4/categories/3.json", "categories_record"),
        ("/api/v4/packages/a/history/", "history"),
        ("/bulk/x", "bulk"),
        ("/health/live", "health"),
        ("/metrics", "metrics"),
        ("/health/x", "other"),
        ("/metrics/", "other"),
        ("", "other"),
    ],
)
def test_addresses_have_names_of_ours(path, name):
    """Whatever is asked, the label is one of a few."""
    assert address_name(path) == name
    assert name in ADDRESSES


def test_a_line_cannot_be_forged():
    """What an asker sends stays within its line."""
    call = Call(b"/a\n\x1b[31m\xff?b\r", (), "http", None)
    line = access_line(call, "GET", 200, 3, 0.0123, datetime(2026, 2, 15, 22, 20, 0, 5000, tzinfo=UTC))
    assert line == r"2026-02-15T22:20:00.005Z - GET /a\n\x1b[31m\xff?b\r 200 3 B 12.3 ms"
