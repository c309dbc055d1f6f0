"""Lines and bars: every count has its mark, unknown has none, and nothing leaves the box."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from transforms.drawings import BAR_HEIGHT, CHART_HEIGHT, CHART_WIDTH, bars_path, observed_paths, retained_path

START = datetime(2026, 1, 1, tzinfo=UTC)
COUNTS = st.one_of(st.none(), st.integers(0, 10**9))
PATH = re.compile(r"[MHVLhvlm0-9. -]*")


def hours(number: float) -> datetime:
    """A moment so many hours after the start."""
    return START + timedelta(hours=number)


@st.composite
def histories(draw):
    """Spans in order, at least one of them with a count."""
    ends = sorted(draw(st.lists(st.integers(0, 100_000), min_size=2, max_size=60, unique=True)))
    spans = [(hours(a), hours(b - 0.5), draw(COUNTS)) for a, b in pairwise(ends)]
    return [*spans, (hours(ends[-1]), hours(ends[-1]), draw(st.integers(0, 10**9)))]


@given(st.lists(COUNTS, max_size=80))
def test_every_count_above_zero_has_a_bar(counts):
    """As many bars as counts above zero, each at its own place, the highest as high as the box."""
    bars = re.findall(r"M(\d+) 20v-(\d+)", bars_path(counts))
    assert [int(left) for left, _ in bars] == [2 * i + 1 for i, count in enumerate(counts) if count]
    assert all(1 <= int(height) <= BAR_HEIGHT for _, height in bars)
    if bars:
        assert max(int(height) for _, height in bars) == BAR_HEIGHT


@given(histories())
def test_what_was_observed_stays_in_the_box(spans):
    """Both paths hold numbers and letters of commands only, within the box."""
    for path in observed_paths(spans):
        assert PATH.fullmatch(path)
        for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path):
            assert 0 <= float(x) <= CHART_WIDTH
            assert 0 <= float(y) <= CHART_HEIGHT
        for x in re.findall(r"H([\d.]+)", path):
            assert 0 <= float(x) <= CHART_WIDTH


def test_an_unknown_count_is_a_gap():
    """Nothing joins what was said before a failure with what was said after it; without one, a leap does."""
    apart = [(hours(0), hours(10), 5), (hours(20), hours(30), None), (hours(40), hours(50), 9)]
    assert observed_paths(apart)[1] == ""
    assert observed_paths([apart[0], apart[2]])[1].count("M") == 1


def test_the_same_count_is_one_line():
    """A row that differs in something else does not break the line."""
    levels, leaps = observed_paths([(hours(0), hours(1), 5), (hours(2), hours(3), 5), (hours(4), hours(5), 6)])
    assert levels.count("M") == 2
    assert leaps.count("M") == 1


def test_one_moment_is_a_mark():
    """A count seen once has a line long enough to be drawn."""
    levels, leaps = observed_paths([(hours(0), hours(0), 7)])
    left, right = re.fullmatch(r"M([\d.]+) [\d.]+H([\d.]+)", levels).groups()
    assert float(right) > float(left)
    assert leaps == ""


def test_a_long_history_is_thinned_to_what_can_be_seen():
    """Ten thousand changes are not ten thousand lines, and the last one is among them."""
    spans = [(hours(n), hours(n), n) for n in range(10_000)]
    levels, _ = observed_paths(spans)
    assert levels.count("M") <= CHART_WIDTH + 1
    assert levels.rpartition("M")[2].startswith("238 2")


@given(st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 1_000)), min_size=1, max_size=50, unique_by=lambda pair: pair[0]))
def test_what_is_retained_only_rises(days):
    """The curve goes from the left to the right and upwards, in the box."""
    total, points = 0, []
    for number, given_count in sorted(days):
        total += given_count
        points.append((date(2010, 1, 1) + timedelta(days=number), total))
    path = retained_path(points)
    assert PATH.fullmatch(path)
    across, up = ([float(number) for number in re.findall(letter + r"([\d.]+)", path)] for letter in "HV")
    assert across == sorted(across)
    assert up == sorted(up, reverse=True)
    assert all(0 <= x <= CHART_WIDTH for x in across)
    assert all(0 <= y <= CHART_HEIGHT for y in up)
