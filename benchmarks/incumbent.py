"""The incumbent's way of fetching a package, call by call, to be measured beside ours over the same sandbox.

Django Packages (djangopackages.org) asks for one package after the other: the repository, all pages of contributors, the newest
commit, the participation statistics, and PyPI's JSON document. Changed or not, every package is asked for every time. Its
limiter reads ``GET /rate_limit`` before each package and twice for every contributor; those reads cost no quota, but each is a
round trip. Sources: package/repos/github.py, package/pypi.py and the command package_updater2 of that project.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

READS_A_PACKAGE = 3  # one in the command, two in the handler
READS_A_CONTRIBUTOR = 2
PAGE = 100
FREE = "/rate_limit"


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
    began = time.monotonic()
    with httpx.Client(headers=headers, follow_redirects=False) as github, httpx.Client(headers={"User-Agent": "incumbent"}) as pypi:
        for full_name, project in _entries(catalog, packages):
            spent.packages += 1
            if full_name:
                _fetch_repository(_Line(github, github_url, spent), full_name, reads_limits=reads_limits)
            if project:
                pypi.get(f"{pypi_url}/pypi/{project}/json")
                spent.round_trips += 1
                spent.pypi_requests += 1
    spent.seconds = time.monotonic() - began
    return spent


class _Line:
    """Sends to GitHub, follows redirects as github3.py does, and counts what is charged."""

    def __init__(self, client: httpx.Client, base_url: str, spent: Spent) -> None:
        self._client = client
        self._base_url = base_url
        self._spent = spent

    def get(self, url: str) -> httpx.Response:
        """Ask for a path below the base address, or for an absolute address."""
        answer = self._client.get(url if url.startswith("http") else self._base_url + url)
        self._spent.round_trips += 1
        self._spent.units += url != FREE
        return self.get(answer.headers["location"]) if answer.is_redirect else answer


def _fetch_repository(line: _Line, full_name: str, *, reads_limits: bool) -> None:
    for _ in range(READS_A_PACKAGE if reads_limits else 0):
        line.get(FREE)
    if line.get(f"/repos/{full_name}").status_code != httpx.codes.OK:
        return
    url: str | None = f"/repos/{full_name}/contributors?per_page={PAGE}"
    while url:
        answer = line.get(url)
        people = answer.json() if answer.status_code == httpx.codes.OK else []
        for _ in range(READS_A_CONTRIBUTOR * len(people) if reads_limits else 0):
            line.get(FREE)
        url = answer.links.get("next", {}).get("url")
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
