from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.catalog import Catalog, Category, Entry, Grid
from transforms.records import build_packages, build_participants
from transforms.references import ProjectName, RepoReference
from transforms.schemas import FACET_TABLES, HISTORY_TABLES, PACKAGES, PARTICIPANTS

NOW = datetime(2026, 2, 15, 22, tzinfo=UTC)
CURATED = datetime(2013, 4, 20, tzinfo=UTC)
FACETS = ("repo", "head", "weeks", "participants", "project")
VALUES = {
    "repo": {
        "repo_id": 7, "full_name": "Owner/Name", "description": "A calendar.", "stars_count": 1331, "watchers_count": 62,
        "forks_count": 402, "is_archived": False, "license": "BSD-3-Clause", "pushed_at": NOW,
    },
    "head": {"last_commit_at": datetime(2026, 2, 15, 19, 46, 55, tzinfo=UTC)},
    "weeks": {"weeks": [0] * 51 + [10], "weeks_end_on": date(2026, 2, 15), "weeks_source": "participation"},
    "participants": {"logins": ["zoe", "ada"], "commit_counts": [9, 3]},
    "project": {
        "latest_version": "0.12.0", "latest_released_at": datetime(2026, 2, 10, 20, tzinfo=UTC), "is_latest_yanked": False,
        "is_latest_prerelease": False, "summary": "s", "requires_python": ">=3.8", "license": "BSD License",
        "documentation_url": "https://docs.example", "releases_count": 9,
    },
    "status": {"project_status": "archived", "files_count": 3},
}  # fmt: skip


def entry(number=1, **changes):
    """One package of the catalog; `repo` and `project` are texts, `None` for none."""
    repo, project = changes.pop("repo", "owner/name"), changes.pop("project", "django-name")
    forge = changes.pop("forge", "github")
    owner, _, name = (repo or "").partition("/")
    fields = {
        "id": number,
        "slug": f"package-{number}",
        "title": f"Package {number}",
        "category": "apps",
        "repo_url": repo and f"https://github.com/{repo}",
        "pypi_url": project and f"http://pypi.python.org/pypi/{project}",
        "documentation_url": None,
        "created_at": CURATED,
        "modified_at": CURATED,
        "repo": RepoReference(forge=forge, owner=owner, name=name) if repo else None,
        "project": ProjectName(project) if project else None,
    }
    return Entry(**{**fields, **changes})


def catalog_of(*entries, memberships=()):
    """A catalog with one category and two grids."""
    shared = {"title": "", "description": "", "created_at": CURATED, "modified_at": CURATED}
    grids = [Grid(id=number, slug=slug, is_locked=False, header=False, **shared) for number, slug in ((62, "calendars"), (9, "events"))]
    category = Category(id=1, slug="apps", title_plural="", show_pypi=True, **shared)
    return Catalog(categories=(category,), grids=tuple(grids), entries=entries, memberships=tuple(memberships))


def row(facet, outcome="ok", *, ago=timedelta(hours=1), since=None, **changes):
    """One row of a history; values of the facet when the outcome is good."""
    is_project = facet in ("project", "status")
    subject = "pypi:django-name" if is_project else "github:owner/name"
    values = VALUES[facet] if outcome in ("ok", "capped") else {}
    at = NOW - ago
    history = {
        "series": subject if is_project else "github:7",
        "observed_at": at if since is None else NOW - since,
        "confirmed_at": at,
        "sighting_count": 1,
        "subject": subject,
        "outcome": outcome,
        "run_id": "r",
        "is_good": outcome in ("ok", "capped", "empty"),
    }
    return facet, {**history, **values, **changes}


def latest_of(*rows):
    """What the store gives: the newest rows of each history table."""
    return {
        FACET_TABLES[facet].name: pa.Table.from_pylist(
            [values for name, values in rows if name == facet], schema=FACET_TABLES[facet].schema.append(pa.field("is_good", pa.bool_()))
        )
        for facet in FACET_TABLES
    }


ALL_GOOD = tuple(row(facet) for facet in FACETS)


def packages_of(catalog, *rows, as_of=NOW):
    """The rows of `packages`."""
    table = build_packages(catalog, latest_of(*rows), as_of=as_of, max_age=timedelta(hours=20))
    assert table.schema == PACKAGES.schema
    table.validate(full=True)
    return table.to_pylist()


def package_of(*rows, as_of=NOW, **changes):
    """The row of a catalog with one package."""
    (package,) = packages_of(catalog_of(entry(**changes)), *rows, as_of=as_of)
    return package


