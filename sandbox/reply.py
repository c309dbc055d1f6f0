"""A reply as a value: what both services hand to the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

JSON = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as both services see it.

    Attributes:
        path: below the service's base address, still percent-encoded.
        query: last value of each parameter.
        headers: names in lower case.
        base_url: the service's own address, without a trailing slash; stands at the start of every link it gives.
        body: what was sent with the request.
    """

    method: str
    path: str
    query: Mapping[str, str]
    query_text: str
    headers: Mapping[str, str]
    base_url: str
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Status, headers in order, body; which meter was charged how much for it, and how many repositories a query asked for."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    meter: str = ""
    units: int = 0
    repositories_count: int = 0


@dataclass(slots=True, kw_only=True)
class Draft:
    """A reply in the making: a service fills it, ``finish`` turns it into bytes."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    meter: str = ""
    units: int = 0
    repositories_count: int = 0

    def finish(self) -> Reply:
        """The reply as it stands."""
        return Reply(
            status=self.status,
            headers=tuple(self.headers.items()),
            body=self.body,
            meter=self.meter,
            units=self.units,
            repositories_count=self.repositories_count,
        )


def draft(status: int, content: Any = None, **headers: str) -> Draft:
    """A draft with JSON content (or none); header names are given with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if content is None:
        return Draft(status=status, headers=named)
    return Draft(status=status, body=orjson.dumps(content), headers={"content-type": JSON, **named})
