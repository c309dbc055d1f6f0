"""One repository and one project for every unusual answer, for tests that need a particular one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sandbox.sample import SAMPLE_MOMENT
from sandbox.subjects import NEVER_READY, Project, Repository, balanced
from sandbox.synthetic import make_project
from sandbox.world import World

OWNER = "curious"


def curious_world() -> World:
    """Repositories ``curious/…`` and projects ``curious-…``; whatever is not named here is ordinary about them.

    Repositories: ``plain``, ``one-commit``, ``empty``, ``undescribed``, ``archived``, ``crowded`` (230 participants and 12
    anonymous), ``too-large``, ``never-ready``, ``ready`` (no 202), ``dmca``, ``tos``, ``unavailable``, ``refusing``,
    ``renamed`` (formerly ``curious/former``), ``anonymous`` (no commit belongs to an account), ``busy`` (2,920 commits in the last
    year), ``private``. Projects: ``plain``, ``all-yanked``, ``only-prereleases``, ``no-releases``,
    ``legacy-versions``, ``archived``, ``quarantined``.
    """
    today = SAMPLE_MOMENT.date()
    return World(_repositories(), _projects(), former_names={f"{OWNER}/former": 2_000_013}, today=lambda: today)


def _repositories() -> list[Repository]:
    crowd = tuple((f"curious-{number:03d}", 500 - number) for number in range(230))
    unusual: dict[str, dict[str, Any]] = {
        "plain": {},
        "one-commit": {"commit_days": {date(2026, 2, 14): 1}, "older_commit_count": 0, "participants": (("ada", 1),)},
        "empty": {"head_at": None, "commit_days": {}, "older_commit_count": 0, "participants": ()},
        "undescribed": {"description": None, "license": None, "language": None},
        "archived": {"is_archived": True},
        "crowded": {"participants": crowd, "anonymous_count": 12},
        "too-large": {"is_too_large": True},
        "never-ready": {"pending_answers": NEVER_READY},
        "ready": {"pending_answers": 0},
        "dmca": {"block": "dmca"},
        "tos": {"block": "tos"},
        "unavailable": {"block": "unavailable"},
        "refusing": {"refuses_tokens": True, "is_organisation": True},
        "renamed": {},
        "anonymous": {"participants": (), "anonymous_count": 46},
        "busy": {"commit_days": {date(2026, 2, 14) - timedelta(days=number): 8 for number in range(365)}, "participants": (("ada", 3000),)},
        "private": {"is_private": True},
    }
    return [balanced(replace(_plain(2_000_000 + number), name=name, **values)) for number, (name, values) in enumerate(unusual.items())]


def _plain(repo_id: int) -> Repository:
    head_at = datetime(2026, 2, 14, 10, 30, tzinfo=UTC)
    return Repository(
        id=repo_id,
        owner=OWNER,
        name="plain",
        description="An ordinary repository.",
        license="MIT",
        stars=120,
        forks=14,
        watchers=9,
        open_issues=3,
        created_at=datetime(2015, 5, 5, 5, 5, 5, tzinfo=UTC),
        updated_at=head_at,
        pushed_at=head_at,
        head_at=head_at,
        commit_days={date(2026, 2, 14): 2, date(2026, 2, 2): 3, date(2025, 6, 1): 1},
        older_commit_count=40,
        participants=(("ada", 30), ("grace", 14), ("dependabot[bot]", 2)),
    )


def _projects() -> list[Project]:
    ordinary = make_project(0, 5).document
    return [
        _project("plain", ordinary),
        _project("all-yanked", _each_file(ordinary, {"yanked": True, "yanked_reason": "do not use"}), yanked=True),
        _project("only-prereleases", {**ordinary, "releases": {"0.1a1": [], "0.1b1": ordinary["urls"]}}, version="0.1b1"),
        _project("no-releases", {**ordinary, "releases": {}, "urls": []}),
        _project("legacy-versions", {**ordinary, "releases": {"0.9.0.final": ordinary["urls"], "2004d": [], **ordinary["releases"]}}),
        _project("archived", ordinary, status="archived"),
        _project("quarantined", ordinary, status="quarantined"),
    ]


def _project(suffix: str, document: Any, *, status: str = "active", **info: Any) -> Project:
    name = f"{OWNER}-{suffix}"
    return Project(name=name, status=status, document={**document, "info": {**document["info"], "name": name, **info}})


def _each_file(document: Any, values: dict[str, Any]) -> dict[str, Any]:
    """The document with these values on every file of every release, and on the latest release itself."""
    releases = {version: [{**file, **values} for file in files] for version, files in document["releases"].items()}
    return {**document, "releases": releases, "urls": [{**file, **values} for file in document["urls"]]}
