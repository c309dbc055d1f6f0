"""What is asked of the past: days that are not known, whole windows with their margins, and how many queries that takes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from extractors.conversation import Target
from flows.past_plan import PastDue, Repo, due_of, expected_pages, missing_days, queries, star_pages, window_target
from flows.past_window import BackfillOptions, refuse_window

DAY = timedelta(days=1)
TODAY = date(2026, 2, 16)
NOW = datetime(2026, 2, 16, 3, tzinfo=UTC)
FIRST = date(2025, 1, 1)


@st.composite
def spans(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Spans of numbered days that do not overlap, in any order."""
    bounds = sorted(draw(st.sets(st.integers(0, 20), max_size=8)))
    pairs = list(zip(bounds[::2], bounds[1::2], strict=False))
    return draw(st.permutations(pairs))


@given(spans(), st.integers(0, 20), st.integers(0, 20))
def test_the_first_and_the_last_day_that_are_not_known(known: list[tuple[int, int]], since: int, until: int) -> None:
    """As counted day by day."""
    covered = {day for begin, end in known for day in range(begin, end + 1)}
    missing = [day for day in range(since, until + 1) if day not in covered]
    found = missing_days([(FIRST + begin * DAY, FIRST + end * DAY) for begin, end in known], FIRST + since * DAY, FIRST + until * DAY)
    assert found == ((FIRST + missing[0] * DAY, FIRST + missing[-1] * DAY) if missing else None)


@given(st.lists(st.integers(1, 9), max_size=60), st.integers(1, 25), st.integers(1, 4))
def test_queries_are_enough_and_not_too_many(pages: list[int], size: int, lanes: int) -> None:
    """No fewer than the pages fill and than the longest history has, no more than one for each page."""
    count = queries(pages, size, lanes)
    assert max([-(-sum(pages) // size), *pages]) <= count <= sum(pages)
    assert queries([1] * len(pages), size, lanes) == -(-len(pages) // size)


def test_a_window_is_read_with_a_margin_on_both_sides() -> None:
    """From a day before, by committers' clocks, to a year after; from the newest commit when that reaches into the present."""
    target = Target(subject="github:a/b", owner="a", name="b")
    old = window_target(PastDue(subject="github:a/b", from_on=date(2020, 1, 1), until_on=date(2020, 12, 31)), target, NOW)
    assert (old.since, old.until) == ("2019-12-31T00:00:00Z", "2022-01-01T00:00:00Z")
    assert (old.from_on, old.until_on) == ("2020-01-01", "2020-12-31")
    late = window_target(PastDue(subject="github:a/b", from_on=date(2020, 1, 1), until_on=date(2025, 2, 20)), target, NOW)
    assert late.until is None


def test_pages_of_stars_reach_from_the_first_day_to_the_last() -> None:
    """Thirty Sunday weeks a page, from the running one back; none from before the repository, none for days that are known."""
    since, until = TODAY - 730 * DAY, TODAY - DAY
    assert star_pages(Repo(), since, until, TODAY) == range(1, 5)
    assert star_pages(Repo(created_on=TODAY - 100 * DAY), since, until, TODAY) == range(1, 2)
    assert star_pages(Repo(), since, TODAY - 400 * DAY, TODAY) == range(2, 5)
    whole = (since, TODAY - 2 * DAY, 729)
    assert star_pages(Repo(stars=whole), since, until, TODAY) == range(0)
    half = (TODAY - 364 * DAY, TODAY - 2 * DAY, 363)
    assert star_pages(Repo(stars=half), since, until, TODAY) == range(2, 5)
    assert star_pages(Repo(stars=(since, TODAY - 2 * DAY, 700)), since, until, TODAY) == range(1, 5), "with holes nothing is left out"
    assert due_of("github:a/b", Repo(stars=whole, spans=[(since, until)]), since, until, TODAY) is None


def test_pages_of_commits_are_foreseen_by_what_is_known_of_the_pace() -> None:
    """The year before last at the pace of all years but the last, the last at its own."""
    busy = Repo(created_on=TODAY - (364 + 1000) * DAY, year_count=364, total_count=364 + 5000)
    older = PastDue(subject="github:a/b", repo=busy, from_on=TODAY - (364 + 200) * DAY, until_on=TODAY - 365 * DAY)
    assert expected_pages(older, TODAY) == 14, "1,000 in those 200 days at five a day, and the 364 since"
    assert expected_pages(PastDue(subject="github:a/b", from_on=TODAY - 700 * DAY, until_on=TODAY - DAY), TODAY) == 1


def test_mistakes_that_need_no_store_are_told_together() -> None:
    """Each with what can be answered; a window of yesterday alone is none."""
    told = refuse_window(BackfillOptions(since=date(2001, 1, 1), until=TODAY), today=TODAY, has_probe=False, has_repositories=True)
    assert len(told) == 3
    assert "is not over yet" in told[0]
    yesterday = BackfillOptions(since=TODAY - DAY, until=TODAY - DAY)
    assert refuse_window(yesterday, today=TODAY, has_probe=True, has_repositories=True) == []
    assert refuse_window(yesterday, today=TODAY, has_probe=False, has_repositories=False) == []


def test_the_order_of_slugs_makes_no_other_request() -> None:
    """The same request goes on where it was killed; another window is another one, and none is a harvest's."""
    one, two = (BackfillOptions(since=FIRST, until=TODAY, slugs=slugs) for slugs in (("a", "b"), ("b", "a")))
    assert one.fingerprint() == two.fingerprint()
    assert one.fingerprint() != BackfillOptions(since=FIRST + DAY, until=TODAY, slugs=("a", "b")).fingerprint()
    assert one.fingerprint()["kind"] == "backfill"
