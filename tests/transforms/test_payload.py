"""The v4 payload: equal to the sample field by field and byte by byte, and silent about nothing it does not know."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.sample_rows import BASE, NEW_YORK, ODD, SAMPLE, SCHEDULER, package
from transforms.payload import (
    NEVER_NULL,
    PACKAGE_COLUMNS,
    UnprintableValue,
    category_payload,
    grid_payload,
    list_payload,
    package_payload,
    print_time,
    render,
    root_payload,
)

GOLDEN = Path(__file__).parent.parent / "golden"
TEXT = json.loads((GOLDEN / "v4-package-1776-indented.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("field", TEXT)
def test_field_equals_sample(field):
    """Each of the 18 fields of django-scheduler has the value the real site showed."""
    assert package_payload(SCHEDULER, base_url=BASE, zone=NEW_YORK)[field] == TEXT[field]


def test_indented_bytes_equal_sample():
    """The indented record is the sample's JSON text byte for byte, order of keys included."""
    sample = (GOLDEN / "v4-package-1776-indented.json").read_bytes()
    assert render(package_payload(SCHEDULER, base_url=BASE, zone=NEW_YORK), indent=4) == sample


@pytest.mark.parametrize(("row", "name"), [(SCHEDULER, "v4-package-1776.json"), (ODD, "v4-package-77.json")])
def test_compact_bytes_equal_framework(row, name):
    """Compact records are the bytes Django REST framework writes, odd characters included."""
    assert render(package_payload(row, base_url=BASE, zone=NEW_YORK)) == (GOLDEN / name).read_bytes()


def test_other_records_equal_framework():
    """Root, grid and category are the bytes Django REST framework writes."""
    grid, category = SAMPLE.grids()[0], SAMPLE.categories()[2]
    assert render(root_payload(base_url=BASE)) == (GOLDEN / "v4-root.json").read_bytes()
    assert render(grid_payload(grid, (77, 1776, 5), base_url=BASE, zone=NEW_YORK)) == (GOLDEN / "v4-grid-62.json").read_bytes()
    assert render(category_payload(category, zone=NEW_YORK)) == (GOLDEN / "v4-category-3.json").read_bytes()


def test_list_has_its_keys_in_order():
    """A page of a list is count, next, previous, results."""
    page = list_payload(count=3, next_url="n", previous_url=None, results=[{"id": 1}])
    assert render(page) == b'{"count":3,"next":"n","previous":null,"results":[{"id":1}]}'


def test_unknown_is_never_zero():
    """What no source has said yet is null or an empty list, never 0 and never 52 zeros."""
    payload = package_payload(package(1, "new"), base_url=BASE, zone=NEW_YORK)
    unknown = ("repo_watchers", "repo_forks", "repo_description", "pypi_version", "last_updated", "last_fetched", "documentation_url")
    assert [payload[name] for name in unknown] == [None] * len(unknown)
    assert (payload["commits_over_52"], payload["participants"]) == ([], [])


def test_empty_description_is_not_unknown():
    """A repository without a description shows the empty text."""
    assert package_payload(package(1, "new", repo_description=""), base_url=BASE, zone=NEW_YORK)["repo_description"] == ""


