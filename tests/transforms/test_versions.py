from __future__ import annotations

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from transforms.versions import is_legacy, is_prerelease, is_valid_requires_python, sort_versions

# Lowest first, as PEP 440 defines it.
PEP_440 = [
    "1.0.dev1",
    "1.0a1.dev1",
    "1.0a1",
    "1.0a1.post1",
    "1.0b2",
    "1.0rc1",
    "1.0",
    "1.0+abc",
    "1.0.post1.dev1",
    "1.0.post1",
    "1.1.dev1",
    "1.10",
    "1!0.1",
]
# Lowest first, as PyPI sorts what came before PEP 440 (compared by hand with the packaging_legacy distribution).
LEGACY = ["0.1dev-r1234", "0.9.0.final1", "1_0", "1.0-SNAPSHOT", "2004d", "2004e"]
versions = st.lists(
    st.one_of(st.sampled_from(PEP_440 + LEGACY), st.text("0123456789abrcdevpost.-_!+", max_size=12)), max_size=20, unique=True
)


def test_versions_stand_in_the_order_of_pep_440_with_legacy_ones_first():
    """However they are listed, legacy spellings come first in PyPI's old order, then PEP 440."""
    mixed = PEP_440 + LEGACY
    random.Random(3).shuffle(mixed)  # noqa: S311 - a shuffle, not a secret
    assert sort_versions(mixed) == LEGACY + PEP_440


def test_spellings_of_one_version_stay_apart():
    """1.0 and 1.0.0 are equal by PEP 440, yet both were uploaded: none is lost, and their order does not depend on the input."""
    assert sort_versions(["1.0.0", "1.0", "v1.0"]) == sort_versions(["v1.0", "1.0.0", "1.0"]) == ["1.0", "1.0.0", "v1.0"]


def test_prereleases_are_those_of_pep_440():
    """Development releases count, letters inside a local version do not, and of a legacy version nobody can tell."""
    told = {version: is_prerelease(version) for version in ("1.0a1", "1.0.dev1", "1.0rc1.post2", "1.0", "1.0+cpu", "1.0.post1", "2004d")}
    assert told == {
        "1.0a1": True,
        "1.0.dev1": True,
        "1.0rc1.post2": True,
        "1.0": False,
        "1.0+cpu": False,
        "1.0.post1": False,
        "2004d": None,
    }


def test_endless_numbers_are_legacy_and_no_error():
    """A number too long for Python to read is a spelling like another."""
    endless = "9" * 5000
    assert is_legacy(endless)
    assert sort_versions(["1.0", endless]) == [endless, "1.0"]
    assert not is_valid_requires_python(f">={endless}.*")


def test_requires_python_that_no_installer_reads_is_recognised():
    """Old releases declare specifiers that PEP 440 forbids."""
    assert [is_valid_requires_python(text) for text in (">=3.8", ">=3.6,", "", ">=3.6.*", "3.6", "<=3.12.x")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


@settings(deadline=None)
@given(versions)
def test_sorting_keeps_every_version_and_is_settled_by_one_pass(listed):
    """Nothing is lost or added, sorting twice is sorting once, and the order of the input does not matter."""
    once = sort_versions(listed)
    assert sorted(once) == sorted(listed)
    assert sort_versions(once) == sort_versions(reversed(once)) == once


@settings(deadline=None)
@given(versions)
def test_the_order_agrees_with_pep_440_and_puts_legacy_below(listed):
    """Neighbours never stand the wrong way round."""
    ordered = sort_versions(listed)
    known = [version for version in ordered if not is_legacy(version)]
    assert ordered[len(ordered) - len(known) :] == known
    assert all(Version(low) <= Version(high) for low, high in itertools.pairwise(known))
