"""The words of a conversation with a service: an ask goes out, an answer comes back, and a plan decides what to ask next.

A *plan* is a generator: it yields an :class:`Ask`, is sent the :class:`Answer`, and returns the plans to take up later in
the same run (a 202 from GitHub's statistics, for example). It opens no socket and knows no clock, so it is tested by
feeding it answers. ``driver.py`` holds many plans at once; ``client.py`` is the only module that sends.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

GITHUB = "github"
PYPI = "pypi"
CATALOG_API = "catalog"  # a Django Packages v4 API, of which an import asks
# GitHub counts its GraphQL API on a meter of its own; everything else of a source is on the source's.
GRAPHQL = "graphql"

ANONYMOUS = "anonymous"  # the identity of a request without credentials

# What one ask is about. A facet is one question a source can be asked of a subject; a subject is complete when every
# facet its source has was answered.
REPO = "repo"  # GET /repos/{owner}/{name}
HEAD = "head"  # GET /repos/{owner}/{name}/commits?per_page=1
WEEKS = "weeks"  # GET /repos/{owner}/{name}/stats/participation
COMMITS = "commits"  # GET /repos/{owner}/{name}/commits?since=, the pages of a year: another way to the weeks
PARTICIPANTS = "participants"  # GET /repos/{owner}/{name}/contributors, all pages
PROJECT = "project"  # GET /pypi/{name}/json
STATUS = "status"  # GET /simple/{name}/ as JSON: PEP 792

FACETS: Mapping[str, tuple[str, ...]] = {GITHUB: (REPO, HEAD, WEEKS, PARTICIPANTS), PYPI: (PROJECT, STATUS)}

# What only a backfill asks.
STARS = "stars"  # GET /repositories/{id}/stargazers/history: retained stars by day

# Questions about many subjects at once; what each of them is told becomes an answer to facets above.
PROBE = "probe"  # POST /graphql: counters and newest commit of many repositories
HISTORY = "history"  # POST /graphql: one page of the commits since a moment, for each of many repositories
PAST = "past"  # POST /graphql: one page of the commits of a window of the past, for each of many repositories
INDEX = "index"  # GET /simple/ as JSON: every project with its serial
PAGE = "page"  # GET /api/v4/{list}/, one page after the other: a catalog's own lists
BATCHED = frozenset({PROBE, HISTORY, PAST})


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One subject within a question about many.

    Attributes:
        subject: ``github:owner/name`` as the catalog names it.
        owner: its owner, ``name`` its name, as the catalog spells them.
        node_id: GitHub's GraphQL id; asked by it when set, by owner and name when ``None``.
        since: commits from this moment on (``2025-02-16T00:00:00Z``, committer date); history only.
        until_oid: the newest commit already known, at which reading stops; ``None`` reads the whole window. History only.
        after: cursor of the page before; ``None`` for the first page. History only.
        page: 1-based number of the page. History only.
        until: commits until this moment (committer date); of a window of the past only, ``None`` reads from the head.
        from_on: the first UTC day of that window (``2024-02-16``), by author date; set for a window of the past only.
        until_on: the last one.
    """

    subject: str
    owner: str
    name: str
    node_id: str | None = None
    since: str | None = None
    until_oid: str | None = None
    after: str | None = None
    page: int = 1
    until: str | None = None
    from_on: str | None = None
    until_on: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Validator:
    """What an answer said of its version, to be sent back so that an unchanged one is answered with 304."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request as a value: a GET, or a POST when it has a payload.

    Attributes:
        source: ``github`` or ``pypi``; chooses base address, identity and budget.
        subject: ``github:owner/name`` or ``pypi:normalised-name``.
        facet: what is asked, one of the constants above.
        url: path and query below the source's base address (``/repos/a/b``), or an absolute address taken from a
            ``Link`` or ``Location`` header; the client refuses any host but the source's own.
        page: 1-based page number of a paged facet.
        accept: the ``Accept`` header.
        is_anonymous: send no credentials although the source has some (an organisation refuses the token).
        payload: JSON to be sent with POST.
        targets: the subjects of a question about many, in the order asked; ``subject`` is then the source itself.
        is_conditional: send the stored validator of this address, if there is one.
        validator: the validator sent; put in by the driver.
        attempts: how often it is sent at most when no usable answer comes.
    """

    source: str
    subject: str
    facet: str
    url: str
    page: int = 1
    accept: str = "application/json"
    is_anonymous: bool = False
    payload: bytes | None = field(default=None, repr=False)
    targets: tuple[Target, ...] = ()
    is_conditional: bool = False
    validator: Validator | None = None
    attempts: int = 3

    @property
    def meter(self) -> str:
        """The quota it is paid from: ``graphql``, or that of its source."""
        return GRAPHQL if self.facet in BATCHED else self.source


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back for one attempt at an ask, as received.

    Attributes:
        ask: the question.
        status: HTTP status; ``None`` when no answer came (see ``error``).
        headers: response headers, names in lower case, without credentials or cookies.
        body: the bytes after content decoding; empty when refused for its size.
        fetched_at: aware UTC time at which the body was complete.
        duration_ms: time from sending to the complete body, in milliseconds.
        attempt: 1 for the first try, counted per ask.
        identity: ``anonymous`` or the fingerprint of the token sent; never the token.
        error: why there is no usable answer (``timeout``, ``connect: …``, ``body larger than 32 MiB``), else ``None``.
        is_recalled: replayed from the landing of an interrupted run; cost nothing and is not landed again.
    """

    ask: Ask
    status: int | None
    headers: Mapping[str, str]
    body: bytes
    fetched_at: datetime
    duration_ms: int
    attempt: int
    identity: str
    error: str | None = None
    is_recalled: bool = False


Plan = Generator[Ask, Answer, "tuple[Plan, ...]"]
