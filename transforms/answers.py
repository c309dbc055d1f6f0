"""How a JSON answer becomes typed values: a table of fields, each with its path, its parser and whether it may be absent.

A field that vanished or changed its type is never filled with a zero: the whole answer is invalid, and the error names
every bad field at once, because a service that changes one field often changes several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from transforms.times import parse_instant

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
SHOWN_CHARACTERS = 60
SHOWN_PROBLEMS = 50
_MISSING = object()


class InvalidAnswer(Exception):
    """An answer that cannot be used; ``problems`` names every bad field and what stood there."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


@dataclass(frozen=True, slots=True)
class Field:
    """One value of an answer.

    Attributes:
        name: the column it becomes.
        path: where it stands, keys joined by dots.
        parse: value -> value; raises ValueError saying what was expected.
        is_nullable: JSON ``null`` is allowed, here or at a parent, and gives ``None``.
        is_optional: the key may be absent, which gives ``None`` too.
    """

    name: str
    path: str
    parse: Callable[[Any], Any]
    is_nullable: bool = False
    is_optional: bool = False


def decode(body: bytes) -> Any:
    """Decode JSON; raises InvalidAnswer when the bytes are not one JSON document in UTF-8."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidAnswer([f"the body is not JSON ({error})"]) from None


def decode_object(body: bytes) -> dict[str, Any]:
    """Decode a JSON object; raises InvalidAnswer."""
    document = decode(body)
    if not isinstance(document, dict):
        raise InvalidAnswer([f"the body is {_show(document)}, expected an object"])
    return document


def decode_array(body: bytes) -> list[Any]:
    """Decode a JSON array; raises InvalidAnswer."""
    document = decode(body)
    if not isinstance(document, list):
        raise InvalidAnswer([f"the body is {_show(document)}, expected an array"])
    return document


def read_fields(raw: Any, fields: Iterable[Field], problems: list[str], prefix: str = "") -> dict[str, Any]:
    """Read every field of ``raw``; what cannot be read is named in ``problems`` and is ``None`` in the result."""
    values: dict[str, Any] = {}
    for field in fields:
        values[field.name] = None
        value = _find(raw, field.path)
        if value is _MISSING:
            if not field.is_optional:
                problems.append(f"{prefix}{field.path}: missing")
        elif value is not None or not field.is_nullable:
            try:
                values[field.name] = field.parse(value)
            except ValueError as error:
                problems.append(f"{prefix}{field.path}: {error}")
    return values


def _find(raw: Any, path: str) -> Any:
    for key in path.split("."):
        if raw is None:
            return None
        if not isinstance(raw, Mapping) or key not in raw:
            return _MISSING
        raw = raw[key]
    return raw


def raise_if_any(problems: Sequence[str]) -> None:
    """Raise InvalidAnswer when there are problems; a long list is cut, its length told."""
    if problems:
        kept = list(problems[:SHOWN_PROBLEMS])
        rest = len(problems) - len(kept)
        raise InvalidAnswer([*kept, f"and {rest} more"] if rest else kept)


def whole(value: Any) -> int:
    """Accept a count or identifier: an integer from 0 to the greatest int64; a boolean is none."""
    if type(value) is not int or not 0 <= value <= INT64_MAX:
        raise ValueError(f"is {_show(value)}, expected a whole number from 0")
    return value


def flag(value: Any) -> bool:
    """Accept a boolean and nothing that merely looks like one."""
    if type(value) is not bool:
        raise ValueError(f"is {_show(value)}, expected true or false")
    return value


def text(value: Any) -> str:
    """Accept text, possibly empty."""
    if type(value) is not str:
        raise ValueError(f"is {_show(value)}, expected text")
    return value


def filled_text(value: Any) -> str:
    """Accept text with at least one character that is not a space."""
    if not text(value).strip():
        raise ValueError("is empty")
    return str(value)


def texts(value: Any) -> list[str]:
    """Accept a list of texts."""
    if type(value) is not list or not all(type(item) is str for item in value):
        raise ValueError(f"is {_show(value)}, expected a list of texts")
    return value


def mapping(value: Any) -> dict[str, Any]:
    """Accept a JSON object."""
    if type(value) is not dict:
        raise ValueError(f"is {_show(value)}, expected an object")
    return value


def instant(value: Any) -> datetime:
    """Read a time with its offset, as aware UTC."""
    return parse_instant(text(value))


def naive_instant(value: Any) -> datetime:
    """Read a time without offset that the service documents as UTC."""
    return parse_instant(text(value), is_naive_utc=True)


def _show(value: Any) -> str:
    """Write a value for an error message: its JSON, short enough for one line."""
    try:
        shown = orjson.dumps(value).decode()
    except TypeError:  # it reads deeper nesting than it writes
        return "nested without end"
    return shown if len(shown) <= SHOWN_CHARACTERS else shown[:SHOWN_CHARACTERS] + "..."
