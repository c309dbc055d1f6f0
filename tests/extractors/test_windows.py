"""No minute sees more than GitHub allows, and nobody waits longer than that takes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.windows import LONGEST_ANSWER, WINDOW, Points, Seconds


def test_points_come_back_after_a_minute():
    """As many as are needed, when the oldest of them are a minute old."""
    it = Points(10)
    it.spend(0, 4)
    it.spend(5, 6)
    assert (it.left(5), it.delay(5, 1), it.delay(5, 5), it.until_more(5)) == (0, 56, 61, 56)
    assert (it.delay(61, 4), it.delay(61, 5)) == (0, 5)
    assert (it.left(66), it.delay(66, 10), it.until_more(66)) == (10, 0, 0)


def test_what_costs_more_than_a_minute_allows_waits_for_an_empty_one():
    """It is not waited for for ever."""
    it = Points(10)
    assert it.delay(0, 11) == 0
    it.spend(0, 1)
    assert it.delay(0, 11) == WINDOW


def test_an_answer_dearer_than_expected_counts():
    """More points than there are leave less than nothing until they are a minute old."""
    it = Points(10)
    it.spend(0, 13)
    assert (it.left(0), it.delay(0, 1)) == (-3, WINDOW)


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 12)), max_size=80), st.integers(12, 40))
def test_no_minute_sees_more_points(steps, most):
    """Whoever asks before spending never spends more than allowed in any sixty seconds, and a wait is never in vain."""
    it = Points(most)
    at, spent = 0.0, []
    for pause, price in steps:
        at += pause
        if (wait := it.delay(at, price)) > 0:
            assert wait <= WINDOW + 1e-6
            at += wait
            assert it.delay(at, price) < 1e-6
        it.spend(at, price)
        spent.append((at, price))
    assert all(sum(price for other, price in spent if start <= other <= start + 60) <= most for start, _ in spent)


def test_before_any_answer_the_longest_is_expected():
    """As many queries go out as would fit if each took the ten seconds GitHub gives it."""
    it = Seconds(60)
    for _ in range(6):
        assert it.delay(0) == 0
        it.begin(0)
    assert it.expected == LONGEST_ANSWER == 10
    assert it.delay(0) == math.inf


def test_answers_tell_how_long_the_next_will_take():
    """The longest of the last ones is what a query in flight is expected to take, or as long as it is out already."""
    it = Seconds(60)
    it.begin(0)
    it.end(0, 2)
    assert it.expected == 2
    for _ in range(28):
        assert it.delay(2) == 0
        it.begin(2)
    assert it.delay(2) == 0  # 2 answered, 56 in flight, 2 more
    it.begin(2)
    assert it.delay(2) == WINDOW  # or sooner, when one of them comes back before its time
    for _ in range(28):
        it.forget(2)
    assert it.delay(50) == 0  # one has been out for 48 seconds, beside the 2 answered
    assert it.delay(59) == 4  # for 57, which together with the next makes 61


def test_a_full_minute_is_waited_out():
    """The oldest seconds come back a minute after their answer."""
    it = Seconds(60)
    for second in range(0, 60, 6):
        it.begin(second)
        it.end(second, second + 6)
    assert it.delay(60) == 6 + WINDOW - 60
    assert it.delay(6 + WINDOW) == 0


def test_one_query_may_always_go():
    """When a minute's answers took longer than a minute, the next one goes out after them, not never."""
    it = Seconds(60)
    it.begin(0)
    it.end(0, 100)
    assert it.delay(100) == WINDOW
    assert it.delay(100 + WINDOW) == 0


@pytest.mark.parametrize("sent_at", [0, 7])
def test_forgetting_what_is_not_there(sent_at):
    """Nothing is taken back twice."""
    it = Seconds(60)
    it.begin(0)
    it.forget(sent_at)
    it.forget(sent_at)
    assert it.delay(0) == 0


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0.01, 1)), min_size=1, max_size=120), st.floats(1, 10))
def test_no_minute_sees_more_seconds(steps, longest):
    """With answers that take no longer than those before them, the seconds of any minute stay below sixty."""
    it = Seconds(60)
    at, flying, done = 0.0, [], []
    it.begin(at)
    it.end(at, at := longest)
    done.append((at, longest))
    for pause, share in steps:
        at += pause
        while flying and flying[0][1] <= at:
            sent_at, ends_at = flying.pop(0)
            it.end(sent_at, ends_at)
            done.append((ends_at, ends_at - sent_at))
        if it.delay(at) > 0:
            continue
        it.begin(at)
        flying.append((at, at + longest * share))
        flying.sort(key=lambda pair: pair[1])
    for end, _ in done:
        assert sum(seconds for other, seconds in done if end - 60 < other <= end) <= 60 + 1e-6


def test_the_more_is_used_the_fewer_go_at_once():
    """All lanes in a fresh minute, fewer with every second used, none beyond the steady ones from half of them on."""
    it = Seconds(60)
    assert it.share(0) == 1
    for at, share in ((10, 0.75), (20, 0.5), (30, 0.25), (40, 0), (50, 0)):
        it.begin(at - 10)
        it.end(at - 10, at - 2.5)
        assert it.share(at) == share
    assert (it.share(17 + WINDOW), it.share(17.5 + WINDOW)) == (0, 0.25)
