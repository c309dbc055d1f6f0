"""Conditional requests as HTTP has them: RFC 9110, sections 8.8 and 13."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime


def http_date(moment: datetime) -> str:
    """The moment as HTTP writes it, in whole seconds."""
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True)


def is_known(asked_headers: Mapping[str, str], *, etag: str, last_modified: str | None) -> bool:
    """Whether the asker already has this version; ``If-None-Match``, compared weakly, wins over ``If-Modified-Since``."""
    known = asked_headers.get("if-none-match")
    if known is not None:
        return known.strip() == "*" or etag.removeprefix("W/") in [tag.strip().removeprefix("W/") for tag in known.split(",")]
    since = asked_headers.get("if-modified-since")
    if not since or not last_modified:
        return False
    try:
        return parsedate_to_datetime(last_modified) <= parsedate_to_datetime(since)
    except (TypeError, ValueError):
        return False
