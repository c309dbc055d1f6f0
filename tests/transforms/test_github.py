from __future__ import annotations

from datetime import UTC, date, datetime

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.answers_as_sent import head_body, people_body, repo_body, weeks_body
from transforms.github import (
    CAPPED_FROM,
    InvalidAnswer,
    are_participants_capped,
    block_reason,
    decipher_head,
    decipher_participants_page,
    decipher_repo,
    decipher_weeks,
    merge_participants,
)

ON = date(2026, 2, 15)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
DECIPHERERS = (decipher_repo, decipher_head, lambda body: decipher_weeks(body, ON), decipher_participants_page, block_reason)


def problems_of(decipher, body):
    """What a decipherer says is wrong."""
    with pytest.raises(InvalidAnswer) as caught:
        decipher(body)
    return caught.value.problems


def test_stars_are_the_stargazers_and_watchers_are_the_subscribers():
    """GitHub's `watchers` are stars under an old name; people notified are `subscribers_count`."""
    values = decipher_repo(repo_body(stargazers_count=5, watchers=5, watchers_count=5, subscribers_count=2))
    assert (values["stars_count"], values["watchers_count"]) == (5, 2)


def test_a_repository_is_read_with_its_types():
    """Times are aware UTC, the licence its SPDX identifier, an empty homepage none."""
    values = decipher_repo(repo_body())
    assert values["full_name"] == "Owner/Name"
    assert values["pushed_at"] == datetime(2026, 2, 15, 19, 47, tzinfo=UTC)
    assert (values["license"], values["homepage_url"]) == ("BSD-3-Clause", None)


@pytest.mark.parametrize(
    ("changes", "column", "expected"),
    [
        ({"description": None}, "description", ""),
        ({"license": None}, "license", None),
        ({"license": {"spdx_id": None}}, "license", None),
        ({"license": {"spdx_id": "NOASSERTION"}}, "license", None),
        ({"homepage": None}, "homepage_url", None),
        ({"pushed_at": None}, "pushed_at", None),
        ({"stargazers_count": 0}, "stars_count", 0),
        ({"archived": True}, "is_archived", True),
    ],
)
def test_what_may_be_absent_is_absent_and_not_invented(changes, column, expected):
    """No description is empty; an unknown licence, homepage or topic list is null; a real zero stays zero."""
    assert decipher_repo(repo_body(**changes))[column] == expected


def test_a_vanished_field_is_an_invalid_answer_and_never_zero():
    """Each field that is gone is named, all of them at once."""
    assert problems_of(decipher_repo, repo_body(stargazers_count=..., forks_count=..., archived=...)) == [
        "stargazers_count: missing",
        "forks_count: missing",
        "archived: missing",
    ]


@pytest.mark.parametrize("value", [None, "12", 12.0, True, -1, 2**63, [], {}])
def test_a_count_is_a_whole_number_and_nothing_like_it(value):
    """Text, fractions, booleans and numbers beyond int64 are no counts."""
    (problem,) = problems_of(decipher_repo, repo_body(stargazers_count=value))
    assert problem.startswith("stargazers_count: is ")


@pytest.mark.parametrize("value", [None, 0, 1, "true"])
def test_a_flag_is_a_boolean_and_nothing_like_it(value):
    """Zero is not false."""
    (problem,) = problems_of(decipher_repo, repo_body(archived=value))
    assert problem.startswith("archived: is ")


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"id": 1', b"[]", b'"x"', b"null", b"\xff", b"[" * 5000])
def test_a_body_that_is_no_repository_is_invalid(body):
    """HTML, truncated JSON and other documents are refused as a whole."""
    (problem,) = problems_of(decipher_repo, body)
    assert problem.startswith("the body is ")


def test_the_head_is_the_committer_date_of_the_first_commit():
    """The author may have written it long before."""
    values = decipher_head(head_body())
    assert values["last_commit_at"] == datetime(2026, 2, 15, 19, 46, 55, tzinfo=UTC)
    assert values["authored_at"] == datetime(2026, 2, 14, 10, tzinfo=UTC)


