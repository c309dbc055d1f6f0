"""What an answer is, before anyone reads its fields: one verdict for every answer a service can give.

The order of the tests is GitHub's: ``retry-after`` first, then an empty quota, then the wording of the body.
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api (limits)
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api (redirects)
https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api (404, 5xx)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

import orjson

from extractors.conversation import HEAD, PARTICIPANTS, WEEKS, Answer


class Verdict(StrEnum):
    """What an answer was taken for."""

    OK = "ok"
    UNCHANGED = "unchanged"  # 304 to a validator we sent
    MOVED = "moved"  # 301, 302, 307, 308 with a location
    PENDING = "pending"  # statistics are being computed
    EMPTY = "empty"  # the repository has no commits
    MISSING = "missing"  # deleted, never there, or private
    BLOCKED = "blocked"  # withheld by the forge: a state of the repository, not of us
    TOO_LARGE = "too_large"  # the history is too large to list contributors
    REFUSED = "refused"  # an organisation's policy refuses this token
    FORBIDDEN = "forbidden"  # any other 403
    BAD_TOKEN = "bad_token"  # noqa: S105 - a verdict, not a secret
    LIMITED = "limited"  # quota empty, or asked to slow down
    UNSUPPORTED = "unsupported"  # 422
    TRANSIENT = "transient"  # 5xx
    GARBLED = "garbled"  # 200 whose body is not whole JSON
    FAILED = "failed"  # no usable answer came
    UNEXPECTED = "unexpected"  # anything else


# Beginnings of `Answer.error` for which asking again cannot help.
REFUSED_HOST = "refused host"
INVALID_ADDRESS = "invalid address"
TOO_LARGE_BODY = "body larger than"
TOKEN_REPEATED = "the answer repeats the token"  # noqa: S105 - a message
LASTING_ERRORS = (REFUSED_HOST, INVALID_ADDRESS, TOO_LARGE_BODY, TOKEN_REPEATED)

PERMANENT_MOVES = frozenset({HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT})
MOVES = PERMANENT_MOVES | {HTTPStatus.FOUND, HTTPStatus.TEMPORARY_REDIRECT}

_BY_FACET: Mapping[tuple[int, str], Verdict] = {
    (HTTPStatus.ACCEPTED, WEEKS): Verdict.PENDING,
    (HTTPStatus.NO_CONTENT, WEEKS): Verdict.EMPTY,
    (HTTPStatus.NO_CONTENT, PARTICIPANTS): Verdict.EMPTY,
    (HTTPStatus.CONFLICT, HEAD): Verdict.EMPTY,
}
_BY_STATUS: Mapping[int, Verdict] = {
    HTTPStatus.NOT_MODIFIED: Verdict.UNCHANGED,
    HTTPStatus.UNAUTHORIZED: Verdict.BAD_TOKEN,
    HTTPStatus.NOT_FOUND: Verdict.MISSING,
    HTTPStatus.GONE: Verdict.MISSING,
    HTTPStatus.UNPROCESSABLE_ENTITY: Verdict.UNSUPPORTED,
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS: Verdict.BLOCKED,
}
# The last two are the words of older GitHub Enterprise Servers and of an empty quota whose headers a proxy dropped.
_LIMIT_WORDS = ("secondary rate limit", "abuse detection mechanism", "api rate limit exceeded")
_TOO_LARGE_WORDS = ("too large to list contributors",)
_POLICY_WORDS = ("forbids access via", "saml", "ip allow list")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict and what to act on.

    Attributes:
        verdict: what the answer is.
        retry_after: seconds the service asked to wait.
        reset_at: when the empty quota is full again (UTC); set only where ``retry_after`` is not.
        location: where it moved to, as sent.
        detail: why, in the service's words where it gave any; empty for a plain success.
        is_retryable: asking the same again soon may help (transport errors and 5xx, nothing else).
    """

    verdict: Verdict
    retry_after: float | None = None
    reset_at: datetime | None = None
    location: str | None = None
    detail: str = ""
    is_retryable: bool = False


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

    ``headers`` have lower-case names. ``source`` only names the service in ``detail``.
    """
    if status is None or error is not None:
        reason = error or "no answer"
        return Judgement(verdict=Verdict.FAILED, detail=reason, is_retryable=not reason.startswith(LASTING_ERRORS))
    if status == HTTPStatus.OK:
        return _judge_content(facet, body)
    if status in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
        return _judge_refusal(status, headers, body)
    if status in MOVES and headers.get("location", "").strip():
        return Judgement(verdict=Verdict.MOVED, location=headers["location"].strip(), detail=f"{status}")
    if 500 <= status <= 599:  # noqa: PLR2004 - the class of server errors
        detail = _words(status, body)
        return Judgement(verdict=Verdict.TRANSIENT, detail=detail, is_retryable=True, retry_after=_retry_after(headers))
    verdict = _BY_FACET.get((status, facet)) or _BY_STATUS.get(status) or Verdict.UNEXPECTED
    detail = _blocked_words(status, body) if verdict is Verdict.BLOCKED else _words(status, body)
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


def _judge_refusal(status: int, headers: Mapping[str, str], body: bytes) -> Judgement:
    """Judge a 403 or 429, which stand for six different things."""
    detail = _words(status, body)
    if "retry-after" in headers:
        return Judgement(verdict=Verdict.LIMITED, detail=detail, retry_after=_retry_after(headers))
    if headers.get("x-ratelimit-remaining", "").strip() == "0":
        return Judgement(verdict=Verdict.LIMITED, detail=detail, reset_at=_instant(headers.get("x-ratelimit-reset", "")))
    text = body[:65536].decode("utf-8", "replace").lower()
    if status == HTTPStatus.TOO_MANY_REQUESTS or _has(text, _LIMIT_WORDS):
        return Judgement(verdict=Verdict.LIMITED, detail=detail)
    if _block_reason(body):
        return Judgement(verdict=Verdict.BLOCKED, detail=_blocked_words(status, body))
    if _has(text, _TOO_LARGE_WORDS):
        return Judgement(verdict=Verdict.TOO_LARGE, detail=detail)
    return Judgement(verdict=Verdict.REFUSED if _has(text, _POLICY_WORDS) else Verdict.FORBIDDEN, detail=detail)


def _has(text: str, words: tuple[str, ...]) -> bool:
    return any(word in text for word in words)


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _block_reason(body: bytes) -> str:
    block = _document(body).get("block")
    reason = block.get("reason") if isinstance(block, dict) else None
    return reason if isinstance(reason, str) else ""


def _blocked_words(status: int, body: bytes) -> str:
    return f"{_words(status, body)} ({_block_reason(body) or 'no reason given'})"


def _words(status: int, body: bytes) -> str:
    """Return the status and the service's own message, at most 300 characters of it."""
    message = _document(body[:65536]).get("message")
    return f"{status} {message[:300]}" if isinstance(message, str) and message else f"{status}"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read ``Retry-After`` (RFC 9110: seconds or a date, the latter measured against the answer's own ``Date``)."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until, sent = _date(text), _date(headers.get("date", ""))
    return max((until - sent).total_seconds(), 0.0) if until and sent else None


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _instant(text: str) -> datetime | None:
    """Read seconds since 1970 as UTC."""
    text = text.strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 11:  # noqa: PLR2004 - eleven digits reach the year 5138
        return None
    return datetime.fromtimestamp(int(text), UTC)
