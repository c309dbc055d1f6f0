"""The cookbook with its answers: the queries of docs/sql-cookbook.md, and the page as it must read.

``.venv/bin/python -m tests.docs.cookbook`` writes the answers into the page; the test compares.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from sandbox.sample import sample_world
from sandbox.server import running
from tests.conftest import NOW, ROOT, Bench
from warehouse.folder import DataFolder
from warehouse.readers import Publication, open_publication, query
from warehouse.rows import write_to

PAGE = ROOT / "docs" / "sql-cookbook.md"
PAIR = re.compile(r"^```sql\n(?P<sql>.*?)^```\n\n```text\n(?P<answer>.*?)^```$", re.MULTILINE | re.DOTALL)
CHANGED = "\n## What changed\n"  # from here on the answers are those of the second harvest
LATER = timedelta(days=31)


@contextmanager
def publications(folder: Path) -> Iterator[tuple[Publication, Publication]]:
    """What the demo publishes, and what a second harvest does a month and four stars later."""
    world = sample_world()
    now = [NOW]
    with running(world, clock=lambda: now[0]) as services:
        bench = Bench(data=folder, services=services)
        bench.harvest()
        demo = DataFolder(folder).current.resolve()
        world.change("llazzaro/django-scheduler", stars=1335)
        now[0] = bench.now = NOW + LATER
        bench.harvest()
    with open_publication(demo) as first, bench.published() as second:
        yield first, second


def answer(publication: Publication, sql: str) -> str:
    """What ``packhouse sql`` prints for a query."""
    sink = io.BytesIO()
    write_to(query(publication, sql), "table", sink)
    return sink.getvalue().decode()


def pairs(page: str) -> list[tuple[str, str, bool]]:
    """Each query of the page with the answer that stands there, and whether it is about the second harvest."""
    begins = page.index(CHANGED)
    return [(found["sql"], found["answer"], found.start() > begins) for found in PAIR.finditer(page)]


def answered(page: str, first: Publication, second: Publication) -> str:
    """The page with every answer given anew."""
    begins = page.index(CHANGED)

    def anew(found: re.Match[str]) -> str:
        told = answer(second if found.start() > begins else first, found["sql"])
        return f"```sql\n{found['sql']}```\n\n```text\n{told}```"

    return PAIR.sub(anew, page)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made, publications(Path(made) / "data") as both:
        PAGE.write_text(answered(PAGE.read_text(encoding="utf-8"), *both), encoding="utf-8")
