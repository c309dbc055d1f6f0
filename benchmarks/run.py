"""What ``make bench`` runs: harvests of a synthetic catalog over the sandbox, cold and a day later, beside the incumbent's way.

    python benchmarks/run.py [--packages 5000] [--latency-ms 50] [--concurrency 16] [--engine none] [--sample 60]

The sandbox is a process of its own on loopback that enforces GitHub's published limits: 5,000 units and 5,000 points an hour,
900 REST points and 2,000 GraphQL points a minute, 60 seconds of GraphQL time a minute, 100 requests in flight. The warm harvest
comes after a day in which 3 % of the repositories were pushed to and 0.5 % of the projects released. The incumbent's calls
(``incumbent.py``) are made for a sample of the same catalog, since all of it would take hours.
Then ``serving.py`` measures how the API is read.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from incumbent import Spent, fetch_as_incumbent

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "benchmark-token-of-the-sandbox"  # noqa: S105 - the sandbox takes any
BEGIN = datetime(2026, 2, 16, 3, 0, tzinfo=UTC)
HOURLY = 5_000
PUBLISHED_LIMITS = (
    "--points-per-minute",
    "900",
    "--graphql-points-per-minute",
    "2000",
    "--graphql-seconds-per-minute",
    "60",
    "--concurrent",
    "100",
)
PUSHED, RELEASED = 0.03, 0.005
FACTS = """
select epoch(max(fetched_at)) - epoch(min(fetched_at)) as asking, sum(duration_ms) / 1000 as answers, count(*) as requests
from fetches where run_id = (select max(run_id) from runs)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One command: wall and CPU seconds, peak memory in MB, what it printed."""

    wall: float
    cpu: float
    peak_mb: float
    out: str


def main() -> None:
    """Run everything and print the tables."""
    options = argparse.ArgumentParser(description="Measure harvests over the sandbox.")
    options.add_argument("--packages", type=int, default=5000)
    options.add_argument("--latency-ms", type=float, default=50)
    options.add_argument("--concurrency", type=int, default=16)
    options.add_argument("--engine", choices=["none", "prefect"], default="none")
    options.add_argument("--sample", type=int, default=60, help="packages fetched as the incumbent does")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="packhouse-bench-") as folder, sandbox(Path(folder), given) as environ:
        conditions = f"{given.latency_ms:g} ms latency, concurrency {given.concurrency}, engine {given.engine}, GitHub's limits in force"
        print(f"{given.packages:,} synthetic packages, {conditions}\n")
        print(f"{'':<34}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'core':>8}{'points':>8}{'PyPI':>8}")
        cold = harvest("harvest, cold", environ, given, BEGIN)
        _call(environ, f"/sandbox/day?pushed={PUSHED}&released={RELEASED}", method="POST")
        warm = harvest("harvest, a day later", environ, given, BEGIN + timedelta(days=1))
        harvest("harvest, nothing due", environ, given, BEGIN + timedelta(days=1, minutes=5))
        show("publish again", measure(environ, "publish", "--json"))
        show("replay", measure(environ, "replay", "--engine", given.engine, "--json"))
        print(f"\nlimits broken, by the sandbox's ledger: {_call(environ, '/sandbox/limits') or 'none'}\n")
        compare(given, environ, Path(folder) / "catalog", cold, warm)
    print(flush=True)
    command = [sys.executable, str(ROOT / "benchmarks" / "serving.py"), "--packages", str(given.packages)]
    sys.exit(subprocess.run(command, cwd=ROOT, check=False).returncode)  # noqa: S603 - our own program


def harvest(name: str, environ: dict[str, str], given: argparse.Namespace, now: datetime) -> Measured:
    """Harvest at a moment of the sandbox's world, and print its line."""
    measured = measure(environ, "harvest", "--engine", given.engine, "--now", now.isoformat(), "--json")
    run = json.loads(measured.out)["run"]
    show(name, measured, run["github_units_count"], run["graphql_points_count"], run["pypi_requests_count"])
    return measured


def show(name: str, measured: Measured, *counts: int) -> None:
    """Print one line of the first table."""
    print(f"{name:<34}{measured.wall:>9.1f}{measured.cpu:>9.1f}{measured.peak_mb:>9.0f}" + "".join(f"{count:>8,}" for count in counts))


