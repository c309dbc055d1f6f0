"""Answers in the shape the services send them, and the envelopes they land in, for the tests of this room."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa

from transforms.known import Known
from transforms.readings import CaptureView
from transforms.schemas import FACET_TABLES

NOON = datetime(2026, 2, 15, 12, tzinfo=UTC)
HEAD = "a" * 40


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
        "default_branch": "develop",
        "license": {"key": "bsd-3-clause", "spdx_id": "BSD-3-Clause"},
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
    return orjson.dumps([{"sha": HEAD, "commit": commit}])


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


def status_body(*files: str, status: str | None = "active", name: str = "django-name", serial: Any = 5, **changes: Any) -> bytes:
    """``GET /simple/{name}/`` as JSON; ``status=None`` leaves it out, as an index before PEP 792."""
    fields = {
        "meta": {"api-version": "1.4", "_last-serial": serial},
        "name": name,
        "files": [{"filename": file} for file in files],
        **({"project-status": {"status": status}} if status else {}),
    }
    return orjson.dumps({**fields, **changes})


def index_body(**serials: Any) -> bytes:
    """``GET /simple/`` as JSON; a serial of ``...`` is left out."""
    projects = [{"_last-serial": serial, "name": name} if serial is not ... else {"name": name} for name, serial in serials.items()]
    return orjson.dumps({"meta": {"_last-serial": 99, "api-version": "1.4"}, "projects": projects})


def probe_body(**changes: Any) -> bytes:
    """The node of one repository in the answer to a probe."""
    target = {"oid": HEAD, "committedDate": "2026-02-15T19:46:55Z", "authoredDate": "2026-02-14T10:00:00Z"}
    fields = {
        "id": "R_7",
        "databaseId": 7,
        "nameWithOwner": "Owner/Name",
        "description": "A calendaring app for Django.",
        "homepageUrl": "",
        "stargazerCount": 1331,
        "forkCount": 402,
        "watchers": {"totalCount": 62},
        "isArchived": False,
        "isDisabled": False,
        "isEmpty": False,
        "isFork": False,
        "isPrivate": False,
        "createdAt": "2009-01-12T03:28:01Z",
        "pushedAt": "2026-02-15T19:47:00Z",
        "licenseInfo": {"spdxId": "BSD-3-Clause"},
        "defaultBranchRef": {"name": "develop", "target": target},
    }
    return orjson.dumps({name: value for name, value in {**fields, **changes}.items() if value is not ...})


def commit_node(oid: str, day: str = "2026-02-10", login: str | None = "ada", **changes: Any) -> dict[str, Any]:
    """One commit of a history; ``login=None`` is an address that belongs to nobody."""
    author = {"email": "somebody@example.org", "user": {"login": login} if login else None}
    fields = {"oid": oid, "authoredDate": f"{day}T10:00:00Z", "committedDate": f"{day}T11:00:00Z", "author": author}
    return {**fields, **changes}


def history_body(*nodes: dict[str, Any], next_cursor: str | None = None, head: str | None = None, **changes: Any) -> bytes:
    """The node of one repository in the answer to a history query; its head is the first commit unless told otherwise."""
    history = {
        "totalCount": len(nodes),
        "pageInfo": {"hasNextPage": next_cursor is not None, "endCursor": next_cursor},
        "nodes": list(nodes),
    }
    target = {"oid": head or (nodes[0]["oid"] if nodes else HEAD), "history": history}
    return orjson.dumps({"id": "R_7", "databaseId": 7, "nameWithOwner": "Owner/Name", "defaultBranchRef": {"target": target}, **changes})


def request_of(**changes: Any) -> str:
    """What a question about many asked of one repository."""
    return orjson.dumps([{"subject": "github:owner/name", "owner": "owner", "name": "name", "page": 1, **changes}]).decode()


BODIES = {
    "repo": repo_body(),
    "head": head_body(),
    "weeks": weeks_body(),
    "participants": people_body("ada", "bob"),
    "project": project_body(),
    "status": status_body("a-1.0.tar.gz"),
}
MANY = {"probe": probe_body(), "history": history_body(commit_node("c1")), "index": index_body(Django_Name=5)}
URLS = {
    "project": "/pypi/django-name/json",
    "status": "/simple/django-name/",
    "index": "/simple/",
    "probe": "/graphql",
    "history": "/graphql",
}


def capture(facet: str, body: bytes | None = None, **changes: Any) -> CaptureView:
    """One landed answer; a good one unless told otherwise."""
    is_project = facet in ("project", "status", "index")
    subject = "pypi" if facet == "index" else "pypi:django-name" if is_project else "github:owner/name"
    fields = {
        "run_id": "20260215T120000Z-1",
        "sequence": 1,
        "source": "pypi" if is_project else "github",
        "subject": subject,
        "facet": facet,
        "page": 1,
        "url": URLS.get(facet, "/repos/owner/name"),
        "attempt": 1,
        "status": 200,
        "headers": {},
        "body": {**BODIES, **MANY}[facet] if body is None else body,
        "error": None,
        "fetched_at": NOON,
        "duration_ms": 40,
        "identity": "anonymous",
        "request": request_of() if facet in ("probe", "history") else None,
    }
    return CaptureView(**{**fields, **changes})


def known_of(*rows: tuple[str, dict[str, Any]]) -> Known:
    """What a store knew: (facet, values) of good rows, or of others with an ``outcome``."""
    latest = {}
    for facet, table in FACET_TABLES.items():
        is_project = facet in ("project", "status")
        usual = {
            "series": "pypi:django-name" if is_project else "github:7",
            "subject": "pypi:django-name" if is_project else "github:owner/name",
            "observed_at": NOON,
            "confirmed_at": NOON,
            "outcome": "ok",
        }
        said = [{**usual, **values} for name, values in rows if name == facet]
        found = [{**row, "is_good": row["outcome"] in ("ok", "capped", "empty")} for row in said]
        latest[table.name] = pa.Table.from_pylist(found, schema=table.schema.append(pa.field("is_good", pa.bool_())))
    return Known(latest)
