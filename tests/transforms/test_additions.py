"""Rows added to a catalog: ids and slugs that are stable and unique, whatever is there and whatever comes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.additions import CannotAdd, Found, add
from transforms.catalog import COLUMNS, Catalog, Category, Entry
from transforms.foreign_catalog import ForeignCatalog
from transforms.references import ProjectName

AT = datetime(2026, 1, 1, tzinfo=UTC)


def entry(identifier: int, slug: str, project: str | None = None) -> Entry:
    """A row of packages."""
    return Entry(
        id=identifier,
        slug=slug,
        title=slug,
        category="apps",
        repo_url=None,
        pypi_url=project,
        documentation_url=None,
        created_at=AT,
        modified_at=AT,
        repo=None,
        project=None if project is None else ProjectName(project),
    )


def catalog(*entries: Entry, categories: tuple[str, ...] = ("apps",)) -> Catalog:
    """A catalog of these packages."""
    made = [
        Category(id=number, slug=slug, title=slug, description="", title_plural="", show_pypi=True, created_at=AT, modified_at=AT)
        for number, slug in enumerate(categories, start=1)
    ]
    return Catalog(categories=tuple(made), grids=(), entries=entries, memberships=())


def found(*names: str) -> list[Found]:
    """Projects without a repository."""
    return [Found(name=ProjectName(name), title=name, repo_url=None) for name in names]


def ids(rows: list[tuple[object, ...]]) -> list[tuple[object, object]]:
    """Ids and slugs."""
    return [(row[0], row[2]) for row in rows]


def test_ids_follow_the_largest_and_slugs_are_made_unique() -> None:
    """A slug that somebody has gets a number; digits alone get a word."""
    added = add(catalog(entry(7, "six"), entry(3, "x", "attrs")), [], found("six", "attrs", "404"), category=None, at=AT)
    assert ids(added.rows["packages"]) == [(8, "six-2"), (9, "404-package")]


def test_a_catalog_that_is_new_gets_a_category() -> None:
    """The one named, or packages."""
    assert ids(add(None, [], found("six"), category="my-tools", at=AT).rows["categories"]) == [(1, "my-tools")]
    assert ids(add(None, [], [], category=None, at=AT).rows["categories"]) == [(1, "packages")]


def test_a_category_is_never_guessed() -> None:
    """Several, or one that is not there, and nothing is added."""
    with pytest.raises(CannotAdd, match="one of apps, tools"):
        add(catalog(categories=("apps", "tools")), [], found("six"), category=None, at=AT)
    with pytest.raises(CannotAdd, match="no category"):
        add(catalog(), [], found("six"), category="tools", at=AT)


def test_no_id_comes_after_the_last() -> None:
    """The largest of 64 bits is told, not wrapped."""
    with pytest.raises(CannotAdd, match="none comes after"):
        add(catalog(entry(2**63 - 1, "x")), [], found("six"), category=None, at=AT)


def foreign(*rows: tuple[int, str]) -> ForeignCatalog:
    """Somebody's packages."""
    packages = [(identifier, slug, slug, "apps", None, None, None, AT, AT) for identifier, slug in rows]
    return ForeignCatalog(rows={"categories": [], "grids": [], "packages": packages})


def test_foreign_records_keep_ids_that_are_free() -> None:
    """One that is taken gets another, that no other foreign record has; a slug that is there is that record."""
    added = add(catalog(entry(5, "a")), [foreign((5, "b"), (6, "c"), (9, "a"))], found("six"), category=None, at=AT)
    assert ids(added.rows["packages"]) == [(7, "b"), (6, "c"), (8, "six")]


NAMES = st.sampled_from(["a", "b", "a-2", "a-3", "1", "1-package", "1-3", "c"])


@given(
    old=st.lists(st.tuples(st.integers(1, 20), NAMES, st.none() | NAMES), max_size=6, unique_by=(lambda row: row[0], lambda row: row[1])),
    theirs=st.lists(st.tuples(st.integers(1, 20), NAMES), max_size=5, unique_by=(lambda row: row[0], lambda row: row[1])),
    names=st.lists(NAMES, max_size=8),
)
def test_ids_and_slugs_stay_unique(old: list[tuple[int, str, str | None]], theirs: list[tuple[int, str]], names: list[str]) -> None:
    """Together with those that are there; each project once; and doing it again adds nothing."""
    before = catalog(*(entry(*row) for row in old))
    added = add(before, [foreign(*theirs)], found(*names), category=None, at=AT).rows["packages"]
    keys = [(row.id, row.slug) for row in before.entries] + ids(added)
    assert len({key[0] for key in keys}) == len({key[1] for key in keys}) == len(keys)
    assert all(len(row) == len(COLUMNS["packages"]) for row in added)
    after = catalog(*before.entries, *(entry(row[0], row[2], row[5].split("/")[-2] if row[5] else None) for row in added))
    assert add(after, [foreign(*theirs)], found(*names), category=None, at=AT).rows["packages"] == []