def compare(given: argparse.Namespace, environ: dict[str, str], catalog: Path, cold: Measured, warm: Measured) -> None:
    """Print units and seconds a package of ours and of the incumbent's, and the ratios."""
    places = (catalog, environ["PACKHOUSE_GITHUB_API_URL"], environ["PACKHOUSE_PYPI_URL"])
    calls = fetch_as_incumbent(*places, token="incumbent", packages=given.sample, reads_limits=False)  # noqa: S106 - any will do
    # A dozen packages: more would read /rate_limit more often than 900 times a minute and be refused.
    reads = fetch_as_incumbent(*places, token="incumbent-reading", packages=12, reads_limits=True)  # noqa: S106 - as above
    print(f"{'a package':<34}{'core':>9}{'points':>9}{'PyPI':>9}{'ms':>9}{'CPU ms':>9}")
    for name, measured in (("ours, cold", cold), ("ours, a day later", warm)):
        run, size = json.loads(measured.out)["run"], given.packages
        figures = (run["github_units_count"] / size, run["graphql_points_count"] / size, run["pypi_requests_count"] / size)
        print(f"{name:<34}" + "".join(f"{figure:>9.4f}" for figure in figures) + _times(measured.wall / size, measured.cpu / size))
    for name, spent in ((f"incumbent's calls ({given.sample})", calls), ("with its reads of /rate_limit", reads)):
        figures = (spent.units / spent.packages, 0.0, spent.pypi_requests / spent.packages)
        print(f"{name:<34}" + "".join(f"{figure:>9.4f}" for figure in figures) + _times(spent.seconds / spent.packages))
    print()
    for name, measured in (("cold", cold), ("a day later", warm)):
        _ratios(name, measured, given.packages, calls, reads)


def _times(wall: float, cpu: float | None = None) -> str:
    return f"{1000 * wall:>9.1f}" + (f"{1000 * cpu:>9.2f}" if cpu is not None else "")


def _ratios(name: str, measured: Measured, packages: int, calls: Spent, reads: Spent) -> None:
    run = json.loads(measured.out)["run"]
    units, points = run["github_units_count"], run["graphql_points_count"]
    theirs = calls.units / calls.packages * packages
    seconds = calls.seconds / calls.packages * packages
    with_reads = reads.seconds / reads.packages * packages
    refills = -(-int(theirs) // HOURLY) - 1
    limited = max(seconds, refills * 3600)
    print(f"{name}: {theirs / max(units, 1):,.1f} times fewer core units, {theirs / max(units + points, 1):,.1f} with the points added")
    print(f"{name}: {seconds / measured.wall:,.1f} times faster than its calls, {with_reads / measured.wall:,.1f} with its reads")
    print(f"{name}: {limited / measured.wall:,.1f} times faster with the hourly limit, for which it waits {refills} times (computed)")


def measure(environ: dict[str, str], *arguments: str) -> Measured:
    """Run one packhouse command and let the operating system account for it."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.monotonic()
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "packhouse", *arguments], cwd=ROOT, env=environ, stdout=out, stderr=err
        )
        _pid, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode not in (0, 3):  # 3: the synthetic world has packages that are gone or pending
            sys.exit(f"packhouse {' '.join(arguments)} ended with {process.returncode}:\n{err.read().decode()}")
        return Measured(wall=wall, cpu=used.ru_utime + used.ru_stime, peak_mb=_megabytes(used), out=out.read().decode())


def _megabytes(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


@contextmanager
def sandbox(folder: Path, given: argparse.Namespace) -> Iterator[dict[str, str]]:
    """A sandbox process with a synthetic world and its catalog; yields the environment that points packhouse at both."""
    command = [sys.executable, "-m", "sandbox", "--synthetic", str(given.packages), "--latency-ms", str(given.latency_ms)]
    command += ["--catalog", str(folder / "catalog"), "--now", BEGIN.isoformat(), *PUBLISHED_LIMITS]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module
    try:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        yield kept | {
            "GITHUB_TOKEN": TOKEN,
            "PACKHOUSE_DATA": str(folder / "data"),
            "PACKHOUSE_CATALOG": str(folder / "catalog"),
            "PACKHOUSE_GITHUB_API_URL": addresses["github_url"],
            "PACKHOUSE_PYPI_URL": addresses["pypi_url"],
            "PACKHOUSE_CONCURRENCY": str(given.concurrency),
        }
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _call(environ: dict[str, str], path: str, *, method: str = "GET") -> Any:
    """Ask the sandbox about itself."""
    address = environ["PACKHOUSE_PYPI_URL"].removesuffix("/pypi") + path
    with urllib.request.urlopen(urllib.request.Request(address, method=method), timeout=60) as answer:
        body = answer.read()
    return json.loads(body) if body else None


if __name__ == "__main__":
    main()
