from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.scheduling import RETRY_AFTER
from tests.conftest import ROOT
from tests.flows.week import Play, PlayedClock, end, kill, set_clock, suspend, table
from transforms.timetable import CronTimetable, PeriodTimetable, Timetable
from warehouse.schedule_file import FILE, KEPT_STARTS, ScheduleFile, ScheduleState

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - hundreds of plays, each syncing its file at every run
BERLIN = ZoneInfo("Europe/Berlin")

# Every six hours in the week in which Berlin goes back to winter time (on Sunday 25 October 2026, 03:00 becomes 02:00).
WEEK = """\
due            began              what was the matter
Wed 21 14:30   21 14:30
Wed 21 20:30   21 20:30
Thu 22 02:30   22 02:30
Thu 22 08:30   22 08:30           the run takes eight hours
Thu 22 14:30   22 16:30           began when the one before it had ended
Thu 22 20:30   22 20:30, 22 20:47 crashed after 12 min, tried again 5 min later
Fri 23 02:30   23 02:30
Fri 23 08:30   23 08:30           finished stale (exit code 3), which is not tried again
Fri 23 14:30   23 14:30
Fri 23 20:30   23 20:30
Sat 24 02:30   -                  suspended from 01:00 to 10:00
Sat 24 08:30   24 10:00           made up for both at once
Sat 24 14:30   24 14:30
Sat 24 20:30   24 20:30
Sun 25 02:30   25 02:30           02:30 came twice that night
Sun 25 08:30   25 08:30
Sun 25 14:30   25 14:30           at 15:30 the clock was set back to 13:30
Sun 25 20:30   25 20:30           at 22:00 it was set right, to 24:00
Mon 26 02:30   26 02:30
Mon 26 08:30   26 08:30
Mon 26 14:30   26 14:30, 26 22:40 the schedule was killed at 14:40 in this run, and started again at 22:40
Mon 26 20:30   26 22:52           began when the one before it had ended
Tue 27 02:30   27 02:30
Tue 27 08:30   27 08:30
Tue 27 14:30   27 17:00           the schedule was killed at 09:00, and started again at 17:00
Tue 27 20:30   27 20:30
Wed 28 02:30   28 02:30
Wed 28 08:30   28 08:30
"""


def _at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of that week in Berlin's local time; of a repeated hour the first."""
    return datetime(2026, 10, day, hour, minute, tzinfo=BERLIN).astimezone(UTC)


def _first(now: datetime) -> ScheduleState:
    return ScheduleState(schedule="the play", anchor_at=now, seen_at=now)


def test_a_week_with_everything_that_goes_wrong(tmp_path: Path) -> None:
    """The runs that should have been, beside those that were."""
    outcomes = {4: (8.0, 0), 6: (0.2, -9), 9: (0.2, 3)}  # number of the run: hours, exit code
    clock = PlayedClock(
        truth=_at(21, 10),
        events=[
            (_at(24, 1), suspend(9)),
            (_at(25, 15, 30), set_clock(-2)),
            (_at(26, 0), set_clock(+2)),
            (_at(26, 14, 40), kill),
            (_at(27, 9), kill),
            (_at(28, 10), end),
        ],
    )
    timetable = CronTimetable("30 2,8,14,20 * * *", BERLIN)
    play = Play(
        timetable=lambda _state: timetable,
        clock=clock,
        folder=tmp_path,
        outcome=lambda number: outcomes.get(number, (0.2, 0)),
        down=8.0,
    )
    play.perform(_first(clock.now()))
    why = {line[:12]: line[34:] for line in WEEK.splitlines()[1:]}
    should = list(takewhile(lambda due: due < _at(28, 10), timetable.after(_at(21, 10))))
    assert table(play, should, BERLIN, why) == WEEK.splitlines()
    said = "\n".join(play.lines)
    assert "The clock is 9.0 h further than expected" in said
    assert "1.5 h late, made up for 1 due before it too" in said
    assert "set back by 2.0 h" in said
    assert "The run due 2026-10-26 13:30:00 UTC was cut off" in said


