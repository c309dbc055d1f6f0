"""Lines and bars as SVG path data: numbers in, one ``d`` attribute out, in the coordinates of the boxes named here.

Path data holds digits, points, signs and command letters only, whatever the numbers were.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

BAR_STEP = 2  # of a bar and the gap after it
BAR_HEIGHT = 20
CHART_WIDTH = 240
CHART_HEIGHT = 64
INSET = 2  # keeps the stroke inside the box

Span = tuple[datetime, datetime, int | None]


def bars_path(counts: Sequence[int | None]) -> str:
    """One bar per count, the largest as high as the box; zero and unknown have none, any other at least one unit."""
    top = max((count for count in counts if count), default=0)
    drawn = ((index, max(1, round(BAR_HEIGHT * count / top))) for index, count in enumerate(counts) if count and count > 0)
    return "".join(f"M{BAR_STEP * index + 1} {BAR_HEIGHT}v-{height}" for index, height in drawn)


def observed_paths(spans: Sequence[Span]) -> tuple[str, str]:
    """What was observed: level lines while a count was confirmed, and apart from them the leaps over times nobody looked.

    Across a span without a count nothing is drawn: it is unknown what happened there. Needs one count at least.
    """
    merged = list(_merged(spans))
    known = [span for span in merged if span[2] is not None]
    first, last = known[0][0], known[-1][1]
    low, high = min(span[2] or 0 for span in known), max(span[2] or 0 for span in known)
    levels, leaps, previous = [], [], None
    for begin, end, count in _thinned(merged, first, last):
        if count is None:
            previous = None
            continue
        y = _height(count, low, high)
        left, right = _across(begin, first, last), _across(end, first, last)
        levels.append(f"M{left} {y}H{_after(right, left)}")
        if previous:
            leaps.append(f"M{previous[0]} {previous[1]}L{left} {y}")
        previous = (right, y)
    return "".join(levels), "".join(leaps)


def retained_path(points: Sequence[tuple[date, int]]) -> str:
    """A curve of steps from the first day to the last, from nothing up to the last count. Needs one point at least."""
    days = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day, _ in points]
    top = points[-1][1]
    path = f"M{_across(days[0], days[0], days[-1])} {_height(0, 0, top)}"
    for moment, (_, count) in zip(days, points, strict=True):
        path += f"H{_across(moment, days[0], days[-1])}V{_height(count, 0, top)}"
    return path


def _merged(spans: Sequence[Span]) -> Iterator[Span]:
    """Spans with the same count one after another are one: something else had changed."""
    held: Span | None = None
    for begin, end, count in spans:
        if held is not None and held[2] == count and count is not None:
            held = (held[0], max(held[1], end), count)
            continue
        if held is not None:
            yield held
        held = (begin, end, count)
    if held is not None:
        yield held


def _thinned(spans: Sequence[Span], first: datetime, last: datetime) -> Iterator[Span]:
    """Of spans that begin and end within one unit of the box only the last is worth a mark; an unknown one always breaks the line."""
    for index, span in enumerate(spans):
        following = spans[index + 1] if index + 1 < len(spans) else None
        if following is not None and span[2] is not None and following[2] is not None:
            unit = int(float(_across(span[0], first, last)))
            if unit == int(float(_across(following[1], first, last))):
                continue
        yield span


def _across(moment: datetime, first: datetime, last: datetime) -> str:
    length = (last - first) / timedelta(microseconds=1)
    share = (moment - first) / timedelta(microseconds=1) / length if length else 0.5
    return _spelt(INSET + (CHART_WIDTH - 2 * INSET) * share)


def _height(count: int, low: int, high: int) -> str:
    share = (count - low) / (high - low) if high > low else 0.5
    return _spelt(CHART_HEIGHT - INSET - (CHART_HEIGHT - 2 * INSET) * share)


def _after(right: str, left: str) -> str:
    """A moment has no width, and a line without any is not drawn."""
    return right if right != left else _spelt(float(left) + 0.1)


def _spelt(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
