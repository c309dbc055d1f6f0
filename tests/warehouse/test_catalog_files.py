from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.catalog import COLUMNS, InvalidCatalog, read_catalog
from warehouse.catalog_files import load_catalog, read_csv

SAMPLE = Path(__file__).parents[2] / "catalog"
HEAD = ",".join(COLUMNS["packages"])
CATEGORY_HEAD = ",".join(COLUMNS["categories"])
CATEGORIES = "id,title,slug,description,title_plural,show_pypi,created,modified\n1,App,apps,,Apps,true,2010-08-14,2010-08-14\n"
GRIDS = "id,title,slug,description,is_locked,header,created,modified\n62,Calendar,calendar,,false,true,2010-08-14,2010-08-14\n"
FIRST = "1776,django-scheduler,django-scheduler,apps,https://github.com/llazzaro/django-scheduler,django-scheduler,,2013-04-20,2013-04-20\n"
SECOND = "2117,Django Recurrence,django-recurrence,apps,http://github.com/jazzband/django-recurrence,,,2012-03-02,2012-03-02\n"
MEMBERSHIPS = "grid,package\ncalendar,django-scheduler\ncalendar,django-recurrence\n"
GOOD = {
    "categories.csv": CATEGORIES.encode(),
    "grids.csv": GRIDS.encode(),
    "packages.csv": f"{HEAD}\n{FIRST}{SECOND}".encode(),
    "grid_packages.csv": MEMBERSHIPS.encode(),
}


