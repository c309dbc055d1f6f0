"""The sandbox as a process of its own: ``python -m sandbox --synthetic 2000 --latency-ms 50`` prints its address and serves."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

from sandbox.faults import Fault, Faults, Mishap
from sandbox.ledger import Ledger
from sandbox.quota import Limits
from sandbox.sample import sample_world
from sandbox.server import build_server, listen
from sandbox.synthetic import synthetic_world
from sandbox.synthetic_catalog import write_synthetic_catalog


def parser() -> argparse.ArgumentParser:
    """The options of the process."""
    options = argparse.ArgumentParser(prog="python -m sandbox", description="A double of GitHub and PyPI on loopback.")
    options.add_argument("--synthetic", type=int, metavar="N", help="a synthetic world of N packages instead of the sample")
    options.add_argument("--seed", type=int, default=0, help="of the synthetic world and of all chance")
    options.add_argument("--catalog", type=Path, metavar="FOLDER", help="also write the catalog of the synthetic world there")
    options.add_argument("--port", type=int, default=0, help="0 takes a free one")
    options.add_argument("--latency-ms", type=float, default=0.0, help="added to every answer")
    options.add_argument("--jitter-ms", type=float, default=0.0, help="up to so much more")
    options.add_argument("--anonymous-per-hour", type=int, default=60, help="quota without a token")
    options.add_argument("--token-per-hour", type=int, default=5000, help="quota of each token")
    options.add_argument("--points-per-minute", type=int, default=0, help="secondary limit; 0 for none, 900 at GitHub")
    options.add_argument("--failing", type=float, default=0.0, metavar="SHARE", help="share of answers replaced by a 502 page")
    options.add_argument("--dropping", type=float, default=0.0, metavar="SHARE", help="share of connections dropped")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Print one JSON line with the addresses on stdout, then serve until SIGINT or SIGTERM."""
    options = parser().parse_args(arguments)
    if options.catalog and not options.synthetic:
        parser().error("--catalog needs --synthetic: the sample's catalog is in catalog/")
    world = synthetic_world(options.synthetic, options.seed) if options.synthetic else sample_world()
    if options.catalog:
        write_synthetic_catalog(options.catalog, options.synthetic, options.seed)
    faults = Faults(latency_ms=options.latency_ms, jitter_ms=options.jitter_ms, seed=options.seed)
    if options.failing:
        faults.add(Fault(mishap=Mishap.STATUS, probability=options.failing))
    if options.dropping:
        faults.add(Fault(mishap=Mishap.DROPPED, probability=options.dropping))
    limits = Limits(
        anonymous_per_hour=options.anonymous_per_hour,
        token_per_hour=options.token_per_hour,
        points_per_minute=options.points_per_minute,
    )
    with listen(options.port) as listener:
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        addresses = {"base_url": base_url, "github_url": f"{base_url}/github", "pypi_url": f"{base_url}/pypi"}
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signal_number, _leave)  # uvicorn stops serving first, then hands the signal on
        print(json.dumps(addresses), flush=True)  # noqa: T201 - the caller reads it
        build_server(world, faults=faults, limits=limits, ledger=Ledger()).serve_on(listener)
    return 0


def _leave(_number: int, _frame: object) -> None:
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
