from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.answers_as_sent import HEAD, NOON, commit_node, history_body
from transforms.answers import InvalidAnswer
from transforms.commits import Commit, bot_login, bucket_days, decipher_commits, decipher_history, weeks_of, within_reach

TODAY = date(2026, 2, 15)
WEEK = timedelta(days=7)


def test_a_page_has_its_commits_and_where_the_next_begins():
    """Times are UTC, people are accounts, and the head is that of the branch, whatever the page."""
    nodes = [
        commit_node("c2", authoredDate="2026-02-14T23:30:00-05:00", parents={"totalCount": 2}),
        commit_node("c1", login=None, parents={"totalCount": 1}),
    ]
    page = decipher_history(history_body(*nodes, next_cursor="c 1", head=HEAD))
    assert (page.repo_id, page.head_oid, page.total_count, page.has_next, page.end_cursor) == (7, HEAD, 2, True, "c 1")
    assert [(commit.oid, commit.login, commit.is_merge) for commit in page.commits] == [("c2", "ada", True), ("c1", None, False)]
    assert page.commits[0].authored_at.isoformat() == "2026-02-15T04:30:00+00:00"


def test_parents_that_were_not_asked_for_are_unknown():
    """Unknown is neither a merge nor none."""
    (commit,) = decipher_history(history_body(commit_node("c1"))).commits
    assert commit.is_merge is None


def test_a_branch_that_is_gone_has_no_commits():
    """The repository was emptied since its probe."""
    page = decipher_history(orjson.dumps({"id": "R_7", "databaseId": 7, "nameWithOwner": "a/b", "defaultBranchRef": None}))
    assert (page.head_oid, page.total_count, page.has_next, page.commits) == (None, 0, False, ())


def broken(**changes):
    """A page of one commit with other fields."""
    return history_body(commit_node("c1", **changes))


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"[]", "expected an object"),
        (b"{}", "defaultBranchRef.target.oid: missing"),
        (broken(authoredDate="yesterday"), "history.nodes.0.authoredDate"),
        (broken(author={"user": None}), "history.nodes.0.author.email: missing"),
        (history_body(commit_node("c1"), next_cursor=""), "endCursor"),
        (history_body(commit_node("c1"), databaseId="7"), "databaseId"),
        (orjson.dumps({"defaultBranchRef": {"target": {"oid": "a", "history": {"totalCount": 1}}}}), "pageInfo.hasNextPage: missing"),
        (orjson.dumps({"defaultBranchRef": {"target": {"oid": "a", "history": {"nodes": 1}}}}), "history.totalCount: missing"),
    ],
)
def test_a_page_that_cannot_be_read_names_what_is_wrong(body, named):
    """A field that is absent or of another type is never taken for nothing."""
    with pytest.raises(InvalidAnswer, match=named):
        decipher_history(body)


def test_every_bad_commit_of_a_page_is_named():
    """Two faults are two problems."""
    with pytest.raises(InvalidAnswer) as caught:
        decipher_history(history_body(commit_node(""), commit_node("c1"), commit_node("c0", committedDate=1), head=HEAD))
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["history.nodes.0.oid", "history.nodes.2.committedDate"]


@pytest.mark.parametrize(
    ("email", "login"),
    [
        ("49699333+dependabot[bot]@users.noreply.github.com", "dependabot[bot]"),
        ("dependabot[bot]@users.noreply.github.com", "dependabot[bot]"),
        ("41898282+GitHub-Actions[bot]@Users.NoReply.GitHub.com", "GitHub-Actions[bot]"),
        ("1234+ada@users.noreply.github.com", None),
        ("evil[bot]@users.noreply.github.com.example.org", None),
        ("x@y+a[bot]@users.noreply.github.com", None),
        ("", None),
        (None, None),
    ],
)
def test_a_bot_is_known_by_its_address(email, login):
    """GraphQL shows no account for it, the list of contributors does; people without an account stay nobody."""
    assert bot_login(email) == login
    (commit,) = decipher_history(history_body(commit_node("c1", author={"email": email, "user": None}))).commits
    assert commit.login == login


def listed(oid="c1", **changes):
    """A commit as REST lists it."""
    commit = {
        "sha": oid,
        "commit": {"author": {"email": "a@example.org", "date": "2026-02-15T10:00:00Z"}, "committer": {"date": "2026-02-15T11:00:00Z"}},
        "author": {"login": "ada"},
        "parents": [{"sha": "c0"}],
    }
    return {**commit, **changes}


