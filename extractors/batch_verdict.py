"""What an answer to a question about many repositories is as a whole, and what it says of its cost: GitHub's GraphQL API.

HTTP 200 does not mean success there: an answer has ``data``, ``errors`` or both, an empty quota and a query that took too long come
as 200 as well. Types and messages as GitHub sends them; the rules are those of
https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api and
https://spec.graphql.org/October2021/#sec-Response-Format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import orjson

from extractors.judgement import (
    LASTING_ERRORS,
    TOO_LARGE_BODY,
    Judgement,
    Verdict,
    has_any,
    judge_refusal,
    read_instant,
    read_retry_after,
    words_of,
)

RATE_LIMIT = "rateLimit"  # the field every query asks of the quota
# The query asks for too much at once: an oversight of ours that fewer repositories mend.
_TOO_MUCH = frozenset({"MAX_NODE_LIMIT_EXCEEDED", "ARGUMENT_LIMIT", "RESOURCE_LIMITS_EXCEEDED"})
_LIMITED = frozenset({"RATE_LIMITED", "RATE_LIMIT"})
_REFUSED = frozenset({"FORBIDDEN", "INSUFFICIENT_SCOPES"})
_PASSING_WORDS = (
    "something went wrong",
    "couldn't respond to your request in time",
    "timeout",
    "timed out",
    "resource limits for this query",
)
_LIMIT_WORDS = ("rate limit", "abuse detection mechanism")
_LONGEST_DETAIL = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One entry of ``errors``.

    Attributes:
        kind: its ``type``; empty when it has none (a bug or a time limit of GitHub's, or a mistake in the query).
        message: in GitHub's words, at most 300 characters.
        path: where in ``data`` it belongs; empty when it speaks of the whole query.
    """

    kind: str
    message: str
    path: tuple[str | int, ...]

    @property
    def is_limit(self) -> bool:
        """Whether it says that the account may not ask now."""
        return self.kind in _LIMITED or has_any(self.message.lower(), _LIMIT_WORDS)

    @property
    def is_passing(self) -> bool:
        """Whether the same may be answered another time."""
        return has_any(self.message.lower(), _PASSING_WORDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A body as GraphQL has it: ``data`` by alias (``None`` when there is none) and what went wrong."""

    data: Mapping[str, Any] | None
    problems: tuple[Problem, ...]

    @property
    def has_values(self) -> bool:
        """Whether anything but the quota was answered."""
        return self.data is not None and any(_has_value(value) for key, value in self.data.items() if key != RATE_LIMIT)

    @property
    def rate_limit(self) -> Mapping[str, Any]:
        """What it says of the quota; empty when nothing."""
        told = self.data.get(RATE_LIMIT) if self.data else None
        return told if isinstance(told, dict) else {}


@lru_cache(maxsize=4)
def read_content(body: bytes) -> Content | None:
    """Read a body; ``None`` when it is not a JSON object. Kept for the few readers an answer has one after the other."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict):
        return None
    data, errors = document.get("data"), document.get("errors")
    problems = tuple(_read_problem(error) for error in errors if isinstance(error, dict)) if isinstance(errors, list) else ()
    return Content(data=data if isinstance(data, dict) else None, problems=problems)


def judge_batch(status: int | None, headers: Mapping[str, str], body: bytes, error: str | None) -> Judgement:
    """Tell what an answer to a question about many is as a whole; total. ``ok`` means: see what each subject was told.

    Never ``missing`` or ``blocked``: what is wrong with a whole answer says nothing of a repository.
    """
    if status is None or error is not None:
        reason = error or "no answer"
        is_lasting = reason.startswith(LASTING_ERRORS)
        may_split = not is_lasting or reason.startswith(TOO_LARGE_BODY)
        return Judgement(verdict=Verdict.FAILED, detail=reason, is_retryable=not is_lasting, may_split=may_split)
    return _judge_content(headers, body) if status == HTTPStatus.OK else _judge_status(status, headers, body)


def _judge_status(status: int, headers: Mapping[str, str], body: bytes) -> Judgement:
    detail = words_of(status, body)
    if status == HTTPStatus.UNAUTHORIZED:
        return Judgement(verdict=Verdict.BAD_TOKEN, detail=detail)
    if status in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
        refusal = judge_refusal(status, headers, body)
        return refusal if refusal.verdict in (Verdict.LIMITED, Verdict.REFUSED) else Judgement(verdict=Verdict.FORBIDDEN, detail=detail)
    if 500 <= status <= 599:  # noqa: PLR2004 - the class of server errors
        wait = read_retry_after(headers)
        return Judgement(verdict=Verdict.TRANSIENT, detail=detail, is_retryable=True, retry_after=wait, may_split=True)
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.UNPROCESSABLE_ENTITY):
        return Judgement(verdict=Verdict.UNSUPPORTED, detail=detail)
    return Judgement(verdict=Verdict.UNEXPECTED, detail=f"GraphQL answered {detail}")


