from __future__ import annotations

from datetime import date

import pytest

from tests.warehouse.scenes import START, brought, hour, observation, package, publish_packages, release, rows_of, run_row
from transforms.schemas import FINDINGS, PROJECT_OBSERVATIONS, RELEASES, REPO_OBSERVATIONS
from warehouse.expectations import Tuning, load_expectations, read_tunings, tune
from warehouse.folder import DataFolder
from warehouse.publication import publish
from warehouse.store import open_store

MANY = [package(number) for number in range(1, 31)]


def changed(share, **changes):
    """The thirty packages, that share of them changed."""
    count = round(share * len(MANY))
    return [row | changes for row in MANY[:count]] + MANY[count:]


@pytest.fixture
def folder(tmp_path):
    """A data folder."""
    return DataFolder(tmp_path / "data")


def unmet(folder, before, after):
    """Publish one after the other; the expectations the second does not meet."""
    publish_packages(folder, "run-1", before)
    return [check.name for check in publish_packages(folder, "run-2", after).unmet]


def test_a_first_publication_has_nothing_to_compare_with(folder):
    """It is current whatever is in it, and only what needs no comparison is measured."""
    info = publish_packages(folder, "run-1", [package(1, stars_count=None)])
    assert info.is_current
    assert {check.name for check in info.checks} == {e.name for e in load_expectations() if not e.compares}


def test_the_same_again_meets_everything(folder):
    """Every expectation is measured against the last publication and met."""
    publish_packages(folder, "run-1", MANY)
    checks = publish_packages(folder, "run-2", MANY).checks
    assert {check.name for check in checks} == {expectation.name for expectation in load_expectations()}
    assert [check.name for check in checks if not check.is_met] == []
    assert {"packages_kept", "stars_held", "weeks_held", "participants_held", "stars_filled", "dates_in_time", "gone_at_once"} <= {
        check.name for check in checks if check.judged_count == len(MANY)
    }


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (MANY[:26], []),
        (MANY[:25], ["packages_kept"]),
        ([], ["catalog_filled", "packages_kept"]),
        (changed(0.1, stars_count=None), []),
        (changed(0.2, stars_count=None), ["stars_still_known"]),
        (changed(0.2, forks_count=None), ["forks_still_known"]),
        (changed(0.2, weeks=[]), ["weeks_still_known"]),
        (changed(0.2, last_commit_at=None), ["commits_still_known"]),
        (changed(0.2, latest_version=None), ["versions_still_known"]),
        (changed(0.2, latest_version=None, project="renamed"), []),
        (changed(0.2, stars_count=None, repo_subject="github:other/one"), []),
        (changed(0.04, stars_count=0), []),
        (changed(0.1, stars_count=0), ["stars_held"]),
        (changed(0.1, forks_count=25), ["forks_held"]),
        (changed(0.1, forks_count=26), []),
        (changed(0.1, stars_count=0, repo_id=5), []),
        (changed(0.04, weeks=[0] * 52), []),
        (changed(0.1, weeks=[0] * 52), ["weeks_held"]),
        (changed(0.1, weeks=[0] * 26 + [1] * 26), ["weeks_held"]),
        (changed(0.1, weeks=[0] * 25 + [1] * 27), []),
        (changed(1, weeks=[0] * 52, participants_count=0, participants=[]), ["weeks_held", "participants_held"]),
        (changed(0.1, participants_count=2), ["participants_held"]),
        (changed(0.1, participants_count=3), []),
        (changed(0.2, participants_count=None), ["participants_still_known"]),
        (changed(0.1, weeks=[0] * 52, participants_count=0, repo_id=5), []),
        (changed(1, stars_count=300, forks_count=500), []),
        (changed(0.2, repo_state="stale"), []),
        (changed(0.3, project_state="stale"), ["stale_share"]),
        (changed(0.1, repo_state="gone"), []),
        (changed(0.2, repo_state=None, project_state="blocked"), ["gone_at_once", "gone_share"]),
        (changed(0.1, last_commit_at=hour(72)), ["dates_in_time"]),
        (changed(0.1, last_commit_at=hour(47)), []),
        (changed(0.1, repo_observed_at=hour(26)), ["observed_in_time"]),
        (changed(1, repo_observed_at=hour(24.9)), []),
        ([*MANY, *[package(number, stars_count=None, weeks=[]) for number in range(31, 200)]], ["stars_filled"]),
    ],
)
def test_each_expectation_tells_its_own_fault(folder, after, expected):
    """What is within the bounds passes, what is beyond names the one expectation that it misses; growth is no fault."""
    assert unmet(folder, MANY, after) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"stars_count": 0}, "stars_held"),
        ({"weeks": [0] * 52}, "weeks_held"),
        ({"participants_count": 0}, "participants_held"),
    ],
)
def test_a_repository_of_many_packages_counts_once(folder, changes, expected):
    """One fallen repository with ten packages is no flood, and three of thirty are one however many packages live in another."""
    shared = [package(number, repo_id=7) for number in range(101, 111)]
    assert unmet(folder, [*MANY, *shared], [*MANY, *[row | changes for row in shared]]) == []
    crowd = [package(number, repo_id=7) for number in range(101, 171)]
    publish_packages(folder, "run-3", [*MANY, *crowd])
    assert [check.name for check in publish_packages(folder, "run-4", [*changed(0.1, **changes), *crowd]).unmet] == [expected]


