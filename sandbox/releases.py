"""The releases of a project: their files, which of them PyPI calls the latest, and what its document says then."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from packaging.version import InvalidVersion, Version

from sandbox.subjects import Project, UnknownSubject

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


def files_of(project: Project, version: str) -> list[Any]:
    """The files of one release; raises UnknownSubject when it is not there."""
    if version not in project.document["releases"]:
        raise UnknownSubject(f"{project.name} {version}")
    files: list[Any] = project.document["releases"][version]
    return files


def with_files(project: Project, version: str, values: Mapping[str, Any]) -> dict[str, list[Any]]:
    """All releases, those values on every file of this one; raises UnknownSubject when it is not there."""
    return {**project.document["releases"], version: [{**file, **values} for file in files_of(project, version)]}


def source_distribution(name: str, version: str, *, at: datetime, requires_python: str | None, size: int = 40_000) -> dict[str, Any]:
    """A file entry of PyPI's project JSON (https://docs.pypi.org/api/json/); its hashes follow from its name."""
    filename = f"{name.replace('-', '_')}-{version}.tar.gz"
    digest = hashlib.sha256(filename.encode()).hexdigest()
    naive = at.astimezone(UTC).replace(tzinfo=None)
    return {
        "comment_text": None,
        "digests": {"blake2b_256": digest[::-1], "md5": digest[:32], "sha256": digest},
        "filename": filename,
        "md5_digest": digest[:32],
        "packagetype": "sdist",
        "python_version": "source",
        "requires_python": requires_python,
        "size": size,
        "upload_time": naive.isoformat(timespec="seconds"),
        "upload_time_iso_8601": f"{naive.isoformat()}Z",
        "url": "",
        "yanked": False,
        "yanked_reason": None,
        "has_sig": False,
        "downloads": -1,
        "core-metadata": False,
    }
