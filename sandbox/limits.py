"""Whether a ledger shows that GitHub's published limits were kept at every moment.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits and
https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api. All of them hold for one account.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from sandbox.ledger import Line
from sandbox.quota import CORE, GRAPHQL

MINUTE = 60.0
MICROSECOND = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What GitHub publishes.

    Attributes:
        requests_per_minute: REST points; a GET is one, whatever it is answered.
        graphql_points_per_minute: points of GraphQL queries; counted as what they cost, which is never less.
        seconds_per_minute: "CPU time" of all requests, estimated by the time their answers took, as GitHub advises.
        graphql_seconds_per_minute: the part of it for GraphQL.
        in_flight: requests at the same time.
        units_per_hour: requests, and apart from them points, in one window of the quota.
        hour_seconds: length of that window.
    """

    requests_per_minute: int = 900
    graphql_points_per_minute: int = 2000
    seconds_per_minute: float = 90.0
    graphql_seconds_per_minute: float = 60.0
    in_flight: int = 100
    units_per_hour: int = 5000
    hour_seconds: float = 3600.0


PUBLISHED = Published()


def broken_limits(lines: Iterable[Line], limits: Published = PUBLISHED) -> list[str]:
    """A sentence for every limit an identity broke, with the worst it did and when; empty when all were kept.

    Windows slide: every 60 seconds are looked at, wherever they begin. Lines of PyPI are left out.
    """
    by_identity: dict[str, list[Line]] = {}
    for line in sorted(lines, key=lambda line: line.at):
        if line.service == "github":
            by_identity.setdefault(line.identity, []).append(line)
    return [f"{identity}: {sentence}" for identity, own in by_identity.items() for sentence in _broken(own, limits)]


def _broken(lines: Sequence[Line], limits: Published) -> Iterable[str]:
    rest, graphql = [line for line in lines if line.meter != GRAPHQL], [line for line in lines if line.meter == GRAPHQL]
    measured = (
        ("REST requests within 60 s", *_most([(line.at, 1) for line in rest]), limits.requests_per_minute),
        ("GraphQL points within 60 s", *_most([(line.at, max(line.units, 1)) for line in graphql]), limits.graphql_points_per_minute),
        ("seconds of answers within 60 s", *_longest(lines), limits.seconds_per_minute),
        ("seconds of GraphQL within 60 s", *_longest(graphql), limits.graphql_seconds_per_minute),
        ("requests in flight", *_crowd(lines), limits.in_flight),
        ("REST requests in an hour", *_fullest_hour(lines, CORE, limits.hour_seconds), limits.units_per_hour),
        ("GraphQL points in an hour", *_fullest_hour(lines, GRAPHQL, limits.hour_seconds), limits.units_per_hour),
    )
    for what, worst, at, limit in measured:
        if worst > limit + MICROSECOND:
            yield f"{worst:g} {what} from {at:.3f} s on, of {limit:g} allowed"


def _most(counted: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """The largest sum within any half-open minute, and where that begins; ``counted`` in order of time."""
    moments = [moment for moment, _ in counted]
    sums = [0, *accumulate(amount for _, amount in counted)]
    found = ((sums[bisect_left(moments, moment + MINUTE - MICROSECOND)] - sums[place], moment) for place, moment in enumerate(moments))
    return max(found, key=lambda pair: pair[0], default=(0, 0.0))


def _longest(lines: Sequence[Line]) -> tuple[float, float]:
    """The longest time answers took within any minute, overlaps counted as often as they overlap, and where that begins."""
    starts = sorted(line.at for line in lines)
    ends = sorted(line.at + line.seconds for line in lines)
    started, ended = [0.0, *accumulate(starts)], [0.0, *accumulate(ends)]

    def until(moment: float) -> float:
        """Time spent before a moment: that since all starts, less that since all ends."""
        begun, over = bisect_right(starts, moment), bisect_right(ends, moment)
        return (begun * moment - started[begun]) - (over * moment - ended[over])

    found = ((until(start + MINUTE) - until(start), start) for moment in (*starts, *ends) for start in (moment, moment - MINUTE))
    return max(found, key=lambda pair: pair[0], default=(0.0, 0.0))


def _crowd(lines: Sequence[Line]) -> tuple[int, float]:
    """The most requests under way at one moment, and that moment; one that ends as another begins is over."""
    turns = sorted([(line.at, 1) for line in lines] + [(line.at + line.seconds, -1) for line in lines])
    counts = accumulate(step for _, step in turns)
    return max(zip(counts, (moment for moment, _ in turns), strict=True), key=lambda pair: pair[0], default=(0, 0.0))


def _fullest_hour(lines: Sequence[Line], meter: str, hour_seconds: float) -> tuple[int, float]:
    """The most units charged in one window of the quota, which begins with the first request after the one before."""
    fullest, begun, used = (0, 0.0), float("-inf"), 0
    for line in lines:
        if line.meter != meter:
            continue
        if line.at >= begun + hour_seconds:
            begun, used = line.at, 0
        used += line.units
        fullest = max(fullest, (used, begun))
    return fullest
