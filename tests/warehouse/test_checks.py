from __future__ import annotations

import pytest

from tests.warehouse.scenes import brought, package, publish_packages, run_row
from warehouse.checks import load_expectations
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
    assert {check.name for check in checks if check.measure is None} == {"failed_share"}


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (MANY[:28], []),
        (MANY[:26], ["packages_kept"]),
        ([], ["packages_kept"]),
        (changed(0.1, stars_count=None), []),
        (changed(0.2, stars_count=None), ["stars_still_known"]),
        (changed(0.2, weeks=[]), ["commits_still_known"]),
        (changed(0.2, last_commit_at=None), ["commits_still_known"]),
        (changed(0.2, latest_version=None), ["versions_still_known"]),
        (changed(0.2, latest_version=None, project="renamed"), []),
        (changed(0.2, stars_count=None, repo_subject="github:other/one"), []),
        (changed(0.04, stars_count=0), []),
        (changed(0.1, stars_count=0), ["counts_held"]),
        (changed(0.1, forks_count=25), ["counts_held"]),
        (changed(0.1, forks_count=26), []),
        (changed(0.1, stars_count=0, repo_id=5), []),
        (changed(0.04, weeks=[0] * 52), []),
        (changed(0.1, weeks=[0] * 52), ["commits_held"]),
        (changed(1, weeks=[0] * 52, participants_count=0, participants=[]), ["commits_held", "participants_held"]),
        (changed(1, weeks=[0] * 51 + [1]), []),
        (changed(0.1, participants_count=2), ["participants_held"]),
        (changed(0.1, participants_count=3), []),
        (changed(1, participants_count=None), []),
        (changed(0.1, weeks=[0] * 52, participants_count=0, repo_id=5), []),
        (changed(1, stars_count=300, forks_count=500), []),
        (changed(0.2, repo_state="stale"), []),
        (changed(0.3, project_state="stale"), ["stale_share"]),
        (changed(0.1, repo_state="gone"), []),
        (changed(0.2, repo_state=None, project_state="blocked"), ["gone_share"]),
        ([*MANY, *[package(number, stars_count=None, weeks=[]) for number in range(31, 200)]], []),
    ],
)
def test_each_expectation_tells_its_own_fault(folder, after, expected):
    """What is within the bounds passes, what is beyond names the one expectation that it misses; growth is no fault."""
    assert unmet(folder, MANY, after) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"stars_count": 0}, "counts_held"),
        ({"weeks": [0] * 52}, "commits_held"),
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


@pytest.mark.parametrize("changes", [{"weeks": [0] * 51 + [9]}, {"participants_count": 2}])
def test_what_was_little_before_may_fall_to_nothing(folder, changes):
    """Nine commits a year or two participants are soon none."""
    nothing = {"weeks": [0] * 52} if "weeks" in changes else {"participants_count": 0}
    assert unmet(folder, [row | changes for row in MANY], [row | nothing for row in MANY]) == []


@pytest.mark.parametrize("after", [MANY[:3], [row | {"stars_count": 0, "latest_version": None} for row in MANY[:4]]])
def test_a_handful_of_packages_is_not_judged_by_shares(folder, after):
    """Below twenty packages one edit is a large share."""
    assert unmet(folder, MANY[:4], after) == []


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
    assert {expectation.kind for expectation in expectations} == {"minimum", "maximum"}


@pytest.mark.parametrize(
    "entry",
    [
        'name = "a"\nkind = "minimum"\nbound = 1\ncompares = false\nmeasure = "SELECT 1"',
        'name = "a"\nkind = "about"\nbound = 1\ncompares = false\nmeasure = "SELECT 1"\nmessage = ""',
        'name = "a"\nkind = "minimum"\nbound = 1\ncompares = false\nmeasure = "SELECT 1"\nmessage = ""\nextra = 1',
    ],
)
def test_an_expectation_that_is_not_whole_is_a_mistake_of_ours(tmp_path, entry):
    """A missing field, an unknown field or an unknown kind does not go unnoticed."""
    (tmp_path / "expectations.toml").write_text(f"[[expectation]]\n{entry}\n")
    with pytest.raises((TypeError, ValueError)):
        load_expectations(tmp_path / "expectations.toml")
