"""What PyPI's index says: the serial of every project at its root, the status and files of one project on its page.

The JSON form: PEP 691, PEP 700, PEP 792; the serials are PyPI's own addition. https://docs.pypi.org/api/index-api/
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import Any

import orjson
from packaging.utils import canonicalize_name

from transforms.answers import Field, InvalidAnswer, decode_object, filled_text, raise_if_any, read_fields, text
from transforms.pypi import read_serial

ACTIVE = "active"
QUARANTINED = "quarantined"
_ENTRY = re.compile(rb"\{[^{}]*\}")
_LISTED = b'"projects"'


def _count(value: Any) -> int:
    """Count the entries of a list."""
    if type(value) is not list:
        raise ValueError("is no list")
    return len(value)


_FIELDS = (
    Field("name", "name", filled_text),
    Field("status", "project-status.status", text, is_nullable=True, is_optional=True),
    Field("reason", "project-status.reason", text, is_nullable=True, is_optional=True),
    Field("files_count", "files", _count),
    Field("serial", "meta._last-serial", read_serial, is_nullable=True, is_optional=True),
)


def read_index(body: bytes) -> Iterator[tuple[str, int]]:
    """Read the root of the index: the PEP 503 name and serial of every project that it lists.

    Entry by entry, since that of all of PyPI has some forty megabytes. Raises InvalidAnswer, perhaps after some entries, when it
    is not JSON, is not whole, or does not tell every serial, as with most mirrors.
    """
    start = body.find(_LISTED)
    if start < 0 or not body.lstrip().startswith(b"{") or not body.rstrip().endswith(b"}"):
        raise InvalidAnswer(["the body is no list of projects"])
    is_empty = True
    for found in _ENTRY.finditer(body, start):
        try:
            entry = orjson.loads(found[0])
            if "name" in entry:
                yield str(canonicalize_name(text(entry["name"]))), read_serial(entry["_last-serial"])
                is_empty = False
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise InvalidAnswer(["a project has no serial"]) from None
    if is_empty:
        raise InvalidAnswer(["no project is listed"])


def read_listed_names(body: bytes) -> Iterator[str]:
    """Read the names at the root of the index as spelt there, with or without serials. Raises InvalidAnswer when it is no list."""
    start = body.find(_LISTED)
    if start < 0 or not body.lstrip().startswith(b"{") or not body.rstrip().endswith(b"}"):
        raise InvalidAnswer(["the body is no list of projects"])
    for found in _ENTRY.finditer(body, start):
        try:
            entry = orjson.loads(found[0])
            if "name" in entry:
                yield text(entry["name"])
        except (orjson.JSONDecodeError, ValueError):
            raise InvalidAnswer(["a project has no name"]) from None


def decipher_index(body: bytes, names: Container[str]) -> dict[str, int] | None:
    """Give the serial of each of ``names`` (PEP 503) that the root of the index lists; ``None`` when it cannot be relied on."""
    try:
        return {name: serial for name, serial in read_index(body) if name in names}
    except InvalidAnswer:
        return None


def decipher_status(body: bytes, name: str) -> dict[str, Any]:
    """Read the page of the project with this PEP 503 name: the value columns of ``status_observations``, and ``serial``.

    A project without a status is active (PEP 792); a status nobody knows yet is kept as told. Raises InvalidAnswer.
    """
    problems: list[str] = []
    values = read_fields(decode_object(body), _FIELDS, problems)
    raise_if_any(problems)
    if canonicalize_name(values["name"]) != name:
        raise InvalidAnswer([f"name: is {values['name']!r}, which is another project"])
    return {
        "project_status": (values["status"] or "").strip().lower() or ACTIVE,
        "status_reason": (values["reason"] or "").strip() or None,
        "files_count": values["files_count"],
        "serial": values["serial"],
    }
