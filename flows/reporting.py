"""``packhouse report``: the current publication read, drawn as one HTML page, written to a file or handed back."""

from __future__ import annotations

from pathlib import Path

from transforms.overview import Overview
from transforms.overview_page import render_page
from warehouse.folder import DataFolder
from warehouse.output import write_output
from warehouse.overview import read_overview
from warehouse.readers import open_current


def make_report(data: Path) -> tuple[Overview, bytes]:
    """Read the current publication of a data folder and draw it; raises NothingPublished when there is none to read."""
    with open_current(DataFolder(data)) as publication:
        overview = read_overview(publication)
    return overview, render_page(overview).encode("utf-8", "replace")


def write_report(data: Path, output: Path) -> str:
    """Write the report to a file, whole or not at all, and say what it is; raises OutputUnwritable too."""
    overview, page = make_report(data)
    write_output(page, output)
    return describe_report(overview, page, output)


def describe_report(overview: Overview, page: bytes, output: Path) -> str:
    """One line for the person who asked."""
    count = overview.totals["packages_count"]
    listed = f", {len(overview.packages):,} of them listed one by one" if overview.left_out_count else ""
    return f"{output}: {count:,} packages as of {overview.as_of_at:%Y-%m-%d %H:%M} UTC{listed}, {len(page) / 1_000_000:.1f} MB"
