"""The catalog's own history: versions land as the files they were, and each entry stands until a version says otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.warehouse.scenes import hour
from transforms.catalog import Catalog
from transforms.schemas import ENTRY_TABLES
from warehouse.catalog_files import load_catalog, load_with_files
from warehouse.catalog_landing import land_catalog, landed_catalogs, read_landed_catalog
from warehouse.folder import DataFolder
from warehouse.store import Store

CATALOG, FILES = load_with_files(ROOT / "catalog")
TABLES = [table.name for table in ENTRY_TABLES]


@pytest.fixture
def folder(tmp_path):
    """A data folder."""
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    return folder


def empty_store() -> Store:
    """A store in memory."""
    return Store(None, spill=None, is_read_only=False)


def load(store: Store, catalog: Catalog, number: float) -> None:
    """A version in force from that hour on."""
    store.load_catalog(file=f"catalogs/{number}", known_at=hour(number), entries=catalog.entries_at(hour(number)))


def standing(store: Store, table: str, number: float) -> list[tuple]:
    """The rows of a table that stood at that hour, without their times."""
    stood = "known_at <= ? AND (ended_at IS NULL OR ended_at > ?)"
    sql = f"SELECT * EXCLUDE (known_at, ended_at) FROM store.main.{table} WHERE {stood} ORDER BY ALL"  # noqa: S608
    return store.connection.execute(sql, [hour(number)] * 2).fetchall()


def test_a_package_that_moves_is_in_the_old_grid_before(folder):
    """Each version is known from its time on, whatever came later; what did not change has one row."""
    grid, package = CATALOG.memberships[0]
    other = next(grid.slug for grid in CATALOG.grids if (grid.slug, package) not in CATALOG.memberships)
    moved = replace(CATALOG, memberships=((other, package), *CATALOG.memberships[1:]))
    with empty_store() as store:
        load(store, CATALOG, 1)
        load(store, moved, 2)
        rows = "SELECT grid FROM store.main.grid_package_entries WHERE package = ? AND known_at <= ? AND coalesce(ended_at > ?, true)"
        assert (grid,) in store.connection.execute(rows, [package, hour(1), hour(1)]).fetchall()
        assert (grid,) not in store.connection.execute(rows, [package, hour(2), hour(2)]).fetchall()
        assert (other,) in store.connection.execute(rows, [package, hour(2), hour(2)]).fetchall()
        counts = store.connection.execute("SELECT count(*) FROM store.main.grid_package_entries").fetchall()
        assert counts == [(len(CATALOG.memberships) + 1,)]


@settings(max_examples=40)
@given(versions=st.lists(st.lists(st.integers(0, len(CATALOG.entries) - 1), unique=True), min_size=1, max_size=5), twice=st.booleans())
def test_what_stood_at_any_time_is_the_version_of_that_time(versions, twice):
    """Entries come, go and come back; every version is found again as it was, and loading it twice is loading it once."""
    made = []
    for chosen in versions:
        entries = tuple(CATALOG.entries[index] for index in chosen)
        slugs = {entry.slug for entry in entries}
        made.append(replace(CATALOG, entries=entries, memberships=tuple(pair for pair in CATALOG.memberships if pair[1] in slugs)))
    with empty_store() as store, empty_store() as alone:
        for number, catalog in enumerate(made):
            load(store, catalog, number)
            if twice:
                load(store, catalog, number)
        for number, catalog in enumerate(made):
            alone.connection.execute("; ".join(f"DELETE FROM store.main.{name}" for name in TABLES))  # noqa: S608
            load(alone, catalog, number)
            for name in TABLES:
                assert standing(store, name, number) == standing(alone, name, number)


def test_a_version_lands_once_and_comes_back_as_it_was(folder):
    """The same files land once; others, and the first ones again, land anew, always later than the one before."""
    edited = FILES | {"packages.csv": FILES["packages.csv"].replace(b"django-scheduler,", b"django-planner,", 1)}
    for files, at in ((FILES, hour(1)), (FILES, hour(2)), (edited, hour(3)), (FILES, hour(2))):
        land_catalog(folder, files, at)
    versions = [read_landed_catalog(folder, name, on_damaged=pytest.fail) for name in landed_catalogs(folder)]
    assert [at for at, _ in versions] == [hour(1), hour(3), hour(3) + timedelta(microseconds=1)]
    assert [catalog == CATALOG for _, catalog in versions] == [True, False, True]


def test_a_damaged_version_is_told_and_left_out(folder):
    """It costs its version, nothing else, and the next one lands all the same."""
    land_catalog(folder, FILES, hour(1))
    (name,) = landed_catalogs(folder)
    (folder.landing / name).write_bytes(b"PAR1 not any more")
    told = []
    assert read_landed_catalog(folder, name, on_damaged=told.append) is None
    assert [damaged.file for damaged in told] == [name]
    land_catalog(folder, FILES, hour(2))
    assert len(landed_catalogs(folder)) == 2


def test_parquet_catalogs_land_too(folder, tmp_path):
    """As the bytes they are."""
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    for name in ("categories", "grids", "packages", "grid_packages"):
        options = pc.ConvertOptions(column_types={"id": "int64"}, strings_can_be_null=True)
        pq.write_table(pc.read_csv(ROOT / "catalog" / f"{name}.csv", convert_options=options), tmp_path / f"{name}.parquet")
    catalog, files = load_with_files(tmp_path)
    land_catalog(folder, files, hour(1))
    (name,) = landed_catalogs(folder)
    at, landed = read_landed_catalog(folder, name, on_damaged=pytest.fail)
    assert (at, landed) == (hour(1), catalog)
    assert len(landed.entries) == len(load_catalog(ROOT / "catalog").entries)
