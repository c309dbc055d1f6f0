"""How many requests a second one worker of ``packhouse serve`` answers: one package, over kept connections on loopback.

    python benchmarks/serving.py [--packages 5000] [--connections 16] [--seconds 5] [--path /api/v4/packages/{id}/]

The server is a process of its own over a made publication; this process asks with pipelining off, one request in flight per
connection, and counts whole answers. Prints requests per second, percentiles in milliseconds, and what tells more on a busy
machine: the processor time the server took for one answer.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PROGRAM = """
import sys
from pathlib import Path
from zoneinfo import ZoneInfo
from api.server import Served, serve
serve(Served(data=Path(sys.argv[1]), zone=ZoneInfo("America/New_York")), host="127.0.0.1", port=0)
"""


def main() -> None:
    """Publish, serve, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=int, default=5000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--path", default="/api/v4/packages/{id}/")
    options = parser.parse_args()
    from tests.api.publishing import publish_rows  # noqa: PLC0415 - needs ROOT in the path
    from tests.api.sample_rows import SCHEDULER, Rows, many  # noqa: PLC0415 - as above

    with tempfile.TemporaryDirectory() as folder:
        rows = [SCHEDULER | {"id": row["id"], "slug": row["slug"], "title": row["title"]} for row in many(options.packages)]
        publish_rows(Path(folder), Rows(package_rows=rows), "20260215T222000Z-a")
        command = [sys.executable, "-c", PROGRAM, folder]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as server:  # noqa: S603 - our own program
            try:
                assert server.stderr is not None
                found = re.search(r":(\d+)/api", server.stderr.readline())
                assert found is not None
                asyncio.run(_load(int(found[1]), server.pid, options))
            finally:
                server.terminate()


async def _load(port: int, pid: int, options: argparse.Namespace) -> None:
    await _ask(port, options, time.perf_counter() + 1)  # warm
    begun, used = time.perf_counter(), _processor_seconds(pid)
    taken = await asyncio.gather(*[_ask(port, options, begun + options.seconds) for _ in range(options.connections)])
    seconds = time.perf_counter() - begun
    used = _processor_seconds(pid) - used
    every = sorted(one for part in taken for one in part)
    p50, p99 = every[len(every) // 2] * 1000, every[len(every) * 99 // 100] * 1000
    own = used / len(every) * 1e6
    print(f"{options.path}: {len(every) / seconds:,.0f} requests/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms, {own:.0f} us of the server each")


def _processor_seconds(pid: int) -> float:
    """User and system time of a process, from Linux's /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _ask(port: int, options: argparse.Namespace, until: float) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    chance, taken = random.Random(port), []  # noqa: S311 - which package is asked for is no secret
    while (begun := time.perf_counter()) < until:
        path = options.path.format(id=chance.randint(1, options.packages))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: */*\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        assert length is not None
        await reader.readexactly(int(length[1]))
        taken.append(time.perf_counter() - begun)
    writer.close()
    return taken


if __name__ == "__main__":
    main()
