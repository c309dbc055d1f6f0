from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import Limits, Line, Published, broken_limits
from sandbox.limits import _longest, _most
from tests.sandbox.asking import PLAIN, TOKEN, asking


def line(at: float, seconds: float = 0.05, *, meter: str = "core", units: int = 1, identity: str = "me") -> Line:
    """A request to GitHub."""
    return Line(
        at=at,
        seconds=seconds,
        service="pypi" if meter == "pypi" else "github",
        method="GET",
        path="/",
        identity=identity,
        headers={},
        asked_bytes_count=0,
        status=200,
        meter=meter,
        units=units,
        mishap="",
        bytes_count=0,
    )


def test_a_pace_at_the_limit_breaks_none() -> None:
    """900 requests a minute for an hour, spread evenly, would only be too many for the hour."""
    lines = [line(number / 15) for number in range(4500)]
    assert broken_limits(lines) == []
    assert broken_limits([]) == []


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([line(59.0 + number / 1000, 0.001) for number in range(901)], "901 REST requests within 60 s"),
        ([line(number * 59 / 900, 0.001, units=0) for number in range(901)], "901 REST requests within 60 s"),
        ([line(number / 10, 0.001, meter="graphql", units=10) for number in range(201)], "2010 GraphQL points within 60 s"),
        ([line(number / 10, 0.001, meter="graphql", units=0) for number in range(300)], ""),
        ([line(number * 0.9, 1.0, meter="graphql") for number in range(80)], "seconds of GraphQL within 60 s"),
        ([line(number * 0.5, 0.9) for number in range(200)], "seconds of answers within 60 s"),
        ([line(0.001 * number, 0.5) for number in range(101)], "101 requests in flight"),
        ([line(number * 0.7, 0.001) for number in range(5001)], "5001 REST requests in an hour"),
        ([line(number * 10.0, 0.001, meter="graphql", units=20) for number in range(251)], "5020 GraphQL points in an hour"),
        ([line(number * 10.0, 0.001, meter="graphql", units=20) for number in range(250)], ""),
        ([line(number / 1000, 1.0, meter="pypi") for number in range(2000)], ""),
    ],
)
def test_each_limit_is_watched(lines: list[Line], words: str) -> None:
    """One sentence says by how much and when; PyPI is under none of these limits."""
    found = broken_limits(lines)
    assert (len(found), words in (found or [""])[0]) == ((1, True) if words else (0, True))
    assert not found or found[0].startswith("me: ")


def test_identities_are_judged_apart() -> None:
    """Two accounts may do twice as much as one."""
    lines = [line(number / 20, 0.001, identity="one" if number % 2 else "other") for number in range(1600)]
    assert broken_limits(lines) == []
    assert len(broken_limits([line(number / 20, 0.001) for number in range(1600)])) == 1


def test_an_hour_of_quota_begins_with_its_first_request() -> None:
    """What is left of one hour and all of the next may be used one after the other; a compressed hour is as long as it is."""
    lines = [line(0.0, 0.001), *(line(3500 + number * 0.07, 0.001, units=1) for number in range(2000))]
    assert broken_limits(lines) == []
    assert broken_limits(lines, Published(units_per_hour=1400))
    assert broken_limits(lines, Published(units_per_hour=1400, hour_seconds=60)) == []


def test_one_request_ending_as_another_begins_is_not_two_in_flight() -> None:
    """Only those that overlap count."""
    lines = [line(float(number), 1.0) for number in range(50)]
    assert broken_limits(lines, Published(in_flight=1)) == []
    assert broken_limits([*lines, line(3.5, 0.1)], Published(in_flight=1)) == ["me: 2 requests in flight from 3.500 s on, of 1 allowed"]


TIMES = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 400)), min_size=1, max_size=30)


@given(times=TIMES)
def test_the_longest_minute_is_found(times: list[tuple[int, int]]) -> None:
    """No minute, wherever it begins, has more time of answers in it than the one found (tenths of a second, exactly)."""
    lines = [line(at / 10, seconds / 10) for at, seconds in times]
    found, begins = _longest(lines)

    def spent(start: float) -> float:
        return sum(max(min(each.at + each.seconds, start + 60) - max(each.at, start), 0) for each in lines)

    assert found == pytest.approx(max(spent(tenth / 10) for tenth in range(-600, 3500)), abs=1e-6)
    assert found == pytest.approx(spent(begins), abs=1e-6)


@given(times=TIMES)
def test_the_fullest_minute_is_found(times: list[tuple[int, int]]) -> None:
    """No minute has more points in it than the one found."""
    counted = sorted((at / 10, points) for at, points in times)
    found, begins = _most(counted)
    assert found == max(sum(points for at, points in counted if start / 10 <= at < start / 10 + 60) for start in range(-600, 3001))
    assert found == sum(points for at, points in counted if begins <= at < begins + 60)


def test_a_ledger_is_judged_over_http() -> None:
    """Callers in other processes get the same sentences, and sums by identity and meter."""
    with asking(limits=Limits(points_per_minute=0)) as (sandbox, client):
        for _ in range(905):
            client.get(f"{sandbox.github_url}{PLAIN}", headers=TOKEN)
        client.get(f"{sandbox.pypi_url}/pypi/curious-plain/json")
        found = client.get(f"{sandbox.base_url}/sandbox/limits").json()
        summary = client.get(f"{sandbox.base_url}/sandbox/summary").json()
        rest = client.get(f"{sandbox.base_url}/sandbox/summary?since=905").json()
        assert client.get(f"{sandbox.base_url}/sandbox/limits?since=100").json() == []
        assert found == broken_limits(sandbox.ledger.lines())
        identity = sandbox.ledger.lines()[0].identity
    assert len(found) == 1
    assert found[0].startswith(f"{identity}: 905 REST requests within 60 s")
    assert summary["units"] == {identity: {"core": 905}, "anonymous": {"pypi": 0}}
    assert summary["answers"] == {"core": 905, "pypi": 1}
    assert summary["seconds"]["core"] > 0
    assert (rest["lines"], rest["answers"]) == (906, {"pypi": 1})
