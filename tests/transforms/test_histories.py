from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.answers_as_sent import NOON, capture, commit_node, history_body, known_of, request_of
from transforms.commits import decipher_history, weeks_of
from transforms.histories import REWRITTEN, Histories, carry_on
from transforms.known import KnownParticipants
from transforms.readings import read_answer
from transforms.schemas import WEEK_OBSERVATIONS

TODAY = date(2026, 2, 15)
DAY = timedelta(days=1)
PLAIN, MERGE = {"parents": {"totalCount": 1}}, {"parents": {"totalCount": 2}}


def page(*nodes, number=1, next_cursor=None, until=None, verdict="ok", at=NOON, **changes):
    """One page of commits as it landed, and what it was taken for."""
    body = history_body(*nodes, next_cursor=next_cursor, **changes)
    return capture("history", body, page=number, fetched_at=at, request=request_of(page=number, until_oid=until)), verdict


def weeks_known(**changes):
    """Commits by day as the store knows them."""
    days = changes.pop("days", {TODAY - 9 * DAY: 4})
    row = {"weeks_head_oid": "k", "weeks_source": "history", "days_on": list(days), "day_counts": list(days.values()), **changes}
    return "weeks", row


def people_known(**changes):
    """A list of participants as the store knows it."""
    row = {"logins": ["zoe", "ada"], "commit_counts": [9, 3], "participants_head_oid": "k", "participants_source": "contributors"}
    return "participants", {**row, "listed_at": NOON - 3 * DAY, **changes}


def told(*landed, known=()):
    """What the last of these pages says."""
    histories = Histories(known_of(*known))
    last = None
    for taken, verdict in landed:
        last = histories.add(taken, read_answer(taken, verdict))
    return last


def days_of(said):
    """The commits by day of a reading."""
    return dict(zip(said.weeks.row["days_on"], said.weeks.row["day_counts"], strict=True))


def people_of(said):
    """The participants of a reading with their commits."""
    return list(zip(said.participants.row["logins"], said.participants.row["commit_counts"], strict=True))


def test_a_whole_window_gives_the_weeks():
    """Days, windows, the head they speak of and the day they end on."""
    said = told(page(commit_node("c2", "2026-02-15"), commit_node("c1", "2026-02-14")))
    row = said.weeks.row
    assert (said.weeks.outcome, said.at, row["weeks_head_oid"], row["weeks_source"]) == ("ok", NOON, "c2", "history")
    assert (row["weeks"], row["weeks_end_on"]) == ([0] * 51 + [1], TODAY)
    assert days_of(said) == {TODAY - DAY: 1, TODAY: 1}
    assert set(row) < set(WEEK_OBSERVATIONS.names)


def test_pages_count_only_together():
    """Until the last one there are no weeks: half a year would look like a project that sleeps."""
    first, second = page(commit_node("c2"), next_cursor="x"), page(commit_node("c1", "2026-01-10"), number=2)
    half = told(first)
    assert (half.weeks.outcome, dict(half.weeks.row), half.weeks.detail) == ("limited", {}, "page 2 of the commits was not asked for")
    whole = told(first, second)
    assert (whole.weeks.outcome, sum(whole.weeks.row["weeks"])) == ("ok", 2)
    assert told(second).weeks.outcome == "failed"
    assert told(first, page(commit_node("c0"), number=3)).weeks.outcome == "failed"


def test_a_page_that_failed_and_comes_after_all_belongs_where_it_was_missing():
    """A query that was too much is put again in smaller ones."""
    first, second = page(commit_node("c2"), next_cursor="x"), page(commit_node("c1", "2026-01-10"), number=2)
    failed = page(number=2, verdict="transient")
    assert told(first, failed).weeks.outcome == "failed"
    assert sum(told(first, failed, second).weeks.row["weeks"]) == 2


def test_a_history_read_again_replaces_the_first_reading():
    """Also with fewer pages; a further page of what is complete says nothing."""
    long = [page(commit_node("c2"), next_cursor="x"), page(commit_node("c1"), number=2)]
    assert sum(told(*long, *long).weeks.row["weeks"]) == 2
    assert sum(told(*long, page(commit_node("c3"))).weeks.row["weeks"]) == 1
    assert told(*long, long[1]) is None
    assert told(*long, long[0]).weeks.outcome == "limited"
    assert told(*long, long[0], page(commit_node("c0"), number=3)).weeks.outcome == "failed"


