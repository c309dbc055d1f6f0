"""Hostile values, end to end: what a repository or a project says of itself is harmless wherever it is printed, stored or served.

What single parts do with them stands beside those parts; docs/security.md lists all of it.
"""

from __future__ import annotations

import json
import os
import pty
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sandbox.faults import Fault, Mishap
from sandbox.server import running
from tests.conftest import NOW, ROOT, Bench, prompt_world

ESCAPES = "\x1b[2J\x1b]0;owned\x07\u009b31m\u202egnp.exe\u202c\x7f\r"
HTML = "<script>alert(1)</script><img src=x onerror=alert(1)>"
FORMULA = '=HYPERLINK("http://evil.example","click")'
HOSTILE = FORMULA + HTML + ESCAPES
SLUGS = ("django-scheduler", "django-calendarium", "django-recurrence", "django-ical", "django-axes", "django-guardian")
REPO, SLUG = "llazzaro/django-scheduler", "django-scheduler"
QUERY = "select repo_description from packages where slug = 'django-scheduler'"


@pytest.fixture(scope="module")
def harvested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A publication of a repository and a project that mean harm."""
    with running(prompt_world(), clock=lambda: NOW) as services:
        services.world.change(REPO, description=HOSTILE)
        project = services.world.project(SLUG)
        assert project is not None
        project.document["info"]["summary"] = HOSTILE
        bench = Bench(data=tmp_path_factory.mktemp("hostile") / "data", services=services)
        bench.harvest()
        yield bench


def run(bench: Bench, *arguments: str) -> bytes:
    """What a command prints on both streams."""
    done = subprocess.run(
        [sys.executable, "-m", "packhouse", *arguments], cwd=ROOT, env=bench.variables(), capture_output=True, timeout=100, check=False
    )
    assert b"Traceback" not in done.stderr
    return done.stdout + done.stderr


def on_terminal(bench: Bench, *arguments: str) -> bytes:
    """What a command sends to a terminal."""
    controller, end = pty.openpty()
    environ = {**bench.variables(), "TERM": "dumb"}
    with subprocess.Popen(
        [sys.executable, "-m", "packhouse", *arguments], cwd=ROOT, env=environ, stdin=end, stdout=end, stderr=end
    ) as process:
        os.close(end)
        pieces = []
        while True:
            try:
                piece = os.read(controller, 65536)
            except OSError:  # the other end was closed
                break
            if not piece:
                break
            pieces.append(piece)
        process.wait(timeout=100)
    os.close(controller)
    return b"".join(pieces).replace(b"\r\n", b"\n")


def harmless(shown: bytes) -> None:
    """Nothing in it moves, colours, hides or turns round."""
    assert shown
    foreign = sorted({character for character in shown.decode() if character != "\n" and not character.isprintable()})
    assert not foreign, foreign


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", SLUG),
        ("status", SLUG),
        ("status",),
        ("sql", QUERY),
        ("plan",),
    ],
    ids=lambda arguments: " ".join(arguments)[:12],
)
def test_no_escape_sequence_is_printed(harvested: Bench, arguments: tuple[str, ...]) -> None:
    """Records, explanations, tables and plans have only what prints."""
    harmless(run(harvested, *arguments))


def test_shown_json_is_still_the_value(harvested: Bench) -> None:
    """What is escaped for the eye reads as what was said."""
    assert json.loads(run(harvested, "show", SLUG))["repo_description"] == HOSTILE


def test_csv_on_a_terminal_is_harmless_and_in_a_file_is_true(harvested: Bench, tmp_path: Path) -> None:
    """A terminal gets replacements; a file has the value as it is, formula included, because others read it with programs."""
    harmless(on_terminal(harvested, "sql", "--format", "csv", QUERY))
    harmless(on_terminal(harvested, "sql", "--format", "json", QUERY))
    run(harvested, "sql", "--format", "parquet", "--output", str(tmp_path / "rows.parquet"), QUERY)
    assert pq.read_table(tmp_path / "rows.parquet").to_pylist() == [{"repo_description": HOSTILE}]
    assert FORMULA.replace('"', '""').encode() in run(harvested, "sql", "--format", "csv", QUERY)


def test_pages_have_no_markup_of_others(harvested: Bench, tmp_path: Path) -> None:
    """The report and the exported pages escape it."""
    run(harvested, "report", "--output", str(tmp_path / "report.html"))
    run(harvested, "export", "--static", str(tmp_path / "public"), "--base-url", "https://packages.example.org")
    pages = [tmp_path / "report.html", *(tmp_path / "public").rglob("*.html")]
    for page in pages:
        text = page.read_text()
        assert "<script>alert" not in text
        assert "<img src=x" not in text


DIGITS = b"1" + b"0" * 400
BODIES = {
    "a number of 400 digits": b'{"id": %s, "full_name": "a/b", "stargazers_count": %s, "info": {"version": %s}}' % (DIGITS, DIGITS, DIGITS),
    "a hundred thousand deep": b"[" * 100_000 + b"]" * 100_000,
    "no UTF-8": b'{"id": 1, "full_name": "\xff\xfe", "info": {"summary": "\xff"}}',
    "lone surrogates": b'{"id": 1, "full_name": "\\ud800/\\udfff", "description": "\\ud800", "info": {"version": "\\ud800"}}',
    "NUL": b'{"id": 1, "full_name": "a\\u0000/b", "info": {"name": "x", "version": "1\\u0000"}, "releases": {}, "urls": []}',
    "a list": b"[]",
}


@pytest.mark.parametrize(
    ("graphql", "bodies"),
    [("on", ("a hundred thousand deep", "lone surrogates", "a list")), ("off", tuple(BODIES))],
    ids=["GraphQL", "REST"],
)
def test_forged_bodies_cost_their_own_facet_alone(bench: Bench, graphql: str, bodies: tuple[str, ...]) -> None:
    """Whatever both services answer, the run ends well, the last good value stays and nothing raises; afterwards all is well again."""
    bench.overrides["github_graphql"] = graphql
    bench.harvest(SLUG)
    before = bench.package(SLUG)
    for number, name in enumerate(bodies):
        bench.services.faults.clear()
        bench.services.faults.add(Fault(mishap=Mishap.FORGED, status=200, body=BODIES[name]))
        bench.now = NOW + timedelta(minutes=number + 1)
        report = bench.harvest(SLUG, full=True)
        assert report.run["outcome"] in ("done", "stopped", "refused")
        after = bench.package(SLUG)
        assert [after[field] for field in KEPT] == [before[field] for field in KEPT], name
    assert {line.mishap for line in bench.services.ledger.lines()} >= {"forged"}
    bench.services.faults.clear()
    bench.now += timedelta(hours=1)
    bench.harvest(SLUG, full=True)
    assert {bench.package(SLUG)[f"{facet}_state"] for facet in ("repo", "head", "project")} == {"ok"}
    bench.replay()


KEPT = ("stars_count", "repo_full_name", "repo_id", "repo_description", "latest_version", "releases_count", "summary", "last_commit_at")
ELSEWHERE = (
    "http://169.254.169.254/latest/meta-data/",
    "file:///etc/passwd",
    "http://127.0.0.1:{port}/",
    "//127.0.0.1:{port}/x",
    "gopher://x/",
    "http://[::1/",
)


def test_no_redirect_leads_elsewhere(bench: Bench) -> None:
    """A service that sends us to the cloud's metadata, to a file or to a port of this machine is not followed: nobody is connected to."""
    bench.overrides["github_graphql"] = "off"
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.2)
        for status in (301, 302, 307):
            for location in ELSEWHERE:
                address = location.format(port=trap.getsockname()[1])
                bench.services.faults.add(Fault(mishap=Mishap.FORGED, status=status, location=address, times=1))
        bench.services.faults.add(Fault(mishap=Mishap.FORGED, status=301, location="http://169.254.169.254/"))
        bench.harvest(*SLUGS)
        assert sum(line.mishap == "forged" for line in bench.services.ledger.lines()) > len(ELSEWHERE) * 3
        with pytest.raises(TimeoutError):
            trap.accept()
    assert bench.rows("select count(*) as n from repo_observations where outcome = 'ok'") == [{"n": 0}]


