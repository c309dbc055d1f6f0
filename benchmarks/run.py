"""What ``make bench`` runs: a harvest of a synthetic catalog over the sandbox, measured from outside the process.

    python benchmarks/run.py [--packages 2000] [--latency-ms 50] [--concurrency 16] [--engine none]

The sandbox is a process of its own on loopback. GitHub's limit of 900 points a minute is off in both, since it would hide
everything else (a cold run of 2,000 packages may then take no less than ten minutes); the hourly quota is raised for the
same reason. Quota units per package are what GitHub would count.
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "benchmark-token-of-the-sandbox"  # noqa: S105 - the sandbox takes any
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
    """Run everything and print one table."""
    options = argparse.ArgumentParser(description="Measure a harvest over the sandbox.")
    options.add_argument("--packages", type=int, default=2000)
    options.add_argument("--latency-ms", type=float, default=50)
    options.add_argument("--concurrency", type=int, default=16)
    options.add_argument("--engine", choices=["none", "prefect"], default="none")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="packhouse-bench-") as folder, sandbox(Path(folder), given) as environ:
        conditions = f"{given.latency_ms:g} ms latency, concurrency {given.concurrency}, engine {given.engine}"
        print(f"{given.packages:,} synthetic packages, {conditions}")
        print(f"{'':<28}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}")
        cold = show("harvest, cold", measure(environ, "harvest", "--engine", given.engine, "--json"))
        facts = json.loads(measure(environ, "sql", "--format", "json", FACTS).out)[0]
        show("harvest, nothing due", measure(environ, "harvest", "--engine", given.engine, "--json"))
        show("publish again", measure(environ, "publish", "--json"))
        show("replay", measure(environ, "replay", "--engine", given.engine, "--json"))
        run = json.loads(cold.out)["run"]
        print()
        for name, value in figures(run, cold, facts).items():
            print(f"{name:<44}{value:>12}")


def figures(run: dict[str, Any], cold: Measured, facts: dict[str, Any]) -> dict[str, str]:
    """The figures of a cold harvest, by name."""
    packages = run["packages_count"]
    return {
        "packages a second": f"{packages / cold.wall:,.1f}",
        "requests a package": f"{run['requests_count'] / packages:.2f}",
        "GitHub quota units a package": f"{run['github_units_count'] / packages:.2f}",
        "PyPI requests a package": f"{run['pypi_requests_count'] / packages:.2f}",
        "requests a second while asking": f"{run['requests_count'] / facts['asking']:,.0f}",
        "mean answer, ms": f"{1000 * facts['answers'] / facts['requests']:.0f}",
        "seconds from first to last answer": f"{facts['asking']:.1f}",
        "seconds outside of waiting for answers": f"{cold.wall - facts['asking']:.1f}",
        "CPU ms a request": f"{1000 * cold.cpu / run['requests_count']:.2f}",
        "peak memory, MB": f"{cold.peak_mb:.0f}",
    }


def show(name: str, measured: Measured) -> Measured:
    """Print one line of the table."""
    print(f"{name:<28}{measured.wall:>9.1f}{measured.cpu:>9.1f}{measured.peak_mb:>9.0f}")
    return measured


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
    command += ["--catalog", str(folder / "catalog"), "--token-per-hour", "100000000"]
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
            "PACKHOUSE_GITHUB_POINTS_PER_MINUTE": "0",
            "PACKHOUSE_CONCURRENCY": str(given.concurrency),
        }
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


if __name__ == "__main__":
    main()
