"""How fast the API is read: wrk with 64 connections against one worker on one core, beside the incumbent's stack and nginx.

    python benchmarks/serving.py [--packages 5000] [--connections 64] [--seconds 4] [--rounds 3]
    python benchmarks/serving.py --packages 750000 --only-start

Each server has core 0 to itself, wrk core 1; random packages, and pages of 20 at random places, over kept connections. The rounds of
all servers take turns, and medians are printed, with what tells more on a busy machine: the processor time a server took for one answer.
The incumbent is ``tests/oracle/incumbent.py`` on gunicorn with the same records (``make check`` installs it), nginx serves the files of
``packhouse export --static``. Whatever is missing is skipped and named. ``--only-start`` tells seconds and memory to the first answer.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from made import publish_made
from served import BASE, ORACLE, ROOT, Server, incumbent, nginx, on_core, packhouse

PORTS = (18451, 18452)
SCRIPT = """
request = function() return wrk.format("GET", %s) end
done = function(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local middle, late = latency:percentile(50), latency:percentile(99)
  io.write(string.format("RESULT %%d %%d %%f %%f %%d\\n", summary.requests, summary.duration, middle, late, failed))
end
"""
ADDRESSES = {
    "one package": '"/api/v4/packages/" .. math.random(1, {packages}) .. "/"',
    "a page of 20": '"/api/v4/packages/?limit=20&offset=" .. 20 * math.random(1, {packages} / 20 - 1)',
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One round: requests a second, milliseconds, microseconds of the server for one answer, and how many failed."""

    rate: float
    p50: float
    p99: float
    processor: float
    failed: int


def main() -> None:
    """Publish, serve, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=int, default=5000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only-start", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="packhouse-serving-") as folder:
        data = Path(folder) / "data"
        publish_made(data, options.packages)
        measure_start(data, options.packages)
        if options.only_start:
            return
        if shutil.which("wrk") is None:
            print("no wrk: requests a second were not measured (Debian: apt-get install wrk)")
            return
        with ExitStack() as stack:
            compare(start_servers(stack, data, Path(folder)), options, Path(folder))


def measure_start(data: Path, packages: int) -> None:
    """Print how long a server takes to its first answer and to its first search, and what memory."""
    began = time.monotonic()
    with packhouse(data) as server:
        server.get(f"/api/v4/packages/{packages}/")
        first, peak = time.monotonic() - began, server.memory("VmHWM")
        server.get("/api/v4/search/?q=package")
        searched = time.monotonic() - began
        print(f"{packages:,} packages: first answer after {first:.1f} s with {peak / 1e6:,.0f} MB, first search after {searched:.1f} s")
        print(f"with the search index {server.memory() / 1e6:,.0f} MB, at most {server.memory('VmHWM') / 1e6:,.0f} MB\n", flush=True)


def start_servers(stack: ExitStack, data: Path, folder: Path) -> dict[str, Server]:
    """Start what there is; names the rest."""
    servers = {"packhouse": stack.enter_context(packhouse(data))}
    if (ORACLE / "gunicorn").exists():
        place = folder / "incumbent"
        place.mkdir()
        servers["incumbent on gunicorn"] = stack.enter_context(incumbent(_records(data), place, PORTS[0]))
    else:
        print("no gunicorn in .cache/oracle: the incumbent was not measured (make check installs it)")
    if shutil.which("nginx"):
        place = folder / "nginx"
        place.mkdir()
        export = [sys.executable, "-m", "packhouse", "export", "--static", str(folder / "public"), "--base-url", f"{BASE}:{PORTS[1]}"]
        environ = os.environ | {"PACKHOUSE_DATA": str(data)}
        subprocess.run(export, cwd=ROOT, env=environ, check=True, capture_output=True)  # noqa: S603 - our own program
        servers["nginx, static export"] = stack.enter_context(nginx(folder / "public", place, PORTS[1]))
    else:
        print("no nginx: the static export was not measured (Debian: apt-get install nginx-light)")
    return servers


def warm(server: Server, packages: int) -> None:
    """Ask for every package once, in the words that wrk uses: a server is measured when it has run for a while."""
    connection = HTTPConnection("127.0.0.1", server.port)
    for number in range(1, packages + 1):
        connection.putrequest("GET", f"/api/v4/packages/{number}/", skip_accept_encoding=True)
        connection.endheaders()
        connection.getresponse().read()
    connection.close()


def compare(servers: dict[str, Server], options: argparse.Namespace, folder: Path) -> None:
    """Let the servers take turns, and print medians and ratios."""
    print(f"{'':<16}{'':<24}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU us':>9}{'failed':>8}")
    warm(servers["packhouse"], options.packages)
    for address, path in ADDRESSES.items():
        script = folder / "ask.lua"
        script.write_text(SCRIPT % path.format(packages=options.packages), encoding="utf-8")
        rounds: dict[str, list[Measured]] = {name: [] for name in servers}
        for server in servers.values():
            _load(server, script, options.connections, 2)
        for _ in range(options.rounds):
            for name, server in servers.items():
                rounds[name].append(_load(server, script, options.connections, options.seconds))
        middle = {name: _median(measured) for name, measured in rounds.items()}
        for name, one in middle.items():
            print(f"{address:<16}{name:<24}{one.rate:>12,.0f}{one.p50:>9.2f}{one.p99:>9.2f}{one.processor:>9.0f}{one.failed:>8}")
        for name, one in middle.items():
            if name != "packhouse":
                rate, processor = middle["packhouse"].rate / one.rate, one.processor / middle["packhouse"].processor
                print(f"{address:<16}{rate:.2f} x the requests/s of {name}, {processor:.2f} x by processor time")
        print(flush=True)


def _load(server: Server, script: Path, connections: int, seconds: int) -> Measured:
    how = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script)]
    command = [*on_core(1), "wrk", *how, f"{BASE}:{server.port}"]
    used = server.processor_seconds()
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - wrk
    used = server.processor_seconds() - used
    found = re.search(r"RESULT (\d+) (\d+) ([\d.]+) ([\d.]+) (\d+)", told)
    assert found is not None, told
    requests, microseconds = int(found[1]), int(found[2])
    return Measured(requests / microseconds * 1e6, float(found[3]) / 1e3, float(found[4]) / 1e3, used / requests * 1e6, int(found[5]))


def _median(measured: list[Measured]) -> Measured:
    def middle(name: str) -> float:
        return float(statistics.median(getattr(one, name) for one in measured))

    return Measured(middle("rate"), middle("p50"), middle("p99"), middle("processor"), sum(one.failed for one in measured))


def _records(data: Path) -> Any:
    """The published rows as the incumbent wants them."""
    sys.path.insert(0, str(ROOT))
    from tests.api.sample_rows import Rows  # noqa: PLC0415 - needs ROOT in the path
    from tests.oracle.asking import records  # noqa: PLC0415 - as above
    from warehouse.folder import DataFolder  # noqa: PLC0415 - as above
    from warehouse.readers import open_current  # noqa: PLC0415 - as above

    with open_current(DataFolder(data)) as publication:
        found = records(
            Rows(package_rows=[*publication.packages()], category_rows=[*publication.categories()], grid_rows=[*publication.grids()])
        )
    return found | {"found": []}


if __name__ == "__main__":
    main()
