"""GitHub's REST API as far as packhouse asks it: gates, quota, routing and the headers on every reply.

https://docs.github.com/en/rest/using-the-rest-api; what is said of one repository stands in ``endpoints.py``.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any

import orjson

from sandbox import endpoints, shapes
from sandbox.graphql import PATH as GRAPHQL_PATH
from sandbox.graphql import GraphQL, Spoil
from sandbox.quota import CORE, GRAPHQL, Quotas, Standing, fingerprint
from sandbox.reply import Asked, Draft, Reply, draft
from sandbox.shapes import API, DOCS
from sandbox.subjects import NEVER_READY, Repository, number_of, weekly_commits
from sandbox.validators import is_known
from sandbox.world import World

API_VERSIONS = ("2022-11-28", "2026-03-10")
NAMED = re.compile(r"/repos/([^/]+)/([^/]+)(/[^?]*)?")
NUMBERED = re.compile(r"/repositories/([0-9]{1,18})(/[^?]*)?")
NO_USER_AGENT = (
    b"Request forbidden by administrative rules. Please make sure your request has a User-Agent header "
    b"(https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-required).\n"
)
ANONYMOUS_HINT = (
    "API rate limit exceeded for 203.0.113.7. (But here's the good news: Authenticated requests get a higher rate limit. "
    "Check out the documentation for more details.)"
)
LINKED_HEADERS = ("location", "link")


class GitHub:
    """Answers for one world under one set of quotas. ``clock`` dates the quota windows."""

    def __init__(self, world: World, quotas: Quotas, clock: Callable[[], datetime]) -> None:
        self.world = world
        self.quotas = quotas
        self.clock = clock
        self.graphql = GraphQL(world, quotas)
        self._statistics_asked: Counter[tuple[int, str]] = Counter()
        self._request_count = 0

    def answer(self, asked: Asked, spoil: Spoil | None = None) -> Reply:
        """The reply to one request, as GitHub would give it; ``spoil``: what goes wrong within a query."""
        if not asked.headers.get("user-agent", "").strip():
            return Reply(status=403, headers=(("content-type", "text/html; charset=utf-8"),), body=NO_USER_AGENT)
        token = token_of(asked)
        made, standing = self._admitted(asked, token, self.clock(), spoil)
        return self._finished(asked, made, standing, is_private=token is not None)

    def limited(self, asked: Asked, *, retry_after: int | None) -> Reply:
        """The reply of a secondary limit, whatever was asked: quota is left and nothing is charged."""
        token = token_of(asked)
        is_query = asked.path == GRAPHQL_PATH
        made = self.graphql.secondary(retry_after) if is_query else self._secondary(retry_after)
        standing = self.quotas.standing(token, self.clock(), GRAPHQL if is_query else CORE)
        return self._finished(asked, made, standing, is_private=token is not None)

    def _finished(self, asked: Asked, made: Draft, standing: Standing, *, is_private: bool) -> Reply:
        """Add the headers every reply has, and this server's own address to every link."""
        self._request_count += 1
        number = self._request_count
        made.meter = made.meter or standing.resource
        made.headers |= _standard_headers(asked, standing, is_private=is_private)
        made.headers["x-github-request-id"] = f"{number:04X}:1F2E3D:{number * 7919:08X}:{number * 104729:08X}:65A0C1D2"
        made.body = made.body.replace(API.encode(), asked.base_url.encode())
        for name in LINKED_HEADERS:
            if name in made.headers:
                made.headers[name] = made.headers[name].replace(API, asked.base_url)
        return made.finish()

    def _admitted(self, asked: Asked, token: str | None, now: datetime, spoil: Spoil | None) -> tuple[Draft, Standing]:
        """Pass the gates in GitHub's order, answer, and charge what the answer costs."""
        quotas = self.quotas
        if token and not quotas.accepts(token):
            return draft(401, shapes.problem("Bad credentials", DOCS, 401)), quotas.charge(None, now)
        if asked.path == GRAPHQL_PATH and asked.method == "POST":
            return self.graphql.answer(asked, token, now, spoil)
        version = asked.headers.get("x-github-api-version", API_VERSIONS[0])
        if version not in API_VERSIONS:
            return _unknown_version(version), quotas.standing(token, now)
        if quotas.is_too_fast(token, now):
            return self._secondary(quotas.limits.retry_after), quotas.standing(token, now)
        standing = quotas.standing(token, now)
        if asked.path == "/rate_limit" or standing.remaining == 0:
            is_free = asked.path == "/rate_limit"
            return _rate_limit(standing, quotas.standing(token, now, GRAPHQL), version) if is_free else self._primary(token), standing
        made = self._routed(asked, token, version)
        _validate(asked, made, f"{fingerprint(token)} {version}")
        made.meter, made.units = CORE, int(made.status != HTTPStatus.NOT_MODIFIED or token is None)
        return made, quotas.charge(token, now, CORE, made.units)

    def _primary(self, token: str | None) -> Draft:
        message = f"API rate limit exceeded for user ID {number_of(fingerprint(token))}." if token else ANONYMOUS_HINT
        return draft(self.quotas.limits.limited_status, {"message": message, "documentation_url": f"{DOCS}/rate-limit"})

    def _secondary(self, retry_after: int | None) -> Draft:
        documentation = f"{DOCS}/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
        made = draft(self.quotas.limits.limited_status, {"message": shapes.SECONDARY, "documentation_url": documentation})
        if retry_after is not None:
            made.headers["retry-after"] = str(retry_after)
        return made

    def _routed(self, asked: Asked, token: str | None, version: str) -> Draft:
        repo, rest, is_current = self._found(asked.path)
        if repo is None or asked.method not in ("GET", "HEAD") or (repo.is_private and token is None):
            return endpoints.not_found()
        if repo.block:
            return endpoints.blocked(repo)
        if not is_current:
            return endpoints.moved(repo, rest, asked.query_text)
        if repo.refuses_tokens and token:
            return endpoints.refused(repo)
        return self._told(repo, rest, asked, version)

    def _told(self, repo: Repository, rest: str, asked: Asked, version: str) -> Draft:
        match rest:
            case "":
                return endpoints.repository(repo, version)
            case "/stats/participation":
                return self._participation(repo)
            case "/contributors":
                return endpoints.contributors(repo, asked)
            case "/commits":
                return endpoints.commits(repo, asked)
            case "/stargazers/history":
                return endpoints.star_history(repo, asked, self.world.today())
            case _:
                return endpoints.not_found()

    def _found(self, path: str) -> tuple[Repository | None, str, bool]:
        """The repository, the rest of the path, and whether it was asked for under its current name or its id."""
        if named := NAMED.fullmatch(path):
            full_name = f"{named[1]}/{named[2]}"
            repo = self.world.repository(full_name)
            return repo, named[3] or "", repo is not None and repo.full_name.lower() == full_name.lower()
        if numbered := NUMBERED.fullmatch(path):
            return self.world.repository_by_id(int(numbered[1])), numbered[2] or "", True
        return None, "", False

    def _participation(self, repo: Repository) -> Draft:
        """202 with ``{}`` until the statistics of this head are computed, then 200; both carry the same ETag (as recorded)."""
        if repo.head_at is None:
            return draft(204)
        key = (repo.id, repo.head_oid or "")
        is_ready = repo.pending_answers != NEVER_READY and self._statistics_asked[key] >= repo.pending_answers
        self._statistics_asked[key] += 1
        weeks = weekly_commits(repo, self.world.today())
        content = {"all": weeks, "owner": [count // 3 for count in weeks]}
        made = draft(200, content) if is_ready else draft(202, {})
        made.headers["etag"] = _digest(orjson.dumps(content))
        return made


def token_of(asked: Asked) -> str | None:
    """The token sent, ``None`` when none was."""
    scheme, _, value = asked.headers.get("authorization", "").partition(" ")
    return value.strip() or None if scheme.lower() in ("bearer", "token", "basic") else None


def _unknown_version(version: str) -> Draft:
    message = f"API version {version!r} is not supported. Supported versions: {', '.join(API_VERSIONS)}."
    return draft(400, shapes.problem(message, f"{DOCS}/about-the-rest-api/api-versions", 400))


def _rate_limit(standing: Standing, graphql_standing: Standing, version: str) -> Draft:
    """Schema ``rate-limit-overview``; from API version 2026-03-10 without the top-level ``rate``."""
    core, graphql = (
        {"limit": each.limit, "used": each.used, "remaining": each.remaining, "reset": each.reset} for each in (standing, graphql_standing)
    )
    searches = 30 if graphql_standing.limit else 10
    search = {**core, "limit": searches, "used": 0, "remaining": searches}
    content: dict[str, Any] = {"resources": {"core": core, "search": search, "graphql": graphql}}
    if version < shapes.SLIMMER_VERSION:
        content["rate"] = core
    return draft(200, content)


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _validate(asked: Asked, made: Draft, scope: str) -> None:
    """Give the ETag, specific to token and API version, and turn a 200 that the asker already has into a 304.

    That ETags are specific to the token is GitHub support's word (https://github.com/github/docs/issues/34689).
    """
    if made.status not in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
        return
    seed = made.headers.get("etag") or _digest(made.body)
    etag = f'W/"{_digest(f"{scope} {seed}".encode())}"'
    made.headers["etag"] = etag
    if made.status == HTTPStatus.OK and is_known(asked.headers, etag=etag, last_modified=made.headers.get("last-modified")):
        made.status, made.body = HTTPStatus.NOT_MODIFIED.value, b""
        for name in ("content-type", "link"):  # nothing says that GitHub sends Link with a 304, so nobody should count on it
            made.headers.pop(name, None)


def _standard_headers(asked: Asked, standing: Standing, *, is_private: bool) -> dict[str, str]:
    varying = "Accept, Authorization, Cookie, X-GitHub-OTP," if is_private else "Accept,"
    return {
        "cache-control": f"{'private' if is_private else 'public'}, max-age=60, s-maxage=60",
        "vary": f"{varying}Accept-Encoding, Accept, X-Requested-With",
        "x-github-api-version-selected": asked.headers.get("x-github-api-version", API_VERSIONS[0]),
        "x-github-media-type": "github.v3; format=json",
        "x-ratelimit-limit": str(standing.limit),
        "x-ratelimit-remaining": str(standing.remaining),
        "x-ratelimit-reset": str(standing.reset),
        "x-ratelimit-resource": standing.resource,
        "x-ratelimit-used": str(standing.used),
        "server": "github.com",
    }
