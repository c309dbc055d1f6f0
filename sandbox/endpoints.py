"""What GitHub says of one repository: its endpoints, from a value of the world to a draft of the reply.

Statuses and bodies follow https://docs.github.com/en/rest; where GitHub documents nothing, published recordings, which is
then said beside the line.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache

import orjson

from sandbox import shapes
from sandbox.commits import log
from sandbox.reply import JSON, Asked, Draft, draft
from sandbox.shapes import API, DOCS
from sandbox.stars import MOST_WEEKS, star_pages, star_weeks
from sandbox.subjects import Repository
from sandbox.validators import http_date

DEFAULT_PER_PAGE, MOST_PER_PAGE = 30, 100
REPO_DOCS = f"{DOCS}/repos/repos#get-a-repository"
TOO_LARGE = "The history or contributor list is too large to list contributors for this repository via the API."
POLICY = (
    "`{owner}` forbids access via a personal access token (classic). "
    "Please use a GitHub App, OAuth App, or a personal access token with fine-grained permissions."
)


@lru_cache(maxsize=1024)
def _repository_body(repo: Repository, version: str) -> bytes:
    return orjson.dumps(shapes.repository(repo, version))


def repository(repo: Repository, version: str) -> Draft:
    """``GET /repos/{owner}/{repo}``."""
    headers = {"content-type": JSON, "last-modified": http_date(repo.updated_at)}
    return Draft(status=200, body=_repository_body(repo, version), headers=headers)


def contributors(repo: Repository, asked: Asked) -> Draft:
    """``GET /repos/{owner}/{repo}/contributors``: 204 when empty, 403 when GitHub will not count them (as recorded)."""
    if repo.is_too_large:
        return draft(403, shapes.problem(TOO_LARGE, f"{DOCS}/repos/repos#list-repository-contributors", 403))
    if repo.head_at is None:
        return draft(204)
    with_anonymous = asked.query.get("anon", "").lower() in ("1", "true")
    named = len(repo.participants)
    total = named + (repo.anonymous_count if with_anonymous else 0)
    start, stop, link = _page(repo, "/contributors", asked, total)
    rows = [shapes.contributor(*pair) for pair in repo.participants[start:stop]]
    rows += [shapes.anonymous_contributor(repo, index - named) for index in range(max(start, named), stop)]
    return _listed(rows, link)


def commits(repo: Repository, asked: Asked) -> Draft:
    """``GET /repos/{owner}/{repo}/commits``: newest first, of the default branch, since a moment; other filters are ignored."""
    if repo.head_at is None:
        return draft(409, shapes.problem("Git Repository is empty.", f"{DOCS}/commits/commits#list-commits", 409))
    commits_of = log(repo)
    since = _moment(asked.query.get("since"))
    start, stop, link = _page(repo, "/commits", asked, repo.commit_count if since is None else commits_of.count_since(since))
    page = commits_of.page(start, stop + 2)
    made = _listed([shapes.commit(repo, page[index], page[index + 1 : index + 3]) for index in range(min(stop - start, len(page)))], link)
    made.headers["last-modified"] = http_date(repo.head_at)
    return made


def star_history(repo: Repository, asked: Asked, today: date) -> Draft:
    """``GET /repos/{owner}/{repo}/stargazers/history``: at most 30 weeks a page."""
    size = min(max(_whole(asked.query.get("per_page"), MOST_WEEKS), 1), MOST_WEEKS)
    page = max(_whole(asked.query.get("page"), 1), 1)
    weeks = star_weeks(repo, today, page=page, per_page=size)
    links = _links(repo, "/stargazers/history", asked, page, star_pages(repo, today, size))
    return _listed(weeks, links)


def not_found() -> Draft:
    """GitHub's 404, the same for what is missing, deleted or private."""
    return draft(404, shapes.problem("Not Found", REPO_DOCS, 404))


def blocked(repo: Repository) -> Draft:
    """451 for ``dmca``, 403 for other reasons, with the ``block`` object GitHub sends (as recorded; not in its description)."""
    is_dmca = repo.block == "dmca"
    html_url = "https://github.com/github/dmca/blob/master/2026/01/sample.md" if is_dmca else "https://github.com/contact"
    block = {"reason": repo.block, "created_at": shapes.instant(repo.updated_at), "html_url": html_url}
    return draft(451 if is_dmca else 403, {"message": "Repository access blocked", "block": block})


def refused(repo: Repository) -> Draft:
    """403 of an organisation whose policy turns this kind of token away (as recorded)."""
    return draft(403, shapes.problem(POLICY.format(owner=repo.owner), REPO_DOCS, 403))


def moved(repo: Repository, rest: str, query_text: str) -> Draft:
    """301 to the address by id, sub-resource and query kept (as recorded)."""
    address = f"{API}/repositories/{repo.id}{rest}{'?' + query_text if query_text else ''}"
    documentation = f"{DOCS}/guides/best-practices-for-using-the-rest-api#follow-redirects"
    content = {"message": "Moved Permanently", "url": address, "documentation_url": documentation}
    return draft(301, content, location=address)


def _listed(rows: list[dict[str, object]], link: str) -> Draft:
    made = draft(200, rows)
    if link:
        made.headers["link"] = link
    return made


def _page(repo: Repository, rest: str, asked: Asked, total: int) -> tuple[int, int, str]:
    """Bounds and Link header of one page; nonsense counts as absent and no link is sent when one page holds all.

    https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
    """
    size = min(max(_whole(asked.query.get("per_page"), DEFAULT_PER_PAGE), 1), MOST_PER_PAGE)
    page = max(_whole(asked.query.get("page"), 1), 1)
    return (page - 1) * size, min(page * size, total), _links(repo, rest, asked, page, max(-(-total // size), 1))


def _links(repo: Repository, rest: str, asked: Asked, page: int, last: int) -> str:
    """The Link header of one page of so many."""
    others = [f"{key}={value}" for key, value in asked.query.items() if key != "page"]

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
    return ", ".join(links)


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else default
