"""A synthetic world of any size: every repository and project follows from (seed, index) alone and is made when asked for.

Distributions are of the kind catalogs have: most repositories small, a few large; some renamed, archived, empty, gone,
blocked or shared by two packages. The catalog files that go with a world are written by ``synthetic_catalog.py``.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

from sandbox.releases import source_distribution
from sandbox.subjects import NEVER_READY, Project, Repository, balanced
from sandbox.world import World

# The moment a synthetic world speaks of.
SYNTHETIC_MOMENT = datetime(2026, 2, 16, 3, 0, tzinfo=UTC)
WORDS = (
    *("admin", "audit", "badge", "basket", "blog", "cache", "calendar", "catalog", "chart", "comment", "crypto", "dash", "export"),
    *("feed", "filter", "form", "forum", "gallery", "graph", "grid", "health", "import", "invoice", "lazy", "mail", "map", "menu"),
    *("metric", "notify", "order", "page", "perm", "poll", "press", "queue", "quiz", "rest", "search", "secure", "shop", "spam"),
    *("storage", "tag", "task", "tenant", "theme", "ticket", "token", "track", "tree", "upload", "vote", "wiki", "workflow"),
)
LICENSES = ("MIT", "BSD-3-Clause", "Apache-2.0", "GPL-3.0", "NOASSERTION", None)
FIRST_ID, ID_STEP = 300_000_000, 17
FIRST_SERIAL, SERIAL_STEP = 20_000_000, 3
INDEX = re.compile(r"([0-9]{6,})(?:-old)?$")
SHARES = {
    "gone": 0.020,
    "renamed": 0.015,
    "archived": 0.060,
    "empty": 0.010,
    "dmca": 0.001,
    "tos": 0.002,
    "too large": 0.002,
    "refuses tokens": 0.002,
    "never ready": 0.005,
    "pending once": 0.700,
    "undescribed": 0.050,
    "shared": 0.020,
    "elsewhere": 0.030,
    "no project": 0.060,
    "project gone": 0.010,
}


def chance(seed: int, index: int | str, what: str) -> float:
    """A steady number from 0 up to 1 for one question about one package or name."""
    digest = hashlib.blake2b(f"{seed}:{index}:{what}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / (1 << 56)


def happens(seed: int, index: int, what: str) -> bool:
    """Whether this befalls the package, by its share in ``SHARES``."""
    return chance(seed, index, what) < SHARES[what]


def package_name(index: int) -> str:
    """Name of package, repository and PyPI project, already in PEP 503 form."""
    return f"django-{WORDS[index % len(WORDS)]}-{WORDS[index // len(WORDS) % len(WORDS)]}-{index:06d}"


def repository_name(seed: int, index: int) -> str:
    """``owner/name`` as the catalog spells it: the former name of those that were renamed."""
    return f"{_owner(index)}/{package_name(index)}{'-old' if happens(seed, index, 'renamed') else ''}"


def repository_index(seed: int, index: int) -> int:
    """Whose repository the package lives in: its own, or that of the one before (a monorepo)."""
    return index - 1 if index > 0 and happens(seed, index, "shared") and not happens(seed, index - 1, "shared") else index


def _owner(index: int) -> str:
    return f"{WORDS[index * 7 % len(WORDS)].title()}Works{index // 3}"


def synthetic_world(n: int, seed: int = 0) -> World:
    """A world of n packages; the same n and seed give the same world. Its statistics speak of ``SYNTHETIC_MOMENT``'s day."""
    today = SYNTHETIC_MOMENT.date()
    return World(origin=SyntheticOrigin(n, seed), today=lambda: today)


