"""What a record was at any time packhouse was watching: the macros give, byte for byte, what was published then."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.past import publish_past
from flows.publishing import republish
from sandbox.faults import Fault, Mishap
from tests.flows.eventful import Scene, live_through
from transforms.payload import package_payload, render
from warehouse.differences import differences, moment_of

BASE = "https://djangopackages.org"
DAYS = 7


def edit(path: Path, change: Callable[[list[dict[str, str]]], None]) -> None:
    """Let a curator edit one file of the catalog."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = list(rows[0])
    change(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def move_last(rows: list[dict[str, str]]) -> None:
    """The package of the last row stands in another grid from now on."""
    package = rows[-1]["package"]
    taken = {row["grid"] for row in rows if row["package"] == package}
    rows[-1]["grid"] = next(row["grid"] for row in rows if row["grid"] not in taken)


def curate(folder: Path, day: int) -> None:
    """An edit a day: a package moves to another grid, is renamed, leaves, another comes, a repository changes hands."""
    match day:
        case 1:
            edit(folder / "grid_packages.csv", move_last)
        case 2:
            edit(folder / "packages.csv", lambda rows: rows[1].update(title="Another title", documentation_url="https://docs.example.org/"))
        case 3:
            edit(folder / "grid_packages.csv", lambda rows: rows.pop(5))
        case 4:
            edit(folder / "packages.csv", lambda rows: rows[2].update(repo_url=rows[3]["repo_url"], pypi_url=""))
        case 5:
            edit(folder / "packages.csv", lambda rows: rows.append(rows[4] | {"id": "99999", "slug": "twin", "title": "Twin"}))


def published(scene: Scene) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """The records as they are published now: every row, and every payload."""
    zone = scene.bench.settings().time_zone
    rows = scene.bench.rows("from packages order by id")
    return rows, {row["slug"]: render(package_payload(row, base_url=BASE, zone=zone)) for row in rows}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_record_is_known_as_it_was_published(scene: Scene) -> None:
    """Through a week of pushes, rewritten pasts, renames, ends, faults and edits of the catalog every cell is known again."""
    then: dict[datetime, tuple[list[dict[str, Any]], dict[str, bytes]]] = {}
    scene.harvest()
    then[scene.bench.now] = published(scene)
    for day in range(1, DAYS + 1):
        live_through(scene, day, scene.next_day())
        curate(scene.bench.catalog, day)
        if day in (2, 5):
            scene.bench.services.faults.add(
                Fault(mishap=Mishap.STATUS, status=502, probability=0.2),
                Fault(pattern="/github/graphql*", mishap=Mishap.ALIAS_NULL, probability=0.3),
            )
        scene.harvest(**({"max_age": "1h"} if day == 6 else {}))
        scene.bench.services.faults.clear()
        then[scene.bench.now] = published(scene)
    differing = [
        f"{at} {row['slug']}.{name}: was {row[name]!r}, as of then {known[name]!r}"
        for at, (rows, _) in then.items()
        for row, known in zip(rows, as_of(scene, at + timedelta(hours=9)), strict=True)
        for name in row
        if row[name] != known[name]
    ]
    assert not differing, "\n".join(differing[:40])
    chosen = random.Random(1)  # noqa: S311 - a choice of examples
    for at in then:
        for slug in chosen.sample(sorted(then[at][1]), 2):
            assert payload(scene, slug, at + timedelta(hours=chosen.randint(0, 23))) == then[at][1][slug]
    scene.bench.replay()
    first, *_, last = then
    assert as_of(scene, first) == then[first][0], "also when it was rebuilt from the landing"
    for at in (last, first):
        report = publish_past(scene.bench.settings(), at + timedelta(hours=1), accepted="a test")
        assert (report.exit_code, report.published is not None) in ((0, True), (3, True))
        assert scene.bench.rows("from packages order by id") == then[at][0]
        assert as_of(scene, datetime.now(UTC)) == then[at][0]
        assert scene.bench.rows("select max(observed_at) <= max(as_of_at) as ok from repo_observations, publications") == [{"ok": True}]
    scene.next_day()
    assert scene.harvest().exit_code == 3, "the checks hold the present against the past that is current"
    republish(scene.bench.settings(), accepted="back to the present")
    assert as_of(scene, last) == then[last][0], "nothing that came later was forgotten"


def as_of(scene: Scene, at: datetime) -> list[dict[str, Any]]:
    """Every record as of a time, by the macro."""
    return scene.bench.rows(f"from packages_as_of(timestamptz '{at.isoformat()}') order by id")


def payload(scene: Scene, slug: str, at: datetime) -> bytes | None:
    """One payload as of a time, by the macro."""
    rows = scene.bench.rows(f"from payload_as_of('{slug}', timestamptz '{at.isoformat()}', base_url := '{BASE}')")
    return rows[0]["payload"].encode() if rows else None


def test_before_the_first_publication_nothing_was_known(scene: Scene) -> None:
    """There is no record of a time nobody was watching, and none that is a guess."""
    scene.harvest()
    assert as_of(scene, scene.bench.now - timedelta(seconds=1)) == []
    assert len(as_of(scene, scene.bench.now)) == len(scene.bench.rows("from packages"))


def test_the_macros_work_in_any_client(scene: Scene) -> None:
    """Opened directly, in another session time zone, they say the same."""
    scene.harvest()
    file = str(scene.bench.data / "current" / "packhouse.duckdb")
    with duckdb.connect(file, read_only=True) as client:
        client.execute("SET TimeZone = 'Pacific/Auckland'")
        told = client.sql("select weeks, weeks_end_on, weeks_state from packages_as_of(now()) order by id").fetchall()
        assert told == client.sql("select weeks, weeks_end_on, weeks_state from packages order by id").fetchall()
        assert told


def test_what_differs_between_two_days(scene: Scene) -> None:
    """Values that changed, packages that came and went; nothing between a moment and itself."""
    scene.harvest()
    first = scene.bench.now
    live_through(scene, 1, scene.next_day())
    curate(scene.bench.catalog, 5)
    scene.harvest()
    with scene.bench.published() as publication:
        assert differences(publication, first, first).num_rows == 0
        rows = differences(publication, first, moment_of(publication, publication.run_id)).to_pylist()
    assert [row["slug"] for row in rows if row["change"] == "added"] == ["twin"]
    now = {row["slug"]: row for row in scene.bench.rows("from packages")}
    stars = [row for row in rows if row["column"] == "stars_count"]
    assert stars
    assert all(row["after"] == (None if (told := now[row["slug"]]["stars_count"]) is None else str(told)) for row in stars)
    assert {row["column"] for row in rows} >= {"last_commit_at", "latest_version", "weeks", "repo_description"}
    assert not [row for row in rows if row["change"] == "changed" and row["before"] == row["after"]]
