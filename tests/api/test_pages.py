"""Windows into a list and the links between them."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pages import page_links, parse_window

LIST = "https://h/api/v4/packages/"


def window_of(query):
    """Read the window a query string asks for."""
    return parse_window(parse_qs(query, keep_blank_values=True))


@pytest.mark.parametrize(
    ("query", "limit", "offset"),
    [
        ("", 20, 0),
        ("limit=3&offset=7", 3, 7),
        ("limit=100000", 100000, 0),
        ("limit=0", 20, 0),
        ("limit=-1&offset=-5", 20, 0),
        ("limit=&offset=", 20, 0),
        ("limit=abc&offset=1.5", 20, 0),
        ("limit=2&limit=4", 4, 0),
        ("limit=2&limit=x", 20, 0),
        ("limit=%2B5&offset=%205%20", 5, 5),
        ("limit=1_0", 10, 0),
        ("page=3", 20, 0),
        ("limit=" + "9" * 5000, 20, 0),
    ],
)
def test_window(query, limit, offset):
    """Limit and offset are what int reads; the last of several counts; nonsense is the default and there is no maximum."""
    window = window_of(query)
    assert (window.limit, window.offset) == (limit, offset)


@pytest.mark.parametrize(
    ("query", "following", "previous"),
    [
        ("", "?limit=20&offset=20", None),
        ("z=1&a=2&limit=3", "?a=2&limit=3&offset=3&z=1", None),
        ("foo=&limit=5&limit=4", "?foo=&limit=4&offset=4", None),
        ("page=2", "?limit=20&offset=20&page=2", None),
        ("offset=20", "?limit=20&offset=40", "?limit=20"),
        ("offset=10", "?limit=20&offset=30", "?limit=20"),
        ("offset=30", "?limit=20&offset=50", "?limit=20&offset=10"),
        ("offset=80", None, "?limit=20&offset=60"),
        ("offset=1000", None, "?limit=20&offset=980"),
        ("q=a+b%20c%C3%A9", "?limit=20&offset=20&q=a+b+c%C3%A9", None),
    ],
)
def test_links(query, following, previous):
    """Links sort and re-encode the query, always name the limit, and leave out the offset of the first page."""
    expected = tuple(LIST + link if link else None for link in (following, previous))
    assert page_links(LIST, query, window_of(query), 100) == expected


@given(st.integers(0, 200), st.integers(1, 50), st.sampled_from(["", "&a=1", "&a=2&a=1&blank="]))
def test_next_links_visit_every_row_once(count, limit, rest):
    """Following next from the start sees the whole list once, in order, and keeps the other parameters."""
    rows, seen, query = list(range(count)), [], f"limit={limit}{rest}"
    others = {k: v for k, v in parse_qs(query, keep_blank_values=True).items() if k != "limit"}
    while True:
        window = window_of(query)
        seen += rows[window.span]
        following, _ = page_links(LIST, query, window, count)
        if following is None:
            break
        query = urlsplit(following).query
        kept = parse_qs(query, keep_blank_values=True)
        assert {k: v for k, v in kept.items() if k not in ("limit", "offset")} == others
    assert seen == rows


@given(st.integers(0, 200), st.integers(1, 50), st.integers(0, 250))
def test_previous_links_end_at_the_start(count, limit, offset):
    """Following previous from anywhere ends on a page that begins with the first row."""
    query, steps = f"limit={limit}&offset={offset}", 0
    while (previous := page_links(LIST, query, window_of(query), count)[1]) is not None:
        query = urlsplit(previous).query
        steps += 1
    assert window_of(query).offset == 0
    assert steps == -(-offset // limit)


@given(st.text(), st.integers(0, 100))
def test_any_query_is_answered(query, count):
    """No query string is an error, and the links are plain ASCII addresses."""
    for link in page_links(LIST, query, window_of(query), count):
        assert link is None or (link.isascii() and link.startswith(LIST + "?") and " " not in link)
