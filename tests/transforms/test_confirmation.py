"""What was read at a head holds as long as that is the newest commit, and weeks are counted for the day that was confirmed."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.test_records import NOW, catalog_of, entry, package_of, packages_of, row
from transforms.commits import weeks_of, within_reach

DAY = timedelta(days=1)
TODAY = date(2026, 2, 15)
DAYS = {date(2026, 2, 1): 2, date(2025, 2, 20): 1}


def head(oid="h", **changes):
    """The newest commit."""
    return row("head", head_oid=oid, **changes)


def weeks(days=DAYS, *, ago=timedelta(0), oid="h", **changes):
    """Weeks read from commits by day so long ago."""
    on = (NOW - ago).date()
    values = {
        "weeks": weeks_of(days, on), "weeks_end_on": on, "weeks_source": "history", "weeks_head_oid": oid, "days_on": list(days),
        "day_counts": list(days.values()),
    }  # fmt: skip
    return row("weeks", ago=ago, **{**values, **changes})


def statistics(**changes):
    """GitHub's own 52 numbers."""
    return weeks(**{"weeks": [1] * 52, "weeks_source": "participation", "days_on": None, "day_counts": None, **changes})


def people(*, ago=timedelta(0), **changes):
    """Participants listed so long ago."""
    return row("participants", ago=ago, **{"participants_head_oid": "h", "participants_source": "contributors", **changes})


def test_an_unmoved_head_shifts_the_weeks_to_the_day_it_was_seen():
    """Nothing was asked: the same days are counted anew, and the date is that of the head."""
    package = package_of(row("repo"), head(), weeks(ago=5 * DAY), people(), project=None)
    assert (package["weeks_state"], package["weeks_observed_at"]) == ("shifted", NOW - timedelta(hours=1))
    assert (package["weeks_end_on"], package["weeks"]) == (TODAY, weeks_of(DAYS, TODAY))
    assert package["weeks"] != weeks_of(DAYS, TODAY - 5 * DAY)
    assert package["weeks_source"] == "history"


def test_weeks_of_the_same_day_are_no_shift():
    """They were read today, and so they stand."""
    package = package_of(row("repo"), head(ago=timedelta(0)), weeks(ago=timedelta(hours=3)), people(), project=None)
    assert (package["weeks_state"], package["weeks_observed_at"], package["weeks_end_on"]) == ("ok", NOW, TODAY)


@pytest.mark.parametrize("oid", ["other", None])
def test_a_moved_head_confirms_nothing(oid):
    """Nor does one that nobody can tell from another: the weeks are those of their own day."""
    package = package_of(row("repo"), head(), weeks(ago=1 * DAY, oid=oid), people(participants_head_oid=oid, ago=1 * DAY), project=None)
    assert (package["weeks_end_on"], package["weeks_observed_at"], package["weeks_state"]) == (TODAY - DAY, NOW - DAY, "ok")
    assert (package["participants_observed_at"], package["participants_state"]) == (NOW - DAY, "ok")


def test_weeks_read_after_the_head_keep_their_time():
    """The later of the two confirmations counts."""
    package = package_of(row("repo"), head(ago=2 * DAY), weeks(ago=DAY), people(), project=None)
    assert (package["weeks_observed_at"], package["weeks_end_on"], package["weeks_state"]) == (NOW - DAY, TODAY - DAY, "ok")


@pytest.mark.parametrize("outcome", ["failed", "pending", "limited", "invalid"])
def test_a_later_failure_does_not_take_back_what_the_head_confirms(outcome):
    """The commits of a head never change, whoever could not list them again."""
    failed = [row(facet, outcome, ago=timedelta(0)) for facet in ("weeks", "participants")]
    package = package_of(row("repo"), head(), weeks(ago=5 * DAY), people(ago=5 * DAY), *failed, project=None)
    assert (package["weeks_state"], package["participants_state"]) == ("shifted", "ok")
    assert package["fetched_at"] == NOW - timedelta(hours=1)
    read = [weeks(ago=timedelta(minutes=30)), people(ago=timedelta(minutes=30))]
    again = package_of(row("repo"), head(), *read, *failed, project=None)
    assert (again["weeks_state"], again["weeks_observed_at"]) == ("ok", NOW - timedelta(minutes=30))
    moved = package_of(row("repo"), head("new"), weeks(ago=5 * DAY), people(ago=5 * DAY), *failed, project=None)
    assert moved["weeks_state"] != "shifted"
    assert moved["weeks_observed_at"] == NOW - 5 * DAY