@pytest.mark.parametrize("changes", [{"weeks": [0] * 51 + [9]}, {"stars_count": 2}])
def test_what_was_little_before_may_fall_to_nothing(folder, changes):
    """Nine commits a year or two stars are soon none."""
    nothing = {"weeks": [0] * 52} if "weeks" in changes else {"stars_count": 0}
    assert unmet(folder, [row | changes for row in MANY], [row | nothing for row in MANY]) == []


@pytest.mark.parametrize("after", [MANY[:2], [*[row | {"stars_count": 0, "latest_version": None} for row in MANY[:2]], *MANY[2:4]]])
def test_a_handful_of_packages_is_not_refused_for_one_or_two(folder, after):
    """In a small catalog one edit is a large share, so a few must be amiss."""
    assert unmet(folder, MANY[:4], after) == []


def test_a_small_catalog_is_refused_when_all_of_it_falls(folder):
    """Four packages of which every one lost its stars are a source that tells zeros."""
    assert unmet(folder, MANY[:4], [row | {"stars_count": 0} for row in MANY[:4]]) == ["stars_held"]


def test_weeks_are_compared_where_both_have_them(folder):
    """After half a year the windows have moved on by as much: what is compared are the weeks that stand in both."""
    before = [row | {"weeks": [2] * 26 + [1] * 26, "weeks_end_on": date(2026, 1, 1)} for row in MANY]
    later = {"weeks": [1] * 26 + [0] * 26, "weeks_end_on": date(2026, 7, 2)}
    assert unmet(folder, before, [row | later for row in MANY]) == []
    assert unmet(folder, before, [row | later | {"weeks": [0] * 26 + [1] * 26} for row in MANY]) == ["weeks_held"]


def test_what_was_not_observed_anew_is_not_judged(folder):
    """Five fallen of five that were asked are a flood, though hundreds were not asked."""
    before = [package(number, repo_observed_at=hour(1)) for number in range(1, 301)]
    fallen = [row | {"stars_count": 0, "repo_observed_at": hour(20)} for row in before[:5]]
    assert unmet(folder, before, [*fallen, *before[5:]]) == ["stars_held"]


def test_a_value_that_changed_without_being_observed_anew_is_judged(folder):
    """A fault of ours in what is made of the same answers is no less one."""
    before = [row | {"repo_observed_at": hour(1)} for row in MANY]
    assert unmet(folder, before, [row | {"stars_count": 0} for row in before]) == ["stars_held"]


