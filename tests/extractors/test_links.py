"""Pages are followed by their ``Link`` header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.links import count_pages, next_link

PAGE = "https://api.github.com/repositories/13214632/contributors?per_page=100&page=2"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f'<{PAGE}>; rel="next", <https://x/9>; rel="last"', PAGE),
        (f'<https://x/1>; rel="prev", <{PAGE}>; rel="next", <https://x/9>; rel="last", <https://x/1>; rel="first"', PAGE),
        ('<https://x/1>; rel="prev", <https://x/1>; rel="first"', None),
        (f"<{PAGE}>; rel=next", PAGE),
        (f'<{PAGE}>; title="a, b; rel=\'no\'"; rel="last next"', PAGE),
        (f"<{PAGE}> ; REL = NEXT", PAGE),
        ('<https://x/?a=1,2&b=3>; rel="next"', "https://x/?a=1,2&b=3"),
        ('<>; rel="next"', None),
        ('<https://x/1>; rel="nextish"', None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_next_link(header, expected):
    """The address whose relation is next is found in every spelling RFC 8288 allows."""
    assert next_link({"link": header}) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f'<{PAGE}>; rel="next", <https://x/?page=9&since=1>; rel="last"', 9),
        (f'<{PAGE}>; rel="next"', None),
        ('<https://x/?page=many>; rel="last"', None),
        ('<https://x/?pages=9>; rel="last"', None),
        ('<http://[x/?page=9>; rel="last"', None),
        ("", None),
    ],
)
def test_the_last_page_tells_how_many_there_are(header, expected):
    """By the number in its address, where it is one."""
    assert count_pages({"link": header}) == expected


def test_no_header():
    """A single page has no ``Link`` header at all."""
    assert next_link({}) is None


@given(st.text())
def test_any_header_is_read(text):
    """No header raises."""
    next_link({"link": text})
