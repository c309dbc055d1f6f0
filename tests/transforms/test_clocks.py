"""What the dates of answers say of the clocks, theirs and ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.clocks import TOLERANCE, Clocks, skew_of

NOW = datetime(2026, 2, 15, 12, tzinfo=UTC)


def dated(moment: datetime, age: str | None = None) -> dict[str, str]:
    """Headers of an answer made at that moment."""
    return {"date": format_datetime(moment, usegmt=True), **({} if age is None else {"age": age})}


@given(ahead=st.integers(-10_000_000, 10_000_000))
def test_a_date_tells_how_far_the_clocks_are_apart(ahead: int) -> None:
    """Without a cache the skew is the difference, to the second."""
    skew = timedelta(seconds=ahead)
    assert skew_of(dated(NOW + skew), NOW) == skew


@given(made=st.integers(0, 100_000), age=st.integers(0, 100_000))
def test_what_a_cache_explains_is_no_skew(made: int, age: int) -> None:
    """An answer that a cache has had for so long may bear the date of its making, of its sending, or any between."""
    skew = skew_of(dated(NOW - timedelta(seconds=made), str(age)), NOW)
    assert skew == timedelta(seconds=min(age - made, 0))


@pytest.mark.parametrize("headers", [{}, {"date": ""}, {"date": "yesterday"}, {"date": "Mon, 99 Feb 2026 12:00:00 GMT"}])
def test_without_a_date_nothing_is_known(headers: dict[str, str]) -> None:
    """What is no date says nothing, and never fails."""
    assert skew_of(headers, NOW) is None


@pytest.mark.parametrize("age", ["-5", "1e3", "soon", "9" * 40])
def test_an_age_that_is_none_counts_as_none(age: str) -> None:
    """Only a whole number of seconds is an age."""
    assert skew_of(dated(NOW - timedelta(days=2), age), NOW) == -timedelta(days=2)


def test_most_answers_of_a_source_decide() -> None:
    """One odd date is a cache's; most of them are a clock's. Each source is judged for itself."""
    clocks = Clocks()
    for source, ahead in (("github", 48), ("github", 48), ("github", 0), ("pypi", 0), ("pypi", -48), ("pypi", 0)):
        clocks.add(source, dated(NOW + timedelta(hours=ahead)), NOW)
    assert clocks.off() == {"github": timedelta(hours=48)}
    (finding,) = clocks.findings("run-1")
    assert (finding["subject"], finding["code"], finding["found_at"]) == ("github", "clock_skew", NOW)
    assert "2.0 days ahead of this machine's" in finding["message"]


def test_an_hour_is_borne() -> None:
    """Up to the tolerance clocks agree."""
    clocks = Clocks()
    clocks.add("github", dated(NOW - TOLERANCE), NOW)
    clocks.add("pypi", {}, NOW)
    assert clocks.off() == {}
    clocks.add("pypi", dated(NOW - TOLERANCE - timedelta(seconds=1)), NOW)
    assert list(clocks.off()) == ["pypi"]
    assert "1 hours behind" in clocks.findings("run-1")[0]["message"]
