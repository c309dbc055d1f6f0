"""The order of a project's versions: PEP 440, with the spellings older than it below everything else.

PyPI sorts releases with the ``packaging_legacy`` distribution, where every version that PEP 440 does not know compares
lower than every version it knows; the same order is kept here with the standard ``packaging`` library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from packaging.specifiers import SpecifierSet
from packaging.version import Version

_LEGACY_PART = re.compile(r"([0-9]+|[a-z]+|\.|-)")
_LEGACY_NAMES = {"pre": "c", "preview": "c", "-": "final-", "rc": "c", "dev": "@"}


@lru_cache(maxsize=65536)
def parse_version(version: str) -> Version | None:
    """Read the version as PEP 440 does; ``None`` for a legacy spelling such as ``2004d`` or ``1.0-SNAPSHOT``."""
    try:
        return Version(version)
    except ValueError:  # InvalidVersion, and numbers too long for an int
        return None


def is_legacy(version: str) -> bool:
    """Tell whether PEP 440 does not know the spelling."""
    return parse_version(version) is None


def is_prerelease(version: str) -> bool | None:
    """Tell whether PEP 440 calls it a pre-release or a development release; ``None`` for a legacy version, of which nobody can tell."""
    parsed = parse_version(version)
    return None if parsed is None else parsed.is_prerelease


def is_valid_requires_python(specifier: str) -> bool:
    """Tell whether installers can read this Requires-Python; old releases say ``>=3.6.*`` and the like."""
    try:
        SpecifierSet(specifier)
    except ValueError:  # InvalidSpecifier, and numbers too long for an int
        return False
    return True


def sort_versions(versions: Iterable[str]) -> list[str]:
    """Put the lowest version first; spellings of one version (``1.0``, ``1.0.0``) stay apart, in the order of their text."""
    known: list[tuple[Version, str]] = []
    legacy: list[tuple[tuple[str, ...], str]] = []
    for version in versions:
        parsed = parse_version(version)
        if parsed is None:
            legacy.append((_legacy_key(version), version))
        else:
            known.append((parsed, version))
    return [version for _, version in sorted(legacy)] + [version for _, version in sorted(known)]


def _legacy_key(version: str) -> tuple[str, ...]:
    """Compare parts as text, numbers padded, so that ``2004d`` < ``2004e`` < ``2004-1_``: the order setuptools had before PEP 440."""
    parts: list[str] = []
    for found in [*_LEGACY_PART.split(version.lower()), "final"]:
        part = _LEGACY_NAMES.get(found, found)
        if not part or part == ".":
            continue
        if part[0] in "0123456789":
            parts.append(part.zfill(8))
            continue
        part = f"*{part}"
        while parts and parts[-1] == "*final-" and part < "*final":
            parts.pop()  # a dash before a pre-release tag means nothing
        while parts and parts[-1] == "00000000":
            parts.pop()  # trailing zeros of a series of numbers mean nothing
        parts.append(part)
    return tuple(parts)
