"""What is doubted after a refusal, and what is not."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from flows.doubt import doubted_runs, without_doubted
from transforms.schemas import FACET_TABLES

AT = datetime(2026, 2, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], ""),
        (["done"], ""),
        (["refused", "done"], ""),
        (["refused", "stopped"], ""),
        (["failed"], ""),
        (["done", "failed"], ""),
        (["done", "refused"], "1"),
        (["done", "refused", "refused"], "12"),
        (["done", "failed", "refused", "failed"], "123"),
        (["refused", "done", "refused"], "2"),
    ],
)
def test_the_runs_since_the_last_published_one_are_doubted(outcomes: list[str], expected: str) -> None:
    """As soon as one of them was refused, and none of those before."""
    runs = [{"run_id": str(number), "outcome": outcome} for number, outcome in enumerate(outcomes)]
    assert doubted_runs(runs) == frozenset(expected)


def test_only_what_they_said_first_is_forgotten_and_whatever_follows_a_head() -> None:
    """A value said again stays known; weeks and participants do not, for they may have been said again of another commit."""
    latest = {table.name: table.schema.append(pa.field("is_good", pa.bool_())).empty_table() for table in FACET_TABLES.values()}

    def put(facet: str, *rows: tuple[str, str]) -> None:
        schema = latest[FACET_TABLES[facet].name].schema
        told = [
            {"series": subject, "observed_at": AT, "subject": subject, "run_id": run_id, "outcome": "ok", "is_good": True}
            for subject, run_id in rows
        ]
        latest[FACET_TABLES[facet].name] = pa.Table.from_pylist(told, schema=schema)

    put("repo", ("github:a/new", "bad"), ("github:a/same", "good"))
    put("weeks", ("github:a/new", "bad"), ("github:a/same", "good"), ("github:a/unasked", "good"))
    heard = {
        ("github:a/new", "repo"): ("ok", AT, "bad"),
        ("github:a/same", "repo"): ("ok", AT, "bad"),
        ("github:a/new", "weeks"): ("ok", AT, "bad"),
        ("github:a/same", "weeks"): ("ok", AT, "bad"),
        ("github:a/unasked", "weeks"): ("ok", AT, "good"),
    }
    believed, last = without_doubted(latest, heard, frozenset({"bad"}))
    assert believed[FACET_TABLES["repo"].name]["subject"].to_pylist() == ["github:a/same"]
    assert believed[FACET_TABLES["weeks"].name]["subject"].to_pylist() == ["github:a/unasked"]
    assert set(last) == {("github:a/same", "repo"), ("github:a/unasked", "weeks")}
    believed, last = without_doubted(latest, heard, frozenset())
    assert believed == latest
    assert set(last) == set(heard)
