"""Text as a terminal may have it: what others wrote cannot move the cursor, colour, hide or turn round what stands beside it.

Control characters (escape sequences begin with one, C1 included), marks of direction and invisible ones do not get through; the line
end does. Nothing here touches what is stored, served or written to a file.
"""

from __future__ import annotations

import re

# What Python calls unprintable begins among these; most text has none of them, which is found out at the speed of a search.
_SUSPECT = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\xa0\xad]|[^\x00-\xff]")


def printable(text: str) -> str:
    """The text with a replacement character for each one that does not print; line ends stay."""
    if not _SUSPECT.search(text):
        return text
    return "".join(character if character == "\n" or character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def escaped_json(text: str) -> str:
    r"""The same JSON with each character that does not print as ``\uXXXX``."""
    if not _SUSPECT.search(text):
        return text
    return "".join(character if character == "\n" or character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
