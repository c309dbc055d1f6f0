"""What the views say of small stores, and that nothing but the publication decides it."""

from __future__ import annotations

from datetime import timedelta

import duckdb
import pytest

from tests.warehouse.scenes import brought, child, hour, observation, package, publish_packages, release, rows_of, run_row
from transforms.schemas import GRID_PACKAGES, PARTICIPANTS, RELEASES, REPO_OBSERVATIONS
from warehouse.folder import DataFolder
from warehouse.publication import DATABASE, publish
from warehouse.readers import open_current, query
from warehouse.store import open_store
from warehouse.views import VIEWS

DAY = 24
NOW = hour(100 * DAY)


def day(number):
    """The start of a day so many days after the start of every scene; the publication speaks of day 100."""
    return hour(number * DAY)


@pytest.fixture
def ask(tmp_path):
    """A function that publishes at day 100 over some history, and answers a query as rows."""
    folder = DataFolder(tmp_path / "data")

    def ask(sql, packages=None, *, repo=(), releases=(), **more):
        with folder.lock(), open_store(folder, is_read_only=False) as store:
            tables = {"repo_observations": rows_of(REPO_OBSERVATIONS, repo), "releases": rows_of(RELEASES, releases)}
            store.load(run=run_row("run-0"), tables=tables, fetches=[])
            publish(
                folder,
                run=run_row("run-1") | {"as_of_at": NOW},
                tables=brought([package(1)] if packages is None else packages) | more,
                store=store,
            )
        with open_current(folder) as publication:
            return query(publication, sql).read_all().to_pylist()

    return ask


def test_the_publication_tells_its_own_moment(ask):
    """One row: the run and the moment it speaks of, whatever other runs there are."""
    assert ask("from publication") == [{"run_id": "run-1", "as_of_at": NOW}]


def test_every_column_of_a_view_has_its_sentence(tmp_path):
    """In a published file each view and each of its columns, and no other, bears the COMMENT of its definition; none is empty."""
    info = publish_packages(DataFolder(tmp_path), "run-1", [package(1)])
    with duckdb.connect(info.path / DATABASE, read_only=True) as connection:
        views = connection.execute("SELECT view_name, comment FROM duckdb_views() WHERE NOT internal").fetchall()
        assert sorted(views) == sorted((view.name, view.comment) for view in VIEWS)
        for view in VIEWS:
            columns = "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index"
            assert connection.execute(columns, [view.name]).fetchall() == list(view.columns.items())
            assert all(view.columns.values())


def test_views_hold_under_any_name(tmp_path):
    """A file attached under another name, with another database in use, answers from its own tables."""
    info = publish_packages(DataFolder(tmp_path), "run-1", [package(1)])
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE TABLE packages (id INTEGER)")
        connection.execute("ATTACH ? AS other (READ_ONLY)", [str(info.path / DATABASE)])
        assert connection.execute("SELECT package, stars_count FROM other.grid_comparison").fetchall() == [("package-1", 100)]
        for view in VIEWS:
            connection.sql(f"FROM other.{view.name}").fetchall()


ANYWHERE = """
    import sys, duckdb
    connection = duckdb.connect(sys.argv[1], read_only=True)
    connection.execute("SET TimeZone = ?", [sys.argv[2]])
    for view in sys.argv[3:]:
        columns = connection.execute("SELECT column_name FROM duckdb_columns() WHERE table_name = ? AND data_type NOT LIKE 'TIME%'", [view])
        names = ", ".join(name for name, in columns.fetchall())
        print(view, sorted(connection.execute(f"SELECT {names} FROM {view}").fetchall(), key=repr))
"""


