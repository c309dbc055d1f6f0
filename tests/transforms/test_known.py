from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.answers_as_sent import NOON, known_of
from transforms.known import Known

SUBJECT = "github:owner/name"
HOUR = timedelta(hours=1)


def test_a_repository_is_known_with_all_that_was_read_of_it():
    """Identity, head, commits by day and participants, each as last told."""
    known = known_of(
        ("repo", {"repo_id": 7, "node_id": "R_7", "full_name": "Owner/Name"}),
        ("head", {"head_oid": "h", "last_commit_at": NOON - HOUR}),
        (
            "weeks",
            {
                "weeks_head_oid": "h",
                "weeks_source": "history",
                "days_on": [date(2026, 2, 1)],
                "day_counts": [3],
                "weeks_end_on": NOON.date(),
            },
        ),
        ("participants", {"logins": ["ada"], "commit_counts": [3], "participants_head_oid": "h", "participants_source": "history"}),
    )
    assert known.repo(SUBJECT) == (7, "R_7", "Owner/Name")
    assert (known.head_oid(SUBJECT), known.committed_at(SUBJECT, "h"), known.committed_at(SUBJECT, "other")) == ("h", NOON - HOUR, None)
    weeks, people = known.weeks(SUBJECT), known.participants(SUBJECT)
    assert (weeks.head_oid, weeks.source, weeks.days, weeks.weeks_end_on) == ("h", "history", {date(2026, 2, 1): 3}, NOON.date())
    assert weeks.commits_count == 3
    assert (people.logins, people.counts, people.head_oid, people.source, people.listed_at, people.outcome) == (
        ["ada"], [3], "h", "history", None, "ok",
    )  # fmt: skip
    assert known.activity(SUBJECT) == (NOON - HOUR, NOON)


def test_nothing_is_known_of_what_was_never_good():
    """A failure tells nothing, nor do tables that are not there."""
    for known in (Known({}), known_of(), known_of(("repo", {"outcome": "failed"}), ("weeks", {"outcome": "pending"}))):
        assert (known.repo(SUBJECT), known.head_oid(SUBJECT), known.weeks(SUBJECT), known.participants(SUBJECT)) == (None,) * 4
        assert (known.serial("pypi:a"), known.activity(SUBJECT), known.activity("pypi:a"), known.projects.num_rows) == (None, None, None, 0)
        assert known.closed_projects.num_rows == 0


def test_githubs_own_numbers_have_no_days():
    """And an empty repository has neither days nor people, which is known."""
    known = known_of(
        ("weeks", {"weeks_source": "participation", "weeks": [2] * 52}),
        ("participants", {"logins": [], "commit_counts": []}),
        ("head", {"outcome": "empty"}),
    )
    assert (known.weeks(SUBJECT).days, known.weeks(SUBJECT).source, known.participants(SUBJECT).logins) == ({}, "participation", [])
    assert known.weeks(SUBJECT).commits_count == 104
    assert (known.head_oid(SUBJECT), known.activity(SUBJECT)) == (None, None)


def test_a_good_answer_stays_known_after_a_failure():
    """The newest good one, whatever came after; of two good ones that confirmed last."""
    known = known_of(
        ("head", {"head_oid": "old", "confirmed_at": NOON - HOUR}),
        ("head", {"head_oid": "new"}),
        ("head", {"outcome": "failed", "confirmed_at": NOON + HOUR, "observed_at": NOON + HOUR}),
    )
    assert known.head_oid(SUBJECT) == "new"


def project(name, outcome="ok", hours=0, **changes):
    """What was heard of a project."""
    at = NOON + hours * HOUR
    return "project", {
        "subject": f"pypi:{name}",
        "series": f"pypi:{name}",
        "outcome": outcome,
        "observed_at": at,
        "confirmed_at": at,
        **changes,
    }


def test_projects_are_open_or_closed_by_their_newest_answer():
    """A serial vouches for a value only while the newest answer is good; a project without a release is good."""
    known = known_of(
        project("a", serial=5),
        project("b", serial=6),
        project("b", "failed", 1),
        project("c", serial=7),
        project("c", "missing", 1, detail="HTTP 404"),
        project("d", "blocked", detail="quarantined by PyPI"),
        project("e", "empty", serial=8),
        project("f", serial=None),
    )
    assert known.projects.to_pylist() == [{"subject": "pypi:a", "serial": 5}, {"subject": "pypi:e", "serial": 8}]
    assert known.closed_projects.to_pylist() == [
        {"subject": "pypi:c", "outcome": "missing", "detail": "HTTP 404"},
        {"subject": "pypi:d", "outcome": "blocked", "detail": "quarantined by PyPI"},
    ]
    assert [known.serial(f"pypi:{name}") for name in "abcdef"] == [5, 6, 7, None, 8, None]


def test_the_activity_of_a_project_is_its_newest_release():
    """When it was made, and when that was last confirmed."""
    known = known_of(project("a", latest_released_at=NOON - 9 * HOUR), project("b", latest_released_at=None))
    assert known.activity("pypi:a") == (NOON - 9 * HOUR, NOON)
    assert known.activity("pypi:b") is None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.text(alphabet="aAzé-.~😀", max_size=4), st.integers(0, 5), st.integers(0, 99)), max_size=12))
def test_a_lookup_finds_what_a_dictionary_would(rows):
    """Whatever the order of the rows, and however names sort."""
    known = known_of(*[project(name, hours=hours, serial=serial) for name, hours, serial in rows])
    expected = {}
    for name, hours, serial in sorted(rows, key=lambda row: row[1]):
        expected.setdefault((name, hours), []).append(serial)
    newest = dict(sorted(expected))
    for name, hours in newest.items():
        assert known.serial(f"pypi:{name}") in expected[name, hours]
    assert known.serial("pypi:nobody") is None
    assert set(known.projects["subject"].to_pylist()) == {f"pypi:{name}" for name in newest}
