"""The world behind the sandbox: repositories and projects as values, and what may happen to them.

A value never changes; an event puts a new value in its place, so a body computed from a value can be kept as long as it.
Whatever is not held in memory may come from an *origin*, which makes values on demand: a hundred thousand synthetic
repositories cost nothing until they are asked for.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol

from sandbox.latest import relisted

NEVER_READY = -1
WEEKS = 52


class UnknownSubject(Exception):
    """The world has no repository or project of that name."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Repository:
    """One GitHub repository. Two values are equal only when they are the same object.

    Attributes:
        commit_days: commits on the default branch by UTC author day; merges counted.
        older_commit_count: commits older than any of those days.
        head_at: committer date of the newest commit; ``None`` when the repository is empty.
        participants: (login, commits), most commits first.
        anonymous_count: committers whose address belongs to no account; listed only with ``anon=1``.
        block: ``dmca`` (451), ``tos`` or ``unavailable`` (403): nothing else is answered.
        refuses_tokens: the organisation's policy turns away every token (403); without one it answers.
        is_too_large: GitHub will not list its contributors (403).
        pending_answers: how many 202 the statistics answer first for each head; ``NEVER_READY`` for always.
        is_sample_figure: the figures are made up for the sample, not GitHub's.
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
    is_fork: bool = False
    is_organisation: bool = False
    block: str | None = None
    refuses_tokens: bool = False
    is_too_large: bool = False
    pending_answers: int = 1
    is_sample_figure: bool = True

    @property
    def full_name(self) -> str:
        """``owner/name`` as GitHub spells it."""
        return f"{self.owner}/{self.name}"

    @property
    def commit_count(self) -> int:
        """All commits on the default branch."""
        return sum(self.commit_days.values()) + self.older_commit_count

    @property
    def head_oid(self) -> str | None:
        """Hash of the newest commit; it moves with every push."""
        return commit_oid(self, 0) if self.head_at else None


def commit_oid(repo: Repository, index: int) -> str:
    """Hash of the commit so many before the newest: the same one as long as it exists, wherever it stands in the list."""
    return hashlib.sha1(f"{repo.id}:{repo.commit_count - index}".encode(), usedforsecurity=False).hexdigest()


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Project:
    """One PyPI project: its PEP 503 name and its document. ``status`` is that of PEP 792: active, archived or quarantined."""

    name: str
    document: Mapping[str, Any]
    status: str = "active"

    @property
    def serial(self) -> int:
        """PyPI's number of the last change."""
        return int(self.document["last_serial"])


class Origin(Protocol):
    """Makes repositories and projects on demand; the same question always gives an equal value."""

    def repository(self, full_name: str) -> Repository | None:
        """By ``owner/name`` in lower case, former names included."""

    def repository_by_id(self, repo_id: int) -> Repository | None:
        """By GitHub's numeric id."""

    def project(self, name: str) -> Project | None:
        """By PEP 503 name."""

    def serials(self) -> Iterator[tuple[str, int]]:
        """Every project's name and serial, ordered by name."""


