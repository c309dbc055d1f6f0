from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.catalog import COLUMNS, InvalidCatalog, Mistake, Sheet, format_mistakes, read_catalog
from transforms.cells import parse_flag, parse_id, parse_instant, parse_slug
from transforms.schemas import CATEGORIES, GRID_PACKAGES, GRIDS

DATES = {"created": "2013-04-20T03:04:43.428533Z", "modified": "2026-01-28 14:16:27-05:00"}
CATEGORY = {"id": "1", "title": "App", "slug": "apps", "description": "", "title_plural": "Apps", "show_pypi": "true", **DATES}
GRID = {"id": "62", "title": "Calendar", "slug": "calendar", "description": "", "is_locked": "no", "header": "1", **DATES}
PACKAGE = {
    "id": "1776",
    "title": "django-scheduler",
    "slug": "django-scheduler",
    "category": "apps",
    "repo_url": "https://github.com/LLazzaro/django-scheduler",
    "pypi_url": "http://pypi.python.org/pypi/Django_Scheduler",
    "documentation_url": "",
    **DATES,
}
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MEMBERSHIP = {"grid": "calendar", "package": "django-scheduler"}


def sheet(name, *rows):
    """The sheet of these rows, as if each stood on one line below the header."""
    header = COLUMNS[name]
    return Sheet(
        file=f"{name}.csv",
        header=header,
        header_line=1,
        lines=range(2, len(rows) + 2),
        columns=[[row[column] for row in rows] for column in header],
    )


def sheets(**rows):
    """Four sheets with one good row each, but for those given."""
    good = {"categories": [CATEGORY], "grids": [GRID], "packages": [PACKAGE], "grid_packages": [MEMBERSHIP]}
    return {name: sheet(name, *table) for name, table in (good | rows).items()}


def mistakes_of(**rows):
    """Every mistake these rows give, as (file, line, column, message)."""
    with pytest.raises(InvalidCatalog) as caught:
        read_catalog(sheets(**rows))
    return [(m.file, m.line, m.column, m.message) for m in caught.value.mistakes]


def test_a_good_catalog():
    """Cells become typed values, curated addresses stay as written, and times are aware UTC in microseconds."""
    catalog = read_catalog(sheets())
    (entry,), (grid,), (category,) = catalog.entries, catalog.grids, catalog.categories
    assert (entry.id, entry.category) == (1776, "apps")
    assert entry.repo_url == PACKAGE["repo_url"]
    assert entry.repo.subject == "github:llazzaro/django-scheduler"
    assert (entry.pypi_url, entry.project) == (PACKAGE["pypi_url"], "django-scheduler")
    assert entry.documentation_url is None
    assert entry.created_at == datetime(2013, 4, 20, 3, 4, 43, 428533, tzinfo=UTC)
    assert entry.modified_at.isoformat() == "2026-01-28T19:16:27+00:00"
    assert (grid.is_locked, grid.header, category.show_pypi) == (False, True, True)
    assert catalog.memberships == (("calendar", "django-scheduler"),)


def test_tables_have_the_public_schemas():
    """The Arrow tables have exactly the schemas of the publication, sorted by key whatever the order of the files."""
    other = PACKAGE | {"id": "7", "slug": "other"}
    catalog = read_catalog(
        sheets(
            grids=[GRID, GRID | {"id": "3", "slug": "early"}],
            packages=[PACKAGE, other],
            grid_packages=[MEMBERSHIP, MEMBERSHIP | {"package": "other"}, {"grid": "early", "package": "other"}],
        )
    )
    tables = catalog.tables()
    assert {name: table.schema for name, table in tables.items()} == {t.name: t.schema for t in (CATEGORIES, GRIDS, GRID_PACKAGES)}
    assert tables["grids"]["id"].to_pylist() == [3, 62]
    assert tables["grid_packages"].to_pylist() == [
        {"grid_id": 3, "package_id": 7, "grid": "early", "package": "other"},
        {"grid_id": 62, "package_id": 7, "grid": "calendar", "package": "other"},
        {"grid_id": 62, "package_id": 1776, "grid": "calendar", "package": "django-scheduler"},
    ]


def test_an_empty_catalog_has_empty_tables():
    """Headers without rows are a catalog, and its tables keep their schemas."""
    catalog = read_catalog(sheets(categories=[], grids=[], packages=[], grid_packages=[]))
    assert catalog.subjects == {}
    assert [table.num_rows for table in catalog.tables().values()] == [0, 0, 0]


def test_a_monorepo_is_one_subject():
    """Two packages in one repository share its subject, however their addresses are spelled; unsupported forges have none."""
    sibling = PACKAGE | {"id": "2", "slug": "sibling", "repo_url": "git@github.com:llazzaro/django-scheduler.git", "pypi_url": ""}
    elsewhere = PACKAGE | {"id": "3", "slug": "elsewhere", "repo_url": "https://gitlab.com/a/b", "pypi_url": "elsewhere"}
    bare = PACKAGE | {"id": "4", "slug": "bare", "repo_url": "", "pypi_url": ""}
    catalog = read_catalog(sheets(packages=[PACKAGE, sibling, elsewhere, bare]))
    assert catalog.subjects == {
        "github:llazzaro/django-scheduler": ["django-scheduler", "sibling"],
        "pypi:django-scheduler": ["django-scheduler"],
        "pypi:elsewhere": ["elsewhere"],
    }
    assert catalog.entries[2].repo.forge == "gitlab.com"
    assert catalog.entries[3].repo is None


