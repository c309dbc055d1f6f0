"""Every query of the cookbook is answered, with rows, by a publication of the sample catalog that has seen a change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from sandbox.server import running
from tests.conftest import NOW, ROOT, Bench, prompt_world
from warehouse.dictionary import data_dictionary
from warehouse.readers import Publication, query

PAGE = (ROOT / "docs" / "sql-cookbook.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
README_QUERIES = re.findall(r'packhouse sql "([^"]+)"', (ROOT / "README.md").read_text(encoding="utf-8"))
LATER = timedelta(days=3)


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publication]:
    """Two harvests, three days and a few stars apart."""
    world = prompt_world()
    now = [NOW]
    with running(world, clock=lambda: now[0]) as services:
        bench = Bench(data=tmp_path_factory.mktemp("cookbook") / "data", services=services)
        bench.harvest()
        world.change("llazzaro/django-scheduler", stars=1335)
        now[0] = bench.now = NOW + LATER
        bench.harvest()
    with bench.published() as publication:
        yield publication


def test_the_page_has_a_dozen_queries_and_more() -> None:
    """The page is found and read as intended."""
    assert len(QUERIES) >= 12
    assert len(QUERIES) == PAGE.count("```sql")
    assert len(set(QUERIES)) == len(QUERIES)


@pytest.mark.parametrize("sql", [*QUERIES, *README_QUERIES], ids=lambda sql: " ".join(sql.split())[:60])
def test_a_query_has_an_answer(publication: Publication, sql: str) -> None:
    """It is answered in the locked room that ``packhouse sql`` uses, and there is something in the answer."""
    rows = query(publication, sql).read_all()
    assert rows.num_rows > 0


def test_history_shows_the_change(publication: Publication) -> None:
    """The query about stars finds the four that were gained."""
    (sql,) = (text for text in QUERIES if "gained" in text)
    assert [row["gained"] for row in query(publication, sql).read_all().to_pylist()] == [4]


def test_windows_end_the_day_before_the_series_does(publication: Publication) -> None:
    """The last window of django-scheduler ends on the day before ``weeks_end_on``, the one before it a week earlier."""
    (sql,) = (text for text in QUERIES if "generate_subscripts" in text)
    days = [row["last_day"] for row in query(publication, sql).read_all().to_pylist()]
    row = publication.package(slug="django-scheduler")
    assert row is not None
    assert len(days) == len(set(days)) == 52
    assert days[-1] == row["weeks_end_on"] - timedelta(days=1)
    assert days[-2] == days[-1] - timedelta(days=7)


def test_the_data_dictionary_is_that_of_a_publication(publication: Publication) -> None:
    """The comments in a published file are what the page says."""
    assert data_dictionary(publication.cursor(), catalog="publication") == Path(ROOT / "docs" / "data-dictionary.md").read_text()
