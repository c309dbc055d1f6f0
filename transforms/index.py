"""What PyPI's index says: the serial of every project at its root, the status and files of one project on its page.

The JSON form: PEP 691, PEP 700, PEP 792; the serials are PyPI's own addition. https://docs.pypi.org/api/index-api/
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any

import orjson
from packaging.utils import canonicalize_name

from transforms.answers import Field, InvalidAnswer, decode_object, filled_text, raise_if_any, read_fields, text
from transforms.pypi import read_serial

# A project without a status is active, and so is one whose status nobody knows (PEP 792).
STATUSES = ("active", "archived", "quarantined", "deprecated")
_ENTRY = re.compile(rb"\{[^{}]*\}")
_LISTED = b'"projects"'


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise ValueError("is no list")
    return value


_FIELDS = (
    Field("name", "name", filled_text),
    Field("status", "project-status.status", text, is_nullable=True, is_optional=True),
    Field("reason", "project-status.reason", text, is_nullable=True, is_optional=True),
    Field("files", "files", _list),
)


def decipher_index(body: bytes, names: Container[str]) -> dict[str, int] | None:
    """Read the root of the index: the serial of each of ``names`` (PEP 503) that it lists.

    ``None`` when it is not JSON, not whole, or tells no serials, as with most mirrors. It is read entry by entry, since that of
    all of PyPI has some forty megabytes.
    """
    start = body.find(_LISTED)
    if start < 0 or not body.lstrip().startswith(b"{") or not body.rstrip().endswith(b"}"):
        return None
    serials: dict[str, int] = {}
    has_serials = False
    for found in _ENTRY.finditer(body, start):
        try:
            entry = orjson.loads(found[0])
            name, serial = canonicalize_name(entry["name"]), read_serial(entry["_last-serial"])
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            continue
        has_serials = True
        if name in names:
            serials[name] = serial
    return serials if has_serials else None


def decipher_status(body: bytes, name: str) -> dict[str, Any]:
    """Read the page of the project with this PEP 503 name: the value columns of ``status_observations``. Raises InvalidAnswer."""
    problems: list[str] = []
    values = read_fields(decode_object(body), _FIELDS, problems)
    raise_if_any(problems)
    if canonicalize_name(values["name"]) != name:
        raise InvalidAnswer([f"name: is {values['name']!r}, which is another project"])
    status = values["status"] if values["status"] in STATUSES else "active"
    return {"project_status": status, "status_reason": (values["reason"] or "").strip() or None, "files_count": len(values["files"])}
