"""What one cell of a catalog may say, column by column: text or a native Parquet value in, a value or a ValueError out.

Every message completes the sentence "this cell ..." and says what to write instead. A parser never guesses: a spelling
with two readings is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from transforms.references import ProjectName, RepoReference, parse_project_reference, parse_repo_url, shown

_LARGEST_ID = 2**63 - 1
_TRUE = frozenset({"true", "t", "yes", "y", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "0"})
# Django's slug: https://docs.djangoproject.com/en/stable/ref/validators/#validate-slug
_SLUG = re.compile(r"[-a-zA-Z0-9_]+")
_FOREIGN_TO_SLUG = re.compile(r"[^-a-zA-Z0-9_]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_PAGE = re.compile(r"(?i:https?|ftp)://[^\s/?#@]+(?:[/?#]\S*)?")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?(?: ?(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?))?)?"
)


@dataclass(frozen=True, slots=True)
class Kind:
    """How the cells of a column are read: the parser, and the Python types it takes besides ``None``."""

    parse: Callable[[Any], Any]
    types: frozenset[type]
    advice: str


def parse_id(cell: str | int | None) -> int:
    """Read a positive whole number that fits in 64 bits."""
    if isinstance(cell, str):
        cell = cell.strip()
        digits = cell.lstrip("0")
        if not cell.isascii() or not cell.isdigit() or len(digits) > len(str(_LARGEST_ID)):
            raise ValueError(f"{shown(cell)} is not a whole number: write one from 1 to {_LARGEST_ID}, for example 1776")
        cell = int(digits or "0")
    if cell is None or not 1 <= cell <= _LARGEST_ID:
        raise ValueError(f"{cell} is no id: write a whole number from 1 to {_LARGEST_ID}")
    return cell


def parse_text(cell: str | None) -> str:
    """Read free text, kept as it is; ``None`` is empty."""
    if cell is None:
        return ""
    if not cell.isprintable():
        foreign = _CONTROL.search(cell)
        if foreign:
            raise ValueError(f"has the control character U+{ord(foreign.group()):04X} at position {foreign.start() + 1}: remove it")
    return cell


def parse_title(cell: str | None) -> str:
    """Read text that must not be empty; outer spaces are dropped."""
    text = parse_text(cell).strip()
    if not text:
        raise ValueError("is empty: write the name people know it by")
    return text


def parse_slug(cell: str | None) -> str:
    """Read a slug as Django defines it: ASCII letters, digits, ``-`` and ``_``, but not digits alone."""
    text = (cell or "").strip()
    if not text:
        raise ValueError("is empty: write a short name of letters, digits, - and _")
    foreign = _FOREIGN_TO_SLUG.search(text)
    if foreign:
        raise ValueError(f"{shown(text)} has the character {foreign.group()!r}: write only letters a-z, A-Z, digits, - and _")
    if text.isdigit():
        raise ValueError(f"{shown(text)} is digits alone, which the API reads as an id, so nobody could reach it: add a letter")
    return text


def parse_name(cell: str | None) -> str:
    """Read the slug of something in another file; whether it exists is for the caller to see."""
    text = parse_text(cell).strip()
    if not text:
        raise ValueError("is empty: write the slug")
    return text


def parse_flag(cell: str | bool | None) -> bool:  # noqa: FBT001 - the cell is a value here
    """Read a boolean as true/false, yes/no, t/f, y/n or 1/0 in any case."""
    if isinstance(cell, bool):
        return cell
    word = (cell or "").strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError(f"{shown(cell or '')} is neither yes nor no: write true or false")


def parse_instant(cell: str | datetime | None) -> datetime:
    """Read an ISO 8601 date and time as aware UTC in whole microseconds; without an offset it means UTC, without a time midnight."""
    if isinstance(cell, datetime):
        if cell.tzinfo is UTC:
            return cell
        value = cell
    else:
        text = (cell or "").strip()
        advice = "write a date such as 2013-04-19 or 2013-04-19T23:04:43-04:00"
        if not _INSTANT.fullmatch(text):
            raise ValueError(f"{shown(text)} is not an ISO 8601 date: {advice}")
        try:
            value = datetime.fromisoformat(text.upper().replace(" +", "+").replace(" -", "-").replace(" Z", "Z"))
        except ValueError as error:
            raise ValueError(f"{shown(text)} is not a date ({error}): {advice}") from None
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{cell} lies outside the years 1 to 9999 in UTC") from None


def parse_address(cell: str | None) -> str | None:
    """Read the address of a web page, kept as curated; ``None`` when empty."""
    text = parse_text(cell).strip()
    if not text:
        return None
    if not _PAGE.fullmatch(text):
        raise ValueError(f"{shown(text)} is not the address of a page: write it as https://host/path, or leave it empty")
    return text


def parse_repo(cell: str | None) -> tuple[str, RepoReference] | None:
    """Read the address of a repository: as curated, and what it points at; ``None`` when empty."""
    text = (cell or "").strip()
    return (text, parse_repo_url(text)) if text else None


def parse_project(cell: str | None) -> tuple[str, ProjectName] | None:
    """Read a reference to PyPI: as curated, and the project's normalised name; ``None`` when empty."""
    text = (cell or "").strip()
    return (text, parse_project_reference(text)) if text else None


def _text(parse: Callable[[str | None], Any]) -> Kind:
    return Kind(parse, frozenset({str}), "text (string)")


_FLAG = Kind(parse_flag, frozenset({str, bool}), "booleans (bool), or text")
_MOMENT = Kind(parse_instant, frozenset({str, datetime}), "times (timestamp), or text")

KINDS: Mapping[str, Kind] = {
    "id": Kind(parse_id, frozenset({str, int}), "whole numbers (int64), or text"),
    "title": _text(parse_title),
    "slug": _text(parse_slug),
    "description": _text(parse_text),
    "title_plural": _text(parse_text),
    "show_pypi": _FLAG,
    "is_locked": _FLAG,
    "header": _FLAG,
    "created": _MOMENT,
    "modified": _MOMENT,
    "category": _text(parse_name),
    "repo_url": _text(parse_repo),
    "pypi_url": _text(parse_project),
    "documentation_url": _text(parse_address),
    "grid": _text(parse_name),
    "package": _text(parse_name),
}
