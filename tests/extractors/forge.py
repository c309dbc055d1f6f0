"""GitHub's GraphQL endpoint as a test wants it: reads who is asked for out of a query and answers what a script says of each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.extractors.loopback import Reply

NOT_FOUND = "NOT_FOUND"
RESOURCES = "RESOURCE_LIMITS_EXCEEDED"
MESSAGES = {
    NOT_FOUND: "Could not resolve to a Repository with the name 'o/n'.",
    "FORBIDDEN": "`ORG` forbids access via a personal access token (classic). Please use a GitHub App.",
    RESOURCES: "Resource limits for this query exceeded.",
    "": "Something went wrong while executing your query on 2026-11-24T13:23:00Z. Please include `0F1E:2D3C` when reporting this issue.",
}


@dataclass(frozen=True)
class Asked:
    """One repository a query asks for: under which alias, at which place of a list, by what, after which cursor."""

    alias: str
    index: int | None
    key: str
    after: str | None = None

    @property
    def path(self) -> list[str | int]:
        """Where its answer stands."""
        return [self.alias] if self.index is None else [self.alias, self.index]


@dataclass(frozen=True)
class Problem:
    """What a script says of a repository that is not answered; ``below`` names a piece that is missing from one that is."""

    kind: str = ""
    below: tuple[str, ...] = ()


# A repository is answered with this node, with nothing at all (``None``), or with a problem.
Script = Callable[[Asked], dict[str, Any] | Problem | None]


def asked(body: bytes) -> list[Asked]:
    """Read a query as ``extractors.graphql`` writes it."""
    payload = json.loads(body)
    return list(_asked(payload["query"], payload["variables"]))


def _asked(text: str, variables: dict[str, Any]) -> Iterator[Asked]:
    for alias, field, number in re.findall(r"([rhn]\d+):(\w+)\([a-z]+:\$[a-z]+(\d*)", text):
        if field == "nodes":
            yield from (Asked(alias, index, key) for index, key in enumerate(variables["ids"]))
        elif field == "node":
            yield Asked(alias, None, variables[f"i{number}"], variables[f"c{number}"])
        else:
            yield Asked(alias, None, f"{variables[f'o{number}']}/{variables[f'n{number}']}", variables.get(f"c{number}"))


def answered(body: bytes, script: Script, *, cost: int = 1, rate_limit: dict[str, Any] | None = None) -> Reply:
    """Answer a query as GitHub does: what could be had in ``data``, the rest in ``errors``."""
    data: dict[str, Any] = {"rateLimit": {"cost": cost, **(rate_limit or {})}}
    errors: list[dict[str, Any]] = []
    for one in asked(body):
        said = script(one)
        node = {"id": one.key} if isinstance(said, Problem) and said.below else said
        if isinstance(said, Problem):
            kind = {"type": said.kind} if said.kind else {}
            errors.append({**kind, "path": [*one.path, *said.below], "locations": [], "message": MESSAGES.get(said.kind, "no")})
            node = node if said.below else None
        if one.index is None:
            data[one.alias] = node
        else:
            data.setdefault(one.alias, []).append(node)
    return Reply(body=json.dumps({"data": data, **({"errors": errors} if errors else {})}).encode())
