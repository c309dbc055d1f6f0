"""Progress on a stream that is no terminal: few lines, each with count, pace and budget."""

from __future__ import annotations

import io

from flows.progress import BarProgress, PlainProgress, describe_pace, describe_seconds, progress_for


class _Counter:
    """A monotonic clock one sets by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_line_every_five_seconds_with_pace_and_budget() -> None:
    """Many answers, few lines; each tells the rate, the time to go and what is left of the quota."""
    clock, stream = _Counter(), io.StringIO()
    progress = PlainProgress(stream, monotonic=clock)
    progress.begin(100, "asking")
    for second in range(1, 11):
        clock.now = float(second)
        progress.note("GitHub: 4,990 of 5,000 left")
        progress.advance()
    lines = stream.getvalue().splitlines()
    assert lines == [
        "asking: 5 of 100, 1.0/s, 95 s to go; GitHub: 4,990 of 5,000 left".replace("95 s", describe_seconds(95)),
        "asking: 10 of 100, 1.0/s, 90 s to go; GitHub: 4,990 of 5,000 left".replace("90 s", describe_seconds(90)),
    ]


def test_a_wait_is_told_at_once_and_once() -> None:
    """Nothing else is printed during a wait, so it is printed when it begins."""
    stream = io.StringIO()
    progress = PlainProgress(stream, monotonic=_Counter())
    progress.begin(10, "asking")
    for _ in range(3):
        progress.note("waiting 42 min for GitHub's quota")
    assert stream.getvalue() == "waiting 42 min for GitHub's quota\n"


def test_a_count_never_passes_its_total() -> None:
    """Redirects and repetitions were not foreseen; the total grows with them."""
    clock, stream = _Counter(), io.StringIO()
    progress = PlainProgress(stream, monotonic=clock)
    progress.begin(2, "second pass")
    clock.now = 10.0
    progress.advance(3)
    assert "3 of 3" in stream.getvalue()
    bar = BarProgress()
    bar.begin(1, "second pass")
    bar.advance(5)
    assert bar._bar.tasks[0].total == 5


def test_durations_read_at_a_glance() -> None:
    """Seconds, minutes, hours; no rate before there is one."""
    assert [describe_seconds(s) for s in (0.4, 89, 720, 12600)] == ["0 s", "89 s", "12 min", "3.5 h"]
    assert describe_pace(0, 10, 5) == "just begun"
    assert describe_pace(10, 20, 10) == "1.0/s, 10 s to go"


def test_no_terminal_means_plain_lines() -> None:
    """Elsewhere than on a terminal there is no bar."""
    with progress_for(stream=io.StringIO()) as progress:
        assert isinstance(progress, PlainProgress)


def test_whoever_watches_is_told_the_same() -> None:
    """A server is told what a person sees."""
    seen, watched = io.StringIO(), io.StringIO()
    with progress_for(stream=seen, watch=PlainProgress(watched)) as progress:
        progress.say("begun")
        progress.begin(3, "asking")
        progress.advance(3)
        progress.note("waiting 5 min for GitHub's quota")
    assert seen.getvalue() == watched.getvalue() == "begun\nwaiting 5 min for GitHub's quota\n"
