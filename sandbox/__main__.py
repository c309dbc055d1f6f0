"""The sandbox as a process of its own: ``python -m sandbox --synthetic 2000 --latency-ms 50`` prints its address and serves."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sandbox.app import system_clock
from sandbox.clock import RunningClock
from sandbox.faults import Fault, Faults, Mishap
from sandbox.index import Index, Serials
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
    options.add_argument("--now", type=_moment, metavar="ISO", help="its clock starts then and runs; without it, it is the system's")
    options.add_argument("--latency-ms", type=float, default=0.0, help="added to every answer")
    options.add_argument("--jitter-ms", type=float, default=0.0, help="up to so much more")
    options.add_argument("--repository-ms", type=float, default=0.0, help="added to a GraphQL answer for each repository")
    options.add_argument("--failing", type=float, default=0.0, metavar="SHARE", help="share of answers replaced by a 502 page")
    options.add_argument("--dropping", type=float, default=0.0, metavar="SHARE", help="share of connections dropped")
    _add_limits(options.add_argument_group("GitHub's limits"))
    index = options.add_argument_group("PyPI's edge")
    index.add_argument("--serials", type=Serials, choices=list(Serials), default=Serials.NUMBERS, help="how they are spelt")
    index.add_argument("--mirror", action="store_true", help="a plain copy: no ETag, no serial in a header, no JSON root")
    index.add_argument("--stale-answers", type=int, default=0, metavar="N", help="answers a document stays old after a change")
    index.add_argument("--stale-root-answers", type=int, default=0, metavar="N", help="likewise the root")
    return options


def _add_limits(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--anonymous-per-hour", type=int, default=60, help="quota without a token")
    group.add_argument("--token-per-hour", type=int, default=5000, help="requests of each token")
    group.add_argument("--graphql-per-hour", type=int, default=5000, help="points of each token")
    group.add_argument("--hour-seconds", type=float, default=3600, help="length of that hour")
    group.add_argument("--points-per-minute", type=int, default=0, help="secondary limit; 0 for none, 900 at GitHub")
    group.add_argument("--graphql-points-per-minute", type=int, default=0, help="likewise; 2000 at GitHub")
    group.add_argument("--graphql-seconds-per-minute", type=float, default=0, help="likewise; 60 at GitHub")
    group.add_argument("--concurrent", type=int, default=0, help="requests at the same time; 0 for any, 100 at GitHub")
    group.add_argument("--probe-capacity", type=int, default=0, help="repositories a query may name; 0 for any number")
    group.add_argument("--history-capacity", type=int, default=0, help="likewise for a query of their histories")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def main(arguments: list[str] | None = None) -> int:
    """Print one JSON line with the addresses on stdout, then serve until SIGINT or SIGTERM."""
    options = parser().parse_args(arguments)
    if options.catalog and not options.synthetic:
        parser().error("--catalog needs --synthetic: the sample's catalog is in catalog/")
    world = synthetic_world(options.synthetic, options.seed) if options.synthetic else sample_world()
    if options.catalog:
        write_synthetic_catalog(options.catalog, options.synthetic, options.seed)
    clock: Callable[[], datetime] = system_clock
    if options.now:
        clock = running_clock = RunningClock(options.now)
        world.today = running_clock.today
    with listen(options.port) as listener:
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        addresses = {"base_url": base_url, "github_url": f"{base_url}/github", "pypi_url": f"{base_url}/pypi"}
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signal_number, _leave)  # uvicorn stops serving first, then hands the signal on
        server = build_server(world, faults=_faults(options), limits=_limits(options), ledger=Ledger(), index=_index(options), clock=clock)
        print(json.dumps(addresses), flush=True)  # noqa: T201 - the caller reads it
        server.serve_on(listener)
    return 0


def _faults(options: argparse.Namespace) -> Faults:
    faults = Faults(latency_ms=options.latency_ms, jitter_ms=options.jitter_ms, repository_ms=options.repository_ms, seed=options.seed)
    for mishap, share in ((Mishap.STATUS, options.failing), (Mishap.DROPPED, options.dropping)):
        if share:
            faults.add(Fault(mishap=mishap, probability=share))
    return faults


def _limits(options: argparse.Namespace) -> Limits:
    return Limits(
        anonymous_per_hour=options.anonymous_per_hour,
        token_per_hour=options.token_per_hour,
        graphql_per_hour=options.graphql_per_hour,
        window_seconds=options.hour_seconds,
        points_per_minute=options.points_per_minute,
        graphql_points_per_minute=options.graphql_points_per_minute,
        graphql_seconds_per_minute=options.graphql_seconds_per_minute,
        concurrent=options.concurrent,
        probe_capacity=options.probe_capacity,
        history_capacity=options.history_capacity,
    )


def _index(options: argparse.Namespace) -> Index:
    return Index(
        serials=options.serials,
        is_mirror=options.mirror,
        stale_answers=options.stale_answers,
        stale_root_answers=options.stale_root_answers,
    )


def _leave(_number: int, _frame: object) -> None:
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