def test_three_mistakes_are_three_reports():
    """Mistakes in three files are all found in one pass, each with its place and what to write instead."""
    found = mistakes_of(
        categories=[CATEGORY | {"show_pypi": "maybe"}],
        packages=[PACKAGE | {"category": "Apps"}],
        grid_packages=[MEMBERSHIP, {"grid": "calender", "package": "django-scheduler"}],
    )
    assert found == [
        ("categories.csv", 2, "show_pypi", "'maybe' is neither yes nor no: write true or false"),
        ("packages.csv", 2, "category", "'Apps' is no slug in categories.csv: write 'apps'"),
        ("grid_packages.csv", 3, "grid", "'calender' is no slug in grids.csv: write one of calendar, or add it there"),
    ]


def test_three_mistakes_in_one_row():
    """One row with three faults gives three reports, in the order of its columns."""
    found = mistakes_of(packages=[PACKAGE | {"created": "soon", "id": "0", "repo_url": "github"}], grid_packages=[])
    assert [(line, column) for _, line, column, _ in found] == [(2, "id"), (2, "repo_url"), (2, "created")]


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("id", "", "'' is not a whole number"),
        ("id", "0", "0 is no id"),
        ("id", "-1", "'-1' is not a whole number"),
        ("id", "1776.0", "'1776.0' is not a whole number"),
        ("id", "9223372036854775808", "9223372036854775808 is no id: write a whole number from 1 to 9223372036854775807"),
        ("id", "9" * 5000, "is not a whole number"),
        ("id", "\u0661", "is not a whole number"),
        ("title", "  ", "is empty: write the name people know it by"),
        ("title", "a\x00b", "has the control character U+0000 at position 2: remove it"),
        ("slug", "", "is empty"),
        ("slug", "django scheduler", "has the character ' '"),
        ("slug", "django.scheduler", "has the character '.'"),
        ("slug", "dj\u00e4ngo", "has the character '\u00e4'"),
        ("slug", "1776", "digits alone, which the API reads as an id"),
        ("category", "", "is empty: write the slug"),
        ("category", "frameworks", "is no slug in categories.csv"),
        ("repo_url", "https://github.com/llazzaro", "names no repository"),
        ("repo_url", "https://github.com/a/\x00", "has the character '\\x00'"),
        ("pypi_url", "https://example.org/django", "is not an address on PyPI"),
        ("documentation_url", "see the readme", "is not the address of a page"),
        ("documentation_url", "javascript:alert(1)", "is not the address of a page"),
        ("documentation_url", "https://user:pw@example.org/", "is not the address of a page"),
        ("created", "", "is not an ISO 8601 date"),
        ("created", "20.04.2013", "is not an ISO 8601 date"),
        ("created", "2013-02-30", "is not a date"),
        ("created", "2013-04-20T25:00:00Z", "is not a date"),
        ("modified", "0001-01-01T00:00:00+14:00", "outside the years 1 to 9999"),
    ],
)
def test_one_bad_cell(column, cell, message):
    """Each kind of bad cell gives exactly one report at its line and column, and the message is fit to print."""
    found = mistakes_of(packages=[PACKAGE, PACKAGE | {"id": "2", "slug": "second", "repo_url": "", column: cell}])
    assert [(file, line, at) for file, line, at, _ in found] == [("packages.csv", 3, column)]
    assert message in found[0][3]
    assert found[0][3].isprintable()
    assert len(found[0][3]) < 300


def test_duplicates_name_the_first_row():
    """A second id, slug or membership is reported at its own line, naming the line of the first."""
    found = mistakes_of(packages=[PACKAGE, PACKAGE], grid_packages=[MEMBERSHIP, MEMBERSHIP])
    advice = "already stands in line 2: write another, or remove one of the two rows"
    assert found == [
        ("packages.csv", 3, "id", f"the id 1776 {advice}"),
        ("packages.csv", 3, "slug", f"the slug 'django-scheduler' {advice}"),
        ("grid_packages.csv", 3, "package", f"django-scheduler in the grid calendar {advice}"),
    ]


def test_ids_equal_by_value():
    """007 and 7 are one id; slugs in different case are two slugs, as in the API."""
    found = mistakes_of(packages=[PACKAGE | {"id": "7"}, PACKAGE | {"id": "007", "slug": "Django-Scheduler"}])
    assert [(line, column) for _, line, column, _ in found] == [(3, "id")]


def test_no_echo_of_a_bad_slug():
    """A package whose slug is itself a mistake is not reported again wherever it is named."""
    found = mistakes_of(packages=[PACKAGE | {"slug": "a.b"}], grid_packages=[MEMBERSHIP | {"package": "a.b"}])
    assert [(file, column) for file, _, column, _ in found] == [("packages.csv", "slug")]


