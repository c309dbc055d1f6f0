"""The search for secrets that follows every test finds one wherever it could be left."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import Bench
from tests.leaks import TOKEN, leaks


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is not searched after the test."""
    return tmp_path_factory.mktemp("elsewhere")


def test_a_token_is_found_in_files_databases_and_compressed_columns(elsewhere: Path) -> None:
    """Plain text, a row of DuckDB, a zstd column and a form of GitHub's are all seen."""
    landing = elsewhere / "landing"
    landing.mkdir()
    (elsewhere / "run.json").write_text(f'{{"detail": "{TOKEN}"}}')
    (elsewhere / "real.log").write_text("Authorization: Bearer gh" + "p_" + "a1" * 18)
    pq.write_table(pa.table({"body": ["x" * 1000 + TOKEN] * 50}), landing / "a.parquet", compression="zstd", use_dictionary=False)
    with duckdb.connect(elsewhere / "store.duckdb") as connection:
        connection.execute("CREATE TABLE t AS SELECT ? AS detail", [TOKEN])
    assert len(list(leaks(elsewhere))) == 4


def test_a_harvest_leaves_none(bench: Bench) -> None:
    """The token that every request bore is in no file."""
    bench.harvest("django-scheduler")
    assert bench.asked()
    assert list(leaks(bench.data)) == []
    assert len(list(bench.data.rglob("*.parquet"))) > 10
