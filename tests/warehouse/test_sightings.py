from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.warehouse.scenes import hour, observation, rows_of
from transforms.schemas import REPO_OBSERVATIONS
from warehouse.database import fill
from warehouse.folder import DataFolder
from warehouse.sightings import EACH_SIGHTING, SEEN
from warehouse.store import Store, open_store

EVERY = fill(EACH_SIGHTING, home="store.main.", condition="true")


def seen(store: Store, *sightings: tuple[int, int, int]) -> None:
    """Load answers: hour, number of the subject, number of the series."""
    rows = [
        observation(at, subject=f"github:o/p{subject}", series=f"github:{series}", run_id="run", stars_count=1)
        for at, subject, series in sightings
    ]
    store.load(run=None, tables={REPO_OBSERVATIONS.name: rows_of(REPO_OBSERVATIONS, rows)})


def spans(store: Store) -> list[tuple[int, int]]:
    """First and last number of every stretch, in the order of time."""
    return store.connection.execute(
        "SELECT first_number, last_number FROM store.main.sighting_spans ORDER BY seen_at, first_number"
    ).fetchall()


def test_subjects_seen_together_are_one_row(tmp_path):
    """A batch that is asked again is one row a time; one that misses somebody is two; a newcomer gets the next number."""
    folder = DataFolder(tmp_path)
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        seen(store, *[(1, subject, subject) for subject in range(9)])
        seen(store, *[(2, subject, subject) for subject in range(9)])
        seen(store, *[(3, subject, subject) for subject in range(10) if subject != 4])
        assert spans(store) == [(1, 9), (1, 9), (1, 4), (6, 10)]


def test_another_series_is_another_number(tmp_path):
    """A subject whose repository was replaced counts under both, each at its time."""
    folder = DataFolder(tmp_path)
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        seen(store, (1, 0, 0), (2, 0, 7), (3, 0, 7))
        asked = fill(SEEN, home="store.main.", until="TIMESTAMPTZ '" + hour(2).isoformat() + "'")
        found = store.connection.execute(f"SELECT series, first_at, seen_at FROM ({asked}) ORDER BY series").fetchall()  # noqa: S608 - ours
        assert found == [("github:0", hour(1), hour(1)), ("github:7", hour(2), hour(2))]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5), st.integers(0, 1)), min_size=1, max_size=12), min_size=1, max_size=4)
)
def test_each_is_told_once_however_it_was_loaded(loads):
    """Whatever the order and the number of loads: a subject is seen once a moment, and the first load that says so counts."""
    expected: dict[tuple[int, int], int] = {}
    with tempfile.TemporaryDirectory() as folder:
        data = DataFolder(Path(folder))
        with data.lock(), open_store(data, is_read_only=False) as store:
            for load in loads:
                seen(store, *[(at, subject, 10 * subject + series) for at, subject, series in load])
                for at, subject, series in sorted(load):
                    expected.setdefault((at, subject), 10 * subject + series)
            told = store.connection.execute(f"SELECT seen_at, subject, series, facet, run_id FROM ({EVERY})").fetchall()  # noqa: S608 - ours
    assert sorted(told) == sorted(
        (hour(at), f"github:o/p{subject}", f"github:{series}", "repo", "run") for (at, subject), series in expected.items()
    )
