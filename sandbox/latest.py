"""Which release of a project PyPI calls the latest, and what its document says then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from packaging.version import InvalidVersion, Version

_Files = Sequence[Mapping[str, Any]]


def latest_version(releases: Mapping[str, _Files]) -> str | None:
    """PyPI's ``info.version``: the newest stable release not yanked, else the newest pre-release not yanked, else the newest yanked.

    A release without files counts as not yanked, as in PyPI's database; a spelling PEP 440 does not know is below all others.
    """
    return max(releases, key=lambda version: _rank(version, releases[version]), default=None)


def relisted(document: Mapping[str, Any], releases: Mapping[str, _Files]) -> dict[str, Any]:
    """The document with these releases: its ``info.version``, yank, ``urls`` and serial follow from them."""
    version = latest_version(releases)
    files = releases[version] if version is not None else []
    is_yanked = _is_yanked(files)
    reason = next((file["yanked_reason"] for file in files), None) if is_yanked else None
    named = {"version": document["info"]["version"] if version is None else version, "yanked": is_yanked, "yanked_reason": reason}
    return {
        **document,
        "info": {**document["info"], **named},
        "releases": dict(releases),
        "urls": list(files),
        "last_serial": int(document["last_serial"]) + 1,
    }


def _is_yanked(files: _Files) -> bool:
    return bool(files) and all(file["yanked"] for file in files)


def _rank(version: str, files: _Files) -> tuple[bool, bool, bool, Version, str]:
    try:
        parsed = Version(version)
    except InvalidVersion:
        return (not _is_yanked(files), False, False, Version("0"), version)
    is_yanked = _is_yanked(files)
    return (not is_yanked, not is_yanked and not parsed.is_prerelease, True, parsed, version)
