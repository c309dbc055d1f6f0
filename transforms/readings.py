"""One landed answer and what it was taken for become a *reading*: an outcome, its reason in words, and values if it has any.

The verdict (``ok``, ``pending``, ``missing`` ...) was given by the status and headers; here the body is read. Nothing is
raised for what a service sends: what cannot be read is a reading with the outcome ``invalid`` that names every bad field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from packaging.utils import canonicalize_name

from transforms.answers import InvalidAnswer, decode_object
from transforms.commits import HistoryPage, decipher_commits, decipher_history
from transforms.github import (
    HEAD_COLUMNS,
    block_reason,
    decipher_head,
    decipher_participants_page,
    decipher_probe,
    decipher_repo,
    decipher_weeks,
    empty_weeks,
)
from transforms.index import decipher_status
from transforms.pypi import decipher_project
from transforms.times import utc_day

# Only our token sees the repository, so nothing of what it says may be published.
PRIVATE = "repo_private"
_TARGET = re.compile(r"<[^<>]*>")
_NEXT = re.compile(r";\s*rel\s*=\s*(?:\"[^\"]*\bnext\b[^\"]*\"|next\b)", re.IGNORECASE)
# Outcome of each verdict that carries no values.
OUTCOMES: Mapping[str, str] = {
    "pending": "pending",
    "missing": "missing",
    "blocked": "blocked",
    "too_large": "unsupported",
    "unsupported": "unsupported",
    "refused": "refused",
    "forbidden": "refused",
    "bad_token": "failed",  # says nothing of the subject; the next run, with a good token, asks again
    "limited": "limited",
    "transient": "failed",
    "failed": "failed",
    "unexpected": "failed",
    "garbled": "invalid",
    "moved": "failed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureView:
    """One landed answer with its envelope.

    Attributes:
        run_id: the run that asked.
        sequence: order of landing within the run, from 1.
        source: ``github`` or ``pypi``.
        subject: ``github:owner/name`` or ``pypi:name``, in lower case.
        facet: ``repo``, ``head``, ``weeks``, ``commits``, ``participants``, ``project`` or ``status``; ``probe``, ``history`` or
            ``index`` when it was about many subjects.
        page: 1-based page of a paged facet.
        url: path and query below the service's address, or an absolute address.
        attempt: 1 for the first try.
        status: HTTP status; ``None`` when no answer came.
        headers: response headers, names in lower case.
        body: bytes after content decoding.
        error: why no usable answer came.
        fetched_at: aware UTC time at which the body was complete.
        duration_ms: from sending to the complete body.
        identity: ``anonymous`` or the fingerprint of the token.
        request: what a question about many subjects asked of each, as JSON; of one subject when the answer was divided.
    """

    run_id: str
    sequence: int
    source: str
    subject: str
    facet: str
    page: int
    url: str
    attempt: int
    status: int | None
    headers: Mapping[str, str]
    body: bytes
    error: str | None
    fetched_at: datetime
    duration_ms: int
    identity: str
    request: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one answer says.

    Attributes:
        outcome: ``ok``, ``capped``, ``empty``, ``unchanged`` (a 304: what was said last holds) or one of ``OUTCOMES``.
        detail: why it is not ok, in words that stay the same while the reason does.
        code: kind of finding it deserves beyond its outcome.
        row: value columns of the facet's table.
        releases: value columns of ``releases``, for a project.
        people: (login, commits) of one page of participants.
        history: one page of commits.
    """

    outcome: str
    detail: str | None = None
    code: str | None = None
    row: Mapping[str, Any] = field(default_factory=dict)
    releases: Sequence[Mapping[str, Any]] = ()
    people: list[tuple[str, int]] | None = None
    history: HistoryPage | None = None


def read_probe(capture: CaptureView, verdict: str, *, was_missing: bool = False) -> dict[str, Reading]:
    """Read what a probe says of one repository: a reading for each facet it tells of.

    Without an answer only the repository is spoken of: REST is asked next, and its newest commit may be spared then. One without commits
    has neither weeks nor participants.
    That GraphQL does not find it is believed only when REST said before that it is missing (``was_missing``): it may be blocked.
    """
    if verdict == "missing" and not was_missing:
        return {"repo": Reading(outcome="failed", detail="GraphQL does not find it, and REST was not asked why")}
    if verdict != "ok":
        return {"repo": Reading(outcome=OUTCOMES[verdict], detail=_why(capture, verdict))}
    try:
        if decode_object(capture.body).get("isPrivate") is True:
            return {"repo": Reading(outcome="blocked", detail="the repository is private", code=PRIVATE)}
        values = decipher_probe(capture.body)
    except InvalidAnswer as error:
        said = Reading(outcome="invalid", detail=str(error))
        return {"repo": said, "head": said}
    head = {name: values.pop(name) for name in HEAD_COLUMNS}
    repo = Reading(outcome="ok", row=values)
    if head["head_oid"] is not None:
        return {"repo": repo, "head": Reading(outcome="ok", row=head)}
    nobody = {"logins": [], "commit_counts": [], "participants_source": "contributors", "listed_at": capture.fetched_at}
    weeks = Reading(outcome="ok", row=empty_weeks(utc_day(capture.fetched_at), "history"))
    return {"repo": repo, "head": _NO_COMMITS, "weeks": weeks, "participants": Reading(outcome="ok", row=nobody)}


