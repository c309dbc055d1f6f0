from __future__ import annotations

from tests.warehouse.scenes import ROOT, package, publish_packages
from transforms.schemas import PUBLIC_TABLES
from warehouse.dictionary import data_dictionary, dictionary_of_schema
from warehouse.folder import DataFolder
from warehouse.readers import open_current
from warehouse.views import VIEWS


def test_the_page_is_in_step():
    """docs/data-dictionary.md is what the schemas say; `make docs` writes it."""
    assert (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8") == dictionary_of_schema()


def test_a_published_database_tells_the_same(tmp_path):
    """The COMMENTs of a real publication give the same page as an empty one."""
    publish_packages(DataFolder(tmp_path), "run-1", [package(1)])
    with open_current(DataFolder(tmp_path)) as publication:
        assert data_dictionary(publication.cursor(), catalog="publication") == dictionary_of_schema()


def test_every_table_and_column_is_there():
    """Nothing is public without a sentence about it."""
    page = dictionary_of_schema()
    for table in PUBLIC_TABLES:
        part = page.split(f"\n## {table.name}\n")[1].split("\n## ")[0]
        assert table.comment in part
        for column in table.columns:
            assert f"| `{column.name}` | " in part
            assert f" | {column.comment} |\n" in part


def test_every_view_and_its_columns_are_there():
    """A view stands on the page with its sentence, and a sentence and a type for each column."""
    page = dictionary_of_schema()
    for view in VIEWS:
        part = page.split(f"\n## {view.name}\n")[1].split("\n## ")[0]
        assert view.comment in part
        rows = [line.split(" | ") for line in part.splitlines() if line.startswith("| `")]
        assert [(row[0].strip("| `"), row[2].removesuffix(" |")) for row in rows] == list(view.columns.items())
