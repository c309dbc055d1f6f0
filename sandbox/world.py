"""The world behind the sandbox: repositories and projects as values, and what may happen to them.

A value never changes; an event puts a new value in its place, so a body computed from a value can be kept as long as it.
Whatever is not held in memory may come from an *origin*, which makes values on demand: a hundred thousand synthetic
repositories cost nothing until they are asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Protocol

from sandbox import growth
from sandbox.releases import files_of, relisted, source_distribution, with_files
from sandbox.subjects import ACTIVE, ARCHIVED, FRESH_HISTORY, HISTORY_FIELDS, QUARANTINED, Project, Repository, UnknownSubject


class Origin(Protocol):
    """Makes repositories and projects on demand; the same question always gives an equal value."""

    def repository(self, full_name: str) -> Repository | None:
        """By ``owner/name`` in lower case, former names included."""

    def repository_by_id(self, repo_id: int) -> Repository | None:
        """By GitHub's numeric id."""

    def project(self, name: str) -> Project | None:
        """By PEP 503 name."""

    def repository_ids(self) -> Iterator[int]:
        """The id of every repository."""

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
        self._former_heads: dict[str, Repository] = {}
        self._former_projects: dict[str, Project] = {}
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

    def former_project(self, name: str) -> Project | None:
        """What the project was before its last change; ``None`` when it has not changed."""
        return self._former_projects.get(name)

    def repository_at_head(self, oid: str) -> Repository | None:
        """The value of a repository whose newest commit was this one, before a later push; ``None`` when there is none."""
        return self._former_heads.get(oid)

    def repository_ids(self) -> list[int]:
        """The id of every repository that is there, in order."""
        with self._lock:
            changed = dict(self._repositories)
        known = {repo_id for repo_id, repo in changed.items() if repo}
        return sorted(known.union(repo_id for repo_id in (self._origin.repository_ids() if self._origin else ()) if repo_id not in changed))

    def project_names(self) -> list[str]:
        """The name of every project that is there, listed or not, in order."""
        with self._lock:
            changed = dict(self._projects)
        known = {name for name, project in changed.items() if project}
        return sorted(known.union(name for name, _ in (self._origin.serials() if self._origin else ()) if name not in changed))

    def serials(self) -> Iterator[tuple[str, int]]:
        """Name and serial of every project PyPI lists, ordered by name; quarantined ones are not listed."""
        known = dict(self._origin.serials()) if self._origin else {}
        with self._lock:
            changed = list(self._projects.items())
        for name, project in changed:
            known.pop(name, None)
            if project and project.status != QUARANTINED:
                known[name] = project.serial
        yield from sorted(known.items())

    # --- what may happen -----------------------------------------------------------------------------------------

    def change(self, full_name: str, **values: Any) -> Repository:
        """Give fields of a repository other values; raises UnknownSubject. Every other event goes through here.

        Other days, participants or heads make another history, of which nothing is left of what was pushed.
        """
        with self._lock:
            repo = self._known(full_name)
            if not HISTORY_FIELDS.isdisjoint(values) and "pushed" not in values:
                values = {**FRESH_HISTORY, **values}
            changed = replace(repo, **values)
            if repo.head_oid and repo.head_oid != changed.head_oid:
                self._former_heads[repo.head_oid] = repo
            self._repositories[repo.id] = changed
            self._names[full_name.lower()] = repo.id
            self._names[changed.full_name.lower()] = repo.id
            self.revision += 1
            return changed

    def _known(self, full_name: str) -> Repository:
        repo = self.repository(full_name)
        if repo is None:
            raise UnknownSubject(full_name)
        return repo

    def push(
        self,
        full_name: str,
        *,
        on: datetime,
        login: str | None,
        commits: int = 1,
        authored_at: datetime | None = None,
        is_merge: bool = False,
    ) -> Repository:
        """Push commits by one author (``None``: by nobody's account) to the default branch; all behind them stays.

        They are committed at ``on``, or with the head when that is newer, and made then too unless ``authored_at`` says when.
        ``is_merge``: the newest of them has two parents. The statistics must be computed anew.
        """
        with self._lock:
            values = growth.pushed(self._known(full_name), on=on, login=login, commits=commits, authored_at=authored_at, is_merge=is_merge)
            return self.change(full_name, **values, pushed_at=on, updated_at=on)

    def force_push(self, full_name: str, *, drop: int, on: datetime, login: str | None, commits: int = 1) -> Repository:
        """Take the newest ``drop`` commits out of the history and push others in their place; what is left keeps its hashes."""
        with self._lock:
            self.change(full_name, **growth.dropped(self._known(full_name), drop))
            return self.push(full_name, on=on, login=login, commits=commits)

    def archive(self, full_name: str, *, at: datetime) -> Repository:
        """Make a repository read-only."""
        return self.change(full_name, is_archived=True, archived_at=at, updated_at=at)

    def unarchive(self, full_name: str, *, at: datetime) -> Repository:
        """Let it be written to again."""
        return self.change(full_name, is_archived=False, archived_at=None, updated_at=at)

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
                    self._put(value.name, value)
            self.revision += 1

    def remove_project(self, name: str) -> None:
        """Delete a project: 404, and gone from the index root."""
        with self._lock:
            self._put(name, None)
            self.revision += 1

    def _put(self, name: str, value: Project | None) -> None:
        if (former := self.project(name)) is not None:
            self._former_projects[name] = former
        self._projects[name] = value

    def set_status(self, name: str, status: str) -> Project:
        """Give a project another status (PEP 792); raises UnknownSubject.

        PyPI's serial moves with a quarantine and its end, and not with an archiving or its end.
        """
        if status not in (ACTIVE, ARCHIVED, QUARANTINED):
            raise ValueError(status)
        with self._lock:
            project = self.project(name)
            if project is None:
                raise UnknownSubject(name)
            moves = QUARANTINED in (status, project.status) and status != project.status
            document = {**project.document, "last_serial": project.serial + 1} if moves else project.document
            changed = replace(project, status=status, document=document)
            self.add(changed)
            return changed

    def release(self, name: str, version: str, *, at: datetime) -> Project:
        """Upload one source distribution of a new version; raises UnknownSubject. The latest is chosen as PyPI chooses it."""

        def uploaded(project: Project) -> dict[str, list[Any]]:
            required = project.document["info"].get("requires_python")
            return {**project.document["releases"], version: [source_distribution(name, version, at=at, requires_python=required)]}

        return self._relist(name, uploaded)

    def yank(self, name: str, version: str, *, reason: str | None = None) -> Project:
        """Yank a release, every file of it (PEP 592); raises UnknownSubject, also for a version that is not there."""
        return self._relist(name, lambda project: with_files(project, version, {"yanked": True, "yanked_reason": reason}))

    def unyank(self, name: str, version: str) -> Project:
        """Take a yank back; raises UnknownSubject, also for a version that is not there."""
        return self._relist(name, lambda project: with_files(project, version, {"yanked": False, "yanked_reason": None}))

    def remove_release(self, name: str, version: str) -> Project:
        """Delete a release; raises UnknownSubject, also for a version that is not there."""

        def rest(project: Project) -> dict[str, list[Any]]:
            files_of(project, version)
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
