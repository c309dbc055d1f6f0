"""A service that tells other things than it did: the JSON of a good answer with fields taken out, zeroed or emptied."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import orjson

from sandbox.faults import Fault, Mishap
from sandbox.reply import Asked, Reply

CONDITIONS = frozenset({"if-none-match", "if-modified-since"})
VALIDATORS = frozenset({"etag", "last-modified"})


def unconditional(asked: Asked) -> Asked:
    """The request without what would make an unchanged answer a 304."""
    return replace(asked, headers={name: value for name, value in asked.headers.items() if name not in CONDITIONS})


def retold(fault: Fault, whole: Reply) -> Reply:
    """The answer as the fault has it; what is no JSON with status 200 stays as it is."""
    if whole.status != 200:  # noqa: PLR2004 - HTTP
        return whole
    try:
        document = orjson.loads(whole.body)
    except orjson.JSONDecodeError:
        return whole
    match fault.mishap:
        case Mishap.WITHOUT:
            told = _without(document, fault.fields)
        case Mishap.ZEROED:
            told = _zeroed(document, fault.fields)
        case _:
            told = [] if isinstance(document, list) else document
    left_out = VALIDATORS | {"link"} if fault.mishap is Mishap.EMPTIED else VALIDATORS  # an empty list has no further page
    headers = tuple((name, value) for name, value in whole.headers if name not in left_out)
    return replace(whole, body=orjson.dumps(told), headers=headers)


def _without(value: Any, names: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(inner, names) for key, inner in value.items() if key not in names}
    return [_without(inner, names) for inner in value] if isinstance(value, list) else value


def _zeroed(value: Any, names: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {key: _nothing(inner) if key in names else _zeroed(inner, names) for key, inner in value.items()}
    return [_zeroed(inner, names) for inner in value] if isinstance(value, list) else value


def _nothing(value: Any) -> Any:
    """The nothing of its kind."""
    match value:
        case bool():
            return False
        case int():
            return 0
        case dict():
            return {key: _nothing(inner) for key, inner in value.items()}
        case list():
            return [0] * len(value) if all(type(inner) is int for inner in value) else []
        case _:
            return None
