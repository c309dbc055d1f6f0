"""What an answer is, before anyone reads its fields: one verdict for every answer a service can give.

The order of the tests is GitHub's: ``retry-after`` first, then an empty quota, then the wording of the body.
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api (limits)
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api (redirects)
https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api (404, 5xx)
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import orjson

from extractors.batch_verdict import judge_batch
from extractors.conversation import BATCHED, COMMITS, HEAD, PARTICIPANTS, WEEKS, Answer
from extractors.judgement import (
    INVALID_ADDRESS,
    LASTING_ERRORS,
    REFUSED_HOST,
    TOKEN_REPEATED,
    TOO_LARGE_BODY,
    Judgement,
    Verdict,
    blocked_words,
    judge_refusal,
    read_retry_after,
    words_of,
)

__all__ = [
    "INVALID_ADDRESS",
    "MOVES",
    "PERMANENT_MOVES",
    "REFUSED_HOST",
    "TOKEN_REPEATED",
    "TOO_LARGE_BODY",
    "Judgement",
    "Verdict",
    "judge",
    "judge_answer",
]

PERMANENT_MOVES = frozenset({HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT})
MOVES = PERMANENT_MOVES | {HTTPStatus.FOUND, HTTPStatus.TEMPORARY_REDIRECT}

_BY_FACET: Mapping[tuple[int, str], Verdict] = {
    (HTTPStatus.ACCEPTED, WEEKS): Verdict.PENDING,
    (HTTPStatus.NO_CONTENT, WEEKS): Verdict.EMPTY,
    (HTTPStatus.NO_CONTENT, PARTICIPANTS): Verdict.EMPTY,
    (HTTPStatus.CONFLICT, HEAD): Verdict.EMPTY,
    (HTTPStatus.CONFLICT, COMMITS): Verdict.EMPTY,
}
_BY_STATUS: Mapping[int, Verdict] = {
    HTTPStatus.NOT_MODIFIED: Verdict.UNCHANGED,
    HTTPStatus.UNAUTHORIZED: Verdict.BAD_TOKEN,
    HTTPStatus.NOT_FOUND: Verdict.MISSING,
    HTTPStatus.GONE: Verdict.MISSING,
    HTTPStatus.UNPROCESSABLE_ENTITY: Verdict.UNSUPPORTED,
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS: Verdict.BLOCKED,
}


def judge_answer(answer: Answer) -> Judgement:
    """Judge an answer; see :func:`judge`."""
    return judge(
        source=answer.ask.source,
        facet=answer.ask.facet,
        status=answer.status,
        headers=answer.headers,
        body=answer.body,
        error=answer.error,
    )


def judge(*, source: str, facet: str, status: int | None, headers: Mapping[str, str], body: bytes, error: str | None) -> Judgement:
    """Tell what an answer is; total: whatever a service sends, it gets a verdict and never an exception.

    ``headers`` have lower-case names. ``source`` only names the service in ``detail``. A question about many subjects is judged
    as a whole here; what each of them was told is for ``graphql.divide``.
    """
    if facet in BATCHED:
        return judge_batch(status, headers, body, error)
    return _judge_one(source, facet, status, headers, body, error)


def _judge_one(source: str, facet: str, status: int | None, headers: Mapping[str, str], body: bytes, error: str | None) -> Judgement:
    """Judge an answer about one subject."""
    if status is None or error is not None:
        reason = error or "no answer"
        return Judgement(verdict=Verdict.FAILED, detail=reason, is_retryable=not reason.startswith(LASTING_ERRORS))
    if status == HTTPStatus.OK:
        return _judge_content(facet, body)
    if status in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
        return judge_refusal(status, headers, body)
    if status in MOVES and headers.get("location", "").strip():
        return Judgement(verdict=Verdict.MOVED, location=headers["location"].strip(), detail=f"{status}")
    if 500 <= status <= 599:  # noqa: PLR2004 - the class of server errors
        detail = words_of(status, body)
        return Judgement(verdict=Verdict.TRANSIENT, detail=detail, is_retryable=True, retry_after=read_retry_after(headers))
    verdict = _BY_FACET.get((status, facet)) or _BY_STATUS.get(status) or Verdict.UNEXPECTED
    detail = blocked_words(status, body) if verdict is Verdict.BLOCKED else words_of(status, body)
    return Judgement(verdict=verdict, detail=f"{source} answered {detail}" if verdict is Verdict.UNEXPECTED else detail)


def _judge_content(facet: str, body: bytes) -> Judgement:
    """Judge a 200: its body must be whole JSON, and ``{}`` from the statistics means they are not computed yet."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        return Judgement(verdict=Verdict.GARBLED, detail=f"not JSON: {fault} ({len(body)} bytes beginning {body[:40]!r})")
    if facet == WEEKS and document == {}:
        return Judgement(verdict=Verdict.PENDING, detail="statistics not computed yet")
    return Judgement(verdict=Verdict.OK)