def _judge_content(headers: Mapping[str, str], body: bytes) -> Judgement:
    content = read_content(body)
    if content is None:
        detail = f"not GraphQL: {len(body)} bytes beginning {body[:40]!r}"
        return Judgement(verdict=Verdict.GARBLED, detail=detail, is_retryable=True, may_split=True)
    whole = next((problem for problem in content.problems if not problem.path), None)
    if content.has_values or (content.data is not None and whole is None and not _is_limited(content, headers)):
        return Judgement(verdict=Verdict.OK)
    problem = whole or next(iter(content.problems), None)
    if problem is None:
        return Judgement(verdict=Verdict.UNEXPECTED, detail="GraphQL answered neither data nor errors")
    return _judge_problem(problem, is_limited=_is_limited(content, headers), headers=headers)


def _is_limited(content: Content, headers: Mapping[str, str]) -> bool:
    """Whether an answer without values has none because the account may not ask now."""
    if any(problem.is_limit for problem in content.problems):
        return True
    is_told = "retry-after" in headers or headers.get("x-ratelimit-remaining", "").strip() == "0"
    return is_told and content.data is None and not any(problem.kind in _TOO_MUCH for problem in content.problems)


def _judge_problem(problem: Problem, *, is_limited: bool, headers: Mapping[str, str]) -> Judgement:
    """Judge an answer that holds nothing but a reason."""
    detail = f"{problem.kind} {problem.message}".strip()
    if is_limited:
        return _judge_limit(headers, detail)
    if problem.kind in _TOO_MUCH:
        is_passing = problem.kind == "RESOURCE_LIMITS_EXCEEDED"
        verdict = Verdict.TRANSIENT if is_passing else Verdict.UNSUPPORTED
        return Judgement(verdict=verdict, detail=detail, is_retryable=is_passing, may_split=True)
    if problem.kind in _REFUSED:
        return Judgement(verdict=Verdict.REFUSED, detail=detail)
    if problem.is_passing:
        return Judgement(verdict=Verdict.TRANSIENT, detail=detail, is_retryable=True, may_split=True)
    # Without a type it is a mistake in the query: a server that does not know a field.
    return Judgement(verdict=Verdict.UNEXPECTED if problem.kind else Verdict.UNSUPPORTED, detail=detail)


def _judge_limit(headers: Mapping[str, str], detail: str) -> Judgement:
    wait = read_retry_after(headers)
    if wait is None and headers.get("x-ratelimit-remaining", "").strip() == "0":
        return Judgement(verdict=Verdict.LIMITED, detail=detail, reset_at=read_instant(headers.get("x-ratelimit-reset", "")))
    return Judgement(verdict=Verdict.LIMITED, detail=detail, retry_after=wait)


def points(status: int | None, body: bytes) -> int:
    """Return what an answer cost of the 5,000 points an hour.

    What ``rateLimit`` says; one point when a query was answered, or broken off, without telling; nothing without an answer or
    when it was refused.
    """
    if status is None:
        return 0
    if status != HTTPStatus.OK:
        # "Additional points will be deducted" for a query that timed out; how many is not told.
        return int(status in (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT))
    content = read_content(body)
    if content is None:
        return 1
    cost = content.rate_limit.get("cost")
    if isinstance(cost, int) and not isinstance(cost, bool) and cost >= 0:
        return cost
    return 0 if not content.has_values and any(problem.is_limit for problem in content.problems) else 1


def quota_headers(headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
    """Return the headers, with what the body says of the quota where they say nothing."""
    if "x-ratelimit-remaining" in headers:
        return headers
    content = read_content(body)
    told = content.rate_limit if content else {}
    limit, remaining, resets_at = told.get("limit"), told.get("remaining"), _read_moment(told.get("resetAt"))
    if not isinstance(limit, int) or not isinstance(remaining, int) or resets_at is None:
        return headers
    reset = str(int(resets_at.timestamp()))
    return {**headers, "x-ratelimit-limit": str(limit), "x-ratelimit-remaining": str(remaining), "x-ratelimit-reset": reset}


def _read_moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None


def _read_problem(error: Mapping[str, Any]) -> Problem:
    kind, message, path = error.get("type"), error.get("message"), error.get("path")
    return Problem(
        kind=kind if isinstance(kind, str) else "",
        message=message[:_LONGEST_DETAIL] if isinstance(message, str) else "no message",
        path=tuple(step for step in path if isinstance(step, str | int)) if isinstance(path, list) else (),
    )


def _has_value(value: object) -> bool:
    return any(entry is not None for entry in value) if isinstance(value, list) else value is not None
