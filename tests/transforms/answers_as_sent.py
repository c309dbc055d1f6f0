"""Answers in the shape the services send them, and the envelopes they land in, for the tests of this room."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from transforms.readings import CaptureView

NOON = datetime(2026, 2, 15, 12, tzinfo=UTC)


def repo_body(**changes: Any) -> bytes:
    """``GET /repos/{owner}/{repo}`` of a small repository."""
    fields = {
        "id": 7,
        "node_id": "R_7",
        "full_name": "Owner/Name",
        "description": "A calendaring app for Django.",
        "homepage": "",
        "stargazers_count": 1331,
        "watchers_count": 1331,
        "watchers": 1331,
        "subscribers_count": 62,
        "forks_count": 402,
        "open_issues_count": 91,
        "default_branch": "develop",
        "license": {"key": "bsd-3-clause", "spdx_id": "BSD-3-Clause"},
        "topics": ["django"],
        "archived": False,
        "disabled": False,
        "fork": False,
        "private": False,
        "created_at": "2009-01-12T03:28:01Z",
        "pushed_at": "2026-02-15T19:47:00Z",
    }
    return orjson.dumps({name: value for name, value in {**fields, **changes}.items() if value is not ...})


def head_body(committed: str | None = "2026-02-15T19:46:55Z") -> bytes:
    """``GET /repos/{owner}/{repo}/commits?per_page=1``."""
    commit = {"author": {"name": "x", "date": "2026-02-14T10:00:00Z"}, "committer": {"name": "x", "date": committed}}
    return orjson.dumps([{"sha": "a" * 40, "commit": commit}])


def weeks_body(last: int = 10) -> bytes:
    """``GET /repos/{owner}/{repo}/stats/participation``."""
    return orjson.dumps({"all": [0] * 51 + [last], "owner": [0] * 52})


def people_body(*logins: str, commits: int = 9) -> bytes:
    """One page of ``GET /repos/{owner}/{repo}/contributors``."""
    return orjson.dumps([{"type": "User", "login": login, "id": 1, "contributions": commits} for login in logins])


def file_entry(**changes: Any) -> dict[str, Any]:
    """One file of a release in PyPI's project JSON."""
    fields = {
        "filename": "a-1.0.tar.gz",
        "packagetype": "sdist",
        "size": 100,
        "yanked": False,
        "yanked_reason": None,
        "requires_python": ">=3.8",
        "upload_time": "2024-01-02T03:04:05",
        "upload_time_iso_8601": "2024-01-02T03:04:05.600000Z",
    }
    return {name: value for name, value in {**fields, **changes}.items() if value is not ...}


def project_body(releases: dict[str, Any] | None = None, *, last_serial: Any = 5, **info: Any) -> bytes:
    """``GET /pypi/{name}/json``; ``info`` replaces fields of ``info``, ``...`` takes one out."""
    fields = {
        "name": "Django_Name",
        "version": "1.0",
        "summary": "A summary.",
        "requires_python": ">=3.8",
        "license": "",
        "license_expression": None,
        "classifiers": [],
        "project_urls": None,
        "home_page": "",
        "docs_url": None,
        "yanked": False,
    }
    kept = {name: value for name, value in {**fields, **info}.items() if value is not ...}
    listed = {"1.0": [file_entry()]} if releases is None else releases
    return orjson.dumps({"info": kept, "last_serial": last_serial, "releases": listed, "urls": []})


BODIES = {
    "repo": repo_body(),
    "head": head_body(),
    "weeks": weeks_body(),
    "participants": people_body("ada", "bob"),
    "project": project_body(),
}


def capture(facet: str, body: bytes | None = None, **changes: Any) -> CaptureView:
    """One landed answer; a good one unless told otherwise."""
    is_project = facet == "project"
    fields = {
        "run_id": "20260215T120000Z-1",
        "sequence": 1,
        "source": "pypi" if is_project else "github",
        "subject": "pypi:django-name" if is_project else "github:owner/name",
        "facet": facet,
        "page": 1,
        "url": "/pypi/django-name/json" if is_project else "/repos/owner/name",
        "attempt": 1,
        "status": 200,
        "headers": {},
        "body": BODIES[facet] if body is None else body,
        "error": None,
        "fetched_at": NOON,
        "duration_ms": 40,
        "identity": "anonymous",
    }
    return CaptureView(**{**fields, **changes})