def states_of(package):
    """State of each facet."""
    return {facet: package[f"{facet}_state"] for facet in FACETS}


def test_a_package_shows_what_every_source_said_last():
    """Curated fields are echoed, harvested ones joined, all states are ok."""
    package = package_of(*ALL_GOOD)
    assert states_of(package) == dict.fromkeys(FACETS, "ok")
    assert (package["stars_count"], package["watchers_count"], package["forks_count"]) == (1331, 62, 402)
    assert (package["weeks"], package["weeks_end_on"]) == ([0] * 51 + [10], date(2026, 2, 15))
    assert (package["participants"], package["participants_count"]) == (["zoe", "ada"], 2)
    assert (package["latest_version"], package["repo_full_name"], package["project"]) == ("0.12.0", "Owner/Name", "django-name")
    assert package["last_commit_at"] == VALUES["head"]["last_commit_at"]
    assert package["pypi_url"] == "http://pypi.python.org/pypi/django-name"
    assert package["created_at"] == CURATED


def test_the_oldest_confirmation_is_the_time_of_the_package():
    """Fresh cannot lie: one source confirmed days ago makes the package as old."""
    rows = [row(facet, ago=timedelta(hours=hours)) for facet, hours in zip(FACETS, (1, 2, 30, 4, 5), strict=True)]
    package = package_of(*rows)
    assert package["fetched_at"] == NOW - timedelta(hours=30)
    assert package["weeks_observed_at"] == NOW - timedelta(hours=30)


def test_the_time_is_unknown_until_every_source_answered_once():
    """A package without PyPI needs none from there, one with an unsupported forge none from it."""
    assert package_of(*ALL_GOOD[:4])["fetched_at"] is None
    assert package_of(*ALL_GOOD[:4], project=None)["fetched_at"] == NOW - timedelta(hours=1)
    assert package_of(ALL_GOOD[4], forge="gitlab.com")["fetched_at"] == NOW - timedelta(hours=1)
    assert package_of(ALL_GOOD[4], repo=None)["fetched_at"] == NOW - timedelta(hours=1)
    assert package_of(repo=None, project=None)["fetched_at"] is None


def test_what_the_forge_cannot_tell_does_not_hide_the_time():
    """A list of participants too large for the forge is no source the package has; its other sources date the record."""
    refused = row("participants", "unsupported")
    others = [other for other in ALL_GOOD if other[0] != "participants"]
    assert package_of(*others, refused)["fetched_at"] == package_of(*ALL_GOOD)["fetched_at"]


def test_an_answer_that_is_not_good_keeps_the_last_good_value_and_its_date():
    """PyPI's failure is not the end of a version, and the package does not look fresher for it."""
    good = row("project", ago=timedelta(days=2))
    package = package_of(*ALL_GOOD[:4], good, row("project", "failed"))
    assert (package["latest_version"], package["project_state"]) == ("0.12.0", "stale")
    assert package["project_observed_at"] == package["fetched_at"] == NOW - timedelta(days=2)


def test_a_404_of_pypi_erases_nothing():
    """Quarantine is a 404 too: the curated address and the last version stay, even when the project counts as gone."""
    miss = row("project", "missing", since=timedelta(days=4), sighting_count=4)
    package = package_of(*ALL_GOOD[:4], row("project", ago=timedelta(days=5)), miss)
    assert package["project_state"] == "gone"
    assert (package["pypi_url"], package["latest_version"]) == ("http://pypi.python.org/pypi/django-name", "0.12.0")


def test_a_dropped_requires_python_is_cleared_and_unarchiving_clears_the_flag():
    """The newest good answer counts as a whole; nothing of an older one shines through."""
    old = [row("project", ago=timedelta(days=3)), row("repo", ago=timedelta(days=3), is_archived=True, description="old")]
    new = [row("project", requires_python=None), row("repo", is_archived=False, description="")]
    package = package_of(*old, *new)
    assert (package["requires_python"], package["is_archived"], package["repo_description"]) == (None, False, "")


def test_unknown_is_never_zero():
    """A package nobody has asked about has null counts, empty lists and no zeros."""
    package = package_of()
    assert states_of(package) == dict.fromkeys(FACETS, "pending")
    assert {
        name: package[name] for name in ("stars_count", "forks_count", "participants_count", "releases_count", "repo_description")
    } == dict.fromkeys(("stars_count", "forks_count", "participants_count", "releases_count", "repo_description"))
    assert (package["weeks"], package["participants"], package["last_commit_at"], package["release_lag_days"]) == ([], [], None, None)