def test_a_catalog_cannot_leave_its_folder_or_ask_elsewhere(tmp_path: Path) -> None:
    """Slugs with dots and slashes, addresses of this machine and formulas in ids are mistakes of the catalog; nothing is asked."""
    folder = tmp_path / "catalog"
    shutil.copytree(ROOT / "catalog", folder)
    lines = (folder / "packages.csv").read_text().splitlines()
    names = lines[0].split(",")
    row = dict(zip(names, lines[1].split(","), strict=False))
    bad = [
        {"slug": "../../etc/passwd"},
        {"slug": "a%2f..%2fb"},
        {"id": "=1+1"},
        {"title": "x\x1b[2J"},
        {"repo_url": "http://169.254.169.254/latest"},
        {"repo_url": "file:///etc/passwd"},
        {"repo_url": "https://github.com/../../user"},
        {"repo_url": "https://github.com@evil.example/a/b"},
        {"pypi_url": "https://pypi.org/project/../../x"},
    ]
    lines += [
        ",".join({**row, "id": str(9000 + number), "slug": f"bad-{number}", **values}[name] for name in names)
        for number, values in enumerate(bad)
    ]
    (folder / "packages.csv").write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "packhouse", "catalog", "check", "--catalog", folder], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 2
    harmless(done.stderr)
    for number in range(len(lines) - len(bad) + 1, len(lines) + 1):
        assert f"packages.csv:{number}:" in done.stderr.decode(), lines[number - 1]