def write(folder, **files):
    """A folder with the good catalog, its files replaced (or left out with None) as given, named with _csv for .csv."""
    for name, data in (GOOD | {name.replace("_csv", ".csv"): data for name, data in files.items()}).items():
        if data is not None:
            (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder


def mistakes_of(folder):
    """Every mistake of the catalog in the folder, as (file, line, column, message)."""
    with pytest.raises(InvalidCatalog) as caught:
        load_catalog(folder)
    return [(m.file, m.line, m.column, m.message) for m in caught.value.mistakes]


def test_the_sample_catalog_is_good():
    """The catalog in the repository has no mistakes and lists django-scheduler under its id in the API."""
    catalog = load_catalog(SAMPLE)
    (entry,) = [entry for entry in catalog.entries if entry.id == 1776]
    assert entry.slug == "django-scheduler"
    assert (len(catalog.categories), len(catalog.grids)) == (3, 4)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_bom_line_endings_and_blank_lines(tmp_path, ending, bom):
    """A byte order mark, any line ending and blank lines change nothing, and lines are still counted as an editor does."""
    text = f"{HEAD}\n\n{FIRST}\n{SECOND}\n".replace("\n", ending)
    assert [entry.id for entry in load_catalog(write(tmp_path, packages_csv=bom + text.encode())).entries] == [1776, 2117]
    broken = text.replace("2117", "x")
    (mistake,) = mistakes_of(write(tmp_path, packages_csv=bom + broken.encode()))
    assert mistake[:3] == ("packages.csv", 5, "id")


def test_quoted_cells_over_several_lines(tmp_path):
    """A row that spans lines is reported at the line on which it begins."""
    grids = GRIDS.replace("Calendar,calendar,,false", 'Calendar,calendar,"Two\nlines, and a ""word""",false')
    grids += "x,Other,other,,no,no,2010-08-14,2010-08-14\n"
    (mistake,) = mistakes_of(write(tmp_path, grids_csv=grids))
    assert mistake[:3] == ("grids.csv", 4, "id")


def test_three_files_three_mistakes(tmp_path):
    """A missing file, a wrong encoding and a bad cell are reported together, and nothing follows from the missing file."""
    grids = GRIDS.replace("Calendar", "Calendrier français").encode("latin-1")
    found = mistakes_of(write(tmp_path, categories_csv=None, grids_csv=grids, packages_csv=f"{HEAD}\n{FIRST}{SECOND}".replace("2117", "0")))
    assert found == [
        (
            "categories.csv",
            None,
            None,
            f"the file is missing: write categories.csv beginning with {CATEGORY_HEAD}, or categories.parquet with these columns",
        ),
        (
            "grids.csv",
            2,
            None,
            "byte 79 is 0xE7, which is not UTF-8: save the file as UTF-8 (in Windows-1252 it would be 'ç')",
        ),
        ("packages.csv", 3, "id", "0 is no id: write a whole number from 1 to 9223372036854775807"),
    ]
    assert grids[78] == 0xE7


def packages(*rows):
    """A packages.csv of these rows below the header."""
    return {"packages_csv": f"{HEAD}\n{''.join(rows)}"}


def memberships(text):
    """A grid_packages.csv of this text."""
    return {"grid_packages_csv": text}


# What is broken: the files that are, and for each report its file, line, column and a part of its message.
BROKEN = {
    "empty file": (
        {"packages_csv": b""},
        [("packages.csv", 1, None, f"the file is empty: begin it with {HEAD}")],
    ),
    "blank file": (
        {"packages_csv": b"\xef\xbb\xbf \r\n"},
        [("packages.csv", 1, None, "the file is empty")],
    ),
    "no header": (
        memberships("calendar,django-scheduler\n"),
        [
            ("grid_packages.csv", 1, "grid", "the column is missing"),
            ("grid_packages.csv", 1, "package", "the column is missing"),
            ("grid_packages.csv", 1, "calendar", "unknown column 'calendar'"),
            ("grid_packages.csv", 1, "django-scheduler", "unknown column"),
        ],
    ),
    "missing column": (
        memberships("grid\ncalendar\n"),
        [("grid_packages.csv", 1, "package", "the column is missing")],
    ),
    "unknown column": (
        memberships("grid,package,note\ncalendar,django-scheduler,x\n"),
        [("grid_packages.csv", 1, "note", "unknown column 'note'")],
    ),
    "duplicate header": (
        memberships("grid,package,grid\ncalendar,django-scheduler,calendar\n"),
        [("grid_packages.csv", 1, "grid", "stands here twice")],
    ),
    "semicolons": (
        memberships("grid;package\ncalendar;django-scheduler\n"),
        [("grid_packages.csv", 1, None, "separated by semicolons")],
    ),
    "tabs": (
        memberships("grid\tpackage\ncalendar\tdjango-scheduler\n"),
        [("grid_packages.csv", 1, None, "separated by tabs")],
    ),
    "utf-16": (
        memberships(MEMBERSHIPS.encode("utf-16")),
        [("grid_packages.csv", 1, None, "UTF-16 (byte 1, line 1)")],
    ),
    "too few cells": (
        packages(FIRST, "2117,Django Recurrence,django-recurrence,apps\n"),
        [("packages.csv", 3, None, "has 4 cells, the header 9")],
    ),
    "too many cells": (
        packages(SECOND.strip(), ",\n", FIRST),
        [("packages.csv", 2, None, "has 10 cells, the header 9")],
    ),
    "unclosed quote": (
        packages(FIRST, '"', SECOND),
        [("packages.csv", 3, None, "close the double quote that this row opens")],
    ),
    "text behind a quote": (
        packages('"1776" ', FIRST, SECOND.replace("2117", "0")),
        [
            ("packages.csv", 2, None, "write a double quote inside a quoted cell twice"),
            ("packages.csv", 3, "id", "0 is no id"),
        ],
    ),
    "endless cell": (
        packages(FIRST, '"', "x" * 140_000, "\n", SECOND),
        [("packages.csv", 3, None, "close the double quote")],
    ),
    "cell too long": (
        packages(FIRST, SECOND.replace("Django Recurrence", '"' + "x" * 140_000 + '"'), "0,New,new,apps,,,,2013-04-20,2013-04-20\n"),
        [("packages.csv", 3, None, "a cell is longer than 131,072 characters: shorten it"), ("packages.csv", 4, "id", "0 is no id")],
    ),
    "nul byte": (
        packages(FIRST, SECOND.replace("Django R", "Django\0R")),
        [("packages.csv", 3, "title", "control character U+0000 at position 7")],
    ),
    "unknown category": (
        packages(FIRST.replace(",apps,", ",app,"), SECOND),
        [("packages.csv", 2, "category", "write one of apps, or add it there")],
    ),
    "unknown grid": (
        memberships(MEMBERSHIPS + "calendars,django-scheduler\n"),
        [("grid_packages.csv", 4, "grid", "write one of calendar")],
    ),
    "unknown package": (
        memberships(MEMBERSHIPS + "calendar,django_scheduler\n"),
        [("grid_packages.csv", 4, "package", "write 'django-scheduler'")],
    ),
    "duplicate id": (
        packages(FIRST, SECOND.replace("2117", "1776")),
        [("packages.csv", 3, "id", "already stands in line 2")],
    ),
    "duplicate membership": (
        memberships(MEMBERSHIPS + "calendar,django-scheduler\n"),
        [("grid_packages.csv", 4, "package", "already stands in line 2")],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_catalogs(tmp_path, name):
    """Each way to break one file gives exactly the expected reports, and none that merely follows from them."""
    files, expected = BROKEN[name]
    found = mistakes_of(write(tmp_path, **files))
    assert [mistake[:3] for mistake in found] == [mistake[:3] for mistake in expected]
    assert all(part[3] in mistake[3] for mistake, part in zip(found, expected, strict=True))


def test_a_catalog_broken_in_every_way_at_once(tmp_path):
    """Ten mistakes in four files are ten reports."""
    (tmp_path / "categories.csv").write_text(CATEGORIES.replace("true", "perhaps"))
    (tmp_path / "grids.csv").write_bytes(GRIDS.replace("Calendar", "Calendrier \xe9t\xe9").encode("latin-1"))
    rows = [
        FIRST,
        SECOND.replace("2117", "1776"),
        SECOND.replace("2117", "3").replace("django-recurrence,apps", "django recurrence,frameworks"),
        SECOND.replace("2117", "4")
        .replace("django-recurrence,apps", "4,apps")
        .replace("http://", "ftp://")
        .replace("2012-03-02\n", "today\n"),
        "5,five\n",
    ]
    (tmp_path / "packages.csv").write_text(f"{HEAD}\n{''.join(rows)}")
    (tmp_path / "grid_packages.csv").write_text(MEMBERSHIPS + "calendar,nobody\n")
    assert [mistake[:3] for mistake in mistakes_of(tmp_path)] == [
        ("categories.csv", 2, "show_pypi"),
        ("grids.csv", 2, None),
        ("packages.csv", 3, "id"),
        ("packages.csv", 4, "slug"),
        ("packages.csv", 4, "category"),
        ("packages.csv", 5, "slug"),
        ("packages.csv", 5, "repo_url"),
        ("packages.csv", 5, "modified"),
        ("packages.csv", 6, None),
        ("grid_packages.csv", 4, "package"),
    ]


def test_wrong_encoding_counts_further_lines(tmp_path):
    """A file full of bytes that are not UTF-8 is one report with the first place and the number of further lines."""
    rows = f"{HEAD}\n{FIRST}{SECOND}".replace("Recurrence,", "R\xe9currence,").replace("django-scheduler,d", "d\xe9,d", 1)
    ((_, line, column, message),) = mistakes_of(write(tmp_path, packages_csv=b"\xef\xbb\xbf" + rows.encode("latin-1")))
    assert (line, column) == (2, None)
    assert f"byte {3 + rows.index(chr(0xE9)) + 1} is 0xE9, which is not UTF-8 and in 1 more lines" in message


def test_a_row_that_cannot_be_split_is_not_missed_elsewhere(tmp_path):
    """Packages of a row with too few cells are not reported as unknown where a grid names them, but others are."""
    files = packages(FIRST, "2117,Django Recurrence,django-recurrence\n")
    found = mistakes_of(write(tmp_path, **files, grid_packages_csv=MEMBERSHIPS + "calendar,nobody\n"))
    assert [mistake[:3] for mistake in found] == [("packages.csv", 3, None), ("grid_packages.csv", 4, "package")]


def test_no_folder_and_no_file(tmp_path):
    """A folder that is missing, or a file in its place, is one clear report."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "nowhere", tmp_path / "file"):
        ((file, line, _, message),) = mistakes_of(path)
        assert (file, line) == (str(path), None)
        assert "the folder cannot be read" in message


def test_two_files_of_one_name_and_an_unreadable_one(tmp_path):
    """A table given twice and a name that is no file are reported, not guessed about."""
    write(tmp_path, grids_csv=None)
    (tmp_path / "packages.parquet").write_bytes(b"")
    (tmp_path / "grids.csv").mkdir()
    found = mistakes_of(tmp_path)
    assert [mistake[0] for mistake in found] == ["grids.csv", "packages.csv"]
    assert "cannot be read (Is a directory)" in found[0][3]
    assert "packages.parquet is there too: remove one of them" in found[1][3]


def to_parquet(folder, *, native):
    """Rewrite the four CSV files of a folder as Parquet, as text or with native types."""
    for path in folder.glob("*.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            table = pa.Table.from_pylist(list(csv.DictReader(file)))
        for name in table.column_names if native else ():
            if name == "id":
                table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.int64()))
            elif name in ("show_pypi", "is_locked", "header"):
                table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.bool_()))
            elif name in ("created", "modified"):
                instants = [datetime.fromisoformat(text).astimezone(UTC) for text in table[name].to_pylist()]
                table = table.set_column(table.column_names.index(name), name, pa.array(instants, pa.timestamp("us", "America/New_York")))
            elif name == "category":
                table = table.set_column(table.column_names.index(name), name, table[name].dictionary_encode())
        pq.write_table(table, path.with_suffix(".parquet"))
        path.unlink()


@pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
def test_parquet_is_the_same_catalog(tmp_path, native):
    """The sample catalog as Parquet, as text or with native types, is equal to the CSV files."""
    for path in SAMPLE.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    to_parquet(tmp_path, native=native)
    assert load_catalog(tmp_path) == load_catalog(SAMPLE)


def parquet_packages(folder, **columns):
    """The good catalog with packages.parquet in place of packages.csv, some columns replaced."""
    write(folder, packages_csv=None)
    when = datetime(2013, 4, 20, 3, 4, 43, 428533)  # noqa: DTZ001 -- naive on purpose
    good = {
        "id": pa.array([1776, 2117], pa.int32()),
        "title": ["a", "b"],
        "slug": ["django-scheduler", "django-recurrence"],
        "category": ["apps", "apps"],
        "repo_url": [None, ""],
        "pypi_url": pa.nulls(2),
        "documentation_url": [None, None],
        "created": [when, when],
        "modified": [date(2013, 4, 20), date(2013, 4, 20)],
    }
    pq.write_table(pa.table(good | columns), folder / "packages.parquet")
    return folder


def test_parquet_native_times(tmp_path):
    """Naive timestamps and dates mean UTC, nanoseconds are cut to microseconds, and nulls are empty cells."""
    ticks = pa.array([1_366_427_083_428_533_999, 0], pa.timestamp("ns"))
    first, second = load_catalog(parquet_packages(tmp_path, modified=ticks)).entries
    assert first.created_at == first.modified_at == datetime(2013, 4, 20, 3, 4, 43, 428533, tzinfo=UTC)
    assert second.modified_at == datetime(1970, 1, 1, tzinfo=UTC)
    assert first.created_at.tzinfo is UTC
    assert (first.repo_url, second.repo_url, first.repo) == (None, None, None)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"id": [1.0, None]}, [(1, "id", "values of type float: store whole numbers (int64), or text")]),
        ({"id": pa.array([2**63, 1], pa.uint64())}, [(1, "id", "9223372036854775808 is no id")]),
        ({"id": [7, 7]}, [(2, "id", "the id 7 already stands in row 1")]),
        ({"id": [None, 0]}, [(1, "id", "None is no id"), (2, "id", "0 is no id")]),
        ({"title": [None, "b"]}, [(1, "title", "is empty")]),
        ({"title": [1, 2]}, [(1, "title", "values of type int: store text (string)")]),
        ({"title": [b"a", b"b"]}, [(1, "title", "values of type bytes: store text (string)")]),
        ({"created": [None, datetime(2020, 1, 1, tzinfo=UTC)]}, [(1, "created", "'' is not an ISO 8601 date")]),
        ({"created": pa.array([0, 2**61], pa.timestamp("ms"))}, [(None, "created", "the column cannot be read")]),
        ({"created": pa.array([0, 2**60], pa.timestamp("us"))}, [(None, "created", "a time lies outside the years 1 to 9999")]),
        ({"extra": [1, 2]}, [(None, "extra", "unknown column 'extra'")]),
        ({"category": ["apps", "app"]}, [(2, "category", "'app' is no slug in categories.csv")]),
        ({"title": pa.array([b"\xff", b"b"]).view(pa.string())}, [(None, "title", "the column cannot be read")]),
    ],
)
def test_parquet_mistakes(tmp_path, columns, expected):
    """Mistakes in Parquet are reported with the row in place of the line; a wrong type is one report."""
    found = mistakes_of(parquet_packages(tmp_path, **columns))
    assert [mistake[:3] for mistake in found] == [("packages.parquet", line, column) for line, column, _ in expected]
    assert all(part in mistake[3] for mistake, (*_, part) in zip(found, expected, strict=True))


@pytest.mark.parametrize("data", [b"", b"PAR1", b"id,title\n" * 9, b"PAR1" + bytes(200) + b"PAR1"])
def test_no_parquet_at_all(tmp_path, data):
    """A file that is not Parquet is one report."""
    write(tmp_path, packages_csv=None)
    (tmp_path / "packages.parquet").write_bytes(data)
    ((file, line, _, message),) = mistakes_of(tmp_path)
    assert (file, line) == ("packages.parquet", None)
    assert "not Parquet that can be read" in message


@settings(deadline=None)
@given(st.binary() | st.text(alphabet='id,title"\n\r\0;é').map(lambda text: (HEAD + "\n" + text).encode()))
def test_any_bytes_are_reported_or_read(data):
    """Whatever stands in packages.csv, the outcome is a catalog or InvalidCatalog with printable messages."""
    sheets = {f"{name}": read_csv(GOOD[f"{name}.csv"], f"{name}.csv", COLUMNS[name]) for name in COLUMNS}
    sheets["packages"] = read_csv(data, "packages.csv", COLUMNS["packages"])
    messages = []
    try:
        read_catalog(sheets)
    except InvalidCatalog as error:
        messages = [mistake.message for mistake in error.mistakes]
    assert all(message.isprintable() for message in messages)