def test_header_mistakes():
    """Unknown, missing, twofold and nameless columns are each one report, and the other columns are still checked."""
    good = sheet("packages", PACKAGE | {"id": "x"})
    header = ("id", "titel", "slug", "slug", "", *good.header[5:])
    broken = Sheet(file="packages.csv", header=header, header_line=1, lines=[2], columns=good.columns)
    with pytest.raises(InvalidCatalog) as caught:
        read_catalog(sheets() | {"packages": broken})
    found = [(m.line, m.column, m.message.split(":")[0]) for m in caught.value.mistakes]
    assert sorted(found, key=str) == sorted(
        [
            (1, "titel", "unknown column 'titel'"),
            (1, "slug", "the column stands here twice"),
            (1, None, "column 5 has no name"),
            (1, "title", "the column is missing"),
            (1, "category", "the column is missing"),
            (1, "repo_url", "the column is missing"),
            (2, "id", "'x' is not a whole number"),
        ],
        key=str,
    )


def test_a_column_of_the_wrong_type_is_one_report():
    """A native column of the wrong type is reported once, not once for every row."""
    good = sheet("packages", PACKAGE, PACKAGE, PACKAGE)
    columns = [[None, 1.0, 2.0], *good.columns[1:2], ["a", "b", "c"], *good.columns[3:]]
    broken = Sheet(file="packages.parquet", header=good.header, header_line=None, lines=range(1, 4), columns=columns)
    with pytest.raises(InvalidCatalog) as caught:
        read_catalog(sheets(grid_packages=[]) | {"packages": broken})
    assert format_mistakes(caught.value.mistakes) == (
        "packages.parquet:2: id: the column holds values of type float: store whole numbers (int64), or text"
    )


def test_format_mistakes():
    """A mistake prints as file:line: column: message, leaving out what it does not have."""
    mistakes = [
        Mistake(file="grids.csv", line=3, column="slug", message="is empty"),
        Mistake(file="grids.csv", line=1, column=None, message="no header"),
        Mistake(file="packages.csv", line=None, column=None, message="the file is missing"),
    ]
    expected = "grids.csv:3: slug: is empty\ngrids.csv:1: no header\npackages.csv: the file is missing"
    assert format_mistakes(mistakes) == expected
    assert str(InvalidCatalog(mistakes)) == expected
    assert format_mistakes([]) == ""


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2013-04-20", "2013-04-20T00:00:00+00:00"),
        ("2013-04-20T03:04", "2013-04-20T03:04:00+00:00"),
        ("2013-04-20 03:04:43", "2013-04-20T03:04:43+00:00"),
        ("2013-04-20t03:04:43z", "2013-04-20T03:04:43+00:00"),
        ("2013-04-20 03:04:43 +00:00", "2013-04-20T03:04:43+00:00"),
        ("2013-04-19T23:04:43.428533-04:00", "2013-04-20T03:04:43.428533+00:00"),
        ("2013-04-19 23:04:43.428533-04", "2013-04-20T03:04:43.428533+00:00"),
        ("2013-04-19T23:04:43.4285339-0400", "2013-04-20T03:04:43.428533+00:00"),
        ("2013-04-20T03:04:43,4Z", "2013-04-20T03:04:43.400000+00:00"),
        (datetime(2013, 4, 20), "2013-04-20T00:00:00+00:00"),  # noqa: DTZ001 - naive is the case here
        (datetime(2013, 4, 20, tzinfo=UTC), "2013-04-20T00:00:00+00:00"),
    ],
)
def test_dates(cell, expected):
    """ISO 8601 in its common spellings is read; without an offset it means UTC."""
    assert parse_instant(cell).isoformat() == expected


@settings(deadline=None)
@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1), timezones=OFFSETS))  # noqa: DTZ001 - Hypothesis adds it
def test_dates_round_trip(instant):
    """What isoformat prints is read back as the same instant."""
    assert parse_instant(instant.isoformat()) == instant


@settings(deadline=None)
@given(st.text() | st.text(alphabet="0123456789-+:.TZ ,W"))
def test_cells_are_total(text):
    """Any text in a cell gives a value or a ValueError, never another error."""
    for parse in (parse_instant, parse_id, parse_flag, parse_slug):
        try:
            parse(text)
        except ValueError as error:
            message = str(error)
        else:
            message = ""
        assert message.isprintable()


def test_flags():
    """Booleans are read in the spellings of people, spreadsheets and databases."""
    assert [parse_flag(cell) for cell in ("TRUE", "t", "Yes", "1", " y ", True)] == [True] * 6
    assert [parse_flag(cell) for cell in ("False", "f", "NO", "0", "n", False)] == [False] * 6


def test_instants_keep_microseconds_in_arrow():
    """The tables carry the curated instants to the microsecond."""
    table = read_catalog(sheets()).tables()["categories"]
    assert table["created_at"].cast(pa.int64()).to_pylist() == [1_366_427_083_428_533]
