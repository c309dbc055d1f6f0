"""Commits as GitHub tells them (GraphQL's history, REST's list): one page of a repository, their days, and who made them.

A commit counts on the UTC day of its **author date**; GitHub selects by committer date, so a page may hold commits authored
before the window it was asked for. https://docs.github.com/en/graphql/reference/objects#commit
https://docs.github.com/en/rest/commits/commits#list-commits
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from transforms.answers import (
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
from transforms.times import utc_day

WEEKS_COUNT = 52
DAYS_A_WEEK = 7
# An address of GitHub's for people and bots who keep their own to themselves: <id>+<login>@users.noreply.github.com.
_BOT = re.compile(r"(?:[0-9]+\+)?(?P<login>[^@+]+\[bot\])@users\.noreply\.github\.com", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit.

    Attributes:
        oid: its hash.
        authored_at: author date (UTC); decides the day it counts on.
        committed_at: committer date (UTC).
        login: account of its author; a bot's by its no-reply address; ``None`` when the address belongs to no account.
        is_merge: has more than one parent; ``None`` when its parents were not asked for.
    """

    oid: str
    authored_at: datetime
    committed_at: datetime
    login: str | None
    is_merge: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """One page of the commits of a default branch, newest first.

    Attributes:
        repo_id: GitHub's numeric id of the repository, should another one have taken the name; REST's list does not tell.
        head_oid: the newest commit of the branch when the page was answered; ``None`` when there is none, or REST's list has none.
        total_count: commits since the moment asked for, on all pages; of REST those of this page.
        has_next: there is a further page, asked for with ``end_cursor``, or by the link REST gives.
        commits: those of this page.
    """

    repo_id: int | None
    head_oid: str | None
    total_count: int
    has_next: bool
    end_cursor: str | None
    commits: tuple[Commit, ...]


_PATH = "defaultBranchRef.target."
_REPO_ID = Field("repo_id", "databaseId", whole, is_nullable=True, is_optional=True)
_PAGE_FIELDS = (
    Field("head_oid", _PATH + "oid", filled_text),
    Field("total_count", _PATH + "history.totalCount", whole),
    Field("has_next", _PATH + "history.pageInfo.hasNextPage", flag),
    Field("end_cursor", _PATH + "history.pageInfo.endCursor", text, is_nullable=True),
)
_COMMIT_FIELDS = (
    Field("oid", "oid", filled_text),
    Field("authored_at", "authoredDate", instant),
    Field("committed_at", "committedDate", instant),
    Field("email", "author.email", text, is_nullable=True),
    Field("login", "author.user.login", text, is_nullable=True),
    Field("parents", "parents.totalCount", whole, is_optional=True),
)
_LISTED_FIELDS = (
    Field("oid", "sha", filled_text),
    Field("authored_at", "commit.author.date", instant),
    Field("committed_at", "commit.committer.date", instant),
    Field("email", "commit.author.email", text, is_nullable=True, is_optional=True),
    Field("login", "author.login", text, is_nullable=True, is_optional=True),
)


def decipher_commits(body: bytes, *, has_next: bool) -> HistoryPage:
    """Read one page of ``GET /repos/{owner}/{repo}/commits``; ``has_next`` tells whether another is linked. Raises InvalidAnswer."""
    problems: list[str] = []
    commits: list[Commit] = []
    for index, item in enumerate(decode_array(body)):
        row = read_fields(item, _LISTED_FIELDS, problems, f"{index}.")
        parents = item.get("parents") if isinstance(item, dict) else None
        if not isinstance(parents, list):
            problems.append(f"{index}.parents: expected a list")
            continue
        login = row["login"] or bot_login(row["email"])
        dates = {"authored_at": row["authored_at"], "committed_at": row["committed_at"]}
        commits.append(Commit(oid=row["oid"], login=login, is_merge=len(parents) > 1, **dates))
    raise_if_any(problems)
    head_oid = commits[0].oid if commits else None
    return HistoryPage(
        repo_id=None, head_oid=head_oid, total_count=len(commits), has_next=has_next, end_cursor=None, commits=tuple(commits)
    )


def decipher_history(body: bytes) -> HistoryPage:
    """Read the node of one repository in the answer to a history query; raises InvalidAnswer."""
    problems: list[str] = []
    document = decode_object(body)
    repo_id = read_fields(document, (_REPO_ID,), problems)["repo_id"]
    if document.get("defaultBranchRef", ...) is None:  # without a commit there is no branch
        raise_if_any(problems)
        return HistoryPage(repo_id=repo_id, head_oid=None, total_count=0, has_next=False, end_cursor=None, commits=())
    values = read_fields(document, _PAGE_FIELDS, problems)
    raise_if_any(problems)
    nodes = document["defaultBranchRef"]["target"]["history"].get("nodes")
    if not isinstance(nodes, list):
        raise InvalidAnswer([f"{_PATH}history.nodes: expected a list of commits"])
    commits = tuple(_commit(node, index, problems) for index, node in enumerate(nodes))
    raise_if_any(problems)
    if values["has_next"] and not values["end_cursor"]:
        raise InvalidAnswer([f"{_PATH}history.pageInfo.endCursor: missing although there is a next page"])
    return HistoryPage(repo_id=repo_id, **values, commits=commits)


def _commit(node: Any, index: int, problems: list[str]) -> Commit:
    row = read_fields(node, _COMMIT_FIELDS, problems, f"history.nodes.{index}.")
    parents = row["parents"]
    return Commit(
        oid=row["oid"],
        authored_at=row["authored_at"],
        committed_at=row["committed_at"],
        login=row["login"] or bot_login(row["email"]),
        is_merge=None if parents is None else parents > 1,
    )


def bot_login(email: str | None) -> str | None:
    """Read a bot's login off its no-reply address; GraphQL shows no account for bots, the list of contributors does."""
    found = _BOT.fullmatch(email or "")
    return found["login"] if found else None


def bucket_days(commits: Iterable[Commit]) -> dict[date, int]:
    """Count commits by the UTC day they were authored on, oldest day first."""
    return dict(sorted(Counter(utc_day(commit.authored_at) for commit in commits).items()))


def weeks_of(days: Mapping[date, int], ends_on: date) -> list[int]:
    """Count 52 windows of 7 days, oldest first, the last ending at the UTC midnight that begins ``ends_on``."""
    weeks = [0] * WEEKS_COUNT
    for day, count in days.items():
        age = (ends_on - day).days - 1
        if 0 <= age < WEEKS_COUNT * DAYS_A_WEEK:
            weeks[WEEKS_COUNT - 1 - age // DAYS_A_WEEK] += count
    return weeks


def within_reach(days: Mapping[date, int], on: date) -> dict[date, int]:
    """Leave out the days before the 52 weeks that end on ``on``: no later window has them, and they were not read whole."""
    first = on - timedelta(days=WEEKS_COUNT * DAYS_A_WEEK)
    return {day: count for day, count in days.items() if day >= first}