def test_weeks_are_those_of_the_moment_their_newest_commit_was_seen():
    """Pages that came after midnight do not move the end: what was pushed in between is not among them."""
    late = NOON.replace(hour=23, minute=59)
    said = told(page(commit_node("c2"), next_cursor="x", at=late), page(commit_node("c1"), number=2, at=late + timedelta(minutes=2)))
    assert (said.at, said.weeks.row["weeks_end_on"]) == (late, TODAY)


def test_a_history_that_failed_has_no_weeks():
    """Whatever the reason, it is the reason of the weeks."""
    assert told(page(verdict="limited")).weeks.outcome == "limited"
    broken = capture("history", b"{}", request=request_of())
    assert told((broken, "ok")).weeks.outcome == "invalid"


def test_an_emptied_repository_has_zeros():
    """That nothing was committed is known."""
    said = told(page(defaultBranchRef=None))
    assert (said.weeks.outcome, said.weeks.row["weeks"], said.weeks.row["days_on"], said.weeks.row["weeks_head_oid"]) == (
        "ok", [0] * 52, [], None,
    )  # fmt: skip


def test_days_no_window_reaches_are_left_out():
    """A commit authored long ago may be committed today; the days of then were not read whole."""
    said = told(page(commit_node("c2", "2026-02-14"), commit_node("c1", "2019-01-01")))
    assert days_of(said) == {TODAY - DAY: 1}


def test_what_is_new_is_added_to_what_was_known():
    """Only the commits before the known head are new."""
    fresh = page(
        commit_node("n2", "2026-02-14", **PLAIN), commit_node("n1", "2026-02-06", **PLAIN), commit_node("k", **PLAIN),
        next_cursor="x", until="k",
    )  # fmt: skip
    said = told(fresh, known=[weeks_known()])
    assert days_of(said) == {TODAY - 9 * DAY: 5, TODAY - DAY: 1}
    assert said.weeks.row["weeks_head_oid"] == "n2"


@pytest.mark.parametrize(
    ("fresh", "known"),
    [
        ({**MERGE}, weeks_known()),
        ({}, weeks_known()),
        ({**PLAIN}, weeks_known(weeks_head_oid="other")),
        ({**PLAIN}, weeks_known(weeks_source="participation", days={})),
        ({**PLAIN}, ("weeks", {"outcome": "failed"})),
    ],
    ids=["a merge", "parents unknown", "another head", "GitHub's own numbers", "nothing known"],
)
def test_what_is_new_does_not_count_where_it_may_not_be_all(fresh, known):
    """What a merge brings may stand behind the known head, and days of another head are no beginning."""
    said = told(page(commit_node("n1", **fresh), commit_node("k", **PLAIN), next_cursor="x", until="k"), known=[known])
    assert said.weeks.outcome == "limited"


def test_the_merge_that_was_known_already_does_no_harm():
    """Only commits before the known head are looked at."""
    said = told(page(commit_node("n1", **PLAIN), commit_node("k", **MERGE), next_cursor="x", until="k"), known=[weeks_known(days={})])
    assert days_of(said) == {date(2026, 2, 10): 1}


def test_a_window_without_a_further_page_is_whole_whatever_it_was_asked_for():
    """A rewritten past, or a head older than the window: what is listed is all there is."""
    said = told(page(commit_node("n1", **MERGE), until="k"), known=[weeks_known()])
    assert days_of(said) == {date(2026, 2, 10): 1}


def test_another_repository_under_the_name_inherits_nothing():
    """Neither days nor people."""
    repo = ("repo", {"repo_id": 7, "full_name": "owner/name"})
    pages = page(commit_node("n1", **PLAIN), commit_node("k", **PLAIN), next_cursor="x", until="k", databaseId=8)
    said = told(pages, known=[repo, weeks_known(), people_known()])
    assert said.weeks.outcome == "limited"
    whole = told(page(commit_node("n1"), commit_node("k"), databaseId=8), known=[repo, weeks_known(), people_known()])
    assert (whole.weeks.outcome, whole.participants) == ("ok", None)


