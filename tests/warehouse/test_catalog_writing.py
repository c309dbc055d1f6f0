"""Rows appended to catalog files that people wrote: their bytes stay, their manner is kept, and a mistake never gets in."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transforms.catalog import COLUMNS, InvalidCatalog
from warehouse.catalog_files import load_catalog
from warehouse.catalog_writing import CatalogFolder

AT = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
CATEGORY = (1, "App", "apps", "", "Apps", True, AT, AT)
PACKAGE = (5, 'Say "hi", you', "hi", "apps", "", "", "", AT, AT)


def write(folder: Path, **texts: str) -> CatalogFolder:
    """A catalog of these files, the others with a header alone."""
    folder.mkdir()
    for name, columns in COLUMNS.items():
        (folder / f"{name}.csv").write_bytes(texts.get(name, ",".join(columns) + "\n").encode())
    return CatalogFolder(folder)


def add(folder: CatalogFolder, style: str | None = None, **rows: list[tuple[object, ...]]) -> None:
    """Add rows."""
    with folder.lock():
        folder.add(rows, style)


@pytest.mark.parametrize("style", ["csv", "parquet"])
def test_a_new_catalog_reads_back(tmp_path: Path, style: str) -> None:
    """In both formats, the same values."""
    add(CatalogFolder(tmp_path / "new"), style, categories=[CATEGORY], packages=[PACKAGE])
    catalog = load_catalog(tmp_path / "new")
    assert (catalog.entries[0].title, catalog.entries[0].created_at, catalog.categories[0].show_pypi) == ('Say "hi", you', AT, True)
    assert {path.suffix for path in (tmp_path / "new").glob("*.*") if path.is_file()} == {f".{style}"}


@pytest.mark.parametrize(
    "text",
    [
        '\ufeffid,title,slug,description,title_plural,show_pypi,created,modified\r\n9,T,t,"a\r\nb",,yes,2020-01-01,2020-01-01\r\n',
        "slug,id,title,description,title_plural,show_pypi,modified,created\nt,9,T,,,yes,2020-01-01,2020-01-01",
        "id,title,slug,description,title_plural,show_pypi,created,modified\n9,T,t,,,1,2020-01-01,2020-01-01\n\n\n",
        "\n\nid,title,slug,description,title_plural,show_pypi,created,modified\n9,T,t,,,1,2020-01-01,2020-01-01\n",
        "id,title,slug,description,title_plural,show_pypi,created,modified\r9,T,t,,,1,2020-01-01,2020-01-01\r",
    ],
)
def test_the_manner_of_a_file_is_kept(tmp_path: Path, text: str) -> None:
    """Byte order mark, line endings, order of columns, a last line without its end."""
    folder = write(tmp_path / "catalog", categories=text)
    add(folder, categories=[CATEGORY])
    data = (folder.root / "categories.csv").read_bytes()
    assert data.startswith(text.encode())
    assert data.count(b"\r\n") == (text.count("\r\n") + 1 if "\r\n" in text else 0)
    assert [category.slug for category in load_catalog(folder.root).categories] == ["t", "apps"]


def test_rows_that_would_be_a_mistake_are_not_added(tmp_path: Path) -> None:
    """The whole is checked before anything moves."""
    folder = write(tmp_path / "catalog")
    before = {path.name: path.read_bytes() for path in folder.root.glob("*.csv")}
    with pytest.raises(InvalidCatalog, match="no slug in categories"):
        add(folder, packages=[PACKAGE])
    assert {path.name: path.read_bytes() for path in folder.root.glob("*.csv")} == before
    add(folder, categories=[CATEGORY], packages=[PACKAGE])
    assert len(load_catalog(folder.root).entries) == 1


def test_parquet_gets_rows_in_its_own_types(tmp_path: Path) -> None:
    """Text where a file has text, numbers where it has numbers, and a column in which nothing stood yet."""
    folder = write(tmp_path / "catalog")
    (folder.root / "categories.csv").unlink()
    columns = {"id": pa.array(["9"]), "title": ["T"], "slug": pa.array(["t"]).dictionary_encode(), "description": pa.nulls(1)}
    columns |= {"title_plural": [""], "show_pypi": ["yes"], "created": ["2020-01-01"], "modified": pa.array([0], pa.timestamp("s"))}
    pq.write_table(pa.table(columns), folder.root / "categories.parquet")
    add(folder, categories=[CATEGORY])
    assert load_catalog(folder.root).categories[1].created_at == AT
    assert pq.read_schema(folder.root / "categories.parquet").field("id").type == pa.string()