def test_nobody_with_a_star_is_refused_at_first(folder):
    """The first publication has nothing to compare with, and yet zeros everywhere are not believed."""
    zeros = [package(number, stars_count=0, forks_count=0) for number in range(1, 31)]
    info = publish_packages(folder, "run-1", zeros)
    assert [check.name for check in info.unmet] == ["stars_present"]
    assert not info.is_current


def test_the_report_of_a_check_has_numbers_and_ten_examples(folder):
    """What is amiss is counted, and ten of it stand there with the old and the new value, the largest first."""
    before = [row | {"stars_count": 100 + number} for number, row in enumerate(MANY)]
    publish_packages(folder, "run-1", before)
    info = publish_packages(folder, "run-2", [row | {"stars_count": 1} for row in before])
    (check,) = info.unmet
    assert (check.name, check.judged_count, check.amiss_count, check.refuses) == ("stars_held", 30, 30, True)
    assert check.message.startswith("stars_held: 30 of 30 (100.0%), expected at most 5.0%; the stars of many")
    assert list(check.examples) == [{"slug": f"package-{n}", "before": str(99 + n), "after": "1"} for n in range(30, 20, -1)]


def test_releases_that_vanish_are_noticed(folder):
    """A project that lists no release any more, project by project, whatever the history keeps."""

    def publish_releases(run_id, projects):
        with folder.lock(), open_store(folder, is_read_only=False) as store:
            store.connection.execute("DELETE FROM store.main.releases")
            rows = [release(1, version, project=f"package-{number}") for number in projects for version in ("1", "2")]
            store.load(
                run=None, tables={"releases": rows_of(RELEASES, rows), "project_observations": PROJECT_OBSERVATIONS.schema.empty_table()}
            )
            return publish(folder, run=run_row(run_id), tables=brought(MANY), store=store)

    assert publish_releases("run-1", range(1, 31)).is_current
    info = publish_releases("run-2", range(4, 31))
    assert [check.name for check in info.unmet] == ["releases_kept"]
    assert info.unmet[0].examples[0] == {"slug": "package-1", "before": "2", "after": "0"}


def test_what_is_not_found_at_once_warns(folder):
    """Missing in this run and there in the last publication: told, though the values stay."""
    publish_packages(folder, "run-1", [row | {"repo_observed_at": hour(1)} for row in MANY])
    lost = [observation(23, series=f"github:{1000 + n}", subject=f"github:a/{n}", outcome="missing", run_id="run-2") for n in range(1, 13)]
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        store.load(run=None, tables={"repo_observations": rows_of(REPO_OBSERVATIONS, lost)})
        after = [row | {"repo_observed_at": hour(23 if row["id"] > 12 else 1)} for row in MANY]
        info = publish(folder, run=run_row("run-2"), tables=brought(after), store=store)
    assert info.is_current
    (check,) = info.unmet
    assert (check.name, check.part, check.amiss_count, check.judged_count) == ("missing_at_once", "repositories", 12, 30)


def test_answers_that_cannot_be_used_warn(folder):
    """A field that vanished shows as findings of this run, counted and shown with what they say."""
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        found = [
            {
                "run_id": "run-1",
                "subject": f"github:a/{n}",
                "code": "invalid_answer",
                "level": "error",
                "message": f"The answer to repo of {n} cannot be used: stars: missing. The last good values stay.",
                "found_at": START,
            }
            for n in range(1, 4)
        ]
        store.load(run=run_row("run-1"), tables={"findings": rows_of(FINDINGS, found)})
        info = publish(folder, run=run_row("run-1"), tables=brought([row | {"repo_observed_at": hour(2)} for row in MANY]), store=store)
    assert info.is_current
    (check,) = info.unmet
    assert (check.name, check.part, check.amiss_count, check.judged_count) == ("unreadable_share", "github", 3, 30)
    assert check.examples[0] == {"slug": "package-1", "before": None, "after": "stars: missing"}