def test_a_list_is_carried_on_with_the_commits_since():
    """Every commit counts for its author; equals keep their order, whoever is new comes last; nobody's commits count for nobody."""
    nodes = [commit_node(f"n{number}", login=login) for number, login in enumerate(["eve", "bob", "ada", None, "eve"])]
    said = told(page(*nodes, commit_node("k", login="zoe")), known=[people_known(commit_counts=[3, 2])])
    assert people_of(said) == [("zoe", 3), ("ada", 3), ("eve", 2), ("bob", 1)]
    row = said.participants.row
    assert (row["participants_source"], row["participants_head_oid"], row["listed_at"]) == ("history", "n0", NOON - 3 * DAY)
    assert said.participants.outcome == "ok"


def test_a_bot_counts_as_the_list_counts_it():
    """By the login its address tells."""
    bot = commit_node("n1", author={"email": "1+x[bot]@users.noreply.github.com", "user": None})
    said = told(page(bot, commit_node("k")), known=[people_known(logins=["x[bot]"], commit_counts=[1])])
    assert people_of(said) == [("x[bot]", 2), ("ada", 1)]


def test_people_of_the_window_whom_the_list_lacks_are_added():
    """GitHub links only the first five hundred addresses to people; the commits of the others tell."""
    said = told(page(commit_node("n1", login="ada"), commit_node("k", login="eve")), known=[people_known(outcome="capped")])
    assert people_of(said) == [("zoe", 9), ("ada", 4), ("eve", 1)]
    assert said.participants.outcome == "capped"


def test_commits_of_nobody_leave_the_list_as_github_gave_it():
    """It speaks of the new head and is still GitHub's own."""
    said = told(page(commit_node("n1", login=None), commit_node("k", login="zoe")), known=[people_known()])
    row = said.participants.row
    assert (row["logins"], row["participants_source"], row["participants_head_oid"]) == (["zoe", "ada"], "contributors", "n1")


@pytest.mark.parametrize("known", [(), [people_known(participants_head_oid="n1")]], ids=["no list", "a list of this head"])
def test_there_is_nothing_to_carry_on(known):
    """Without a list, or when it speaks of the newest commit already."""
    assert told(page(commit_node("n1"), commit_node("k")), known=known).participants is None


@pytest.mark.parametrize("head", ["gone", None])
def test_a_list_cannot_be_carried_on_from_a_commit_that_is_not_there(head):
    """The past was rewritten, or nobody knows which commits the list counts: it is to be asked for again."""
    said = told(page(commit_node("n1"), commit_node("k")), known=[people_known(participants_head_oid=head)])
    assert (said.participants.outcome, said.participants.detail, dict(said.participants.row)) == ("failed", REWRITTEN, {})
    assert said.weeks.outcome == "ok"


def test_a_list_is_carried_on_from_a_head_older_than_the_window():
    """A project that slept for a year is read back to the commit its list is known at; days no window reaches are left out."""
    said = told(page(commit_node("n1", login="ada"), commit_node("k", "2024-05-01", login="zoe")), known=[people_known()])
    assert people_of(said) == [("zoe", 9), ("ada", 4)]
    assert list(days_of(said)) == [date(2026, 2, 10)]


LOGINS = st.sampled_from(["ada", "bob", "eve", "x[bot]", None])
MADE = st.lists(st.tuples(LOGINS, st.integers(0, 500)), max_size=12)


def nodes_of(made):
    """Commits, newest first, of (login, days ago)."""
    return [
        commit_node(f"c{number}", f"{TODAY - age * DAY}", login, committedDate=f"{TODAY}T11:00:00Z", **PLAIN)
        for number, (login, age) in enumerate(made)
    ]


def tally(made):
    """Who made how many commits, as GitHub's list has it: most first, equals in the order they came, nobody left out."""
    counts = {}
    for login, _age in made:
        if login is not None:
            counts[login] = counts.get(login, 0) + 1
    return sorted(counts.items(), key=lambda pair: -pair[1])


