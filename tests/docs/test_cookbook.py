"""Every query of the cookbook is answered as the page says, by a publication of the sample catalog."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.conftest import ROOT, oldest_client
from tests.docs.cookbook import PAGE, answer, pairs, publications
from warehouse.dictionary import data_dictionary
from warehouse.publication import DATABASE
from warehouse.readers import Publication, query

TEXT = PAGE.read_text(encoding="utf-8")
PAIRS = pairs(TEXT)
README_QUERIES = re.findall(r'packhouse sql (?:--data \S+ )?"([^"]+)"', (ROOT / "README.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Publication, Publication]]:
    """The demo's publication, and the one of a second harvest."""
    with publications(tmp_path_factory.mktemp("cookbook") / "data") as both:
        yield both


def test_the_page_has_two_dozen_questions_and_more() -> None:
    """The page is found and read as intended, and every query has an answer below it."""
    assert len(PAIRS) >= 25
    assert len(PAIRS) == TEXT.count("```sql") == TEXT.count("```text")
    assert len({sql for sql, _, _ in PAIRS}) == len(PAIRS)
    assert README_QUERIES


@pytest.mark.parametrize(("sql", "told", "is_later"), PAIRS, ids=[" ".join(sql.split())[:60] for sql, _, _ in PAIRS])
def test_a_question_has_the_answer_on_the_page(both: tuple[Publication, Publication], sql: str, told: str, is_later: bool) -> None:
    """It is answered in the locked room of ``packhouse sql``, with rows; python -m tests.docs.cookbook writes new answers."""
    assert answer(both[is_later], sql) == told
    assert "(0 rows)" not in told


COUNT = """
import json, sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
connection.execute("SET TimeZone = 'UTC'")
print(json.dumps([duckdb.__version__, *(len(connection.sql(sql).project("1").fetchall()) for sql in json.load(sys.stdin))]))
"""


def test_the_oldest_client_understands_every_question(both: tuple[Publication, Publication]) -> None:
    """DuckDB 1.4 answers each with as many rows."""
    client = oldest_client()
    for publication, is_wanted in ((both[0], False), (both[1], True)):
        asked = [(sql, told) for sql, told, is_later in PAIRS if is_later is is_wanted]
        command = [sys.executable, "-c", COUNT, str(publication.path / DATABASE)]
        questions = json.dumps([sql for sql, _ in asked])
        done = subprocess.run(command, env={"PYTHONPATH": str(client)}, input=questions, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        version, *counts = json.loads(done.stdout)
        assert version.startswith("1.4.")
        assert [f"({count} row{'' if count == 1 else 's'})" for count in counts] == [told.splitlines()[-1] for _, told in asked]


@pytest.mark.parametrize("sql", README_QUERIES)
def test_the_queries_of_the_readme_have_an_answer(both: tuple[Publication, Publication], sql: str) -> None:
    """There is something in it."""
    assert query(both[0], sql).read_all().num_rows > 0


def test_windows_end_the_day_before_the_series_does(both: tuple[Publication, Publication]) -> None:
    """The last window of django-scheduler ends on the day before ``weeks_end_on``, the one before it a week earlier."""
    (sql,) = (text for text, _, _ in PAIRS if "generate_subscripts" in text)
    rows = query(both[0], sql.replace("qualify commits > 0", "")).read_all().to_pylist()
    row = both[0].package(slug="django-scheduler")
    assert row is not None
    days = [one["last_day"] for one in rows]
    assert len(days) == len(set(days)) == 52
    assert days[-1] == row["weeks_end_on"] - timedelta(days=1)
    assert days[-2] == days[-1] - timedelta(days=7)
    assert [one["commits"] for one in rows] == row["weeks"]


def test_the_data_dictionary_is_that_of_a_publication(both: tuple[Publication, Publication]) -> None:
    """The comments in a published file are what the page says."""
    assert data_dictionary(both[0].cursor(), catalog="publication") == (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