def test_a_list_of_commits_reads_as_a_page_of_history():
    """Newest first, with who made them, when, and whether they merge."""
    bot = {
        "author": {"email": "1+robot[bot]@users.noreply.github.com", "date": "2026-02-14T10:00:00+02:00"},
        "committer": {"date": "2026-02-14T11:00:00Z"},
    }
    page = decipher_commits(orjson.dumps([listed(), listed("c0", commit=bot, author=None, parents=[{}, {}])]), has_next=True)
    assert (page.head_oid, page.has_next, page.repo_id) == ("c1", True, None)
    assert [(commit.oid, commit.login, commit.is_merge) for commit in page.commits] == [("c1", "ada", False), ("c0", "robot[bot]", True)]
    assert page.commits[1].authored_at == datetime(2026, 2, 14, 8, tzinfo=NOON.tzinfo)
    assert decipher_commits(b"[]", has_next=False).head_oid is None


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{}", "expected a"),
        (orjson.dumps([listed(), listed(sha=None)]), "1.sha"),
        (orjson.dumps([listed(parents=None)]), "0.parents"),
        (orjson.dumps([7]), "0"),
        (orjson.dumps([listed(commit={})]), "0.commit.author.date"),
    ],
)
def test_a_list_of_commits_that_cannot_be_read_names_what_is_wrong(body, named):
    """As for a page of history."""
    with pytest.raises(InvalidAnswer, match=named):
        decipher_commits(body, has_next=False)


def made(*days):
    """Commits authored on these days."""
    times = [datetime(day.year, day.month, day.day, 23, 59, tzinfo=NOON.tzinfo) for day in days]
    return [Commit(oid=str(number), authored_at=at, committed_at=at, login=None) for number, at in enumerate(times)]


def test_commits_count_on_the_day_they_were_authored():
    """Oldest day first, whatever the order they were listed in."""
    assert bucket_days(made(TODAY, TODAY - WEEK, TODAY)) == {TODAY - WEEK: 1, TODAY: 2}
    assert list(bucket_days(made(TODAY, TODAY - WEEK))) == [TODAY - WEEK, TODAY]


@pytest.mark.parametrize(("age", "place"), [(0, None), (1, 51), (7, 51), (8, 50), (358, 0), (364, 0), (365, None), (-1, None)])
def test_the_windows_end_before_the_day(age, place):
    """Today's commits are in none yet, yesterday's in the last, those of 364 days ago in the first."""
    weeks = weeks_of({TODAY - timedelta(days=age): 3}, TODAY)
    assert len(weeks) == 52
    assert [index for index, count in enumerate(weeks) if count] == ([] if place is None else [place])
    assert sum(weeks) == (0 if place is None else 3)


DAYS = st.dictionaries(st.integers(-3, 400).map(lambda age: TODAY - timedelta(days=age)), st.integers(1, 50), max_size=30)


@given(DAYS, st.integers(0, 60))
def test_a_week_later_the_windows_have_moved_by_one(days, weeks_later):
    """Shifting by whole weeks and counting anew are the same, but for what has become old or come into reach."""
    before, after = weeks_of(days, TODAY), weeks_of(days, TODAY + weeks_later * WEEK)
    assert after[: max(0, 52 - weeks_later)] == before[weeks_later:]


@given(DAYS, st.integers(0, 400), st.integers(0, 400))
def test_nothing_later_windows_need_is_left_out(days, first, more):
    """Days kept at one moment give the windows of that day and of every later one, and none that is kept twice goes."""
    on, later = TODAY + timedelta(days=first), TODAY + timedelta(days=first + more)
    kept = within_reach(days, on)
    assert weeks_of(kept, later) == weeks_of(days, later)
    assert within_reach(kept, on) == kept
    assert within_reach(kept, later) == within_reach(days, later)


@given(DAYS, DAYS)
def test_windows_add_up(one, other):
    """Two halves of a history have the windows of the whole."""
    both = {day: one.get(day, 0) + other.get(day, 0) for day in one.keys() | other.keys()}
    assert weeks_of(both, TODAY) == [sum(pair) for pair in zip(weeks_of(one, TODAY), weeks_of(other, TODAY), strict=True)]


@given(st.lists(st.integers(0, 420).map(lambda age: TODAY - timedelta(days=age)), max_size=30))
def test_no_commit_is_lost_between_two_windows(days):
    """Every commit of the last 364 days is in exactly one window."""
    weeks = weeks_of(bucket_days(made(*days)), TODAY)
    assert sum(weeks) == sum(1 <= (TODAY - day).days <= 364 for day in days)
    assert all(first <= second for first, second in pairwise(sorted(bucket_days(made(*days)))))