def test_pending_weeks_show_the_old_weeks():
    """202 keeps what was known, with its own date."""
    package = package_of(*ALL_GOOD[:2], row("weeks", ago=timedelta(days=1)), row("weeks", "pending"), *ALL_GOOD[3:])
    assert (package["weeks_state"], package["weeks"][-1], package["fetched_at"]) == ("pending", 10, NOW - timedelta(days=1))


def test_an_empty_repository_has_no_last_commit_and_that_is_the_truth():
    """Known to be empty is not unknown."""
    package = package_of(
        row("repo"), row("head", "empty"), row("weeks", weeks=[0] * 52), row("participants", logins=[], commit_counts=[]), row("project")
    )
    assert states_of(package) == dict.fromkeys(FACETS, "ok")
    assert (package["last_commit_at"], package["weeks"], package["participants_count"]) == (None, [0] * 52, 0)
    assert package["fetched_at"] == NOW - timedelta(hours=1)


def test_a_package_without_a_source_has_no_state_and_one_elsewhere_is_unsupported():
    """Null, unsupported and pending are three things."""
    assert states_of(package_of(repo=None, project=None)) == dict.fromkeys(FACETS)
    elsewhere = package_of(ALL_GOOD[4], forge="gitlab.com")
    assert states_of(elsewhere) == {**dict.fromkeys(FACETS[:4], "unsupported"), "project": "ok"}
    assert (elsewhere["repo_subject"], elsewhere["repo_url"]) == (None, "https://github.com/owner/name")


def test_facets_of_a_gone_or_blocked_repository_share_its_state():
    """They are not asked for any more; their values stay."""
    miss = row("repo", "missing", since=timedelta(days=4), sighting_count=4)
    gone = package_of(*[row(facet, ago=timedelta(days=5)) for facet in FACETS[:4]], miss, ALL_GOOD[4])
    assert states_of(gone) == {**dict.fromkeys(FACETS[:4], "gone"), "project": "ok"}
    assert (gone["stars_count"], gone["participants"]) == (1331, ["zoe", "ada"])
    blocked = package_of(*ALL_GOOD, row("repo", "blocked", ago=timedelta(0)))
    assert states_of(blocked) == {**dict.fromkeys(FACETS[:4], "blocked"), "project": "ok"}
    once = package_of(*ALL_GOOD, row("repo", "missing", ago=timedelta(0)))
    assert states_of(once) == {**dict.fromkeys(FACETS, "ok"), "repo": "stale"}


def test_the_values_of_a_replaced_repository_are_not_those_of_its_name():
    """Somebody took over owner/name: stars, weeks and people of the old one are not shown under it."""
    old = [row(facet, ago=timedelta(days=1)) for facet in FACETS]
    new = row("repo", series="github:8", repo_id=8, stars_count=1)
    package = package_of(*old, new)
    assert (package["repo_id"], package["stars_count"], package["repo_state"]) == (8, 1, "ok")
    assert (package["weeks"], package["participants"], package["last_commit_at"]) == ([], [], None)
    assert (package["weeks_state"], package["fetched_at"]) == ("pending", None)
    failed = package_of(*old, row("repo", "failed", series="github:8"))
    assert (failed["stars_count"], failed["repo_state"]) == (None, "pending")


def test_what_was_asked_before_the_id_was_known_still_counts():
    """A first run whose repository answer failed follows the name; its other answers are of that repository."""
    package = package_of(row("repo"), row("head", ago=timedelta(days=1), series="github:owner/name"))
    assert package["head_state"] == "ok"


def test_two_packages_in_one_repository_show_it_both():
    """A monorepo is harvested once."""
    rows = packages_of(catalog_of(entry(5), entry(2, project=None)), *ALL_GOOD)
    assert [(package["id"], package["stars_count"], package["project_state"]) for package in rows] == [(2, 1331, None), (5, 1331, "ok")]


def test_links_and_licence_fall_back_and_curated_ones_win():
    """The project's own documentation link fills a gap only; the forge's licence too."""
    assert package_of(*ALL_GOOD)["documentation_url"] == "https://docs.example"
    assert package_of(*ALL_GOOD, documentation_url="https://mine.example")["documentation_url"] == "https://mine.example"
    assert package_of(*ALL_GOOD)["license"] == "BSD License"
    assert package_of(*ALL_GOOD[:4], row("project", license=None))["license"] == "BSD-3-Clause"