def test_addresses_are_never_null():
    """A package without repository or project has empty addresses, as v4 columns without null have."""
    payload = package_payload(package(1, "new", repo_url=None, pypi_url=None), base_url=BASE, zone=NEW_YORK)
    assert (payload["repo_url"], payload["pypi_url"]) == ("", "")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("stars_count", math.nan),
        ("stars_count", 1331.0),
        ("stars_count", True),
        ("stars_count", np.int64(5)),
        ("forks_count", pd.NA),
        ("repo_description", math.nan),
        ("latest_version", math.nan),
        ("last_commit_at", pd.NaT),
        ("last_commit_at", pd.Timestamp("2026-02-15T19:46:55Z")),
        ("fetched_at", datetime(2026, 2, 15, 22, 19, 55)),  # noqa: DTZ001 - a naive time is the point
        ("weeks", [0.0] * 52),
        ("weeks", np.zeros(52, dtype=np.int32)),
        ("participants", ["a", math.nan]),
        ("grid_ids", [62.0]),
        ("title", None),
        ("id", None),
    ],
)
def test_pandas_never_reaches_json(column, value):
    """NaN, NaT, floats for counts, numpy values and naive times stop the rendering and name the column."""
    with pytest.raises(UnprintableValue, match=column) as caught:
        package_payload(package(1, "new") | {column: value}, base_url=BASE, zone=NEW_YORK)
    assert caught.value.column == column


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_render_refuses_nan(value):
    """NaN and infinity are no JSON: they are an error, not null and not a bare word."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        render({"repo_watchers": value})


def test_missing_column_is_an_error():
    """A row that lacks a column is a broken publication, not an unknown value."""
    row = package(1, "new")
    del row["weeks"]
    with pytest.raises(KeyError, match="weeks"):
        package_payload(row, base_url=BASE, zone=NEW_YORK)


@pytest.mark.parametrize(
    ("instant", "zone", "printed"),
    [
        (datetime(2024, 3, 1, 12, tzinfo=UTC), "America/New_York", "2024-03-01T07:00:00-05:00"),
        (datetime(2024, 7, 1, 12, 0, 0, 123456, tzinfo=UTC), "America/New_York", "2024-07-01T08:00:00.123456-04:00"),
        (datetime(2024, 7, 1, 12, 0, 0, 120000, tzinfo=UTC), "America/New_York", "2024-07-01T08:00:00.120000-04:00"),
        (datetime(2024, 11, 3, 5, 30, tzinfo=UTC), "America/New_York", "2024-11-03T01:30:00-04:00"),
        (datetime(2024, 11, 3, 6, 30, tzinfo=UTC), "America/New_York", "2024-11-03T01:30:00-05:00"),
        (datetime(2024, 1, 1, tzinfo=UTC), "UTC", "2024-01-01T00:00:00Z"),
        (datetime(2024, 1, 1, tzinfo=UTC), "Europe/London", "2024-01-01T00:00:00Z"),
        (datetime(2024, 7, 1, tzinfo=UTC), "Europe/London", "2024-07-01T01:00:00+01:00"),
        (datetime(2024, 1, 1, tzinfo=UTC), "Asia/Kathmandu", "2024-01-01T05:45:00+05:45"),
        (datetime(1, 1, 1, tzinfo=UTC), "America/New_York", "0001-01-01T00:00:00Z"),
    ],
)
def test_time_is_printed_in_zone(instant, zone, printed):
    """Times carry the offset of their own date; both hours of 1:30 on the long night differ by it."""
    assert print_time(instant, ZoneInfo(zone)) == printed


@given(st.datetimes(timezones=st.just(UTC)), st.sampled_from(["America/New_York", "UTC", "Asia/Kathmandu", "Pacific/Apia"]))
def test_printed_time_is_the_same_moment(instant, zone):
    """Reading a printed time back gives the moment that went in, to the microsecond."""
    printed = print_time(instant, ZoneInfo(zone))
    assert datetime.fromisoformat(printed) == instant
    assert ("." in printed) == (instant.microsecond != 0)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_render_loses_nothing(value):
    """Rendered JSON reads back as it was, compact and indented, and no line of JavaScript ends inside it."""
    for indent in (None, 4):
        body = render(value, indent=indent)
        assert json.loads(body) == value
        assert "\u2028" not in body.decode()
        assert "\u2029" not in body.decode()


def test_the_columns_of_the_fields_are_told():
    """Each field comes from the column it is said to come from, in the order of v4."""
    payload = package_payload(SCHEDULER, base_url=BASE, zone=NEW_YORK)
    assert list(payload) == list(PACKAGE_COLUMNS)
    for field, column in PACKAGE_COLUMNS.items():
        if field in NEVER_NULL | {"id", "title", "slug", "repo_forks", "repo_watchers", "commits_over_52", "participants"}:
            assert payload[field] == (SCHEDULER[column] or "")
