from __future__ import annotations

import pytest

from tests.transforms.answers_as_sent import NOON, capture, known_of, people_body
from transforms.lists import Lists
from transforms.readings import read_answer

NEXT = {"link": '<http://127.0.0.1:9/x?page=2>; rel="next"'}
LAST = {"link": '<http://127.0.0.1:9/x?page=1>; rel="prev"'}


def page(number, *logins, headers):
    """One page with its people."""
    return capture("participants", people_body(*logins), page=number, headers=headers, url=f"/contributors?page={number}"), "ok"


def same(number, headers=None):
    """One page that is what it was."""
    return capture("participants", b"", page=number, status=304, headers=headers or {}, url=f"/contributors?page={number}"), "unchanged"


def listed(*landed, people=0):
    """What the last of these pages says when a list of so many people was known."""
    logins = [f"u{number}" for number in range(people)]
    known = known_of(("participants", {"logins": logins, "commit_counts": [1] * people})) if people else known_of()
    lists = Lists(known)
    last = None
    for taken, verdict in landed:
        last = lists.add(taken, read_answer(taken, verdict).people)
    return last


def test_a_list_says_where_it_came_from_and_when():
    """That is what a later 304 confirms, and from when thirty days count."""
    row = listed(page(1, "ada", headers={})).reading.row
    assert (row["participants_source"], row["listed_at"]) == ("contributors", NOON)


@pytest.mark.parametrize(
    ("people", "pages", "outcome"),
    [(3, 1, "unchanged"), (100, 1, "unchanged"), (101, 1, "limited"), (101, 2, "unchanged"), (250, 2, "limited"), (250, 3, "unchanged")],
)
def test_a_list_is_unchanged_when_all_its_pages_are(people, pages, outcome):
    """One page of it says nothing of the next."""
    last = listed(*[same(number) for number in range(1, pages + 1)], people=people)
    assert last.reading.outcome == outcome
    assert last.reading.row.get("listed_at") == (NOON if outcome == "unchanged" else None)


def test_the_links_of_an_unchanged_page_decide_where_it_has_them():
    """A list that has grown by a page is not unchanged, nor is one waited for that has shrunk."""
    assert listed(same(1, NEXT), people=3).reading.outcome == "limited"
    assert listed(same(1, NEXT), same(2, LAST), people=300).reading.outcome == "unchanged"


def test_a_page_that_changed_begins_a_new_list():
    """Pages of two moments may miss whom moved from one to the other."""
    begun = [same(1, NEXT), page(2, "bob", headers=LAST)]
    assert listed(*begun, people=150).reading.outcome == "failed"
    whole = listed(*begun, page(1, "zoe", headers=NEXT), page(2, "bob", headers=LAST), people=150)
    assert (whole.reading.outcome, whole.reading.row["logins"]) == ("ok", ["zoe", "bob"])


def test_an_unchanged_page_says_nothing_without_those_before_it():
    """Be they absent or changed."""
    assert listed(same(2), people=150).reading.outcome == "failed"
    assert listed(page(1, "zoe", headers=NEXT), same(2), people=150).reading.outcome == "failed"


def test_only_a_whole_list_gives_the_answers_it_was_made_of():
    """Their validators vouch for nothing less; bodies are not kept."""
    first, second = page(1, "zoe", headers=NEXT), page(2, "bob", headers=LAST)
    assert listed(first).answers == ()
    assert [(answer.page, answer.body) for answer in listed(first, second).answers] == [(1, b""), (2, b"")]
    assert listed(first, second).url == "/contributors?page=1"
