"""What the report shows of a publication, as plain values: read by ``warehouse``, drawn by ``transforms/overview_page.py``.

Rows are mappings with the column names of ``transforms/schemas.py``; null is unknown and stays so until it is spelt on the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What differs between two publications.

    Attributes:
        previous: name of the earlier publication.
        previous_as_of_at: the moment it speaks of (UTC).
        new: rows of ``packages`` whose id the earlier one did not have, by slug.
        gone: rows of the earlier one whose id is no longer there, by slug.
        versions: (row now, version before), where the version is another one; ``None`` is an unknown version. By slug.
        movers: (row now, stars before), where both counts are known and differ, the largest difference first.
        unheard_count: packages whose stars were known before and are not now.
    """

    previous: str
    previous_as_of_at: datetime
    new: Sequence[Row]
    gone: Sequence[Row]
    versions: Sequence[tuple[Row, str | None]]
    movers: Sequence[tuple[Row, int]]
    unheard_count: int

    @property
    def is_nothing(self) -> bool:
        """Nothing differs."""
        return not (self.new or self.gone or self.versions or self.movers or self.unheard_count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stars:
    """The stars of one package over time.

    Attributes:
        package: its row.
        observed: (observed_at, confirmed_at, count or ``None``): what the forge said and from when until when, oldest first.
        retained: (day, count): how many of the stars that stand today were given by the end of that day, oldest first; empty when
            nobody asked for the past.
    """

    package: Row
    observed: Sequence[tuple[datetime, datetime, int | None]]
    retained: Sequence[tuple[date, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything the report shows.

    Attributes:
        name: the publication's folder.
        as_of_at: the moment it speaks of (UTC).
        totals: packages_count, repositories_count, stars_known_count, stars_count, weeks_known_count, commits_count, projects_count,
            versions_known_count; a repository that several packages share counts once.
        categories: rows with slug, title, packages_count and the same counts of repositories, by title.
        grids: likewise.
        packages: the packages listed, most stars first, unknown ones last.
        memberships: slug of a grid -> ids of the listed packages in it, in the order of ``packages``.
        stars: of the most starred packages, in that order.
        states: state column -> state -> packages.
        oldest: slug and fetched_at of the packages longest without a confirmation.
        runs: rows of ``runs``, newest first, and how many there are in all.
        runs_count: all runs of the publication.
        changes: since the publication before; ``None`` when it cannot be told, and ``why_no_changes`` says why.
    """

    name: str
    as_of_at: datetime
    totals: Row
    categories: Sequence[Row]
    grids: Sequence[Row]
    packages: Sequence[Row]
    memberships: Mapping[str, Sequence[int]]
    stars: Sequence[Stars]
    states: Mapping[str, Mapping[str, int]]
    oldest: Sequence[Row]
    runs: Sequence[Row]
    runs_count: int
    changes: Changes | None
    why_no_changes: str = ""

    @property
    def left_out_count(self) -> int:
        """Packages of the publication that are not listed."""
        return int(self.totals["packages_count"]) - len(self.packages)


def compare_packages(before: Iterable[Row], now: Iterable[Row], *, previous: str, previous_as_of_at: datetime) -> Changes:
    """Tell what became of every package, by its curated id; needs id, slug, latest_version and stars_count in each row."""
    earlier = {row["id"]: row for row in before}
    new, versions, movers, unheard = [], [], [], 0
    for row in now:
        old = earlier.pop(row["id"], None)
        if old is None:
            new.append(row)
            continue
        if old["latest_version"] != row["latest_version"]:
            versions.append((row, old["latest_version"]))
        if old["stars_count"] is not None and row["stars_count"] is None:
            unheard += 1
        elif old["stars_count"] is not None and old["stars_count"] != row["stars_count"]:
            movers.append((row, old["stars_count"]))
    return Changes(
        previous=previous,
        previous_as_of_at=previous_as_of_at,
        new=sorted(new, key=_slug),
        gone=sorted(earlier.values(), key=_slug),
        versions=sorted(versions, key=lambda pair: _slug(pair[0])),
        movers=sorted(movers, key=lambda pair: (-abs(pair[0]["stars_count"] - pair[1]), _slug(pair[0]))),
        unheard_count=unheard,
    )


def _slug(row: Row) -> str:
    return str(row["slug"])
