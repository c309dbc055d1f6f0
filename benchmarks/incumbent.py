"""The incumbent's way of fetching a package, call by call, to be measured beside ours over the same sandbox.

Django Packages (djangopackages.org) asks for one package after the other: the repository, all pages of contributors, the newest
commit, the participation statistics, and PyPI's JSON document. Changed or not, every package is asked for every time. Its
limiter reads ``GET /rate_limit`` before each package and twice for every contributor; those reads cost no quota, but each is a
round trip. Sources: package/repos/github.py, package/pypi.py and the command package_updater2 of that project.
"""

from __future__ import annotations

import csv
import http.client
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

READS_A_PACKAGE = 3  # one in the command, two in the handler
READS_A_CONTRIBUTOR = 2
PAGE = 100
FREE = "/rate_limit"
OK = 200
MOVED = (301, 302, 307)
NEXT = re.compile(r'<([^>]+)>; rel="next"')


@dataclass(slots=True, kw_only=True)
class Spent:
    """What the incumbent's calls took: round trips, GitHub quota units, PyPI requests, seconds; and how many packages they were for."""

    packages: int = 0
    round_trips: int = 0
    units: int = 0
    pypi_requests: int = 0
    seconds: float = 0.0


def fetch_as_incumbent(catalog: Path, github_url: str, pypi_url: str, *, token: str, packages: int, reads_limits: bool) -> Spent:
    """Fetch the first ``packages`` of a catalog; ``reads_limits`` also makes the calls of the incumbent's limiter."""
    spent = Spent()
    headers = {"Authorization": f"Bearer {token}", "User-Agent": "incumbent", "X-GitHub-Api-Version": "2022-11-28"}
    github, pypi = _Line(github_url, headers, spent), _Line(pypi_url, {"User-Agent": "incumbent"}, spent)
    began = time.monotonic()
    for full_name, project in _entries(catalog, packages):
        spent.packages += 1
        if full_name:
            _fetch_repository(github, full_name, reads_limits=reads_limits)
        if project:
            pypi.get(f"/pypi/{project}/json")
    spent.seconds = time.monotonic() - began
    spent.units, spent.pypi_requests = github.charged, pypi.charged
    return spent


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    link: str
    body: bytes

    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class _Line:
    """One connection kept open, as a requests session keeps it; follows redirects and counts what is charged."""

    def __init__(self, base_url: str, headers: Mapping[str, str], spent: Spent) -> None:
        parts = urlsplit(base_url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self._base = parts.path
        self._headers = headers
        self._spent = spent
        self.charged = 0

    def get(self, url: str) -> _Answer:
        """Ask for a path below the base address, or for an absolute address."""
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self._connection.request("GET", path if parts.scheme else self._base + path, headers=dict(self._headers))
        answer = self._connection.getresponse()
        body = answer.read()
        self._spent.round_trips += 1
        self.charged += url != FREE
        location = answer.headers.get("location")
        return self.get(location) if location and answer.status in MOVED else _Answer(answer.status, answer.headers.get("link", ""), body)


def _fetch_repository(line: _Line, full_name: str, *, reads_limits: bool) -> None:
    for _ in range(READS_A_PACKAGE if reads_limits else 0):
        line.get(FREE)
    if line.get(f"/repos/{full_name}").status != OK:
        return
    url: str | None = f"/repos/{full_name}/contributors?per_page={PAGE}"
    while url:
        answer = line.get(url)
        people = answer.json() if answer.status == OK else []
        for _ in range(READS_A_CONTRIBUTOR * len(people) if reads_limits else 0):
            line.get(FREE)
        following = NEXT.search(answer.link)
        url = following[1] if following else None
    line.get(f"/repos/{full_name}/commits?per_page=1")
    line.get(f"/repos/{full_name}/stats/participation")


def _entries(catalog: Path, packages: int) -> Iterator[tuple[str | None, str | None]]:
    """Repository on GitHub and project on PyPI of each package, as the catalog's addresses end."""
    with (catalog / "packages.csv").open(encoding="utf-8", newline="") as file:
        for index, row in enumerate(csv.DictReader(file)):
            if index >= packages:
                return
            repo = urlsplit(row["repo_url"])
            is_github = repo.netloc in ("github.com", "www.github.com")
            full_name = "/".join(repo.path.strip("/").removesuffix(".git").split("/")[:2]) if is_github else None
            yield full_name, row["pypi_url"].rstrip("/").rpartition("/")[2] or None
