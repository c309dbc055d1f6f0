"""What a server counts, in the text format of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/).

The labels are few and known beforehand, so all counts are one row of numbers. Several workers have one row each in memory they share;
none writes another's row, and whichever is asked tells the sum. Whatever askers send, no label is theirs.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, MutableSequence, Sequence
from functools import lru_cache
from itertools import accumulate

from api.bulk import BULK
from api.history import history_lookup
from api.routes import match
from api.snapshot import Snapshot

METRICS = "/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

ADDRESSES = (
    *("root", "search", "packages", "grids", "categories", "packages_record", "grids_record", "categories_record"),
    *("history", "bulk", "health", "metrics", "other"),
)
METHODS = ("GET", "HEAD", "OPTIONS", "other")
STATUSES = ("200", "204", "206", "301", "304", "400", "404", "405", "406", "414", "416", "431", "500", "503", "other")
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds

_SPANS = len(BOUNDS) + 2  # one for each bound, one beyond them, and the sum of seconds
_COUNTS = len(ADDRESSES) * len(METHODS) * len(STATUSES)
SIZE = _COUNTS + len(ADDRESSES) * _SPANS
_ADDRESS = {name: number for number, name in enumerate(ADDRESSES)}
_METHOD = {name: number for number, name in enumerate(METHODS)}
_STATUS = {name: number for number, name in enumerate(STATUSES)}
_HEALTH = re.compile(r"/health/(live|ready)")


class Metrics:
    """Counts requests in row ``own`` of ``rows``, each of ``SIZE`` numbers, and tells the sums of all."""

    def __init__(self, rows: Sequence[MutableSequence[float]] | None = None, own: int = 0) -> None:
        self._rows: Sequence[MutableSequence[float]] = [[0.0] * SIZE] if rows is None else rows
        self._own = self._rows[own]

    def count(self, path: str, method: str, status: int, seconds: float) -> None:
        """Count one request that was answered."""
        address = _ADDRESS[address_name(path)]
        kind = _METHOD.get(method, len(METHODS) - 1)
        answered = _STATUS.get(str(status), len(STATUSES) - 1)
        self._own[(address * len(METHODS) + kind) * len(STATUSES) + answered] += 1
        first = _COUNTS + address * _SPANS
        self._own[first + bisect_left(BOUNDS, seconds)] += 1
        self._own[first + _SPANS - 1] += seconds

    def tell(self, snapshot: Snapshot, complaint: str | None) -> str:
        """Write all of it, with which publication is served and whether a newer one cannot be read."""
        totals = [sum(numbers) for numbers in zip(*self._rows, strict=True)]
        return "\n".join([*_requests(totals), *_durations(totals), *_publication(snapshot, complaint), ""])


@lru_cache(maxsize=8192)
def address_name(path: str) -> str:
    """Name the kind of address a decoded path is."""
    route = match(path)
    if route is not None:
        return route.kind if route.lookup is None else f"{route.kind}_record"
    if history_lookup(path) is not None:
        return "history"
    if path.startswith(BULK):
        return "bulk"
    if path == METRICS:
        return "metrics"
    return "health" if _HEALTH.fullmatch(path) else "other"


def _requests(totals: Sequence[float]) -> Iterator[str]:
    yield "# HELP packhouse_http_requests_total Requests answered."
    yield "# TYPE packhouse_http_requests_total counter"
    labels = [(address, method, status) for address in ADDRESSES for method in METHODS for status in STATUSES]
    for (address, method, status), count in zip(labels, totals[:_COUNTS], strict=True):
        if count:
            yield f'packhouse_http_requests_total{{address="{address}",method="{method}",status="{status}"}} {count:.0f}'


def _durations(totals: Sequence[float]) -> Iterator[str]:
    name = "packhouse_http_request_duration_seconds"
    yield f"# HELP {name} From the head of a request to the last byte handed to the system."
    yield f"# TYPE {name} histogram"
    for number, address in enumerate(ADDRESSES):
        *spans, seconds = totals[_COUNTS + number * _SPANS :][:_SPANS]
        if sum(spans):
            for bound, count in zip([*map(str, BOUNDS), "+Inf"], accumulate(spans), strict=True):
                yield f'{name}_bucket{{address="{address}",le="{bound}"}} {count:.0f}'
            yield f'{name}_sum{{address="{address}"}} {seconds!r}'
            yield f'{name}_count{{address="{address}"}} {sum(spans):.0f}'


def _publication(snapshot: Snapshot, complaint: str | None) -> Iterator[str]:
    if snapshot.as_of_at is not None:
        name = "packhouse_publication_as_of_timestamp_seconds"
        yield f"# HELP {name} The moment the publication served speaks of; its age is time() minus this."
        yield f"# TYPE {name} gauge"
        yield f"{name} {snapshot.as_of_at.timestamp()!r}"
        yield "# HELP packhouse_publication_info Which publication is served."
        yield "# TYPE packhouse_publication_info gauge"
        yield f'packhouse_publication_info{{run_id="{snapshot.run_id}"}} 1'
    yield "# HELP packhouse_publication_is_behind Whether a newer publication is there that cannot be read."
    yield "# TYPE packhouse_publication_is_behind gauge"
    yield f"packhouse_publication_is_behind {int(complaint is not None)}"
