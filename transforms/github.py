"""What GitHub's REST answers say: bytes of a body in, the value columns of ``transforms/schemas.py`` out.

Field meanings: https://docs.github.com/en/rest/repos/repos#get-a-repository (``stargazers_count`` are stars,
``subscribers_count`` are the real watchers). Whether an answer is one at all was decided before, by its status.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from transforms.answers import (
    INT32_MAX,
    Field,
    InvalidAnswer,
    decode_array,
    decode_object,
    filled_text,
    flag,
    instant,
    raise_if_any,
    read_fields,
    text,
    whole,
)

__all__ = [
    "CAPPED_FROM",
    "InvalidAnswer",
    "are_participants_capped",
    "block_reason",
    "decipher_head",
    "decipher_participants_page",
    "decipher_probe",
    "decipher_repo",
    "decipher_weeks",
    "merge_participants",
]

WEEKS_COUNT = 52

# GitHub links only the first 500 author e-mail addresses of a repository to logins
# (https://docs.github.com/en/rest/repos/repos#list-repository-contributors) and does not tell how many there are. People
# use several addresses, so a list that met the limit ends well before 500 logins: published cases end between 330 and
# 443 (keycloak, julia, homebrew-cask, material-ui). From this length on a list is taken for cut short.
CAPPED_FROM = 300


def _license(value: Any) -> str | None:
    """Read an SPDX identifier; ``NOASSERTION`` (a licence file GitHub cannot name) is none."""
    spdx_id = text(value)
    return None if spdx_id in ("", "NOASSERTION") else spdx_id


def _full_name(value: Any) -> str:
    owner, slash, name = text(value).partition("/")
    if not owner or not slash or not name or "/" in name:
        raise ValueError(f"is {value[:60]!r}, expected owner/name")
    return str(value)


REPO_FIELDS = (
    Field("repo_id", "id", whole),
    Field("node_id", "node_id", filled_text),
    Field("full_name", "full_name", _full_name),
    Field("description", "description", text, is_nullable=True),
    Field("homepage_url", "homepage", text, is_nullable=True, is_optional=True),
    Field("stars_count", "stargazers_count", whole),
    Field("watchers_count", "subscribers_count", whole),
    Field("forks_count", "forks_count", whole),
    Field("default_branch", "default_branch", filled_text),
    Field("license", "license.spdx_id", _license, is_nullable=True),
    Field("is_archived", "archived", flag),
    Field("is_disabled", "disabled", flag),
    Field("is_fork", "fork", flag),
    Field("is_private", "private", flag),
    Field("repo_created_at", "created_at", instant),
    Field("pushed_at", "pushed_at", instant, is_nullable=True),
)
HEAD_FIELDS = (
    Field("head_oid", "sha", filled_text),
    Field("last_commit_at", "commit.committer.date", instant),
    Field("authored_at", "commit.author.date", instant, is_nullable=True),
)
# The same columns, and those of the newest commit, as GraphQL names them: https://docs.github.com/en/graphql/reference/objects#repository
PROBE_FIELDS = (
    Field("repo_id", "databaseId", whole),
    Field("node_id", "id", filled_text),
    Field("full_name", "nameWithOwner", _full_name),
    Field("description", "description", text, is_nullable=True),
    Field("homepage_url", "homepageUrl", text, is_nullable=True),
    Field("stars_count", "stargazerCount", whole),
    Field("watchers_count", "watchers.totalCount", whole),
    Field("forks_count", "forkCount", whole),
    Field("default_branch", "defaultBranchRef.name", filled_text, is_nullable=True),
    Field("license", "licenseInfo.spdxId", _license, is_nullable=True),
    Field("is_archived", "isArchived", flag),
    Field("is_disabled", "isDisabled", flag),
    Field("is_fork", "isFork", flag),
    Field("is_private", "isPrivate", flag),
    Field("repo_created_at", "createdAt", instant),
    Field("pushed_at", "pushedAt", instant, is_nullable=True),
    Field("is_empty", "isEmpty", flag),
    Field("head_oid", "defaultBranchRef.target.oid", filled_text, is_nullable=True),
    Field("last_commit_at", "defaultBranchRef.target.committedDate", instant, is_nullable=True),
    Field("authored_at", "defaultBranchRef.target.authoredDate", instant, is_nullable=True),
)
HEAD_COLUMNS = ("head_oid", "last_commit_at", "authored_at")
_ANONYMOUS_FIELDS = (Field("type", "type", filled_text), Field("commits", "contributions", whole))
_LOGIN_FIELDS = (*_ANONYMOUS_FIELDS, Field("login", "login", filled_text))


def decipher_repo(body: bytes) -> dict[str, Any]:
    """Read ``GET /repos/{owner}/{repo}``: the value columns of ``repo_observations``.

    A description of ``null`` means that there is none and gives ``""``; an empty homepage gives ``None``. Raises InvalidAnswer.
    """
    problems: list[str] = []
    values = read_fields(decode_object(body), REPO_FIELDS, problems)
    raise_if_any(problems)
    values["description"] = values["description"] or ""
    values["homepage_url"] = (values["homepage_url"] or "").strip() or None
    return values


def decipher_probe(body: bytes) -> dict[str, Any]:
    """Read the node of one repository in the answer to a probe: value columns of ``repo_observations`` and ``head_observations``.

    ``head_oid``, ``last_commit_at`` and ``authored_at`` are ``None`` for a repository without commits. Raises InvalidAnswer.
    """
    problems: list[str] = []
    values = read_fields(decode_object(body), PROBE_FIELDS, problems)
    is_empty = values.pop("is_empty")
    if not problems and values["head_oid"] is not None and values["last_commit_at"] is None:
        problems.append("defaultBranchRef.target.committedDate: missing although there is a newest commit")
    if not problems and values["head_oid"] is None and not is_empty:  # not read as "no commits": that would publish zeros
        problems.append("defaultBranchRef: missing although the repository is not empty")
    raise_if_any(problems)
    values["description"] = values["description"] or ""
    values["homepage_url"] = (values["homepage_url"] or "").strip() or None
    if is_empty:
        values |= dict.fromkeys(HEAD_COLUMNS)
    return values


def decipher_head(body: bytes) -> dict[str, Any]:
    """Read ``GET /repos/{owner}/{repo}/commits``: the value columns of ``head_observations``, from the first commit.

    An empty list is invalid: a repository without commits answers 409. Raises InvalidAnswer.
    """
    commits = decode_array(body)
    if not commits:
        raise InvalidAnswer(["the list of commits is empty"])
    problems: list[str] = []
    values = read_fields(commits[0], HEAD_FIELDS, problems, "0.")
    raise_if_any(problems)
    return values


def decipher_weeks(body: bytes, on: date) -> dict[str, Any]:
    """Read ``GET /repos/{owner}/{repo}/stats/participation``: the value columns of ``week_observations``.

    ``all`` counts 52 windows of 7 days, oldest first, the last ending at the UTC midnight that begins ``on``, the UTC day
    of the answer (https://docs.github.com/en/rest/metrics/statistics#get-the-weekly-commit-count). Raises InvalidAnswer.
    """
    problems: list[str] = []
    values = read_fields(decode_object(body), (Field("weeks", "all", _weeks),), problems)
    raise_if_any(problems)
    return {"weeks": values["weeks"], "weeks_end_on": on, "weeks_source": "participation"}


def empty_weeks(on: date, source: str = "participation") -> dict[str, Any]:
    """Give the value columns of ``week_observations`` for a repository without commits: that nothing was committed is known."""
    return {"weeks": [0] * WEEKS_COUNT, "weeks_end_on": on, "weeks_source": source}


def _weeks(value: Any) -> list[int]:
    if type(value) is not list or len(value) != WEEKS_COUNT:
        size = f"{len(value)} items" if type(value) is list else "no list"
        raise ValueError(f"is {size}, expected a list of {WEEKS_COUNT} counts")
    wrong = [index for index, count in enumerate(value) if type(count) is not int or not 0 <= count <= INT32_MAX]
    if wrong:
        raise ValueError(f"has no count at {', '.join(map(str, wrong))}")
    return value


def decipher_participants_page(body: bytes) -> list[tuple[str, int]]:
    """Read one page of ``GET /repos/{owner}/{repo}/contributors``: (login, commits) in GitHub's order.

    Anonymous entries have no login and are left out. Raises InvalidAnswer.
    """
    problems: list[str] = []
    people: list[tuple[str, int]] = []
    for index, item in enumerate(decode_array(body)):
        is_anonymous = isinstance(item, dict) and item.get("type") == "Anonymous"
        values = read_fields(item, _ANONYMOUS_FIELDS if is_anonymous else _LOGIN_FIELDS, problems, f"{index}.")
        if not is_anonymous:
            people.append((values["login"], values["commits"]))
    raise_if_any(problems)
    return people


def merge_participants(pages: list[list[tuple[str, int]]]) -> dict[str, Any]:
    """Combine pages, first page first: the value columns of ``participant_observations``.

    Each login once, where it stood first: the list may move between two pages.
    """
    commits: dict[str, int] = {}
    for page in pages:
        for login, count in page:
            commits.setdefault(login, count)
    return {"logins": list(commits), "commit_counts": list(commits.values())}


def are_participants_capped(logins: list[str]) -> bool:
    """Tell whether GitHub probably cut the list short, see ``CAPPED_FROM``."""
    return len(logins) >= CAPPED_FROM


def block_reason(body: bytes) -> str | None:
    """Tell why GitHub blocked a repository (``dmca``, ``tos``, ``unavailable``), if the body says so."""
    try:
        values = read_fields(decode_object(body), (Field("reason", "block.reason", filled_text),), [])
    except InvalidAnswer:
        return None
    reason: str | None = values["reason"]
    return reason
