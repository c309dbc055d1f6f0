"""Which form an Accept header and a format come to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.negotiation import Form, NotAcceptable, UnknownFormat, negotiate

COMPACT, PAGE = Form(), Form(is_page=True, indent=4)


@pytest.mark.parametrize(
    ("accept", "name", "form"),
    [
        ("*/*", None, COMPACT),
        ("application/json", None, COMPACT),
        ("application/*", "json", COMPACT),
        ("text/html", None, PAGE),
        ("text/html, application/json", None, COMPACT),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", None, PAGE),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json", COMPACT),
        ("*/*", "api", PAGE),
        ("application/json; indent=4", None, Form(indent=4)),
        ("*/*;indent=99", None, Form(indent=8)),
        ("application/json;indent=0", None, COMPACT),
        ("application/json;indent=x", None, COMPACT),
        ("text/html;level=1, application/json", None, PAGE),
    ],
)
def test_form(accept, name, form):
    """The more exact type counts first, JSON before HTML; indent is a parameter of the type; a name only narrows."""
    assert negotiate(accept, name) == form


@pytest.mark.parametrize(("accept", "name"), [("application/xml", None), ("", None), ("text/html", "json"), ("application/json", "api")])
def test_not_acceptable(accept, name):
    """What none of the forms there are satisfies is not acceptable."""
    with pytest.raises(NotAcceptable):
        negotiate(accept, name)


def test_unknown_format():
    """A name that no form has is told before the header is looked at."""
    with pytest.raises(UnknownFormat):
        negotiate("application/xml", "xml")


@given(st.text(), st.none() | st.text())
def test_any_header_comes_to_something(accept, name):
    """No header and no name raises anything else."""
    try:
        form = negotiate(accept, name)
    except (NotAcceptable, UnknownFormat):
        return
    assert form.indent is None or 1 <= form.indent <= 8