@settings(max_examples=60, deadline=None)
@given(MADE.filter(bool), st.data())
def test_what_is_read_bit_by_bit_is_what_is_read_whole(made, data):
    """Cut a history in two at any commit: the older part known, the newer read since gives the days, weeks and counts of all of it."""
    nodes = nodes_of(made)
    at = data.draw(st.integers(0, len(nodes) - 1))
    whole = told(page(*nodes)).weeks.row
    before = told(page(*nodes[at:])).weeks.row
    known = [
        ("weeks", before),
        people_known(
            logins=[login for login, _ in tally(made[at:])],
            commit_counts=[count for _, count in tally(made[at:])],
            participants_head_oid=nodes[at]["oid"],
        ),
    ]
    since = told(page(*nodes[: at + 1], next_cursor="x", until=nodes[at]["oid"]), known=known)
    assert since.weeks.row == whole
    assert since.weeks.row["weeks"] == weeks_of(dict(zip(whole["days_on"], whole["day_counts"], strict=True)), TODAY)
    if at:
        assert dict(people_of(since)) == dict(tally(made))


@settings(max_examples=80, deadline=None)
@given(st.lists(LOGINS, max_size=12), st.integers(0, 12), st.lists(LOGINS.filter(bool), max_size=4, unique=True))
def test_a_list_carried_on_twice_is_the_one_carried_on_at_once(authors, at, people):
    """However the commits fell into harvests, order included."""
    commits = list(
        decipher_history(history_body(*[commit_node(f"n{i}", login=login) for i, login in enumerate(authors)], head="h")).commits
    )
    fields = {"head_oid": "k", "source": "contributors", "listed_at": NOON, "outcome": "ok"}
    known = KnownParticipants(logins=people, counts=[2] * len(people), **fields)
    at_once = carry_on(known, "h", commits, commits).row
    before = carry_on(known, "m", commits[at:], commits[at:]).row
    between = KnownParticipants(logins=before["logins"], counts=before["commit_counts"], **fields)
    after = carry_on(between, "h", commits[:at], commits).row
    assert (after["logins"], after["commit_counts"]) == (at_once["logins"], at_once["commit_counts"])
    assert at_once["commit_counts"] == sorted(at_once["commit_counts"], reverse=True)


@settings(max_examples=60, deadline=None)
@given(MADE, st.lists(st.integers(1, 5), max_size=4))
def test_the_weeks_do_not_depend_on_where_pages_end(made, sizes):
    """One page or many."""
    nodes = nodes_of(made)
    cuts = [0]
    for size in sizes:
        cuts.append(min(len(nodes), cuts[-1] + size))
    parts = [nodes[start:end] for start, end in zip(cuts, [*cuts[1:], len(nodes)], strict=True)]
    head = nodes[0]["oid"] if nodes else "a"
    pages = [
        page(*part, number=number, head=head, next_cursor="x" if number < len(parts) else None)
        for number, part in enumerate(parts, start=1)
    ]
    assert told(*pages).weeks.row == told(page(*nodes, head=head)).weeks.row


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 9)), max_size=6, unique_by=lambda pair: pair[0]),
    st.lists(LOGINS, max_size=8),
)
def test_nobody_ever_leaves_a_list_that_is_carried_on(people, authors):
    """Whoever was in it is in it, with at least as many commits, and equals keep their order."""
    people = sorted(people, key=lambda pair: -pair[1])
    known = KnownParticipants(
        logins=[login for login, _ in people], counts=[count for _, count in people], head_oid="k", source="contributors",
        listed_at=NOON, outcome="ok",
    )  # fmt: skip
    commits = list(decipher_history(history_body(*[commit_node(f"n{i}", login=login) for i, login in enumerate(authors)])).commits)
    row = carry_on(known, "n0", commits, commits).row
    counts = dict(zip(row["logins"], row["commit_counts"], strict=True))
    assert len(counts) == len(row["logins"])
    assert all(counts[login] >= count for login, count in people)
    assert sum(counts.values()) == sum(known.counts) + sum(author is not None for author in authors)
    untouched = [login for login, count in people if counts[login] == count]
    assert [login for login in row["logins"] if login in untouched] == untouched
    again = carry_on(replace(known, logins=row["logins"], counts=row["commit_counts"]), "n0", [], [])
    assert (again.row["logins"], again.row["commit_counts"]) == (row["logins"], row["commit_counts"])
