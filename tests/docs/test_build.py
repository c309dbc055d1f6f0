from __future__ import annotations

import runpy
from pathlib import Path

from settings import FIELDS
from transforms.catalog import COLUMNS
from warehouse.catalog_files import load_catalog

DOCS = Path(__file__).parents[2] / "docs"
BUILD = runpy.run_path(str(DOCS / "build.py"))


def test_pages_are_written_and_then_in_step(tmp_path, capsys):
    """A missing page is out of step, writing it puts it in step, and an edited one is named."""
    main, name = BUILD["main"], "settings.md"
    assert main(["--check"], tmp_path) == 1
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    assert capsys.readouterr().err.count("out of step") == len(BUILD["PAGES"])
    (tmp_path / name).write_text("edited")
    assert main(["--check"], tmp_path) == 1
    assert "docs/settings.md is out of step" in capsys.readouterr().err
    assert (tmp_path / name).read_text() == "edited"


def test_a_wrong_flag_writes_nothing(tmp_path):
    """Anything but --check is wrong usage."""
    assert BUILD["main"](["--chek"], tmp_path) == 2
    assert not list(tmp_path.iterdir())


def test_every_setting_is_on_the_page():
    """Each setting stands on its page with variable, default and meaning."""
    page = BUILD["settings_page"]()
    for field in FIELDS:
        assert f"`{field.variable}`" in page
        assert field.meaning in page
        assert field.default is None or f"`{field.default}`" in page


def test_the_catalog_page_names_every_column_and_its_example_works(tmp_path):
    """The example on the catalog's page is a catalog without mistakes, and each file's columns stand there in order."""
    page = (DOCS / "catalog.md").read_text(encoding="utf-8")
    for name, columns in COLUMNS.items():
        assert f"| `{name}.csv` | `{','.join(columns)}` |" in page
    example = page.split("```\n")[1]
    for part in example.split("# ")[1:]:
        name, _, text = part.partition("\n")
        (tmp_path / name).write_text(text)
    (entry,) = load_catalog(tmp_path).entries
    assert (entry.id, entry.slug) == (1776, "django-scheduler")
