"""Addresses and lookups of v4."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.routes import match, parse_lookup


@pytest.mark.parametrize(
    ("path", "kind", "lookup", "has_slash", "suffix"),
    [
        ("/api/v4/", "root", None, True, None),
        ("/api/v4", "root", None, False, None),
        ("/api/v4/packages/", "packages", None, True, None),
        ("/api/v4/grids", "grids", None, False, None),
        ("/api/v4/packages/django-scheduler/", "packages", "django-scheduler", True, None),
        ("/api/v4/categories/1", "categories", "1", False, None),
        ("/api/v4/.json", "root", None, True, "json"),
        ("/api/v4/packages.json", "packages", None, True, "json"),
        ("/api/v4/grids/62.api/", "grids", "62", True, "api"),
        ("/api/v4/search.json", "search", None, True, "json"),
        ("/api/v4/search", "search", None, False, None),
        ("/api/v4/search/", "search", None, True, None),
    ],
)
def test_known_addresses(path, kind, lookup, has_slash, suffix):
    """Every address of v4 is known with and without its slash; after a suffix the slash does not matter."""
    route = match(path)
    assert route is not None
    assert (route.kind, route.lookup, route.has_slash, route.suffix) == (kind, lookup, has_slash, suffix)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "*",
        "/api/",
        "/api/v4x/",
        "/api/v4//",
        "/api/v4/users/",
        "/api/v4/packages//",
        "/api/v4/packages/a/b/",
        "/api/v4/packages/../",
        "/api/v4.json",
        "/api/v4/packages.JSON",
        "/api/v4/packages/a.b.json",
        "/api/v4/search/1.json",
        "/api/v4/search/1/",
        "/API/v4/",
    ],
)
def test_unknown_addresses(path):
    """Everything else is no address, dotted segments and parents among it."""
    assert match(path) is None


@pytest.mark.parametrize(
    ("kind", "text", "key"),
    [
        ("packages", "1776", 1776),
        ("packages", "001776", 1776),
        ("packages", "١٢", 12),
        ("packages", "²", None),
        ("packages", "9" * 5000, None),
        ("grids", "Calendars", "Calendars"),
        ("grids", "-1", "-1"),
        ("categories", "apps", None),
        ("categories", "+1", 1),
        ("categories", "1_0", 10),
        ("categories", "-1", -1),
    ],
)
def test_lookup_is_id_or_slug(kind, text, key):
    """Digits of any script are an id; categories have no slugs and read what int reads."""
    assert parse_lookup(kind, text) == key


@given(st.sampled_from(["packages", "grids", "categories"]), st.text())
def test_lookup_never_raises(kind, text):
    """No text in an address is an error of ours."""
    assert isinstance(parse_lookup(kind, text), int | str | None)