def test_neither_clock_nor_time_zone_changes_an_answer(ask, tmp_path):
    """Clients on both sides of the date line get the same rows: nothing counts from today or by anyone's midnight."""
    repo = [observation(60 * DAY + 7, series="github:1001", stars_count=5, confirmed_at=day(99))]
    releases = [release(1, "1.0", released_at=day(0.3)), release(1, "2.0", released_at=day(1))]
    ask("from movers", [package(1, latest_released_at=day(0.3), last_commit_at=day(60.9))], repo=repo, releases=releases)
    path = tmp_path / "data" / "current" / DATABASE
    told = set()
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        with child(ANYWHERE, path, zone, *(view.name for view in VIEWS), TZ=zone) as process:
            told.add(process.stdout.read())
    assert len(told) == 1
    assert all(view.name in told.copy().pop() for view in VIEWS)
    definitions = " ".join(view.query.lower() for view in VIEWS)
    assert not [word for word in ("now(", "current_", "today(", "::date", "date_diff", "localtime") if word in definitions]


def test_current_packages_know_unknown_from_zero(ask):
    """Commits of unknown weeks are null, those of quiet weeks zero; the summary speaks before the description, unless it is empty."""
    rows = [
        package(1, weeks=[], summary="", repo_description="what the forge says"),
        package(2, weeks=[0] * 52, summary="what PyPI says", repo_description="other"),
        package(3, summary=None, repo_description=""),
    ]
    assert ask("select about, commits_52_weeks_count as commits from packages_current order by id", rows) == [
        {"about": "what the forge says", "commits": None},
        {"about": "what PyPI says", "commits": 0},
        {"about": None, "commits": 52},
    ]


def test_grids_stand_side_by_side(ask):
    """One row per grid and package, with the commits of the last 52, 12 and 4 weeks, the newest at the end of the list."""
    weeks = [1] * 40 + [10] * 8 + [100] * 4
    members = rows_of(GRID_PACKAGES, [{"grid_id": 1, "package_id": n, "grid": "calendars", "package": f"package-{n}"} for n in (1, 2)])
    found = ask(
        "select columns('^(grid|package|commits.*|.*_state)$') from grid_comparison order by package",
        [package(1, weeks=weeks), package(2, weeks=[], weeks_state="pending"), package(3)],
        grid_packages=members,
    )
    assert [(row["grid"], row["package"], row["weeks_state"]) for row in found] == [
        ("calendars", "package-1", None),
        ("calendars", "package-2", "pending"),
    ]
    assert [tuple(row[f"commits_{n}_weeks_count"] for n in (52, 12, 4)) for row in found] == [(520, 480, 400), (None, None, None)]


def test_staleness_is_measured_from_the_publication(ask):
    """Whole hours up to its moment; null where nothing was ever confirmed; no row where a package has no such source."""
    one = package(1, repo_observed_at=NOW - timedelta(hours=7, minutes=59), weeks_state="pending", project_state=None)
    assert ask("select * exclude (package) from staleness order by facet", [one]) == [
        {"source": "github", "facet": "repo", "state": "ok", "observed_at": NOW - timedelta(hours=7, minutes=59), "age_hours": 7},
        {"source": "github", "facet": "weeks", "state": "pending", "observed_at": None, "age_hours": None},
    ]


def test_cadence_counts_final_releases_that_stand(ask):
    """Pre-releases, yanked ones, those that are gone, without a date, or later than the publication are no part of it."""
    good = [release(1, f"{n}.0", released_at=day(at)) for n, at in enumerate((-400, -100, 0, 10, 90.5))]
    other = [
        release(1, "5.0a1", released_at=day(20), is_prerelease=True),
        release(1, "6.0", released_at=day(30), is_yanked=True),
        release(0, "7.0", released_at=day(40)),  # not in the listing that came an hour later
        release(1, "8.0", released_at=None),
        release(1, "9.0", released_at=day(101)),
        release(1, "1.0", released_at=day(99), project="b"),
    ]
    assert ask("from release_cadence order by project", releases=good + other) == [
        {
            "project": "a",
            "releases_count": 5,
            "releases_year_count": 4,
            "first_released_at": day(-400),
            "last_released_at": day(90.5),
            "median_gap_days": 90.3,
            "since_last_days": 9,
        },
        {
            "project": "b",
            "releases_count": 1,
            "releases_year_count": 1,
            "first_released_at": day(99),
            "last_released_at": day(99),
            "median_gap_days": None,
            "since_last_days": 1,
        },
    ]


