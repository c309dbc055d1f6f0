"""GitHub's REST API as far as packhouse asks it: a request in, a reply out, quota charged.

Follows GitHub's documentation (https://docs.github.com/en/rest) for statuses, headers and bodies; what GitHub documents
nowhere follows published recordings and is said so beside the line.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from typing import Any

import orjson

from sandbox import shapes
from sandbox.quota import Quotas, Standing, fingerprint
from sandbox.reply import Asked, Draft, Reply, draft
from sandbox.shapes import API, DOCS
from sandbox.world import NEVER_READY, Repository, World, weekly_commits

API_VERSIONS = ("2022-11-28", "2026-03-10")
DEFAULT_PER_PAGE, MOST_PER_PAGE = 30, 100
NAMED = re.compile(r"/repos/([^/]+)/([^/]+)(/[^?]*)?")
NUMBERED = re.compile(r"/repositories/([0-9]+)(/[^?]*)?")
REPO_DOCS = f"{DOCS}/repos/repos#get-a-repository"
NO_USER_AGENT = (
    b"Request forbidden by administrative rules. Please make sure your request has a User-Agent header "
    b"(https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-required).\n"
)
TOO_LARGE = "The history or contributor list is too large to list contributors for this repository via the API."
SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. "
    "If you reach out to GitHub Support for help, please include the request ID."
)


class GitHub:
    """Answers for one world under one set of quotas. ``clock`` dates the quota windows."""

    def __init__(self, world: World, quotas: Quotas, clock: Callable[[], datetime]) -> None:
        self.world = world
        self.quotas = quotas
        self.clock = clock
        self._statistics_asked: Counter[tuple[int, str]] = Counter()
        self._request_count = 0

    def answer(self, asked: Asked) -> Reply:
        """The reply to one request, as GitHub would give it."""
        self._request_count += 1
        request_id = f"{self._request_count:04X}:1F2E3D:{self._request_count * 7919:08X}:PACK"
        if not asked.headers.get("user-agent", "").strip():
            return Reply(status=403, headers=(("content-type", "text/html; charset=utf-8"),), body=NO_USER_AGENT)
        token = _token(asked.headers.get("authorization", ""))
        now = self.clock()
        made, standing = self._admitted(asked, token, now)
        made.headers |= _standard_headers(asked, token, standing, request_id)
        made.body = made.body.replace(API.encode(), asked.base_url.encode())
        if "location" in made.headers:
            made.headers["location"] = made.headers["location"].replace(API, asked.base_url)
        if "link" in made.headers:
            made.headers["link"] = made.headers["link"].replace(API, asked.base_url)
        return made.finish()

    def limited(self, asked: Asked, *, retry_after: int | None) -> Reply:
        """The reply of a secondary limit, whatever was asked; quota is left and nothing is charged."""
        token = _token(asked.headers.get("authorization", ""))
        standing = self.quotas.standing(token, self.clock())
        made = self._secondary(retry_after)
        made.headers |= _standard_headers(asked, token, standing, "5EC0:0000")
        return made.finish()

    def _admitted(self, asked: Asked, token: str | None, now: datetime) -> tuple[Draft, Standing]:
        """Pass the gates in GitHub's order, answer, and charge what the answer costs."""
        quotas = self.quotas
        if token and not quotas.accepts(token):
            return draft(401, shapes.problem("Bad credentials", DOCS, 401)), quotas.charge(None, now)
        version = asked.headers.get("x-github-api-version", API_VERSIONS[0])
        if version not in API_VERSIONS:
            message = f"API version {version!r} is not supported. Supported versions: {', '.join(API_VERSIONS)}."
            return draft(400, shapes.problem(message, f"{DOCS}/about-the-rest-api/api-versions", 400)), quotas.standing(token, now)
        if quotas.is_too_fast(token, now):
            return self._secondary(quotas.limits.retry_after), quotas.standing(token, now)
        if asked.path == "/rate_limit":
            return self._rate_limit(token, now, version), quotas.standing(token, now)
        if quotas.standing(token, now).remaining == 0:
            return self._primary(token), quotas.standing(token, now)
        made = self._routed(asked, token, version)
        _validate(asked, made, token, version)
        is_free = made.status == 304 and token is not None
        return made, quotas.standing(token, now) if is_free else quotas.charge(token, now)

    def _primary(self, token: str | None) -> Draft:
        whom = f"user ID {shapes.number_of(fingerprint(token))}." if token else "203.0.113.7."
        hint = (
            ""
            if token
            else (
                " (But here's the good news: Authenticated requests get a higher rate limit. Check out the documentation for more details.)"
            )
        )
        status = self.quotas.limits.limited_status
        return draft(status, {"message": f"API rate limit exceeded for {whom}{hint}", "documentation_url": f"{DOCS}/rate-limit"})

    def _secondary(self, retry_after: int | None) -> Draft:
        status = self.quotas.limits.limited_status
        made = draft(
            status, {"message": SECONDARY, "documentation_url": f"{DOCS}/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}
        )
        if retry_after is not None:
            made.headers["retry-after"] = str(retry_after)
        return made

    def _rate_limit(self, token: str | None, now: datetime, version: str) -> Draft:
        """Schema ``rate-limit-overview``; from API version 2026-03-10 without the top-level ``rate``."""
        standing = self.quotas.standing(token, now)
        core = {"limit": standing.limit, "used": standing.used, "remaining": standing.remaining, "reset": standing.reset}
        search = {"limit": 30 if token else 10, "used": 0, "remaining": 30 if token else 10, "reset": standing.reset}
        graphql = {"limit": 5000 if token else 0, "used": 0, "remaining": 5000 if token else 0, "reset": standing.reset}
        content: dict[str, Any] = {"resources": {"core": core, "search": search, "graphql": graphql}}
        if version < "2026-03-10":
            content["rate"] = core
        return draft(200, content)

    def _routed(self, asked: Asked, token: str | None, version: str) -> Draft:
        repo, rest, is_current = self._found(asked.path)
        if repo is None or asked.method not in ("GET", "HEAD"):
            return _not_found()
        if repo.block:
            return _blocked(repo)
        if not is_current:
            return _moved(repo, rest, asked.query_text)
        if repo.refuses_tokens and token:
            message = f"`{repo.owner}` forbids access via a personal access token (classic). Please use a GitHub App, OAuth App, or a personal access token with fine-grained permissions."
            return draft(403, shapes.problem(message, REPO_DOCS, 403))
        match rest:
            case "":
                made = draft(200)
                made.body = _repository_body(repo, version)
                made.headers = {
                    "content-type": "application/json; charset=utf-8",
                    "last-modified": format_datetime(repo.updated_at, usegmt=True),
                }
                return made
            case "/stats/participation":
                return self._participation(repo)
            case "/contributors":
                return _contributors(repo, asked)
            case "/commits":
                return _commits(repo, asked)
            case _:
                return _not_found()

    def _found(self, path: str) -> tuple[Repository | None, str, bool]:
        """The repository, the rest of the path, and whether it was asked for under its current name or id."""
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
        made.headers["etag"] = _seed_of(orjson.dumps(content))
        return made


@lru_cache(maxsize=4096)
def _repository_body(repo: Repository, version: str) -> bytes:
    return orjson.dumps(shapes.repository(repo, version))


def _not_found() -> Draft:
    return draft(404, shapes.problem("Not Found", REPO_DOCS, 404))


def _blocked(repo: Repository) -> Draft:
    """451 for ``dmca``, 403 for the others, with the ``block`` object GitHub sends (as recorded; not in its description)."""
    html_url = (
        "https://github.com/github/dmca/blob/master/2026/01/sample.md"
        if repo.block == "dmca"
        else f"https://github.com/contact?reason={repo.block}"
    )
    block = {"reason": repo.block, "created_at": shapes.instant(repo.updated_at), "html_url": html_url}
    return draft(451 if repo.block == "dmca" else 403, {"message": "Repository access blocked", "block": block})


def _moved(repo: Repository, rest: str, query_text: str) -> Draft:
    """301 to the address by id, query kept (as recorded)."""
    address = f"{API}/repositories/{repo.id}{rest}{'?' + query_text if query_text else ''}"
    documentation = f"{DOCS}/guides/best-practices-for-using-the-rest-api#follow-redirects"
    return draft(301, {"message": "Moved Permanently", "url": address, "documentation_url": documentation}, location=address)


def _contributors(repo: Repository, asked: Asked) -> Draft:
    if repo.is_too_large:
        return draft(403, shapes.problem(TOO_LARGE, f"{DOCS}/repos/repos#list-repository-contributors", 403))
    if repo.head_at is None:
        return draft(204)
    with_anonymous = asked.query.get("anon", "").lower() in ("1", "true")
    total = len(repo.participants) + (repo.anonymous_count if with_anonymous else 0)
    start, stop, link = _page(repo, "/contributors", asked, total)
    rows = [shapes.contributor(*pair) for pair in repo.participants[start:stop]]
    rows += [shapes.anonymous_contributor(repo, index) for index in range(max(start, len(repo.participants)), min(stop, total))]
    made = draft(200, rows)
    if link:
        made.headers["link"] = link
    return made


def _commits(repo: Repository, asked: Asked) -> Draft:
    if repo.head_at is None:
        return draft(409, shapes.problem("Git Repository is empty.", f"{DOCS}/commits/commits#list-commits", 409))
    start, stop, link = _page(repo, "/commits", asked, repo.commit_count)
    moments = shapes.commit_moments(repo, start, stop - start)
    made = draft(200, [shapes.commit(repo, start + index, moment) for index, moment in enumerate(moments)])
    made.headers["last-modified"] = format_datetime(repo.head_at.astimezone(UTC).replace(microsecond=0), usegmt=True)
    if link:
        made.headers["link"] = link
    return made


def _page(repo: Repository, rest: str, asked: Asked, total: int) -> tuple[int, int, str]:
    """Slice and Link header of one page; nonsense counts as absent and no link is sent when one page holds all.

    https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
    """
    size = min(max(_whole(asked.query.get("per_page"), DEFAULT_PER_PAGE), 1), MOST_PER_PAGE)
    page = max(_whole(asked.query.get("page"), 1), 1)
    last = max(-(-total // size), 1)
    others = [f"{key}={value}" for key, value in asked.query.items() if key not in ("page",)]

    def to(number: int, rel: str) -> str:
        query = "&".join([*others, f"page={number}"])
        return f'<{API}/repositories/{repo.id}{rest}?{query}>; rel="{rel}"'

    links = []
    if page > 1:
        links.append(to(min(page - 1, last), "prev"))
    if page < last:
        links += [to(page + 1, "next"), to(last, "last")]
    if page > 1:
        links.append(to(1, "first"))
    return (page - 1) * size, min(page * size, total), ", ".join(links)


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else default


def _token(authorization: str) -> str | None:
    scheme, _, value = authorization.partition(" ")
    return value.strip() or None if scheme.lower() in ("bearer", "token", "basic") else None


def _seed_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _validate(asked: Asked, made: Draft, token: str | None, version: str) -> None:
    """Give the ETag, specific to the token, and turn a 200 that the asker already has into a 304."""
    if made.status not in (200, 202):
        return
    seed = made.headers.get("etag") or _seed_of(made.body)
    opaque = hashlib.sha256(f"{fingerprint(token)} {version} {seed}".encode()).hexdigest()
    made.headers["etag"] = f'W/"{opaque}"'
    if made.status == 200 and _has_it(asked, made, opaque):
        made.status, made.body = 304, b""
        made.headers.pop("content-type", None)


def _has_it(asked: Asked, made: Draft, opaque: str) -> bool:
    """RFC 9110: If-None-Match, compared weakly, wins over If-Modified-Since."""
    known = asked.headers.get("if-none-match")
    if known is not None:
        return known.strip() == "*" or f'"{opaque}"' in [tag.strip().removeprefix("W/") for tag in known.split(",")]
    since, modified = asked.headers.get("if-modified-since"), made.headers.get("last-modified")
    if not since or not modified:
        return False
    try:
        return parsedate_to_datetime(modified) <= parsedate_to_datetime(since)
    except (TypeError, ValueError):
        return False


def _standard_headers(asked: Asked, token: str | None, standing: Standing, request_id: str) -> dict[str, str]:
    visibility = "private" if token else "public"
    return {
        "cache-control": f"{visibility}, max-age=60, s-maxage=60",
        "vary": "Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, X-Requested-With"
        if token
        else "Accept,Accept-Encoding, Accept, X-Requested-With",
        "x-github-api-version-selected": asked.headers.get("x-github-api-version", API_VERSIONS[0]),
        "x-github-media-type": "github.v3; format=json",
        "x-ratelimit-limit": str(standing.limit),
        "x-ratelimit-remaining": str(standing.remaining),
        "x-ratelimit-reset": str(standing.reset),
        "x-ratelimit-resource": "core",
        "x-ratelimit-used": str(standing.used),
        "server": "github.com",
        "x-github-request-id": request_id,
    }