def test_a_commit_without_author_still_has_a_date_and_one_without_committer_has_none():
    """GitHub may send null for a git person; only the committer's date is needed."""
    bare = orjson.dumps([{"sha": "a" * 40, "commit": {"author": None, "committer": {"date": "2026-02-15T19:46:55Z"}}}])
    assert decipher_head(bare)["authored_at"] is None
    assert problems_of(decipher_head, head_body(committed=None)) == ["0.commit.committer.date: is null, expected text"]
    assert problems_of(decipher_head, b"[]") == ["the list of commits is empty"]


def test_weeks_are_52_counts_that_end_at_the_day_of_the_answer():
    """Oldest first, as sent."""
    values = decipher_weeks(weeks_body(10), ON)
    assert values == {"weeks": [0] * 51 + [10], "weeks_end_on": ON, "weeks_source": "participation"}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{}", "all: missing"),
        (orjson.dumps({"all": []}), "all: is 0 items, expected a list of 52 counts"),
        (orjson.dumps({"all": [0] * 51}), "all: is 51 items, expected a list of 52 counts"),
        (orjson.dumps({"all": None}), "all: is no list, expected a list of 52 counts"),
        (orjson.dumps({"all": [0] * 50 + [None, 2**31]}), "all: has no count at 50, 51"),
    ],
)
def test_weeks_that_are_not_52_counts_are_invalid_and_never_zeros(body, problem):
    """The body of a 202 or a shortened list says nothing about commits."""
    assert problems_of(lambda sent: decipher_weeks(sent, ON), body) == [problem]


def test_participants_stand_in_the_order_of_the_forge_and_anonymous_ones_are_left_out():
    """An anonymous entry has an e-mail address and no login."""
    body = orjson.dumps(
        [
            {"type": "User", "login": "zoe", "contributions": 9},
            {"type": "Anonymous", "email": "a@b.c", "name": "A", "contributions": 8},
            {"type": "Bot", "login": "dependabot[bot]", "contributions": 7},
        ]
    )
    assert decipher_participants_page(body) == [("zoe", 9), ("dependabot[bot]", 7)]


def test_a_person_without_login_is_invalid_unless_anonymous():
    """Every bad entry is named by its place."""
    body = orjson.dumps([{"type": "User", "contributions": 1}, {"type": "User", "login": "ada"}, 5])
    assert problems_of(decipher_participants_page, body) == [
        "0.login: missing",
        "1.contributions: missing",
        "2.type: missing",
        "2.contributions: missing",
        "2.login: missing",
    ]


def test_pages_are_combined_without_duplicates():
    """A login that moved to the next page between two requests is kept where it stood first."""
    pages = [decipher_participants_page(people_body("zoe", "ada")), decipher_participants_page(people_body("ada", "bob", commits=3))]
    assert merge_participants(pages) == {"logins": ["zoe", "ada", "bob"], "commit_counts": [9, 9, 3]}


def test_a_long_list_is_taken_for_cut_short():
    """GitHub links only the first 500 addresses to logins, and people have several."""
    assert not are_participants_capped(["x"] * (CAPPED_FROM - 1))
    assert are_participants_capped(["x"] * CAPPED_FROM)


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b'{"block": {"reason": "dmca"}}', "dmca"), (b'{"block": null}', None), (b'{"message": "no"}', None), (b"<html>", None)],
)
def test_the_reason_of_a_block_is_told_when_there_is_one(body, reason):
    """It stands in `block.reason`."""
    assert block_reason(body) == reason


@settings(deadline=None)
@given(st.binary(max_size=60) | json_values.map(orjson.dumps))
def test_no_bytes_and_no_json_break_a_decipherer(body):
    """Whatever is sent, it is read or it is an invalid answer."""
    for decipher in DECIPHERERS:
        try:
            decipher(body)
        except InvalidAnswer as error:
            assert error.problems  # noqa: PT017 - raising is allowed, not demanded


@settings(deadline=None)
@given(st.data())
def test_any_single_field_of_a_repository_may_be_anything(data):
    """One field replaced by any JSON value gives values of the declared types or names that field alone."""
    name = data.draw(st.sampled_from(sorted(orjson.loads(repo_body()))))
    try:
        values = decipher_repo(repo_body(**{name: data.draw(json_values)}))
    except InvalidAnswer as error:
        assert [problem.partition(":")[0].partition(".")[0] for problem in error.problems] == [name]  # noqa: PT017
    else:
        assert all(type(value) is int for column, value in values.items() if column.endswith("_count"))
