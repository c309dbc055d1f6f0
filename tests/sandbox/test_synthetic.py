from __future__ import annotations

import csv
import json
import tracemalloc
from pathlib import Path

import pytest

from sandbox import SYNTHETIC_MOMENT, curious_world, synthetic_world, write_synthetic_catalog
from sandbox.pypi import document_body
from sandbox.subjects import UnknownSubject
from sandbox.synthetic import make_project, make_repository, package_name, repository_name
from tests.sandbox.asking import asking


def _rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_same_seed_gives_the_same_world() -> None:
    """Repositories and documents follow from seed and index alone, in whatever order they are asked for."""
    one, two = synthetic_world(50, 3), synthetic_world(50, 3)
    names = [repository_name(3, index) for index in range(50)]
    forwards = [repo and (repo.full_name, repo.stars, repo.participants, dict(repo.commit_days)) for repo in map(one.repository, names)]
    backwards = [
        repo and (repo.full_name, repo.stars, repo.participants, dict(repo.commit_days)) for repo in map(two.repository, names[::-1])
    ]
    assert forwards == backwards[::-1]
    assert document_body(make_project(3, 7)) == document_body(make_project(3, 7)) != document_body(make_project(4, 7))


def test_catalog_and_world_agree(tmp_path: Path) -> None:
    """Repositories of the catalog are found (some renamed, some gone), its projects likewise, on every page unique."""
    write_synthetic_catalog(tmp_path, 600, 1)
    world = synthetic_world(600, 1)
    packages = _rows(tmp_path, "packages")
    assert len({row["id"] for row in packages}) == len({row["slug"] for row in packages}) == 600
    ours = [row for row in packages if "github.com" in row["repo_url"]]
    asked = [row["repo_url"].split("/tree/")[0].rstrip("/").removesuffix(".git").split("github.com/")[1] for row in ours]
    found = [world.repository(name) for name in asked]
    gone, renamed = found.count(None), sum(repo is not None and repo.full_name != name for repo, name in zip(found, asked, strict=True))
    assert 0.01 < gone / 600 < 0.05
    assert 0 < renamed < 30
    assert len(asked) - len(set(asked)) > 2
    assert 10 < sum("gitlab.com" in row["repo_url"] for row in packages) < 35
    listed = dict(world.serials())
    missing = [row for row in packages if row["pypi_url"] and package_name(int(row["id"]) - 1000) not in listed]
    assert 0 < len(missing) < 20
    grids, categories = _rows(tmp_path, "grids"), _rows(tmp_path, "categories")
    assert {row["grid"] for row in _rows(tmp_path, "grid_packages")} <= {row["slug"] for row in grids}
    assert {row["category"] for row in packages} <= {row["slug"] for row in categories}


def test_distributions_are_those_of_catalogs() -> None:
    """Most repositories are small and a few large; documents have 1 to 100 releases in 5 to 75 kB."""
    repositories = [make_repository(1, index) for index in range(500)]
    people = sorted(len(repo.participants) for repo in repositories)
    assert (people[0], people[-1]) == (0, 300)
    assert 5 < people[250] < 20
    assert all(repo.head_at is None or repo.head_at <= SYNTHETIC_MOMENT for repo in repositories)
    assert all(len({login for login, _ in repo.participants}) == len(repo.participants) for repo in repositories)
    documents = [make_project(1, index).document for index in range(300)]
    sizes = [len(json.dumps(document)) for document in documents]
    assert min(sizes) > 5_000
    assert max(sizes) < 85_000
    assert {len(document["releases"]) for document in documents} >= {2, 10, 30}


def test_latest_version_is_the_newest_stable_one() -> None:
    """The document names what PyPI would name: no pre-release, nothing yanked."""
    for index in range(200):
        document = make_project(2, index).document
        assert document["urls"] == document["releases"][document["info"]["version"]]
        assert not document["urls"][0]["yanked"]
        assert "rc" not in document["info"]["version"]


def test_large_world_costs_nothing_until_asked(tmp_path: Path) -> None:
    """A hundred thousand packages: a world takes no memory, and its catalog is written row by row."""
    tracemalloc.start()
    try:
        world = synthetic_world(100_000, 1)
        assert world.repository(repository_name(1, 99_999)) is not None
        write_synthetic_catalog(tmp_path, 20_000, 1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000


def test_nobody_lives_outside_the_world() -> None:
    """Names and ids that belong to no index are not found."""
    world = synthetic_world(10, 1)
    assert world.repository(repository_name(1, 10)) is None
    assert world.repository("nobody/nothing-000003") is None
    assert world.repository_by_id(300_000_001) is None
    assert world.project("django-wrong-words-000003") is None


def test_changes_to_a_synthetic_world_stay() -> None:
    """What happened to a repository or project outlives the value the origin would make."""
    world = synthetic_world(40, 1)
    name = next(name for name in (repository_name(1, index) for index in range(40)) if world.repository(name))
    before = world.repository(name)
    assert before is not None
    world.push(name, on=SYNTHETIC_MOMENT, login="newcomer", commits=4)
    world.rename(name, "new-owner/new-name")
    after = world.repository(name)
    assert after is not None
    assert (after.id, after.full_name, after.commit_count) == (before.id, "new-owner/new-name", before.commit_count + 4)
    assert ("newcomer", 4) in after.participants
    assert world.repository_by_id(before.id) is after
    project = next(project for project in map(world.project, (package_name(index) for index in range(40))) if project)
    world.release(project.name, "77.0", at=SYNTHETIC_MOMENT)
    assert dict(world.serials())[project.name] == project.serial + 1
    world.delete("new-owner/new-name")
    assert world.repository(name) is None


def test_events_need_somebody_to_befall() -> None:
    """A mistyped name is an error, never a silent nothing."""
    world = curious_world()
    with pytest.raises(UnknownSubject):
        world.push("no/body", on=SYNTHETIC_MOMENT, login="ada")
    with pytest.raises(UnknownSubject):
        world.release("no-body", "1", at=SYNTHETIC_MOMENT)


def test_synthetic_answers_are_whole() -> None:
    """All endpoints of a plain synthetic repository answer, and participation has as many commits as its days say."""
    world = synthetic_world(30, 5)
    with asking(world) as (sandbox, client):
        repo = next(
            repo
            for repo in map(world.repository, (repository_name(5, index) for index in range(30)))
            if repo and repo.head_at and not repo.block and not repo.is_too_large and len(repo.participants) > 3
        )
        url = f"{sandbox.github_url}/repos/{repo.full_name}"
        assert [client.get(url + rest).status_code for rest in ("", "/commits?per_page=1", "/contributors")] == [200, 200, 200]
        answers = [client.get(f"{url}/stats/participation") for _ in range(2)]
    assert sum(answers[-1].json()["all"]) <= sum(repo.commit_days.values())
