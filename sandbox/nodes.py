"""What the fields of GitHub's GraphQL types say of this world: https://docs.github.com/en/graphql/reference/objects."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sandbox.commits import head_authored_at, log
from sandbox.queries import TYPENAME, Step
from sandbox.shapes import SITE, node_id
from sandbox.subjects import Commit, Repository, number_of
from sandbox.world import World

CURSOR = re.compile(r"([0-9a-f]{40}) (\d{1,9})")
REPOSITORY_ID = re.compile(r"R_([0-9A-Za-z_-]{11})")


class Unanswerable(Exception):
    """A field has no value because of what it was asked with; what holds it is null."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.path: list[str] = []


@dataclass(frozen=True, slots=True)
class Head:
    """The newest commit of a repository, as a place to read its history from."""

    repo: Repository
    world: World

    @property
    def oid(self) -> str:
        """Its hash."""
        return self.repo.head_oid or ""

    @property
    def authored_at(self) -> datetime | None:
        """When it was made."""
        return head_authored_at(self.repo)

    @property
    def committed_at(self) -> datetime | None:
        """When it came into the history."""
        return self.repo.head_at

    def commit(self) -> Commit:
        """The commit itself."""
        return log(self.repo).page(0, 1)[0]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a history: the commits, where they stand in it, how many it has."""

    commits: Sequence[Commit]
    start: int
    total: int
    head_oid: str


def instant(moment: datetime | None) -> str | None:
    """GitHub's spelling of a time: UTC, whole seconds, ``Z``."""
    if moment is None:
        return None
    return (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat()[:19] + "Z"


@lru_cache(maxsize=8192)
def repository_id(global_id: str) -> int | None:
    """The numeric id in a repository's GraphQL id; ``None`` when it is none."""
    found = REPOSITORY_ID.fullmatch(global_id)
    try:
        return int.from_bytes(base64.urlsafe_b64decode(found[1] + "="), "big") if found else None
    except binascii.Error:
        return None


def history(head: Head | Commit, arguments: Mapping[str, Any]) -> Page:
    """A page of the commits since a moment and until another (committer date), newest first.

    A cursor names the head it began at and stays on it: a push between two pages changes nothing about the second.
    """
    if not isinstance(head, Head):
        raise Unanswerable("UNKNOWN", "the sandbox tells the history of a branch only")
    repo, start = head.repo, 0
    if (after := arguments.get("after")) is not None:
        found = CURSOR.fullmatch(after)
        begun = head.world.repository_at_head(found[1]) if found and found[1] != repo.head_oid else repo
        if found is None or begun is None or begun.id != repo.id:
            raise Unanswerable("INVALID_CURSOR_ARGUMENTS", f"`{after}` does not appear to be a valid cursor.")
        repo, start = begun, int(found[2]) + 1
    commits = log(repo)
    total = commits.count_since(moment_of(arguments.get("since")))
    until = moment_of(arguments.get("until"))
    first = (
        0 if until is None else next((place for place, commit in enumerate(commits.page(0, total)) if commit.committed_at <= until), total)
    )
    total = max(total - first, 0)
    size = arguments.get("first") or 0
    page = commits.page(first + min(start, total), first + min(start + size, total))
    return Page(page, start, total, repo.head_oid or "")


def moment_of(text: str | None) -> datetime | None:
    """An ISO 8601 time with its offset, or UTC; raises Unanswerable."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise Unanswerable("INVALID_VALUE", f"Invalid timestamp {text!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _page_info(page: Page) -> dict[str, Any]:
    last = page.start + len(page.commits) - 1
    return {
        "startCursor": f"{page.head_oid} {page.start}" if page.commits else None,
        "endCursor": f"{page.head_oid} {last}" if page.commits else None,
        "hasNextPage": last + 1 < page.total,
        "hasPreviousPage": page.start > 0,
    }


def _parents(source: Head | Commit) -> int:
    return (source.commit() if isinstance(source, Head) else source).parents_count


def _author(source: Head | Commit) -> Commit:
    return source.commit() if isinstance(source, Head) else source


def _person(commit: Commit) -> str | None:
    """The account of a commit; GitHub names none for a bot's."""
    return None if commit.login is None or commit.login.endswith("[bot]") else commit.login


def _count(number: int) -> dict[str, int]:
    return {"totalCount": number}


Resolver = Callable[[Any, Mapping[str, Any]], Any]
RESOLVERS: dict[tuple[str, str], Resolver] = {
    ("Repository", "archivedAt"): lambda at, _: instant(at.repo.archived_at or at.repo.updated_at) if at.repo.is_archived else None,
    ("Repository", "createdAt"): lambda at, _: instant(at.repo.created_at),
    ("Repository", "databaseId"): lambda at, _: at.repo.id,
    ("Repository", "defaultBranchRef"): lambda at, _: at if at.repo.head_at else None,
    ("Repository", "description"): lambda at, _: at.repo.description,
    ("Repository", "forkCount"): lambda at, _: at.repo.forks,
    ("Repository", "forks"): lambda at, _: _count(at.repo.forks),
    ("Repository", "homepageUrl"): lambda at, _: at.repo.homepage,
    ("Repository", "id"): lambda at, _: node_id("R", at.repo.id),
    ("Repository", "isArchived"): lambda at, _: at.repo.is_archived,
    ("Repository", "isDisabled"): lambda _, __: False,
    ("Repository", "isEmpty"): lambda at, _: at.repo.head_at is None,
    ("Repository", "isFork"): lambda at, _: at.repo.is_fork,
    ("Repository", "isMirror"): lambda _, __: False,
    ("Repository", "isPrivate"): lambda at, _: at.repo.is_private,
    ("Repository", "licenseInfo"): lambda at, _: at.repo.license,
    ("Repository", "name"): lambda at, _: at.repo.name,
    ("Repository", "nameWithOwner"): lambda at, _: at.repo.full_name,
    ("Repository", "pushedAt"): lambda at, _: instant(at.repo.pushed_at) if at.repo.head_at else None,
    ("Repository", "stargazerCount"): lambda at, _: at.repo.stars,
    # GitHub answers 0 here for most repositories; the number is in stargazerCount.
    ("Repository", "stargazers"): lambda _, __: _count(0),
    ("Repository", "updatedAt"): lambda at, _: instant(at.repo.updated_at),
    ("Repository", "url"): lambda at, _: f"{SITE}/{at.repo.full_name}",
    ("Repository", "watchers"): lambda at, _: _count(at.repo.watchers),
    ("License", "id"): lambda spdx, _: node_id("L", number_of(spdx)),
    ("License", "key"): lambda spdx, _: "other" if spdx == "NOASSERTION" else spdx.lower(),
    ("License", "name"): lambda spdx, _: "Other" if spdx == "NOASSERTION" else f"{spdx} licence",
    ("License", "spdxId"): lambda spdx, _: spdx,
    ("Ref", "id"): lambda at, _: node_id("REF", at.repo.id),
    ("Ref", "name"): lambda at, _: at.repo.default_branch,
    ("Ref", "target"): lambda at, _: at,
    ("Commit", "author"): lambda at, _: _author(at),
    ("Commit", "authoredDate"): lambda at, _: instant(at.authored_at),
    ("Commit", "committedDate"): lambda at, _: instant(at.committed_at),
    ("Commit", "history"): history,
    ("Commit", "id"): lambda at, _: node_id("C", number_of(at.oid)),
    ("Commit", "oid"): lambda at, _: at.oid,
    ("Commit", "parents"): lambda at, _: _count(_parents(at)),
    ("CommitHistoryConnection", "nodes"): lambda page, _: page.commits,
    ("CommitHistoryConnection", "pageInfo"): lambda page, _: _page_info(page),
    ("CommitHistoryConnection", "totalCount"): lambda page, _: page.total,
    ("GitActor", "email"): lambda commit, _: commit.email,
    ("GitActor", "name"): lambda commit, _: commit.login or "Somebody",
    ("GitActor", "user"): lambda commit, _: _person(commit),
    ("User", "databaseId"): lambda login, _: number_of(login),
    ("User", "id"): lambda login, _: node_id("U", number_of(login)),
    ("User", "login"): lambda login, _: login,
}
# Types whose values are dictionaries already.
PLAIN = frozenset({"CommitConnection", "PageInfo", "RepositoryConnection", "StargazerConnection", "UserConnection", "RateLimit"})


def told(steps: Sequence[Step], source: Any) -> dict[str, Any]:
    """What these fields say of one value; raises Unanswerable."""
    answer: dict[str, Any] = {}
    for key, name, type_name, arguments, below, _, _ in steps:
        if name == TYPENAME:
            answer[key] = type_name
            continue
        try:
            value = source[name] if type_name in PLAIN else RESOLVERS[type_name, name](source, arguments)
            if below is None or value is None:
                answer[key] = value
            elif name == "nodes":
                answer[key] = [told(below, each) for each in value]
            else:
                answer[key] = told(below, value)
        except Unanswerable as problem:
            problem.path.insert(0, key)
            raise
    return answer
