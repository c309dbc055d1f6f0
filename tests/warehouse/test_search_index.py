"""Finding packages and grids by words."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse.search_index import Entry, SearchIndex

ENTRIES = [
    Entry(
        title="django-rest-framework", slug="django-rest-framework", description="Web APIs for Django", stars=28000, category="Framework"
    ),
    Entry(title="REST framework JSON API", slug="djangorestframework-jsonapi", description="JSON API support for REST", stars=1200),
    Entry(title="rest", slug="rest", description="A nap.", stars=1),
    Entry(
        title="django-scheduler", slug="django-scheduler", description="A calendaring app", grids="Calendars", participants="llazzaro yml"
    ),
    Entry(title="Café", slug="cafe-x", description="Coffee and restaurants", stars=5),
    Entry(title="Calendars", slug="calendars", description="Packages that keep dates"),
]
INDEX = SearchIndex(ENTRIES)


@pytest.mark.parametrize(
    ("question", "slugs"),
    [
        ("scheduler", ["django-scheduler"]),
        ("SCHED", ["django-scheduler"]),
        ("llazzaro", ["django-scheduler"]),
        ("cafe", ["cafe-x"]),
        ("café", ["cafe-x"]),
        ("calendars", ["calendars", "django-scheduler"]),
        ("calendar dates", ["calendars"]),
        ("nothing at all", []),
        ("", []),
        ("  \t", []),
        ('" * ( ) - :', []),
    ],
)
def test_found(question, slugs):
    """Whole words, beginnings and stems are found in every field, accents and case aside; nothing is found for no words."""
    assert [ENTRIES[number].slug for number in INDEX.find(question, 20)] == slugs


def test_order():
    """First what is called so, then by the weight of the field and by stars."""
    assert [ENTRIES[number].slug for number in INDEX.find("rest", 1)] == ["rest"]
    assert [ENTRIES[number].slug for number in INDEX.find("rest framework", 20)][:2] == [
        "django-rest-framework",
        "djangorestframework-jsonapi",
    ]
    assert [ENTRIES[number].slug for number in INDEX.find("Django REST_framework", 1)] == ["django-rest-framework"]


def test_any_word_will_do_when_not_all_are_found():
    """A word that nobody has does not hide the others."""
    assert [ENTRIES[number].slug for number in INDEX.find("scheduler xyzzy", 20)] == ["django-scheduler"]


def test_limit_and_other_threads():
    """At most as many as asked for, from any thread."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.extend(INDEX.find("a d r c", 2)))
    thread.start()
    thread.join()
    assert len(found) == 2


@given(st.text(), st.integers(0, 20))
def test_any_question_is_answered(question, limit):
    """No question is an error of the index: its own words are never syntax."""
    assert len(INDEX.find(question, limit)) <= limit


def test_an_index_of_nothing():
    """Without entries nothing is found."""
    assert SearchIndex([]).find("rest", 20) == []
