"""Rows of a small publication, django-scheduler as the real site showed it on 15 February 2026 among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
BASE = "https://djangopackages.org"
CREATED = datetime(2024, 3, 1, 12, 0, 0, 0, tzinfo=UTC)
SUMMER = datetime(2024, 7, 1, 12, 0, 0, 123456, tzinfo=UTC)

# fmt: off
PARTICIPANTS = [
    "llazzaro", "bartekgorny", "jdufresne", "thauber", "mpaolino", "GeyseR", "yml", "francoisfreitag", "westphahl", "winhamwr",
    "RockHoward", "drodger", "smcoll", "Pavlov123", "gustavo-sdo", "kamartem", "mikekeda", "PxlBuzzard", "quixoth22", "jpic",
    "andrlik", "jrutila", "zain", "ZuluPro", "timcallagy", "i5ar", "paolodina", "nstoik", "jrizzle4shizzle", "cordu-dev", "benhc123",
    "soby", "derek73", "Visgean", "skyl", "whoisearth", "renatgalimov", "robertpro", "jensenbox", "folz", "xxv", "gitter-badger",
    "thomasf", "anapaulamendes", "annerajb", "code-review-doctor", "dwasyl", "gabn88", "pjw91", "slorg1", "the-moog", "Mtax",
    "spoetnik", "schoenix", "xpostudio4", "keeth", "johndevor", "xjlin0", "ivlevdenis", "eugenma", "EsGeh", "soby-taulia", "adelaby",
    "akurdyukov", "aleksihakli",
]
# fmt: on


def package(identifier: int, slug: str, **values: Any) -> dict[str, Any]:
    """Make a row of `packages` of which only the catalog knows anything, with ``values`` in place of its own."""
    row = {
        "id": identifier,
        "slug": slug,
        "title": slug,
        "category_id": 1,
        "category": "apps",
        "grid_ids": [],
        "grids": [],
        "repo_url": f"https://github.com/example/{slug}",
        "pypi_url": None,
        "documentation_url": None,
        "created_at": CREATED,
        "modified_at": SUMMER,
        "fetched_at": None,
        "repo_description": None,
        "stars_count": None,
        "forks_count": None,
        "last_commit_at": None,
        "weeks": None,
        "participants": None,
        "latest_version": None,
        "latest_released_at": None,
        "license": "MIT",
    }
    return row | values


SCHEDULER = package(
    1776,
    "django-scheduler",
    grid_ids=[62],
    grids=["calendars"],
    repo_url="https://github.com/llazzaro/django-scheduler",
    pypi_url="http://pypi.python.org/pypi/django-scheduler",
    documentation_url="https://readthedocs.org/projects/django-scheduler/",
    created_at=datetime(2013, 4, 20, 3, 4, 43, 428533, tzinfo=UTC),
    modified_at=datetime(2026, 1, 28, 19, 16, 27, 817161, tzinfo=UTC),
    fetched_at=datetime(2026, 2, 15, 22, 19, 55, 437989, tzinfo=UTC),
    repo_description="A calendaring app for Django.",
    stars_count=1331,
    forks_count=402,
    last_commit_at=datetime(2026, 2, 15, 19, 46, 55, tzinfo=UTC),
    weeks=[0] * 51 + [10],
    participants=list(PARTICIPANTS),
    latest_version="0.12.0",
    latest_released_at=datetime(2025, 12, 1, 9, 30, tzinfo=UTC),
)

ODD = package(
    77,
    "odd-one",
    title='Odd "one" </script> & Ünïcödé 🐍',
    grid_ids=[62, 63],
    repo_description="line\u2028separator\u2029and\ttab\x00\x7f\\",
    participants=[],
    weeks=[],
    stars_count=0,
    forks_count=0,
    repo_url=None,
)


def grid(identifier: int, slug: str, **values: Any) -> dict[str, Any]:
    """Make a row of `grids`."""
    row = {"id": identifier, "slug": slug, "title": slug.title(), "description": f"All {slug}.", "is_locked": False, "header": True}
    return row | {"created_at": CREATED, "modified_at": SUMMER} | values


def category(identifier: int, slug: str, **values: Any) -> dict[str, Any]:
    """Make a row of `categories`."""
    row = {"id": identifier, "slug": slug, "title": slug.title(), "description": "", "title_plural": f"{slug}s", "show_pypi": True}
    return row | {"created_at": CREATED, "modified_at": SUMMER} | values


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A publication that is only rows."""

    package_rows: Sequence[Mapping[str, Any]]
    category_rows: Sequence[Mapping[str, Any]] = (category(1, "app"), category(2, "framework"), category(3, "tool", show_pypi=False))
    grid_rows: Sequence[Mapping[str, Any]] = (grid(62, "calendars"), grid(63, "empty", is_locked=True, header=False))

    def packages(self) -> Sequence[Mapping[str, Any]]:
        """Return the packages, in no order."""
        return self.package_rows

    def categories(self) -> Sequence[Mapping[str, Any]]:
        """Return the categories, in no order."""
        return self.category_rows

    def grids(self) -> Sequence[Mapping[str, Any]]:
        """Return the grids, in no order."""
        return self.grid_rows


def many(count: int) -> list[dict[str, Any]]:
    """Make plain packages with ids from 1."""
    return [package(n, f"package-{n}", created_at=CREATED + timedelta(hours=n)) for n in range(1, count + 1)]


SAMPLE = Rows(package_rows=[package(5, "zebra", grid_ids=[62]), SCHEDULER, ODD, *many(3)])