class SyntheticOrigin:
    """Makes the repositories and projects of a synthetic world; keeps only the most recently used."""

    def __init__(self, n: int, seed: int) -> None:
        self._n = n
        self._seed = seed
        self._repository_at = lru_cache(maxsize=8192)(self._make_repository)
        self._project_at = lru_cache(maxsize=32)(self._make_project)

    def repository(self, full_name: str) -> Repository | None:
        """By ``owner/name`` in lower case, former names included."""
        index = self._index(full_name)
        if index is None:
            return None
        names = {repository_name(self._seed, index).lower(), f"{_owner(index)}/{package_name(index)}".lower()}
        return self._repository_at(index) if full_name in names else None

    def repository_by_id(self, repo_id: int) -> Repository | None:
        """By GitHub's numeric id."""
        index, rest = divmod(repo_id - FIRST_ID, ID_STEP)
        return self._repository_at(index) if rest == 0 and 0 <= index < self._n else None

    def project(self, name: str) -> Project | None:
        """By PEP 503 name."""
        index = self._index(name)
        return self._project_at(index) if index is not None and name == package_name(index) else None

    def repository_ids(self) -> Iterator[int]:
        """The id of every repository; none is made for it."""
        for index in range(self._n):
            if repository_index(self._seed, index) == index and not happens(self._seed, index, "gone"):
                yield FIRST_ID + index * ID_STEP

    def serials(self) -> Iterator[tuple[str, int]]:
        """Every project's name and serial; documents are not made for it."""
        for index in range(self._n):
            if self._has_project(index):
                yield package_name(index), _serial(index)

    def _index(self, name: str) -> int | None:
        found = INDEX.search(name)
        return int(found[1]) if found and int(found[1]) < self._n else None

    def _has_project(self, index: int) -> bool:
        return not happens(self._seed, index, "no project") and not happens(self._seed, index, "project gone")

    def _make_repository(self, index: int) -> Repository | None:
        if happens(self._seed, index, "gone") or repository_index(self._seed, index) != index:
            return None
        return make_repository(self._seed, index)

    def _make_project(self, index: int) -> Project | None:
        return make_project(self._seed, index) if self._has_project(index) else None