@pytest.mark.parametrize(
    ("released", "days"), [(timedelta(days=3, hours=5), 3), (timedelta(hours=23), 0), (timedelta(hours=-23), 0), (timedelta(days=-2), -2)]
)
def test_the_lag_is_counted_in_whole_days(released, days):
    """From release to newest commit; negative when the release is the newer."""
    at = VALUES["head"]["last_commit_at"] - released
    assert package_of(row("head"), row("project", latest_released_at=at))["release_lag_days"] == days


def test_grids_stand_by_ascending_id():
    """Ids and slugs in the same order, none for a package in no grid."""
    catalog = catalog_of(entry(1), entry(2), memberships=[("calendars", "package-1"), ("events", "package-1")])
    first, second = packages_of(catalog)
    assert (first["grid_ids"], first["grids"], first["category_id"]) == ([9, 62], ["events", "calendars"], 1)
    assert (second["grid_ids"], second["grids"]) == ([], [])


def test_an_empty_catalog_is_an_empty_table():
    """Nothing listed, nothing published, and no error."""
    assert packages_of(catalog_of(), *ALL_GOOD) == []
    assert build_participants(catalog_of(), latest_of(*ALL_GOOD)).num_rows == 0


def people_of(catalog, *rows):
    """The rows of `participants`."""
    table = build_participants(catalog, latest_of(*rows))
    assert table.schema == PARTICIPANTS.schema
    table.validate(full=True)
    return [(person["package_id"], person["position"], person["login"], person["commits_count"]) for person in table.to_pylist()]


def test_participants_are_ranked_within_each_package():
    """One row per person and package, from the newest good list."""
    catalog = catalog_of(entry(5), entry(2), entry(3, repo="a/b"), entry(4, repo=None), entry(6, repo="c/d"))
    rows = [
        row("participants"),
        row("participants", "failed", ago=timedelta(0)),
        row("participants", series="github:9", subject="github:a/b", logins=["bob"], commit_counts=[1]),
        row("participants", series="github:10", subject="github:c/d", logins=[], commit_counts=[]),
    ]
    people = [("zoe", 9), ("ada", 3)]
    assert people_of(catalog, *rows) == [
        *[(2, position, *person) for position, person in enumerate(people, start=1)],
        (3, 1, "bob", 1),
        *[(5, position, *person) for position, person in enumerate(people, start=1)],
    ]


def test_nobody_is_a_participant_while_the_list_is_unknown():
    """No row is invented."""
    assert people_of(catalog_of(entry())) == []
    assert people_of(catalog_of(entry()), row("participants", "unsupported")) == []


OUTCOMES = ["ok", "capped", "empty", "pending", "missing", "blocked", "refused", "unsupported", "limited", "failed", "invalid"]
ROW = st.builds(
    lambda facet, outcome, hours, series, subject: row(
        facet,
        outcome,
        ago=timedelta(hours=hours),
        **({"subject": subject, "series": series} if facet != "project" else {}),
    ),
    st.sampled_from(FACETS),
    st.sampled_from(OUTCOMES),
    st.integers(0, 90),
    st.sampled_from(["github:7", "github:8"]),
    st.sampled_from(["github:owner/name", "github:a/b"]),
)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(ROW, max_size=12, unique_by=lambda item: (item[0], item[1]["subject"], item[1]["confirmed_at"])),
    st.randoms(use_true_random=False),
)
def test_records_do_not_depend_on_the_order_of_rows_or_entries(rows, random):
    """The same catalog and observations give the same bytes, and every date shown is that of a good row."""
    entries = [entry(1), entry(2, repo="a/b"), entry(3, repo=None)]
    expected = build_packages(catalog_of(*entries), latest_of(*rows), as_of=NOW, max_age=timedelta(hours=20))
    shuffled = rows.copy()
    random.shuffle(shuffled)
    random.shuffle(entries)
    again = build_packages(catalog_of(*entries), latest_of(*shuffled), as_of=NOW, max_age=timedelta(hours=20))
    assert again.equals(expected)
    good = {(facet, values["confirmed_at"]) for facet, values in rows if values["is_good"]}
    for package in expected.to_pylist():
        for facet in FACETS:
            shown = package[f"{facet}_observed_at"]
            assert shown is None or (facet, shown) in good
            assert package[f"{facet}_state"] not in ("ok", "capped", "stale") or shown is not None


def test_the_store_keeps_every_column_the_records_need():
    """The tables of `latest` are the history tables; a column taken away there is missed here."""
    assert {table.name for table in HISTORY_TABLES} == set(latest_of())