def test_the_week_in_the_documents_is_this_one() -> None:
    """docs/operations.md shows the table as it is played here."""
    assert WEEK in (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


lines = st.sampled_from(["17 3 * * *", "10 */4 * * *", "0 */6 * * *", "30 2 * * *", "5 1,2,3 * * *"])
tables = st.one_of(
    st.builds(CronTimetable, lines, st.sampled_from([BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")])),
    st.builds(PeriodTimetable, st.timedeltas(timedelta(hours=3), timedelta(hours=24)), st.just(_at(20, 7))),
)
hours = st.floats(0.1, 60)
forward = st.lists(st.tuples(hours, st.one_of(st.builds(suspend, hours), st.builds(set_clock, hours), st.just(kill))), max_size=4)
anyhow = st.lists(
    st.tuples(hours, st.one_of(st.builds(suspend, hours), st.builds(set_clock, st.floats(-60, 60)), st.just(kill))), max_size=4
)


def _play(timetable: Timetable, happenings: list[tuple[float, object]], durations: list[float]) -> Play:
    clock = PlayedClock(truth=_at(23, 10))
    at = clock.truth
    for gap, event in happenings:
        at += timedelta(hours=gap)
        clock.events.append((at, event))  # type: ignore[arg-type]
    clock.events.append((at + timedelta(days=6), end))
    with TemporaryDirectory(dir=MEMORY) as folder:
        play = Play(
            timetable=lambda _state: timetable,
            clock=clock,
            folder=Path(folder),
            outcome=lambda number: (durations[number] if number < len(durations) else 0.1, 0),
            step=900.0,
        )
        play.perform(_first(clock.now()))
    return play


@given(tables, anyhow, st.lists(st.floats(0.0, 30.0), max_size=6))
def test_no_due_time_has_two_runs_and_none_is_early(
    timetable: Timetable, happenings: list[tuple[float, object]], durations: list[float]
) -> None:
    """Whatever happens to the clock and the machine; only a run that was cut off by a kill is begun again. And it always goes on."""
    play = _play(timetable, happenings, durations)
    resumed = sum("was cut off" in line for line in play.lines)
    assert sum(count - 1 for count in Counter(run.due_at for run in play.runs).values()) == resumed
    cut_off = {run.due_at for run in play.runs if [r.due_at for r in play.runs].count(run.due_at) > 1}
    assert all(run.wall >= run.due_at or run.due_at in cut_off for run in play.runs)
    assert play.clock.truth - play.runs[-1].truth < timedelta(days=5), "a clock set back by 60 h is a pause of 60 h, not for ever"


@given(tables, forward, st.lists(st.floats(0.0, 30.0), max_size=6))
def test_after_a_gap_there_is_one_run(timetable: Timetable, happenings: list[tuple[float, object]], durations: list[float]) -> None:
    """Each run is for the newest due time, due times rise, and none passes unless a newer one had its run in its stead."""
    play = _play(timetable, happenings, durations)
    dues = list(dict.fromkeys(run.due_at for run in play.runs))
    assert dues == sorted(dues)
    for run in play.runs:
        ahead = [due for due in takewhile(run.wall.__ge__, timetable.after(run.due_at)) if due not in dues]
        is_again = run.due_at in [other.due_at for other in play.runs if other.truth < run.truth]
        assert not ahead or is_again, "a newer one was due"
    open_ones = list(takewhile(lambda due: due <= play.clock.now() - timedelta(hours=31), timetable.after(dues[-1])))
    assert open_ones == []


def test_a_run_that_fails_is_tried_again_until_the_next_is_due(tmp_path: Path) -> None:
    """After 5 min, 20 min, an hour; wrong usage and a refused publication are not."""
    codes = [1, 1, 1, 1, 2, 3, 1, 0]
    clock = PlayedClock(truth=_at(21, 0), events=[(_at(24, 12), end)])
    play = Play(
        timetable=lambda _state: CronTimetable("0 8 * * *", BERLIN),
        clock=clock,
        folder=tmp_path,
        outcome=lambda number: (0.0, (codes[number - 1 :] or [0])[0]),
    )
    play.perform(_first(clock.now()))
    assert [run.wall for run in play.runs[:4]] == [_at(21, 8) + sum(RETRY_AFTER[:tries], timedelta()) for tries in range(4)]
    assert [run.due_at for run in play.runs[4:]] == [_at(22, 8), _at(23, 8), _at(24, 8), _at(24, 8)]
    dense = Play(
        timetable=lambda _state: CronTimetable("*/5 * * * *", BERLIN),
        clock=PlayedClock(truth=_at(21, 0), events=[(_at(21, 0, 21), end)]),
        folder=tmp_path / "dense",
        outcome=lambda _number: (0.0, 1),
    )
    dense.perform(_first(_at(21, 0)))
    assert [run.wall.minute for run in dense.runs] == [5, 10, 15, 20], "no second try beside the next run"


def test_another_schedule_begins_anew_and_a_lost_file_too(tmp_path: Path) -> None:
    """What is remembered belongs to one schedule; a file that cannot be read is none; it does not grow."""
    file = ScheduleFile(tmp_path)
    state = _first(_at(21, 0))
    state.started = [_at(21, 0) + timedelta(hours=number) for number in range(500)]
    file.write(state)
    read = file.read("the play")
    assert read is not None
    assert read == state
    assert len(read.started) == KEPT_STARTS
    assert read.started[-1] == _at(21, 0) + timedelta(hours=499)
    assert file.read("every 6h") is None
    for text in ("", "{}", "[1]", (tmp_path / FILE).read_text().replace("2026", "soon")):
        (tmp_path / FILE).write_text(text)
        assert file.read("the play") is None


def test_a_full_disk_is_said_and_does_not_end_the_schedule(tmp_path: Path) -> None:
    """The next run is what finds out whether there is room again."""
    folder = tmp_path / "data"
    clock = PlayedClock(truth=_at(21, 0), events=[(_at(23, 12), end)])
    play = Play(timetable=lambda _state: CronTimetable("0 8 * * *", BERLIN), clock=clock, folder=folder)
    folder.mkdir()
    (folder / FILE).mkdir()  # nothing can be put there
    play.perform(_first(clock.now()))
    assert [run.due_at for run in play.runs] == [_at(21, 8), _at(22, 8), _at(23, 8)]
    assert any("a restart will not know" in line for line in play.lines)


def test_periods_count_from_the_first_start(tmp_path: Path) -> None:
    """Due at once, then by elapsed time, whatever the zone does."""
    clock = PlayedClock(truth=_at(24, 20), events=[(_at(25, 12), kill), (_at(25, 21), end)])
    play = Play(timetable=lambda state: PeriodTimetable(timedelta(hours=6), state.anchor_at), clock=clock, folder=tmp_path)
    first = _first(clock.now())
    first.seen_at -= timedelta(seconds=1)
    play.perform(first)
    assert [run.due_at - _at(24, 20) for run in play.runs] == [timedelta(hours=6 * number) for number in range(5)]


@pytest.mark.parametrize("hours", [-1.0, 1e6])
def test_a_clock_that_was_wrong_for_once_stops_nothing(tmp_path: Path, hours: float) -> None:
    """A machine that starts in another century, until its clock is set, has its runs at their times afterwards."""
    clock = PlayedClock(truth=_at(21, 0), offset=timedelta(hours=hours), events=[(_at(21, 1), set_clock(-hours)), (_at(24, 0), end)])
    play = Play(timetable=lambda _state: CronTimetable("0 8 * * *", BERLIN), clock=clock, folder=tmp_path)
    play.perform(_first(clock.now()))
    assert [run.due_at for run in play.runs if run.due_at.year == 2026][-3:] == [_at(21, 8), _at(22, 8), _at(23, 8)]
