"""Text of others on a terminal: nothing but what prints, and line ends."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from transforms.screen import escaped_json, printable

HOSTILE = "\x1b[2J\x1b]0;owned\x07 \u009b31m \u202eeman\u202c \x00 \x7f \r\n"


def test_escape_sequences_do_not_get_through() -> None:
    """ESC, the C1 introducer, bells, carriage returns, marks of direction and NUL are replaced; the line end stays."""
    assert printable(HOSTILE) == "�[2J�]0;owned� �31m �eman� � � �\n"
    assert printable("naïve — 日本語 🎉\n") == "naïve — 日本語 🎉\n"


@given(st.text())
def test_what_is_left_prints(text: str) -> None:
    """Every character prints or ends a line, and printable text is not touched."""
    shown = printable(text)
    assert len(shown) == len(text)
    assert all(character == "\n" or character.isprintable() for character in shown)
    assert printable(shown) == shown


@given(st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10))
def test_escaped_json_is_the_same_json(value: object) -> None:
    """It prints, and reads as before, lone surrogates and characters beyond the first plane included."""
    for indent in (None, 2):
        shown = escaped_json(json.dumps(value, ensure_ascii=False, indent=indent))
        assert all(character == "\n" or character.isprintable() for character in shown)
        assert json.loads(shown) == value