def test_expectations_can_be_tuned_and_turned_off(folder):
    """A bound and a number of somebody's own count, and what is off is not measured."""
    publish_packages(folder, "run-1", MANY)
    fallen = changed(0.2, stars_count=0, forks_count=0)
    for tunings, expected in (
        ({}, ["stars_held", "forks_held"]),
        ({"stars_held": Tuning(bound=0.3)}, ["forks_held"]),
        ({"stars_held": Tuning(fewest=7), "forks_held": Tuning(is_off=True)}, []),
    ):
        expectations = tune(load_expectations(), tunings)
        with folder.lock(), open_store(folder, is_read_only=False) as store:
            info = publish(folder, run=run_row("run-2"), tables=brought(fallen), store=store, expectations=expectations)
        assert [check.name for check in info.unmet] == expected
        assert info.is_current is not bool(expected)


def test_tunings_are_read_or_explained():
    """Every mistake is told with its key, and none stops the reading of the others."""
    problems = []
    raw = {
        "stars_held": {"bound": 0.3, "fewest": 9},
        "weeks_held": {"is_off": True},
        "stars_helt": {"bound": 0.3},
        "forks_held": {"bound": 2, "fewest": 0, "is_off": 1, "limit": 3},
        "gone_share": 0.3,
    }
    tunings = read_tunings(raw, problems, "packhouse.toml")
    assert tunings["stars_held"] == Tuning(bound=0.3, fewest=9)
    assert tunings["weeks_held"] == Tuning(is_off=True)
    assert [problem.split(": ")[1] for problem in problems] == [
        "expectations.stars_helt",
        "expectations.forks_held.bound",
        "expectations.forks_held.fewest",
        "expectations.forks_held.is_off",
        "expectations.forks_held.limit",
        "expectations.gone_share",
    ]
    assert "known are catalog_filled, " in problems[0]
    assert read_tunings([1], problems, "packhouse.toml") == {}


@pytest.mark.parametrize(("failing", "expected"), [(10, []), (25, ["failed_share"])])
def test_a_source_that_failed_for_most_warns(folder, failing, expected):
    """The last verdict on each question counts, in this run alone, source by source."""

    def fetch(sequence, subject, verdict, run_id="run-1", source="github"):
        return {"run_id": run_id, "sequence": sequence, "source": source, "subject": subject, "facet": "repo", "verdict": verdict}

    first = [fetch(n, f"github:{n}", "transient") for n in range(40)]
    last = [fetch(100 + n, f"github:{n}", "failed" if n < failing else "ok") for n in range(40)]
    other = [fetch(200 + n, f"pypi:{n}", "ok", source="pypi") for n in range(500)]
    earlier = [fetch(n, f"github:{n}", "failed", run_id="run-0") for n in range(40)]
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        store.load(run=None, tables={}, fetches=[*first, *last, *other, *earlier])
        info = publish(folder, run=run_row("run-1"), tables=brought(MANY), store=store)
    assert info.is_current
    assert [check.name for check in info.unmet] == expected


def test_expectations_are_whole_and_explain_themselves():
    """Names are unique, and every message says what to do next."""
    expectations = load_expectations()
    assert len({expectation.name for expectation in expectations}) == len(expectations)
    assert all("Next: " in expectation.message for expectation in expectations)
    assert {expectation.stops for expectation in expectations} == {True, False}
    assert all(0 <= expectation.bound < 1 <= expectation.fewest for expectation in expectations)


WHOLE = 'name = "a"\nstops = true\nbound = 0.1\nfewest = 1\ncompares = false\namiss = "a"\nwhy = "b"\njudged = "SELECT 1"\n'


@pytest.mark.parametrize("entry", [WHOLE, WHOLE + "message = 1", WHOLE + 'message = ""\nextra = 1'])
def test_an_expectation_that_is_not_whole_is_a_mistake_of_ours(tmp_path, entry):
    """A missing field, an unknown field or one of a wrong kind does not go unnoticed."""
    (tmp_path / "expectations.toml").write_text(f"[[expectation]]\n{entry}\n")
    with pytest.raises(TypeError):
        load_expectations(tmp_path / "expectations.toml")
