"""The catalog files that go with a synthetic world: same n and seed, same packages."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

from sandbox.synthetic import SYNTHETIC_MOMENT, chance, happens, package_name, repository_index, repository_name

CATEGORIES = (("App", "apps", "true"), ("Framework", "frameworks", "true"), ("Other", "other", "false"))
PACKAGES_PER_GRID = 40
FIRST_PACKAGE_ID = 1000


def write_synthetic_catalog(folder: Path, n: int, seed: int = 0) -> None:
    """Write the four CSV files for ``synthetic_world(n, seed)`` into the folder, made when missing; rows are never held in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    grids = [f"grid-{number:04d}" for number in range(max(1, n // PACKAGES_PER_GRID))]
    dates = ("2020-01-01T00:00:00Z", "2025-06-01T12:30:00.000001Z")
    _write(
        folder / "categories.csv",
        "id,title,slug,description,title_plural,show_pypi,created,modified",
        ((i + 1, title, slug, "", f"{title}s", show, *dates) for i, (title, slug, show) in enumerate(CATEGORIES)),
    )
    _write(
        folder / "grids.csv",
        "id,title,slug,description,is_locked,header,created,modified",
        ((i + 1, slug.title(), slug, "Synthetic.", "false", "false", *dates) for i, slug in enumerate(grids)),
    )
    _write(
        folder / "packages.csv",
        "id,title,slug,category,repo_url,pypi_url,documentation_url,created,modified",
        (_package_row(seed, index) for index in range(n)),
    )
    _write(folder / "grid_packages.csv", "grid,package", _memberships(seed, n, grids))


def _package_row(seed: int, index: int) -> tuple[object, ...]:
    name = package_name(index)
    created = SYNTHETIC_MOMENT - timedelta(days=2000 - index % 1900, microseconds=index)
    category = CATEGORIES[0 if chance(seed, index, "category") < 0.8 else 1][1]  # noqa: PLR2004 - most are apps
    documentation = f"https://{name}.example.org/" if index % 3 == 0 else ""
    return (
        FIRST_PACKAGE_ID + index,
        name,
        name,
        category,
        _repo_url(seed, index),
        "" if happens(seed, index, "no project") else _pypi_url(index),
        documentation,
        created.isoformat(),
        (created + timedelta(days=90)).isoformat(),
    )


def _repo_url(seed: int, index: int) -> str:
    """The address in one of the spellings catalogs have."""
    if happens(seed, index, "elsewhere"):
        return f"https://gitlab.com/{repository_name(seed, index)}"
    home = repository_index(seed, index)
    full_name = repository_name(seed, home)
    if home != index:
        return f"https://github.com/{full_name}/tree/main/{package_name(index)}"
    spellings = (f"https://github.com/{full_name}", f"https://github.com/{full_name}/", f"http://www.github.com/{full_name}.git")
    return spellings[index % 7 % 3]


def _pypi_url(index: int) -> str:
    name = package_name(index)
    return (f"http://pypi.python.org/pypi/{name}", name, name.replace("-", "_"))[index % 3]


def _memberships(seed: int, n: int, grids: list[str]) -> Iterator[tuple[str, str]]:
    for index in range(n):
        first = int(chance(seed, index, "grid") * len(grids))
        yield grids[first], package_name(index)
        if len(grids) > 1 and index % 9 == 0:
            yield grids[(first + 1) % len(grids)], package_name(index)


def _write(path: Path, header: str, rows: Iterable[tuple[object, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)