def test_lag_needs_both_ends(ask):
    """The commit against the release, each against the publication; a package without one of them has no row."""
    rows = [
        package(1, latest_released_at=day(10), last_commit_at=day(40.5), release_lag_days=30),
        package(2, latest_released_at=None),
        package(3, last_commit_at=None, latest_released_at=day(1)),
    ]
    assert ask("select package, columns('_days$') from release_lag", rows) == [
        {"package": "package-1", "release_lag_days": 30, "since_release_days": 90, "since_commit_days": 59}
    ]


@pytest.mark.parametrize(
    ("commits", "factor"),
    [([10], 1), ([5, 5], 1), ([4, 3, 3], 2), ([1, 1, 1, 1, 1], 3), ([3, 10, 3], 1), ([0, 0], None), ([2**62, 2**62 - 1], 1)],
    ids=str,
)
def test_half_of_the_commits(ask, commits, factor):
    """The fewest people who made at least half; the order of the list does not matter, and no commits give no answer."""
    people = [
        {"package_id": 1, "package": "package-1", "position": n, "login": f"p{n}", "commits_count": c} for n, c in enumerate(commits, 1)
    ]
    found = ask("from bus_factor", participants=rows_of(PARTICIPANTS, people))
    assert [row["bus_factor"] for row in found] == ([] if factor is None else [factor])
    if found:
        (row,) = found
        ranked = sorted(people, key=lambda one: (-one["commits_count"], one["position"]))
        assert row["logins"] == [one["login"] for one in ranked[:factor]]
        assert (row["commits_count"], row["participants_count"]) == (sum(commits), len(commits))


def stars(at, count, until=None, **changes):
    """One observation of the repository of package 1, at that day."""
    values = {"stars_count": count, "confirmed_at": day(until or at)} | changes
    return observation(at * DAY, series="github:1001", **values)


@pytest.mark.parametrize(
    ("repo", "expected"),
    [
        ([stars(60, 10, 69), stars(80, 13), stars(100, 12)], (10, day(69), 12, 2)),
        ([stars(60, 10, 100)], (10, day(70), 10, 0)),
        ([stars(70, 10), stars(71, 9)], (10, day(70), 9, -1)),
        ([stars(71, 10), stars(99, 15)], (None, None, 15, None)),
        ([stars(10, 7), stars(50, None, outcome="missing"), stars(90, 9)], (7, day(10), 9, 2)),
    ],
    ids=["watched throughout", "no change", "from the very day on", "not that long", "an answer without stars in between"],
)
def test_movers_compare_what_was_known_thirty_days_ago(ask, repo, expected):
    """Stars then and now, and since when that is known; null when the repository was not watched that long."""
    (row,) = ask("from movers", [package(1), package(2)], repo=repo)
    assert tuple(row[f"stars_{name}"] for name in ("before_count", "before_at", "count", "gained_count")) == expected
    assert row["watched_since_at"] == repo[0]["observed_at"]


def test_a_view_of_nothing_is_empty(ask):
    """A publication without packages answers every view."""
    nothing = {"grid_packages": rows_of(GRID_PACKAGES, []), "participants": rows_of(PARTICIPANTS, [])}
    for view in VIEWS:
        assert ask(f"from {view.name}", [], **nothing) == [], view.name


def test_a_repository_is_followed_through_its_names(ask):
    """Renamed and transferred, it stays one; a stranger under the old name is another."""
    rows = [
        observation(1, series="github:7", repo_id=7, full_name="old/name", subject="github:old/name"),
        observation(30, series="github:7", repo_id=7, full_name="new/name", subject="github:old/name"),
        observation(60, series="github:7", repo_id=7, full_name="Org/name", subject="github:old/name"),
        observation(61, series="github:8", repo_id=8, full_name="old/name", subject="github:old/name"),
    ]
    told = ask(
        "select repo_id, full_name, is_current, packages from repo_aliases order by first_seen_at", [package(1, repo_id=7)], repo=rows
    )
    assert [(row["repo_id"], row["full_name"], row["is_current"]) for row in told] == [
        (7, "old/name", False),
        (7, "new/name", False),
        (7, "Org/name", True),
        (8, "old/name", True),
    ]
    assert [row["packages"] for row in told] == [["package-1"]] * 3 + [[]]