def make_repository(seed: int, index: int) -> Repository:
    """The repository of package ``index``: 1 to 300 participants, more stars the more there are, activity of the last year."""
    rng = random.Random(f"repository:{seed}:{index}")  # noqa: S311 - a simulation, no secret
    today = SYNTHETIC_MOMENT.date()
    created_at = SYNTHETIC_MOMENT - timedelta(days=rng.randint(400, 5500), seconds=rng.randrange(86_400))
    is_empty = happens(seed, index, "empty")
    is_archived = happens(seed, index, "archived")
    people = 0 if is_empty else min(300, max(1, round(rng.lognormvariate(2.3, 1.3))))
    participants = _participants(rng, people)
    commit_days = {} if is_empty or is_archived else _commit_days(rng, people, today)
    head_on = max(commit_days, default=today - timedelta(days=rng.randint(365, 399)))
    head_at = datetime(head_on.year, head_on.month, head_on.day, tzinfo=UTC) + timedelta(seconds=rng.randrange(10_000))
    stars = round(people * rng.lognormvariate(2.2, 1.0))
    repo = Repository(
        id=FIRST_ID + index * ID_STEP,
        owner=_owner(index),
        name=package_name(index),
        description=None if happens(seed, index, "undescribed") else f"{package_name(index)}: a synthetic “package”, für Django.",
        license=rng.choice(LICENSES),
        topics=("django", WORDS[index % len(WORDS)]),
        stars=stars,
        forks=stars // 6,
        watchers=stars // 20,
        open_issues=rng.randrange(2 + people),
        created_at=created_at,
        updated_at=SYNTHETIC_MOMENT - timedelta(hours=rng.randrange(500)),
        pushed_at=created_at if is_empty else head_at,
        head_at=None if is_empty else head_at,
        commit_days={} if is_empty else {head_on: 1, **commit_days},
        participants=participants,
        anonymous_count=0 if is_empty else rng.randrange(1 + people // 10),
        is_archived=is_archived,
        block=_block(seed, index),
        refuses_tokens=happens(seed, index, "refuses tokens"),
        is_too_large=happens(seed, index, "too large"),
        pending_answers=NEVER_READY if happens(seed, index, "never ready") else int(happens(seed, index, "pending once")),
    )
    return balanced(repo)


def _block(seed: int, index: int) -> str | None:
    return "dmca" if happens(seed, index, "dmca") else "tos" if happens(seed, index, "tos") else None


def _participants(rng: random.Random, people: int) -> tuple[tuple[str, int], ...]:
    logins = [f"dev-{number}" for number in rng.sample(range(50_000), people)]
    if people > 20:  # noqa: PLR2004 - grown projects have bots
        logins[3] = "dependabot[bot]"
    counts = sorted((1 + int(rng.paretovariate(0.7)) % 2000 for _ in range(people)), reverse=True)
    return tuple(zip(logins, counts, strict=True))


def _commit_days(rng: random.Random, people: int, today: date) -> dict[date, int]:
    """Commits scattered over 53 weeks, about two a participant; a third of the repositories slept through the year."""
    if rng.random() < 0.33:  # noqa: PLR2004 - as the docstring says
        return {}
    days: dict[date, int] = {}
    for _ in range(round(people * rng.lognormvariate(0.3, 0.8))):
        day = today - timedelta(days=rng.randrange(371))
        days[day] = days.get(day, 0) + rng.randint(1, 3)
    return days


def _serial(index: int) -> int:
    return FIRST_SERIAL + index * SERIAL_STEP


def make_project(seed: int, index: int) -> Project:
    """The PyPI project of package ``index``: 1 to 100 releases in a document of about 6 to 70 kB."""
    rng = random.Random(f"project:{seed}:{index}")  # noqa: S311 - a simulation, no secret
    name = package_name(index)
    count = min(100, max(1, round(rng.lognormvariate(2.6, 0.9))))
    first = SYNTHETIC_MOMENT - timedelta(days=rng.randint(count * 10, count * 40 + 365))
    step = (SYNTHETIC_MOMENT - first) / (count + 1)
    releases: dict[str, list[dict[str, Any]]] = {}
    for number in range(1, count + 1):
        version = f"{number // 12}.{number % 12 // 3}.{number % 3}{'' if number % 17 else 'rc1'}"
        python = ">=3.8" if number > count // 2 else None
        file = source_distribution(name, version, at=first + step * number, requires_python=python, size=rng.randint(8_000, 400_000))
        if number % 29 == 0:
            file |= {"yanked": True, "yanked_reason": "broken metadata"}
        releases[version] = [file]
    stable = [version for version, (file,) in releases.items() if "rc" not in version and not file["yanked"]]
    latest = stable[-1]
    return Project(name=name, document=_document(name, latest, releases, serial=_serial(index), filler=rng.randint(2_500, 9_000)))


def _document(name: str, latest: str, releases: dict[str, list[dict[str, Any]]], *, serial: int, filler: int) -> dict[str, Any]:
    """PyPI's project JSON (https://docs.pypi.org/api/json/); the description is filler text of so many bytes."""
    page = f"https://example.org/project/{name}/"
    return {
        "info": {
            "author": "",
            "author_email": f"Somebody <{name}@example.org>",
            "bugtrack_url": None,
            "classifiers": ["Development Status :: 5 - Production/Stable", "Framework :: Django", "Programming Language :: Python :: 3"],
            "description": "Lorem ipsum dolor sit amet. " * (filler // 28),
            "description_content_type": "text/markdown",
            "docs_url": None,
            "download_url": None,
            "downloads": {"last_day": -1, "last_month": -1, "last_week": -1},
            "dynamic": None,
            "home_page": None,
            "keywords": "django",
            "license": None,
            "license_expression": "MIT",
            "license_files": ["LICENSE"],
            "maintainer": None,
            "maintainer_email": None,
            "name": name,
            "package_url": page,
            "platform": None,
            "project_url": page,
            "project_urls": {"Documentation": f"https://{name}.example.org/", "Homepage": f"https://example.org/{name}"},
            "provides_extra": None,
            "release_url": f"{page}{latest}/",
            "requires_dist": ["Django>=4.2"],
            "requires_python": ">=3.8",
            "summary": f"Sample project {name}.",
            "version": latest,
            "yanked": False,
            "yanked_reason": None,
        },
        "last_serial": serial,
        "ownership": {"organization": None, "roles": [{"role": "Owner", "user": "somebody"}]},
        "releases": releases,
        "urls": releases[latest],
        "vulnerabilities": [],
    }
