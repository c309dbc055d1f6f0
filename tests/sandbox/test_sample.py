from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import pytest

from sandbox import SAMPLE_MOMENT, recorded_at, sample_note, sample_world
from sandbox.pypi import document_body
from sandbox.record import RECORDING, project_names, trim
from sandbox.sample import recorded_projects
from sandbox.subjects import weekly_commits
from tests.sandbox.asking import asking

ROOT = Path(__file__).resolve().parents[2]
CATALOG = ROOT / "catalog"
SCHEDULER = "llazzaro/django-scheduler"
RECORD = json.loads((ROOT / "tests/golden/v4-package-1776.json").read_bytes())


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((CATALOG / f"{name}.csv").read_text(encoding="utf-8"))))


def test_scheduler_has_the_figures_of_its_published_record() -> None:
    """Asked as a harvest asks, the sandbox gives exactly what Django Packages published."""
    with asking(sample_world()) as (sandbox, client):
        url = f"{sandbox.github_url}/repos/{SCHEDULER}"
        repo, head = client.get(url).json(), client.get(f"{url}/commits?per_page=1").json()
        client.get(f"{url}/stats/participation")
        weeks = client.get(f"{url}/stats/participation").json()["all"]
        people = client.get(f"{url}/contributors?per_page=100").json()
        project = client.get(f"{sandbox.pypi_url}/pypi/django-scheduler/json").json()
    assert (repo["watchers_count"], repo["forks_count"], repo["description"]) == (
        RECORD["repo_watchers"],
        RECORD["repo_forks"],
        RECORD["repo_description"],
    )
    assert [row["login"] for row in people] == RECORD["participants"]
    assert weeks == RECORD["commits_over_52"]
    assert head[0]["commit"]["committer"]["date"] == "2026-02-15T19:46:55Z"
    assert project["info"]["version"] == RECORD["pypi_version"] == "0.12.0"


def test_made_up_figures_are_marked() -> None:
    """Only the scheduler's figures are real, and a note for people says so."""
    described = json.loads((ROOT / "sandbox/sample/github.json").read_text(encoding="utf-8"))["repositories"]
    assert [entry["full_name"] for entry in described if not entry["is_sample_figure"]] == [SCHEDULER]
    assert "made-up figures" in sample_note()
    assert "numeric id, watchers and open issues are made up" in sample_note()
    assert {"id", "watchers", "open_issues"} < set(described[0]["made_up"]) < set(described[0])
    world = sample_world()
    celery = world.repository("celery/celery")
    assert celery is not None
    assert celery.is_sample_figure
    assert {login.rsplit("-", 1)[0] for login, _ in celery.participants} == {"sample-contributor"}


def test_sample_covers_the_catalog() -> None:
    """Every GitHub repository and every project of the sample catalog is in the sample world, and nothing else."""
    world = sample_world()
    addresses = [row["repo_url"].rstrip("/").removesuffix(".git").split("/tree/")[0] for row in _rows("packages")]
    names = [address.replace(":", "/").split("github.com/")[1] for address in addresses if "github.com" in address]
    found = [world.repository(name) for name in names]
    assert all(found)
    assert len({repo.id for repo in found if repo}) == len(json.loads((ROOT / "sandbox/sample/github.json").read_text())["repositories"])
    assert [project.name for project in recorded_projects()] == project_names(CATALOG / "packages.csv")


def test_catalog_has_what_real_catalogs_have() -> None:
    """About 25 packages in 4 grids and 3 categories, a monorepo, a rename, another forge, one without PyPI, mixed spellings."""
    packages, grids, categories = _rows("packages"), _rows("grids"), _rows("categories")
    assert (len(packages), len(grids), len(categories)) == (25, 4, 3)
    urls = [row["repo_url"] for row in packages]
    assert sum("typeddjango/django-stubs" in url for url in urls) == 2
    assert sum("codeberg.org" in url for url in urls) == 1
    assert [row["slug"] for row in packages if not row["pypi_url"]] == ["cookiecutter-django"]
    assert {"http:", "https:", "git@github.com:sunscrapers"} <= {url.split("/")[0] for url in urls}
    moved = sample_world().repository("evonove/django-oauth-toolkit")
    assert moved is not None
    assert moved.full_name == "django-oauth/django-oauth-toolkit"


def test_scheduler_is_curated_as_published() -> None:
    """Id, category, grid and dates are those of the published record, in UTC."""
    row = next(row for row in _rows("packages") if row["slug"] == "django-scheduler")
    assert row["id"] == str(RECORD["id"])
    assert (row["repo_url"], row["pypi_url"], row["documentation_url"]) == (
        RECORD["repo_url"],
        RECORD["pypi_url"],
        RECORD["documentation_url"],
    )
    assert (row["created"], row["modified"]) == ("2013-04-20T03:04:43.428533Z", "2026-01-28T19:16:27.817161Z")
    assert {row["id"] for row in _rows("categories") if row["slug"] == "apps"} == {"1"}
    assert {row["id"] for row in _rows("grids") if row["slug"] == "calendar"} == {"62"}


def test_weeks_of_the_sample_are_those_of_its_moment() -> None:
    """A day later the same commits have moved on, not vanished."""
    world = sample_world()
    repo = world.repository(SCHEDULER)
    assert repo is not None
    assert world.today() == SAMPLE_MOMENT.date()
    later = weekly_commits(repo, world.today().replace(day=16))
    assert sum(later) == 11


def test_recording_is_trimmed_dated_and_small() -> None:
    """No description, no download address, known date, and well under two megabytes."""
    raw = gzip.decompress(RECORDING.read_bytes())
    assert RECORDING.stat().st_size < 2_000_000
    assert b"files.python" not in raw
    assert recorded_at().year == 2026
    for line in raw.splitlines()[1:]:
        document = json.loads(line)["document"]
        assert document["info"]["description"] == ""
        assert {file["url"] for files in document["releases"].values() for file in files} <= {""}


def test_recorded_documents_are_served_as_recorded() -> None:
    """Key order and every value survive; only spaces are gone."""
    for project in recorded_projects():
        assert json.dumps(json.loads(document_body(project)), sort_keys=False) == json.dumps(project.document, sort_keys=False)


def test_trimming_touches_nothing_else() -> None:
    """Names, hashes, dates and flags of the files stay."""
    document = {
        "info": {"description": "long", "download_url": "https://example.org/x.tar.gz", "name": "x"},
        "urls": [{"url": "https://example.org/x", "size": 3}],
        "releases": {"1": [{"url": "https://example.org/x", "yanked": True}], "0": []},
    }
    assert trim(document) == {
        "info": {"description": "", "download_url": "", "name": "x"},
        "urls": [{"url": "", "size": 3}],
        "releases": {"1": [{"url": "", "yanked": True}], "0": []},
    }


@pytest.mark.parametrize("spelling", ["http://pypi.python.org/pypi/A_b", "a.b", "https://example.org/project/A-B/"])
def test_project_names_are_read_from_any_spelling(tmp_path: Path, spelling: str) -> None:
    """The recorder asks for each project once, under its PEP 503 name."""
    file = tmp_path / "packages.csv"
    file.write_text(f"slug,pypi_url\none,{spelling}\ntwo,a-b\nthree,\n", encoding="utf-8")
    assert project_names(file) == ["a-b"]
