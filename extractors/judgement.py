"""Verdicts, and how a refusal reads: what ``verdict.py`` (one subject) and ``batch_verdict.py`` (many) have in common.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api: ``retry-after`` first, then an empty quota, then
the wording of the body.
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
        is_retryable: asking the same again soon may help (transport errors and 5xx; of batches also an answer that is none).
        may_split: a question about many subjects may be answered when it is put about fewer.
    """

    verdict: Verdict
    retry_after: float | None = None
    reset_at: datetime | None = None
    location: str | None = None
    detail: str = ""
    is_retryable: bool = False
    may_split: bool = False


def judge_refusal(status: int, headers: Mapping[str, str], body: bytes) -> Judgement:
    """Judge a 403 or 429, which stand for six different things."""
    detail = words_of(status, body)
    if "retry-after" in headers:
        return Judgement(verdict=Verdict.LIMITED, detail=detail, retry_after=read_retry_after(headers))
    if headers.get("x-ratelimit-remaining", "").strip() == "0":
        return Judgement(verdict=Verdict.LIMITED, detail=detail, reset_at=read_instant(headers.get("x-ratelimit-reset", "")))
    text = body[:65536].decode("utf-8", "replace").lower()
    if status == HTTPStatus.TOO_MANY_REQUESTS or has_any(text, _LIMIT_WORDS):
        return Judgement(verdict=Verdict.LIMITED, detail=detail)
    if block_reason(body):
        return Judgement(verdict=Verdict.BLOCKED, detail=blocked_words(status, body))
    if has_any(text, _TOO_LARGE_WORDS):
        return Judgement(verdict=Verdict.TOO_LARGE, detail=detail)
    return Judgement(verdict=Verdict.REFUSED if has_any(text, _POLICY_WORDS) else Verdict.FORBIDDEN, detail=detail)


def has_any(text: str, words: tuple[str, ...]) -> bool:
    """Tell whether one of the words stands in the text."""
    return any(word in text for word in words)


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def block_reason(body: bytes) -> str:
    """Return why the forge withholds a repository (``dmca``, ``tos``, ``unavailable``), empty when it gave no reason."""
    block = _document(body).get("block")
    reason = block.get("reason") if isinstance(block, dict) else None
    return reason if isinstance(reason, str) else ""


def blocked_words(status: int, body: bytes) -> str:
    """Return :func:`words_of` and the reason."""
    return f"{words_of(status, body)} ({block_reason(body) or 'no reason given'})"


def words_of(status: int, body: bytes) -> str:
    """Return the status and the service's own message, at most 300 characters of it."""
    message = _document(body[:65536]).get("message")
    return f"{status} {message[:300]}" if isinstance(message, str) and message else f"{status}"


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Read ``Retry-After`` (RFC 9110: seconds or a date, the latter measured against the answer's own ``Date``)."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until, sent = read_date(text), read_date(headers.get("date", ""))
    return max((until - sent).total_seconds(), 0.0) if until and sent else None


def read_date(text: str) -> datetime | None:
    """Read a date of HTTP (RFC 9110) as UTC; ``None`` when it is none."""
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def read_instant(text: str) -> datetime | None:
    """Read seconds since 1970 as UTC."""
    text = text.strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 11:  # noqa: PLR2004 - eleven digits reach the year 5138
        return None
    return datetime.fromtimestamp(int(text), UTC)