def read_answer(capture: CaptureView, verdict: str) -> Reading:
    """Read one answer; total over everything a service can send. Raises KeyError for a verdict or facet nobody defined."""
    if verdict == "empty":
        return _EMPTY[capture.facet](capture)
    if verdict == "unchanged":
        return Reading(outcome="unchanged")
    if verdict == "garbled" and capture.facet == "status" and "html" in capture.headers.get("content-type", ""):
        return Reading(outcome="unsupported", detail="the index has no page in JSON")  # as most mirrors
    if verdict != "ok":
        return Reading(outcome=OUTCOMES[verdict], detail=_why(capture, verdict))
    try:
        return _READERS[capture.facet](capture)
    except InvalidAnswer as error:
        return Reading(outcome="invalid", detail=str(error))


def _repo(capture: CaptureView) -> Reading:
    if decode_object(capture.body).get("private") is True:  # first of all: not even an error may quote a private repository
        return Reading(outcome="blocked", detail="the repository is private", code=PRIVATE)
    return Reading(outcome="ok", row=decipher_repo(capture.body))


def _head(capture: CaptureView) -> Reading:
    return Reading(outcome="ok", row=decipher_head(capture.body))


def _weeks(capture: CaptureView) -> Reading:
    return Reading(outcome="ok", row=decipher_weeks(capture.body, utc_day(capture.fetched_at)))


def _participants(capture: CaptureView) -> Reading:
    return Reading(outcome="ok", people=decipher_participants_page(capture.body))


def _project(capture: CaptureView) -> Reading:
    values, releases = decipher_project(capture.body, capture.headers.get("x-pypi-last-serial"))
    if f"pypi:{canonicalize_name(values['project_name'])}" != capture.subject:
        detail = f"info.name: is {values['project_name']!r}, which is another project"
        return Reading(outcome="invalid", detail=detail, code="project_name_mismatch")
    return Reading(outcome="ok", row=values, releases=releases)


def _status(capture: CaptureView) -> Reading:
    return Reading(outcome="ok", row=decipher_status(capture.body, capture.subject.partition(":")[2]))


def _commits(capture: CaptureView) -> Reading:
    return Reading(outcome="ok", history=decipher_commits(capture.body, has_next=has_next(capture.headers)))


def has_next(headers: Mapping[str, str]) -> bool:
    """Whether a ``Link`` header (RFC 8288) names a next page; addresses are set aside because they may say ``rel=next`` too."""
    return _NEXT.search(_TARGET.sub("", headers.get("link", ""))) is not None


def _history(capture: CaptureView) -> Reading:
    return Reading(outcome="ok", history=decipher_history(capture.body))


_NO_COMMITS = Reading(outcome="empty", detail="the repository has no commits")


def _contentless(capture: CaptureView) -> Reading:
    return Reading(outcome="failed", detail=f"HTTP {capture.status} without content")


_READERS: Mapping[str, Callable[[CaptureView], Reading]] = {
    "repo": _repo,
    "head": _head,
    "weeks": _weeks,
    "participants": _participants,
    "project": _project,
    "status": _status,
    "history": _history,
    "commits": _commits,
}
# A repository without commits is known to have none: GitHub says so with 204, or 409 for its commits.
_EMPTY: Mapping[str, Callable[[CaptureView], Reading]] = {
    "repo": _contentless,
    "head": lambda _: _NO_COMMITS,
    "weeks": lambda capture: Reading(outcome="ok", row=empty_weeks(utc_day(capture.fetched_at))),
    "participants": lambda _: Reading(outcome="ok", people=[]),
    "project": _contentless,
    "status": _contentless,
    "history": _contentless,
    "commits": _contentless,
}


def _why(capture: CaptureView, verdict: str) -> str:
    """Say why there are no values. Nothing that differs between two sightings of one reason: no times, no request ids."""
    if capture.request is not None and capture.error:  # one part of an answer about many, in the service's words
        return capture.error
    status = f"HTTP {capture.status}" if capture.status is not None else "no answer"
    match verdict:
        case "blocked":
            return f"the forge blocks it ({block_reason(capture.body) or status})"
        case "failed":
            return capture.error or status
        case _:
            return f"{_REASONS[verdict]} ({status})" if verdict in _REASONS else status


_REASONS: Mapping[str, str] = {
    "pending": "the service is still computing it",
    "too_large": "the list is too large for the service",
    "refused": "the organisation refuses this token",
    "bad_token": "the service does not accept the token",
    "limited": "the service limits requests",
    "transient": "the service failed",
    "garbled": "the body is not JSON",
    "moved": "redirected without end",
}