class World:
    """All repositories and projects, and the events that change them. Safe to change while a server answers from it.

    Args:
        repositories: those held in memory.
        projects: those held in memory.
        origin: where others come from.
        former_names: old ``owner/name`` → id, for repositories renamed before the world began.
        today: the day whose midnight ends the newest week of ``/stats/participation``; a callable, so that it can move.
    """

    def __init__(
        self,
        repositories: Iterable[Repository] = (),
        projects: Iterable[Project] = (),
        *,
        today: Callable[[], date],
        origin: Origin | None = None,
        former_names: Mapping[str, int] | None = None,
    ) -> None:
        self.today = today
        self.revision = 0
        self._origin = origin
        self._lock = threading.RLock()
        self._repositories: dict[int, Repository | None] = {repo.id: repo for repo in repositories}
        self._projects: dict[str, Project | None] = {project.name: project for project in projects}
        self._names: dict[str, int] = {name.lower(): repo_id for name, repo_id in (former_names or {}).items()}
        self._names |= {repo.full_name.lower(): repo.id for repo in self._repositories.values() if repo}

    # --- looking -------------------------------------------------------------------------------------------------

    def repository(self, full_name: str) -> Repository | None:
        """The repository that has, or last had, this name in any case; ``None`` when there is none or it was deleted."""
        key = full_name.lower()
        if key in self._names:
            return self.repository_by_id(self._names[key])
        repo = self._origin.repository(key) if self._origin else None
        return self._repositories.get(repo.id, repo) if repo else None

    def repository_by_id(self, repo_id: int) -> Repository | None:
        """The repository with this id; ``None`` when there is none or it was deleted."""
        if repo_id in self._repositories:
            return self._repositories[repo_id]
        return self._origin.repository_by_id(repo_id) if self._origin else None

    def project(self, name: str) -> Project | None:
        """The project with this PEP 503 name; ``None`` when there is none or it was deleted."""
        if name in self._projects:
            return self._projects[name]
        return self._origin.project(name) if self._origin else None

    def serials(self) -> Iterator[tuple[str, int]]:
        """Name and serial of every project PyPI lists, ordered by name; quarantined ones are not listed."""
        known = dict(self._origin.serials()) if self._origin else {}
        with self._lock:
            changed = list(self._projects.items())
        for name, project in changed:
            known.pop(name, None)
            if project and project.status != "quarantined":
                known[name] = project.serial
        yield from sorted(known.items())

    # --- what may happen -----------------------------------------------------------------------------------------

    def change(self, full_name: str, **values: Any) -> Repository:
        """Give fields of a repository other values; raises UnknownSubject. Every other event goes through here."""
        with self._lock:
            repo = self.repository(full_name)
            if repo is None:
                raise UnknownSubject(full_name)
            changed = replace(repo, **values)
            self._repositories[repo.id] = changed
            self._names[full_name.lower()] = repo.id
            self._names[changed.full_name.lower()] = repo.id
            self.revision += 1
            return changed

    def push(self, full_name: str, *, on: datetime, login: str, commits: int = 1) -> Repository:
        """Push commits by one author, made at ``on``, to the default branch; the statistics must be computed anew."""
        with self._lock:
            repo = self.repository(full_name)
            if repo is None:
                raise UnknownSubject(full_name)
            day = on.astimezone(UTC).date()
            counts = dict(repo.participants)
            counts[login] = counts.get(login, 0) + commits
            return self.change(
                full_name,
                commit_days={**repo.commit_days, day: repo.commit_days.get(day, 0) + commits},
                head_at=max(on, repo.head_at or on),
                participants=tuple(sorted(counts.items(), key=lambda pair: -pair[1])),
                pushed_at=on,
                updated_at=on,
            )

    def rename(self, full_name: str, new_full_name: str) -> Repository:
        """Rename or transfer; the old name answers 301 until another repository takes it."""
        owner, _, name = new_full_name.partition("/")
        return self.change(full_name, owner=owner, name=name)

    def delete(self, full_name: str) -> None:
        """Delete a repository: 404 under every name and under its id."""
        with self._lock:
            repo = self.change(full_name)
            self._repositories[repo.id] = None

    def add(self, *values: Repository | Project) -> None:
        """Create repositories and projects, or replace them; a name taken over no longer leads to its former bearer."""
        with self._lock:
            for value in values:
                if isinstance(value, Repository):
                    self._repositories[value.id] = value
                    self._names[value.full_name.lower()] = value.id
                else:
                    self._projects[value.name] = value
            self.revision += 1

    def remove_project(self, name: str) -> None:
        """Delete a project: 404, and gone from the index root."""
        with self._lock:
            self._projects[name] = None
            self.revision += 1

    def release(self, name: str, version: str, *, at: datetime) -> Project:
        """Upload one source distribution of a new version; raises UnknownSubject. The latest is chosen as PyPI chooses it."""

        def uploaded(project: Project) -> dict[str, list[Any]]:
            required = project.document["info"].get("requires_python")
            return {**project.document["releases"], version: [source_distribution(name, version, at=at, requires_python=required)]}

        return self._relist(name, uploaded)

    def yank(self, name: str, version: str, *, reason: str | None = None) -> Project:
        """Yank a release, every file of it (PEP 592); raises UnknownSubject, also for a version that is not there."""
        return self._relist(name, lambda project: _with_files(project, version, {"yanked": True, "yanked_reason": reason}))

    def unyank(self, name: str, version: str) -> Project:
        """Take a yank back; raises UnknownSubject, also for a version that is not there."""
        return self._relist(name, lambda project: _with_files(project, version, {"yanked": False, "yanked_reason": None}))

    def remove_release(self, name: str, version: str) -> Project:
        """Delete a release; raises UnknownSubject, also for a version that is not there."""

        def rest(project: Project) -> dict[str, list[Any]]:
            _files(project, version)
            return {listed: files for listed, files in project.document["releases"].items() if listed != version}

        return self._relist(name, rest)

    def _relist(self, name: str, change: Callable[[Project], dict[str, list[Any]]]) -> Project:
        """Give a project other releases, and what follows from them: the latest version, its files and a higher serial."""
        with self._lock:
            project = self.project(name)
            if project is None:
                raise UnknownSubject(name)
            changed = replace(project, document=relisted(project.document, change(project)))
            self.add(changed)
            return changed


def _files(project: Project, version: str) -> list[Any]:
    if version not in project.document["releases"]:
        raise UnknownSubject(f"{project.name} {version}")
    files: list[Any] = project.document["releases"][version]
    return files


def _with_files(project: Project, version: str, values: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {**project.document["releases"], version: [{**file, **values} for file in _files(project, version)]}


def source_distribution(name: str, version: str, *, at: datetime, requires_python: str | None, size: int = 40_000) -> dict[str, Any]:
    """A file entry of PyPI's project JSON (https://docs.pypi.org/api/json/); its hashes follow from its name."""
    filename = f"{name.replace('-', '_')}-{version}.tar.gz"
    digest = hashlib.sha256(filename.encode()).hexdigest()
    naive = at.astimezone(UTC).replace(tzinfo=None)
    return {
        "comment_text": None,
        "digests": {"blake2b_256": digest[::-1], "md5": digest[:32], "sha256": digest},
        "filename": filename,
        "md5_digest": digest[:32],
        "packagetype": "sdist",
        "python_version": "source",
        "requires_python": requires_python,
        "size": size,
        "upload_time": naive.isoformat(timespec="seconds"),
        "upload_time_iso_8601": f"{naive.isoformat()}Z",
        "url": "",
        "yanked": False,
        "yanked_reason": None,
        "has_sig": False,
        "downloads": -1,
        "core-metadata": False,
    }


def spread_weeks(weeks: Iterable[int], today: date) -> dict[date, int]:
    """Commit days that give these windows on ``today``: a week's commits fall on its first days."""
    numbers = list(weeks)
    days: dict[date, int] = {}
    for index, count in enumerate(numbers):
        first = today - timedelta(days=7 * (len(numbers) - index))
        for position in range(min(count, 7)):
            days[first + timedelta(days=position)] = count // 7 + (position < count % 7)
    return days
