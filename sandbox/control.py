"""What a sandbox tells and lets do besides being GitHub and PyPI: ``/sandbox/...``, for callers in other processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.clock import RunningClock
from sandbox.day import DAY, Shares, pass_day
from sandbox.ledger import Ledger, as_row
from sandbox.limits import Published, broken_limits
from sandbox.world import World


def ledger_routes(ledger: Ledger) -> list[Route]:
    """The ledger: its lines from ``since`` on, its sums, which published limits it shows broken, and clearing it."""

    def since(request: Request) -> int:
        text = request.query_params.get("since", "0")
        return int(text) if text.isdecimal() else 0

    async def lines(request: Request) -> Response:
        return JSONResponse([as_row(line) for line in ledger.lines(since=since(request))])

    async def summary(request: Request) -> Response:
        return JSONResponse(ledger.summary(since=since(request)))

    async def limits(request: Request) -> Response:
        hour_seconds = float(request.query_params.get("hour_seconds", "3600"))
        return JSONResponse(broken_limits(ledger.lines(since=since(request)), Published(hour_seconds=hour_seconds)))

    async def clear(_request: Request) -> Response:
        ledger.clear()
        return Response(status_code=204)

    return [
        Route("/sandbox/ledger", lines, methods=["GET"]),
        Route("/sandbox/ledger", clear, methods=["DELETE"]),
        Route("/sandbox/summary", summary, methods=["GET"]),
        Route("/sandbox/limits", limits, methods=["GET"]),
    ]


def day_route(world: World, clock: Callable[[], datetime]) -> Route:
    """``POST /sandbox/day?pushed=0.03&released=0.005&seed=1``: 24 hours pass with these shares of events, which are told.

    409 when the clock is not one that can be put forward; 400 for a share that is none.
    """

    async def day(request: Request) -> Response:
        if not isinstance(clock, RunningClock):
            return JSONResponse({"message": "this sandbox's clock cannot be put forward: start it with --now"}, status_code=409)
        given = dict(request.query_params)
        try:
            seed = int(given.pop("seed", "0"))
            unknown = given.keys() - {field.name for field in fields(Shares)}
            shares = Shares(**{name: float(value) for name, value in given.items() if name not in unknown})
        except ValueError as error:
            return JSONResponse({"message": str(error)}, status_code=400)
        if unknown:
            return JSONResponse({"message": f"nothing is called {', '.join(sorted(unknown))}"}, status_code=400)
        events = pass_day(world, now=clock(), seed=seed, shares=shares)
        clock.advance(DAY)
        rows = [{**asdict(event), "at": event.at.isoformat()} for event in events]
        return JSONResponse({"now": clock().isoformat(), "today": world.today().isoformat(), "events": rows})

    return Route("/sandbox/day", day, methods=["POST"])
