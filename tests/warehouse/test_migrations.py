"""A store of an earlier schema becomes one of today's at the first write, loses nothing by it, and its former file is kept."""

from __future__ import annotations

import duckdb
import pytest

from tests.warehouse.scenes import child, hour, observation, rows_of, run_row
from transforms.schemas import REPO_OBSERVATIONS
from warehouse import migrations
from warehouse.copies import adopt
from warehouse.database import BLOCK_SIZE, fill
from warehouse.errors import StoreOutdated, StoreUnusable
from warehouse.folder import DataFolder
from warehouse.sightings import EACH_SIGHTING
from warehouse.store import Store, open_store
from warehouse.store_tables import SCHEMA_VERSION

EVERY = fill(EACH_SIGHTING, home="store.main.", condition="true")

# As the version before wrote them: one row an answer.
SIGHTINGS_OF_3 = """
CREATE TABLE sightings (seen_at TIMESTAMPTZ NOT NULL, facet VARCHAR NOT NULL, subject VARCHAR NOT NULL, series VARCHAR, run_id VARCHAR)
"""

MIGRATE = """
    import os, sys
    from pathlib import Path
    from warehouse.folder import DataFolder
    from warehouse.store import open_store
    replace, moment, passed = Path.replace, int(sys.argv[2]), 0
    def interrupted(path, target):
        global passed
        if passed == moment:
            os._exit(9)
        passed += 1
        replace(path, target)
    Path.replace = interrupted
    open_store(DataFolder(Path(sys.argv[1])), is_read_only=False)
"""


def load(store: Store) -> None:
    """Three subjects seen twice, one of them under another series the second time."""
    for at in (1, 2):
        rows = [
            observation(at, f"github:{number + (100 if at == 2 and number == 1 else 0)}", subject=f"github:a/{number}", stars_count=at)
            for number in range(3)
        ]
        store.load(run=run_row(f"run-{at}"), tables={"repo_observations": rows_of(REPO_OBSERVATIONS, rows)}, files=[f"f-{at}"])


def sightings(store: Store) -> list[tuple[object, ...]]:
    """Every sighting, in one order."""
    return sorted(store.connection.execute(EVERY).fetchall())


@pytest.fixture
def folder(tmp_path):
    """A data folder whose store is of schema 3, with its write-ahead log not yet in it."""
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    with open_store(folder, is_read_only=False) as store:
        load(store)
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{folder.store_file}' AS store (BLOCK_SIZE {BLOCK_SIZE})")
        connection.execute("USE store.main")
        connection.execute(SIGHTINGS_OF_3)
        connection.execute(f"INSERT INTO sightings BY NAME {EVERY}")
        connection.execute("DROP TABLE sighting_spans")
        connection.execute("DROP TABLE sighted_series")
        connection.execute("UPDATE store_schema SET version = 3")
    return folder


def expected(tmp_path):
    """What a store that was never of another schema says."""
    folder = DataFolder(tmp_path / "other")
    folder.prepare()
    with open_store(folder, is_read_only=False) as store:
        load(store)
        return told(store)


def told(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table that has rows."""
    tables = [
        name for (name,) in store.connection.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'store'").fetchall()
    ]
    rows = {name: sorted(map(str, store.connection.execute(f"FROM store.main.{name}").fetchall())) for name in tables}
    return {**rows, "every": sightings(store)}


def test_a_store_of_an_earlier_schema_is_carried_over_at_the_first_write(folder, tmp_path):
    """Row for row as if it had always been of today's, and the former file is kept as it was."""
    with pytest.raises(StoreOutdated, match=r"schema 3, this one writes 4.*Next: packhouse publish.*store\.duckdb\.schema-3\.bak"):
        open_store(folder, is_read_only=True)
    with open_store(folder, is_read_only=False) as store:
        assert told(store) == expected(tmp_path)
    with duckdb.connect(folder.store / "store.duckdb.schema-3.bak", read_only=True) as former:
        assert former.execute("SELECT count(*), max(seen_at) FROM sightings").fetchall() == [(6, hour(2))]
    with open_store(folder, is_read_only=True) as store:
        assert len(store.runs()) == 2
    assert sorted(path.name for path in folder.store.iterdir() if path.is_file()) == ["store.duckdb", "store.duckdb.schema-3.bak"]


@pytest.mark.parametrize("moment", [0, 1])
def test_killed_while_it_is_carried_over_it_is_carried_over_the_next_time(folder, tmp_path, moment):
    """The old store or the new one is there, never half of one."""
    with child(MIGRATE, folder.root, moment) as process:
        assert process.wait() == 9
    with open_store(folder, is_read_only=False) as store:
        assert told(store) == expected(tmp_path)


def test_a_store_that_is_not_what_its_version_says_is_left_alone(folder):
    """A table that should be there is missing: refused untouched, with the way out."""
    with duckdb.connect(folder.store_file) as connection:
        connection.execute("DROP TABLE fetches")
    content = folder.store_file.read_bytes()
    with pytest.raises(StoreUnusable, match=r"has other tables .*schema 3, expected 4.*packhouse replay"):
        open_store(folder, is_read_only=False)
    assert folder.store_file.read_bytes() == content


def test_a_version_without_a_step_is_left_alone(folder):
    """What cannot be carried over without the answers is replayed."""
    with duckdb.connect(folder.store_file) as connection:
        connection.execute("UPDATE store_schema SET version = 2")
    with pytest.raises(StoreUnusable, match=r"schema 2, expected 4.*packhouse replay") as caught:
        open_store(folder, is_read_only=False)
    assert not isinstance(caught.value, StoreOutdated)


def test_a_foundation_of_an_earlier_schema_keeps_its_sightings(folder, tmp_path):
    """The answers of its runs are gone, so what a copy loses nobody brings back."""
    with Store(tmp_path / "new.duckdb", spill=None, is_read_only=False) as store:
        adopt(store, folder.store_file)
        assert len(sightings(store)) == 6


def test_every_step_leads_to_todays_schema():
    """No version that has a step ends in a gap."""
    assert all(migrations.steps_from(version, SCHEMA_VERSION) for version in migrations.STEPS)
