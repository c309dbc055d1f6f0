"""Repositories and projects as values, and what follows from their commit days.

A value never changes; an event puts a new value in its place (``world.py``), so whatever was computed from a value can be kept
as long as it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

NEVER_READY = -1
WEEKS = 52
ACTIVE, ARCHIVED, QUARANTINED = "active", "archived", "quarantined"


class UnknownSubject(Exception):
    """The world has no repository or project of that name."""


class Commit(NamedTuple):
    """One commit; a tuple because a page of history holds thousands.

    Attributes:
        authored_at: when it was made, whole seconds, UTC; its day is the one it counts for.
        committed_at: when it came into the history, never before ``authored_at``.
        login: the account it belongs to, ``…[bot]`` for a bot; ``None`` when the address belongs to nobody.
        parents_count: 0 for the first commit of all, 2 for a merge, else 1.
    """

    oid: str
    authored_at: datetime
    committed_at: datetime
    login: str | None
    email: str
    parents_count: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Repository:
    """One GitHub repository. Two values are equal only when they are the same object.

    Attributes:
        commit_days: commits on the default branch by UTC author day; merges counted.
        older_commit_count: commits on none of those days; they are all older than 54 weeks.
        head_at: committer date of the newest commit; ``None`` when the repository is empty.
        participants: (login, commits), most commits first.
        anonymous_count: commits whose address belongs to no account, each of another; listed only with ``anon=1``.
        block: ``dmca`` (451), ``tos`` or ``unavailable`` (403): nothing else is answered.
        refuses_tokens: the organisation's policy turns away every token (403); without one it answers.
        is_too_large: GitHub will not list its contributors (403).
        pending_answers: how many 202 the statistics answer first for each head; ``NEVER_READY`` for always.
        is_private: only those with a token get it; strangers are told there is none.
        is_sample_figure: the figures are made up for the sample, not GitHub's.
        pushed: commits that came by a push, newest first; counted in all figures above.
        grown_from: the value whose commits those stand on; ``None`` when that is this one.
        lost_count: how many of the newest commits of ``grown_from`` a force-push took away.
        rewrites: how often the history was rewritten; part of the hash of every commit that came after.
    """

    id: int
    owner: str
    name: str
    description: str | None = None
    homepage: str | None = None
    language: str | None = "Python"
    license: str | None = None
    topics: tuple[str, ...] = ()
    default_branch: str = "main"
    stars: int = 0
    forks: int = 0
    watchers: int = 0
    open_issues: int = 0
    created_at: datetime
    updated_at: datetime
    pushed_at: datetime
    head_at: datetime | None = None
    commit_days: Mapping[date, int] = field(default_factory=dict)
    older_commit_count: int = 0
    participants: tuple[tuple[str, int], ...] = ()
    anonymous_count: int = 0
    is_archived: bool = False
    archived_at: datetime | None = None
    is_fork: bool = False
    is_organisation: bool = False
    block: str | None = None
    refuses_tokens: bool = False
    is_too_large: bool = False
    is_private: bool = False
    pending_answers: int = 1
    is_sample_figure: bool = True
    pushed: tuple[Commit, ...] = ()
    grown_from: Repository | None = None
    lost_count: int = 0
    rewrites: int = 0

    @property
    def full_name(self) -> str:
        """``owner/name`` as GitHub spells it."""
        return f"{self.owner}/{self.name}"

    @property
    def commit_count(self) -> int:
        """All commits on the default branch; at least one where there is a newest."""
        return max(sum(self.commit_days.values()) + self.older_commit_count, 1) if self.head_at else 0

    @property
    def head_oid(self) -> str | None:
        """Hash of the newest commit; it moves with every push."""
        if self.head_at is None:
            return None
        if self.pushed:
            return self.pushed[0].oid
        base = self.grown_from or self
        return commit_oid(base.id, base.commit_count - self.lost_count)


# Fields that say which commits there are: giving one of them another value makes another history.
HISTORY_FIELDS = frozenset({"commit_days", "older_commit_count", "head_at", "participants", "anonymous_count"})
FRESH_HISTORY: Mapping[str, Any] = {"pushed": (), "grown_from": None, "lost_count": 0}


def commit_oid(repo_id: int, ordinal: int, rewrites: int = 0) -> str:
    """Hash of a repository's commit number ``ordinal``, counted from its first, made after so many rewrites."""
    suffix = f":{rewrites}" if rewrites else ""
    return hashlib.sha1(f"{repo_id}:{ordinal}{suffix}".encode(), usedforsecurity=False).hexdigest()


def balanced(repo: Repository) -> Repository:
    """The repository with as many commits as its people have made.

    Those of no known day make up what is missing; where the known days have more than the people, the first of them made the rest.
    """
    known = sum(repo.commit_days.values())
    made = sum(count for _, count in repo.participants) + repo.anonymous_count
    participants = repo.participants
    if made < known and participants:
        (login, count), *others = participants
        participants, made = ((login, count + known - made), *others), known
    return replace(repo, participants=participants, older_commit_count=max(made - known, 0))


def number_of(text: str) -> int:
    """A steady numeric id for something that has only a name."""
    return int.from_bytes(hashlib.blake2b(text.lower().encode(), digest_size=4).digest(), "big") >> 4


def email_of(login: str) -> str:
    """The address an account commits with: GitHub's no-reply address for a bot, a plain one for people."""
    return f"{number_of(login)}+{login}@users.noreply.github.com" if login.endswith("[bot]") else f"{login}@example.org"


def weekly_commits(repo: Repository, today: date) -> list[int]:
    """52 windows of 7 days, oldest first, ending at the UTC midnight that begins ``today``.

    GitHub: "The most recent week is seven days ago at UTC midnight to today at UTC midnight"
    (https://docs.github.com/en/rest/metrics/statistics#get-the-weekly-commit-count).
    """
    weeks = [0] * WEEKS
    for day, count in repo.commit_days.items():
        age = (today - day).days - 1
        if 0 <= age < WEEKS * 7:
            weeks[WEEKS - 1 - age // 7] += count
    return weeks


def spread_weeks(weeks: Iterable[int], today: date) -> dict[date, int]:
    """Commit days that give these windows on ``today``: a week's commits fall on its first days."""
    numbers = list(weeks)
    days: dict[date, int] = {}
    for index, count in enumerate(numbers):
        first = today - timedelta(days=7 * (len(numbers) - index))
        for position in range(min(count, 7)):
            days[first + timedelta(days=position)] = count // 7 + (position < count % 7)
    return days


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Project:
    """One PyPI project: its PEP 503 name and its document. ``status`` is that of PEP 792: active, archived or quarantined."""

    name: str
    document: Mapping[str, Any]
    status: str = ACTIVE

    @property
    def serial(self) -> int:
        """PyPI's number of the last change."""
        return int(self.document["last_serial"])
