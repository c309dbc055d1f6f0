"""What the report reads: sums that count a shared repository once, stars over time, and what changed since the publication before."""

from __future__ import annotations

import shutil
from datetime import date

import duckdb
import pytest

from tests.warehouse.scenes import brought, hour, observation, package, publish_packages, rows_of, run_row
from transforms.schemas import REPO_OBSERVATIONS
from warehouse.folder import DataFolder
from warehouse.overview import read_overview
from warehouse.publication import DATABASE, MANIFEST, publish
from warehouse.readers import open_current
from warehouse.store import open_store


def member(number: int, **changes):
    """A package of the only category, in a repository of its own."""
    return package(number, **{"category_id": 1, "category": "apps", **changes})


def read(folder: DataFolder, **options):
    """The overview of the current publication."""
    with open_current(folder) as publication:
        return read_overview(publication, **options)


def overviewed(folder: DataFolder, packages, **options):
    """Publish these packages and read the overview."""
    publish_packages(folder, "run-1", packages)
    return read(folder, **options)


def observed(folder: DataFolder, *rows) -> None:
    """Publish two packages over these observations of their repositories."""
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        store.load(run=run_row("run-1"), tables={"repo_observations": rows_of(REPO_OBSERVATIONS, rows)})
        publish(folder, run=run_row("run-1"), tables=brought([member(1, stars_count=9), member(2, stars_count=8)]), store=store)


def with_star_days(folder: DataFolder, rows) -> None:
    """Give the current publication days of stars, as a backfill would."""
    path = folder.current / DATABASE
    path.chmod(0o644)
    with duckdb.connect(path) as connection:
        for row in rows:
            connection.execute(
                "INSERT INTO star_days BY NAME SELECT ? AS series, 'x' AS subject, ? AS starred_on, ? AS retained_count", row
            )


def test_a_shared_repository_counts_once(tmp_path):
    """Two packages of one repository are two packages and one repository; what is unknown is not summed and not zero."""
    rows = [
        member(1, repo_id=7, stars_count=10, weeks=[1] * 52),
        member(2, repo_id=7, stars_count=10, weeks=[1] * 52),
        member(3, stars_count=None, weeks=[], latest_version=None),
        member(4, repo_subject=None, repo_id=None, stars_count=None, weeks=[], project=None, latest_version=None),
    ]
    found = overviewed(DataFolder(tmp_path), rows)
    counts = {"repositories_count": 2, "stars_known_count": 1, "stars_count": 10, "weeks_known_count": 1, "commits_count": 52}
    assert found.totals == {"packages_count": 4, **counts, "projects_count": 3, "versions_known_count": 2}
    assert found.categories == [{"slug": "apps", "title": None, "packages_count": 4, **counts}]
    (grid,) = found.grids
    assert (grid["packages_count"], grid["stars_count"], grid["repositories_count"]) == (1, 10, 1)
    assert found.memberships == {"calendars": [1]}


def test_nothing_known_is_no_sum(tmp_path):
    """A catalog nobody has heard of has null stars and null commits."""
    found = overviewed(DataFolder(tmp_path), [member(1, stars_count=None, weeks=[])])
    assert found.totals["stars_count"] is None
    assert found.totals["commits_count"] is None
    assert found.stars == []


def test_the_most_starred_are_listed(tmp_path):
    """Beyond the limit the least starred and the unknown are left out, and counted."""
    rows = [member(n, stars_count=n if n < 5 else None) for n in range(1, 7)]
    found = overviewed(DataFolder(tmp_path), rows, listed=3)
    assert [row["id"] for row in found.packages] == [4, 3, 2]
    assert found.left_out_count == 3
    assert found.totals["packages_count"] == 6
    assert found.memberships == {}, "the only member of the grid is not listed"
    assert overviewed(DataFolder(tmp_path / "all"), rows).left_out_count == 0


def test_stars_as_observed(tmp_path):
    """Every row of the repository's own series, also the one from before its number was known, in order; a failure has no count."""
    folder = DataFolder(tmp_path)
    rows = [
        observation(1, "github:a/1", stars_count=5),
        observation(2, "github:1001", stars_count=6, confirmed_at=hour(3)),
        observation(4, "github:1001", outcome="failed"),
        observation(1, "github:999", stars_count=100),
    ]
    observed(folder, *rows)
    (stars,) = read(folder).stars
    assert stars.package["id"] == 1
    assert list(stars.observed) == [(hour(1), hour(1), 5), (hour(2), hour(3), 6), (hour(4), hour(4), None)]
    assert stars.retained == []


def test_stars_as_retained(tmp_path):
    """The days of a backfill are added up, the last day of a week standing for it; without any nothing is retained."""
    folder = DataFolder(tmp_path)
    observed(folder, observation(1, "github:1001", stars_count=9))
    assert read(folder).stars[0].retained == []
    days = [(date(2026, 1, 1), 2), (date(2026, 1, 3), 3), (date(2026, 1, 20), 4)]
    with_star_days(folder, [("github:1001", *day) for day in days] + [("github:1002", date(2026, 1, 1), 8)])
    first, second = read(folder).stars
    assert list(first.retained) == [(date(2026, 1, 3), 5), (date(2026, 1, 20), 9)]
    assert list(second.retained) == [(date(2026, 1, 1), 8)]
    assert second.observed == []


def test_a_first_publication_has_nothing_to_compare_with(tmp_path):
    """It says so instead of calling everything new."""
    found = overviewed(DataFolder(tmp_path), [member(1)])
    assert found.changes is None
    assert "no earlier publication" in found.why_no_changes


def test_changes_since_the_publication_before(tmp_path):
    """Held against the folder before the current one by name, whatever else lies there."""
    folder = DataFolder(tmp_path)
    publish_packages(folder, "run-1", [member(n, stars_count=1) for n in range(1, 12)])
    publish_packages(folder, "run-2", [member(n, stars_count=100) for n in range(1, 11)])
    publish_packages(folder, "run-3", [member(n, stars_count=100 + n % 2, latest_version=f"{n % 2}.0") for n in range(2, 12)])
    (folder.published / ".run-25.staging").mkdir()
    shutil.copytree(folder.published / "run-2", folder.published / "run-9")
    changes = read(folder).changes
    assert (changes.previous, changes.previous_as_of_at) == ("run-2", hour(24))
    assert [row["id"] for row in changes.new] == [11]
    assert [row["id"] for row in changes.gone] == [1]
    assert {(row["id"], row["latest_version"], before) for row, before in changes.versions} == {(n, "0.0", "1.0") for n in range(2, 11, 2)}
    assert {(row["id"], before) for row, before in changes.movers} == {(n, 100) for n in range(3, 11, 2)}


@pytest.mark.parametrize("harm", ["no manifest", "another schema", "no database"])
def test_a_publication_before_that_cannot_be_read_is_said(tmp_path, harm):
    """The report is written all the same, and says why nothing is compared."""
    folder = DataFolder(tmp_path)
    before = publish_packages(folder, "run-1", [member(1)]).path
    publish_packages(folder, "run-2", [member(1)])
    if harm == "another schema":
        (before / MANIFEST).chmod(0o644)
        (before / MANIFEST).write_text('{"schema_version": 0}')
    else:
        (before / (MANIFEST if harm == "no manifest" else DATABASE)).unlink()
    found = read(folder)
    assert found.changes is None
    assert "run-1, cannot be compared with" in found.why_no_changes
    assert found.totals["packages_count"] == 1