def test_githubs_own_numbers_hold_for_a_day():
    """They cannot be moved on; an unmoved head confirms them on the day they end, and not after."""
    same = package_of(row("repo"), head(ago=timedelta(0)), statistics(ago=timedelta(hours=3)), people(), project=None)
    assert (same["weeks_observed_at"], same["weeks_state"], same["weeks_source"]) == (NOW, "ok", "participation")
    later = package_of(row("repo"), head(), statistics(ago=DAY), people(), project=None)
    assert (later["weeks_observed_at"], later["weeks_end_on"], later["weeks_state"]) == (NOW - DAY, TODAY - DAY, "ok")
    failed = package_of(row("repo"), head(), statistics(ago=DAY), row("weeks", "failed", ago=timedelta(0)), people(), project=None)
    assert failed["weeks_state"] == "stale"


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "ok"),
        ({"participants_source": "history"}, "shifted"),
        ({"participants_source": "history", "outcome": "capped"}, "capped"),
        ({"participants_source": "history", "ago": 5 * DAY, "participants_head_oid": "other"}, "stale"),
        ({"participants_source": "history", "ago": 5 * DAY}, "shifted"),
    ],
)
def test_a_list_that_was_carried_on_says_so(changes, state):
    """Capped and stale come before shifted."""
    outcome = changes.pop("outcome", "ok")
    ago = changes.pop("ago", timedelta(0))
    values = {"participants_head_oid": "h", "participants_source": "contributors", **changes}
    package = package_of(row("repo"), head(), weeks(), row("participants", outcome, ago=ago, **values), project=None)
    assert (package["participants_state"], package["participants_source"]) == (state, values["participants_source"])


def test_the_head_of_another_repository_confirms_nothing():
    """Somebody took the name and pushed the same commits: their figures are not those of the old one."""
    old = [row("repo", ago=DAY), head(ago=DAY), weeks(ago=DAY), people(ago=DAY)]
    new = [row("repo", series="github:8", repo_id=8), head(series="github:8")]
    package = package_of(*old, *new, project=None)
    assert (package["weeks"], package["participants"], package["weeks_state"]) == ([], [], "pending")


def test_an_empty_repository_has_nothing_to_shift():
    """Its zeros are those of the day it was seen empty."""
    package = package_of(row("repo"), row("head", "empty"), weeks({}, oid=None), people(logins=[], commit_counts=[]), project=None)
    assert (package["weeks"], package["weeks_state"], package["participants"]) == ([0] * 52, "ok", [])


def test_the_status_of_a_project_is_shown_and_is_no_source_of_its_own():
    """It has no state, and does not make the package older."""
    package = package_of(row("project"), row("status", ago=30 * DAY), repo=None)
    assert (package["project_status"], package["project_state"], package["fetched_at"]) == ("archived", "ok", NOW - timedelta(hours=1))
    assert package_of(row("project"), repo=None)["project_status"] is None


HISTORY = st.dictionaries(st.integers(-2, 420).map(lambda age: TODAY - timedelta(days=age)), st.integers(1, 9), max_size=20)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(HISTORY, st.integers(0, 40), st.booleans()), min_size=1, max_size=6))
def test_windows_counted_column_by_column_are_those_counted_one_by_one(rows):
    """For any days of any number of packages, shifted or not."""
    entries, observed, expected = [], [], []
    for number, (days, age, is_same) in enumerate(rows):
        name = f"owner/n{number}"
        entries.append(entry(number + 1, repo=name, project=None))
        at = {"subject": f"github:{name}", "series": f"github:{number + 1}"}
        kept = within_reach(dict(sorted(days.items())), TODAY - age * DAY)
        observed += [
            row("repo", repo_id=number + 1, **at),
            head(ago=timedelta(0), **at),
            weeks(kept, ago=age * DAY, oid="h" if is_same else "x", **at),
        ]
        expected.append(weeks_of(days, TODAY if is_same else TODAY - age * DAY))
    assert [package["weeks"] for package in packages_of(catalog_of(*entries), *observed)] == expected
