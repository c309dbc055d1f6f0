"""GitHub's GraphQL endpoint as far as packhouse asks it: the gates, the bill, and many repositories in one answer.

https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api; errors as published recordings have
them. How a repository blocked by law looks here is recorded nowhere: the sandbox says it is not found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from sandbox import shapes
from sandbox.endpoints import POLICY
from sandbox.faults import Mishap
from sandbox.nodes import Head, Unanswerable, instant, repository_id, told
from sandbox.queries import Problem, Query, Refused, Step, cost_of, read
from sandbox.quota import GRAPHQL, Limits, Quotas, Standing, fingerprint
from sandbox.reply import Asked, Draft, draft
from sandbox.sending import gateway_error
from sandbox.shapes import DOCS
from sandbox.subjects import Repository, number_of
from sandbox.world import World

PATH = "/graphql"
GRAPHQL_DOCS = "https://docs.github.com/graphql"
WENT_WRONG = "Something went wrong while executing your query on {moment}. Please include `{request}` when reporting this issue."
OUT_OF_RESOURCES = "Resource limits for this query exceeded."


class NoQuery(Exception):
    """What was sent is no query at all."""


@dataclass(frozen=True, slots=True)
class Spoil:
    """What goes wrong within a query; ``choose`` says which of so many repositories it befalls."""

    mishap: Mishap
    choose: Callable[[int], frozenset[int]]


@dataclass(frozen=True, slots=True)
class Target:
    """One repository a query asks for: under which key, at which place of a list, with which fields."""

    step: Step
    index: int | None
    found: Repository | Problem

    @property
    def path(self) -> list[str | int]:
        """Where its answer stands."""
        return [self.step.key] if self.index is None else [self.step.key, self.index]


class GraphQL:
    """Answers queries about one world, under the quotas of the same accounts as REST but on a meter of their own."""

    def __init__(self, world: World, quotas: Quotas) -> None:
        self.world = world
        self.quotas = quotas

    def answer(self, asked: Asked, token: str | None, now: datetime, spoil: Spoil | None = None) -> tuple[Draft, Standing]:
        """The reply to one query and how the account then stands."""
        if token is None:
            message = "This endpoint requires you to be authenticated."
            documentation = f"{GRAPHQL_DOCS}/guides/forming-calls-with-graphql#authenticating-with-graphql"
            return draft(401, shapes.problem(message, documentation, 401)), self.quotas.standing(None, now, GRAPHQL)
        try:
            query, variables = _query(asked.body)
            steps = query.bound(variables)
            cost, nodes = cost_of(steps)
        except Refused as refused:
            return self._gated(token, now, 1) or self._charged(token, now, 1, draft(200, _errors(refused.problems)))
        except NoQuery as error:
            return draft(400, {"message": str(error), "documentation_url": GRAPHQL_DOCS}), self.quotas.standing(token, now, GRAPHQL)
        if gated := self._gated(token, now, cost):
            return gated
        if _is_dry(steps):
            standing = self.quotas.standing(token, now, GRAPHQL)
            data = {step.key: told(step.below or (), _rate_limit(standing, cost, nodes)) for step in steps if step.name == "rateLimit"}
            return draft(200, {"data": data}), standing
        standing = self.quotas.charge(token, now, GRAPHQL, cost)
        telling = _Telling(self.world, self.quotas.limits, query, steps, _rate_limit(standing, cost, nodes))
        made = telling.reply(now, spoil)
        made.repositories_count = len(telling.targets)
        made.meter, made.units = GRAPHQL, cost
        return made, standing

    def _charged(self, token: str, now: datetime, units: int, made: Draft) -> tuple[Draft, Standing]:
        made.meter, made.units = GRAPHQL, units
        return made, self.quotas.charge(token, now, GRAPHQL, units)

    def _gated(self, token: str, now: datetime, cost: int) -> tuple[Draft, Standing] | None:
        """The refusal of a query for which there is nothing left, or that comes too fast."""
        limits, standing = self.quotas.limits, self.quotas.standing(token, now, GRAPHQL)
        if self.quotas.is_too_fast(token, now, GRAPHQL, cost):
            return self.secondary(limits.retry_after), standing
        if standing.remaining == 0:
            message = f"API rate limit already exceeded for user ID {number_of(fingerprint(token))}."
            return draft(200, _errors([{"type": limits.graphql_limit_type, "code": "graphql_rate_limit", "message": message}])), standing
        return None

    def secondary(self, retry_after: int | None) -> Draft:
        """The refusal of a secondary limit, in the form the limits say."""
        status = self.quotas.limits.graphql_secondary_status
        documentation = f"{DOCS}/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
        content: dict[str, Any] = {"message": shapes.SECONDARY, "documentation_url": documentation}
        made = draft(status, _errors([{"message": shapes.SECONDARY}]) if status == 200 else content)  # noqa: PLR2004 - as documented
        if retry_after is not None:
            made.headers["retry-after"] = str(retry_after)
        return made


class _Telling:
    """One query on its way to a reply."""

    def __init__(self, world: World, limits: Limits, query: Query, steps: Sequence[Step], rate_limit: Mapping[str, Any]) -> None:
        self._world = world
        self._steps = steps
        self._capacity = limits.history_capacity if query.is_history else limits.probe_capacity
        self._over_capacity_status = limits.over_capacity_status
        self._rate_limit = rate_limit
        self._now: datetime | None = None
        self.targets: list[Target] = []
        self._data: dict[str, Any] = {}
        self._problems: list[Problem] = []

    def reply(self, now: datetime, spoil: Spoil | None) -> Draft:
        """The answer, with whatever goes wrong about it."""
        self._now = now
        self.targets = targets = [target for step in self._steps for target in self._asked_for(step)]
        is_over = 0 < self._capacity < len(targets)
        if is_over and self._over_capacity_status != 200:  # noqa: PLR2004 - the knob's two values
            return gateway_error(self._over_capacity_status)
        if spoil and spoil.mishap is Mishap.WRONG:
            return draft(200, {"data": None, **_errors([{"message": self._went_wrong()}])})
        spoilt = spoil.choose(len(targets)) if spoil else frozenset()
        for place, target in enumerate(targets):
            if is_over and place >= self._capacity:
                self._put(target, None, {"type": "RESOURCE_LIMITS_EXCEEDED", "message": OUT_OF_RESOURCES})
            elif spoil and place in spoilt:
                self._put_spoiled(target, spoil.mishap)
            else:
                self._put(target, *self._answered(target))
        made = Draft(status=200, headers={"content-type": "application/json; charset=utf-8"})
        made.body = orjson.dumps({"data": self._data, **_errors(self._problems)})
        return made

    def _asked_for(self, step: Step) -> list[Target]:
        """The repositories one field of the query asks for; the data gets its place in the order of the query."""
        arguments = step.arguments
        self._data[step.key] = [] if step.name == "nodes" else None
        match step.name:
            case "repository":
                return [
                    Target(step, None, self._named(arguments["owner"], arguments["name"], follows=arguments["followRenames"] is not False))
                ]
            case "node":
                return [Target(step, None, self._known(arguments["id"]))]
            case "nodes":
                return [Target(step, index, self._known(global_id)) for index, global_id in enumerate(arguments["ids"])]
            case "rateLimit":
                self._data[step.key] = told(step.below or (), self._rate_limit)
            case _:  # __typename
                self._data[step.key] = step.type_name
        return []

    def _named(self, owner: str, name: str, *, follows: bool) -> Repository | Problem:
        full_name = f"{owner}/{name}"
        repo = self._world.repository(full_name)
        if repo is None or repo.block or (not follows and repo.full_name.lower() != full_name.lower()):
            return {"type": "NOT_FOUND", "message": f"Could not resolve to a Repository with the name '{full_name}'."}
        return repo

    def _known(self, global_id: str) -> Repository | Problem:
        repo_id = repository_id(global_id)
        repo = self._world.repository_by_id(repo_id) if repo_id is not None else None
        if repo is None or repo.block:
            return {"type": "NOT_FOUND", "message": f"Could not resolve to a node with the global id of '{global_id}'."}
        return repo

    def _answered(self, target: Target) -> tuple[dict[str, Any] | None, Problem | None]:
        found = target.found
        if isinstance(found, dict):
            return None, found
        if found.refuses_tokens:
            return None, {"type": "FORBIDDEN", "extensions": {"saml_failure": False}, "message": POLICY.format(owner=found.owner)}
        try:
            return told(target.step.below or (), Head(found, self._world)), None
        except Unanswerable as problem:
            return None, {"type": problem.kind, "message": str(problem), "path": [*target.path, *problem.path]}

    def _put(self, target: Target, value: dict[str, Any] | None, problem: Problem | None = None) -> None:
        if target.index is None:
            self._data[target.step.key] = value
        else:
            self._data[target.step.key].append(value)
        if problem:
            self._problems.append({"path": target.path, "locations": [target.step.location], **problem})

    def _put_spoiled(self, target: Target, mishap: Mishap) -> None:
        """A repository that is there and yet not, or not wholly, answered."""
        match mishap:
            case Mishap.ALIAS_NULL:
                self._put(target, None)
            case Mishap.ALIAS_LIMITS:
                self._put(target, None, {"type": "RESOURCE_LIMITS_EXCEEDED", "message": OUT_OF_RESOURCES})
            case Mishap.ALIAS_HOLLOW:
                value, problem = self._answered(target)
                hollow = hollowed(value) if value else None
                broken = {"path": [*target.path, *hollow], "message": self._went_wrong()} if hollow else problem
                self._put(target, value, broken)
            case _:
                self._put(target, None, {"message": self._went_wrong()})

    def _went_wrong(self) -> str:
        return WENT_WRONG.format(moment=instant(self._now), request="0F1E:2D3C:4B5A69:788796A5:B4C3D2E1")


def hollowed(value: dict[str, Any]) -> list[str]:
    """Take the deepest nullable piece out of a repository's answer; the path to what could not be had, empty when there is none."""
    for key, branch in value.items():
        if isinstance(branch, dict) and "target" in branch:
            inner = next((name for name, piece in (branch["target"] or {}).items() if isinstance(piece, dict)), None)
            if inner is None:
                value[key] = None
                return [key]
            branch["target"] = None
            return [key, "target", inner]
    return []


def _query(body: bytes) -> tuple[Query, Mapping[str, Any]]:
    """Query and variables of a request; raises Refused for a query that is wrong, NoQuery for none."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise NoQuery("Problems parsing JSON") from None
    text = content.get("query") if isinstance(content, dict) else None
    if not isinstance(text, str):
        raise NoQuery("A query attribute must be specified and must be a string.")
    variables = content.get("variables") or {}
    if not isinstance(variables, dict):
        raise NoQuery("Variables must be an object.")
    return read(text, content.get("operationName")), variables


def _is_dry(steps: Sequence[Step]) -> bool:
    return any(step.name == "rateLimit" and step.arguments.get("dryRun") for step in steps)


def _rate_limit(standing: Standing, cost: int, nodes: int) -> dict[str, Any]:
    return {
        "cost": cost,
        "limit": standing.limit,
        "nodeCount": nodes,
        "remaining": standing.remaining,
        "resetAt": instant(datetime.fromtimestamp(standing.reset, UTC)),
        "used": standing.used,
    }


def _errors(problems: Sequence[Problem]) -> dict[str, Any]:
    return {"errors": list(problems)} if problems else {}
