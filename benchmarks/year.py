"""The disk of a year: a synthetic catalog harvested day after day in this process, compacted monthly; MB by part of the data folder.

    python benchmarks/year.py [--packages 1000] [--days 365] [--every 30] [--retention 52w] [--keep FOLDER]

Not part of ``make bench``: 1,000 packages take half an hour. The sandbox answers at once and limits nothing. Daily 3 % of
the repositories are pushed to, 10 % gain or lose stars, forks or watchers, 0.5 % of the projects release, and a few are described anew,
renamed, deleted or archived. The last line scales what the second compaction left (only then there are two publications), and what each
day added since, to a year of 5,000 packages.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from flows.compaction import compact_data
from flows.options import HarvestOptions
from flows.progress import PlainProgress
from flows.sequence import harvest_sequence, run_step
from sandbox.day import Shares, pass_day
from sandbox.server import Running, running
from sandbox.synthetic import SYNTHETIC_MOMENT, synthetic_world
from sandbox.synthetic_catalog import write_synthetic_catalog
from settings import Settings, load_settings

SHARES = Shares(described=0.001, renamed=0.0002, transferred=0.0002, deleted=0.0001, archived=0.0002, yanked=0.0002, closed=0.0001)
PARTS = {
    "landing": "landing/*/20*",
    "archives": "landing/*/archive",
    "foundation": "landing/foundation",
    "store": "store",
    "published": "published",
}
TARGET_PACKAGES, TARGET_DAYS = 5_000, 365


@dataclass(slots=True)
class Today:
    """The moment it is in the world and for the harvests."""

    now: datetime


def main() -> None:
    """Live through the days and print a line for each compaction."""
    options = argparse.ArgumentParser(description="Measure the disk of a year of harvests over the sandbox.")
    options.add_argument("--packages", type=int, default=1000)
    options.add_argument("--days", type=int, default=365)
    options.add_argument("--every", type=int, default=30, help="days from one compaction to the next")
    options.add_argument("--retention", help="such as 26w; without it nothing is dropped")
    options.add_argument("--keep", type=Path, help="the data folder to leave behind")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="packhouse-year-") as folder:
        live(given, Path(folder), given.keep or Path(folder) / "data")


def live(given: argparse.Namespace, folder: Path, data: Path) -> None:
    """Harvest daily, compact every so many days and after the last."""
    today = Today(SYNTHETIC_MOMENT)
    world = synthetic_world(given.packages)
    world.today = lambda: today.now.date()  # noqa: PLW0108 - it is another moment each day
    write_synthetic_catalog(folder / "catalog", given.packages)
    print(
        f"{given.packages:,} packages, MB after each compaction\n{'day':>5}"
        + "".join(f"{part:>11}" for part in [*PARTS, "total", "seconds"])
    )
    totals: list[tuple[int, float]] = []
    with running(world, clock=lambda: today.now) as services:
        settings = _settings(given, services, folder / "catalog", data)
        for day in range(1, given.days + 1):
            asyncio.run(harvest_sequence(HarvestOptions(fixed_now=today.now), settings, run_step=run_step, engine="none"))
            if day == 1 or day % given.every == 0 or day == given.days:
                began = time.monotonic()
                compact_data(settings, PlainProgress(sys.stderr))
                sizes = {part: _megabytes(data, pattern) for part, pattern in PARTS.items()}
                totals.append((day, sum(sizes.values())))
                figures = [*sizes.values(), totals[-1][1], time.monotonic() - began]
                print(f"{day:>5}" + "".join(f"{figure:>11.2f}" for figure in figures), flush=True)
            pass_day(world, now=today.now, shares=SHARES)
            today.now += timedelta(days=1)
    (first_day, first), (last_day, last) = totals[min(1, len(totals) - 1)], totals[-1]
    grown = (last - first) / max(last_day - first_day, 1)
    scale = TARGET_PACKAGES / given.packages
    print(
        f"\na package: {1000 * first / given.packages:.1f} KB on day {first_day} and {1_000_000 * grown / given.packages:.0f} bytes a day; "
        f"{TARGET_PACKAGES:,} for {TARGET_DAYS} days: {scale * (first + grown * (TARGET_DAYS - first_day)):,.0f} MB"
    )


def _settings(given: argparse.Namespace, services: Running, catalog: Path, data: Path) -> Settings:
    flags = {
        "data": str(data),
        "catalog": str(catalog),
        "github_api_url": services.github_url,
        "pypi_url": services.pypi_url,
        "github_points_per_minute": "0",
        "pypi_index_threshold": "100",
        "retention": given.retention,
    }
    return load_settings(flags, {"GITHUB_TOKEN": "sandbox"}, data / "absent.toml")


def _megabytes(data: Path, pattern: str) -> float:
    paths = [path for folder in data.glob(pattern) for path in folder.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in paths) / 1e6


if __name__ == "__main__":
    main()
