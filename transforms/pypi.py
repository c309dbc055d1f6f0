"""What PyPI's project JSON says: a body in, the value columns of ``project_observations`` and ``releases`` out.

Source of the fields: https://docs.pypi.org/api/json/. Metadata in ``info`` is that of the latest release, as its first
upload declared it. PyPI gives ``null``, ``""`` and (old tools) ``UNKNOWN`` for one thing: not declared.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from typing import Any

from transforms.answers import (
    Field,
    InvalidAnswer,
    decode_object,
    filled_text,
    flag,
    instant,
    mapping,
    naive_instant,
    raise_if_any,
    read_fields,
    text,
    texts,
    whole,
)
from transforms.versions import is_legacy, is_prerelease, sort_versions

__all__ = ["InvalidAnswer", "choose_license", "choose_url", "decipher_project"]

SIZE_MAX = 2**40
_DIGITS = re.compile(r"[0-9]{1,18}")


def read_serial(value: Any) -> int:
    """Read a serial: PyPI's documents have a number, its headers and mirrors made with bandersnatch a text."""
    return int(value) if type(value) is str and _DIGITS.fullmatch(value) else whole(value)


def _size(value: Any) -> int:
    """Read the size of one file; the sum of many must stay an int64."""
    if whole(value) > SIZE_MAX:
        raise ValueError(f"is {value}, expected at most {SIZE_MAX} bytes")
    return int(value)


PROJECT_FIELDS = (
    Field("project_name", "info.name", filled_text),
    Field("latest_version", "info.version", filled_text),
    Field("summary", "info.summary", text, is_nullable=True),
    Field("requires_python", "info.requires_python", text, is_nullable=True),
    Field("license", "info.license", text, is_nullable=True),
    Field("license_expression", "info.license_expression", text, is_nullable=True, is_optional=True),
    Field("classifiers", "info.classifiers", texts, is_nullable=True),
    Field("project_urls", "info.project_urls", mapping, is_nullable=True),
    Field("home_page", "info.home_page", text, is_nullable=True, is_optional=True),
    Field("docs_url", "info.docs_url", text, is_nullable=True, is_optional=True),
    Field("yanked", "info.yanked", flag, is_nullable=True, is_optional=True),
    Field("releases", "releases", mapping),
    Field("serial", "last_serial", read_serial, is_nullable=True, is_optional=True),
)
FILE_FIELDS = (
    Field("filename", "filename", text),
    Field("size", "size", _size),
    Field("yanked", "yanked", flag),
    Field("yanked_reason", "yanked_reason", text, is_nullable=True),
    Field("requires_python", "requires_python", text, is_nullable=True),
)
_UPLOADED = Field("uploaded_at", "upload_time_iso_8601", instant)
_UPLOADED_NAIVE = Field("uploaded_at", "upload_time", naive_instant)

# Labels of project_urls, normalised: https://packaging.python.org/en/latest/specifications/well-known-project-urls/,
# followed by spellings in wide use. The first label that the project has decides.
DOCUMENTATION_LABELS = ("documentation", "docs", "readthedocs", "documentationurl", "docsurl")
HOMEPAGE_LABELS = ("homepage", "home")
REPOSITORY_LABELS = ("source", "repository", "sourcecode", "github", "code", "gitlab", "codeberg", "repo")
_UNSPOKEN = str.maketrans("", "", string.punctuation + string.whitespace)

LICENSE_PREFIX = "License ::"
SHORT_LICENSE = 60


def decipher_project(body: bytes, serial_header: str | None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read ``GET /pypi/{name}/json``: the value columns of ``project_observations``, and of ``releases`` for each release.

    The latest version is PyPI's own (``info.version``): the newest stable release that is not yanked, else the newest
    pre-release that is not yanked, else the newest yanked one. ``serial_header`` is ``X-PyPI-Last-Serial`` if the answer
    had it. A Requires-Python that no installer can read is kept as text. Releases come lowest version first, those without
    files included. Raises InvalidAnswer.
    """
    problems: list[str] = []
    raw = read_fields(decode_object(body), PROJECT_FIELDS, problems)
    listed: dict[str, list[dict[str, Any]]] = {}
    for version, files in (raw["releases"] or {}).items():
        listed[version] = _read_files(version, files, problems)
    raise_if_any(problems)
    releases = [_release(version, position, listed[version]) for position, version in enumerate(sort_versions(listed), start=1)]
    if serial_header is not None and _DIGITS.fullmatch(serial_header):
        raw["serial"] = int(serial_header)
    return _project(raw, releases), releases


def _read_files(version: str, files: Any, problems: list[str]) -> list[dict[str, Any]]:
    if not isinstance(files, list):
        problems.append(f"releases.{version}: expected a list of files")
        return []
    read = []
    for index, file in enumerate(files):
        # Mirrors of old PyPI have only the time without offset, which means UTC.
        uploaded = (
            _UPLOADED if not isinstance(file, dict) or "upload_time_iso_8601" in file or "upload_time" not in file else _UPLOADED_NAIVE
        )
        read.append(read_fields(file, (*FILE_FIELDS, uploaded), problems, f"releases.{version}.{index}."))
    return read


def _release(version: str, position: int, files: list[dict[str, Any]]) -> dict[str, Any]:
    """Sum up one release; nothing is known of the yank, time and Requires-Python of one without files."""
    first = min(files, key=lambda file: (file["uploaded_at"], file["filename"]), default=None)
    return {
        "version": version,
        "position": position,
        "is_legacy": is_legacy(version),
        "is_prerelease": is_prerelease(version),
        "is_yanked": all(file["yanked"] for file in files) if files else None,
        "yanked_reason": next((file["yanked_reason"] for file in files if file["yanked"] and file["yanked_reason"]), None),
        "released_at": None if first is None else first["uploaded_at"],
        "files_count": len(files),
        "size_bytes": sum(file["size"] for file in files),
        "requires_python": None if first is None else _declared(first["requires_python"]),
    }


def _project(raw: Mapping[str, Any], releases: list[dict[str, Any]]) -> dict[str, Any]:
    latest = next((release for release in releases if release["version"] == raw["latest_version"]), None)
    is_yanked = None if latest is None else latest["is_yanked"]
    urls: dict[str, Any] = raw["project_urls"] or {}
    return {
        "project_name": raw["project_name"],
        "latest_version": raw["latest_version"],
        "latest_released_at": None if latest is None else latest["released_at"],
        "is_latest_yanked": raw["yanked"] if is_yanked is None else is_yanked,
        "is_latest_prerelease": is_prerelease(raw["latest_version"]),
        "summary": _declared(raw["summary"]),
        "requires_python": _declared(raw["requires_python"]),
        "license": choose_license(raw["license_expression"], raw["classifiers"] or [], raw["license"]),
        "documentation_url": choose_url(urls, DOCUMENTATION_LABELS) or _web_address(raw["docs_url"]),
        "homepage_url": choose_url(urls, HOMEPAGE_LABELS) or _web_address(raw["home_page"]),
        "repository_url": choose_url(urls, REPOSITORY_LABELS),
        "classifiers": raw["classifiers"] or [],
        "releases_count": len(releases),
        "serial": raw["serial"],
    }


def choose_license(expression: str | None, classifiers: list[str], free_text: str | None) -> str | None:
    """Choose the licence: SPDX expression, else the last words of the licence classifiers, else a free text of one short line."""
    if spdx := _declared(expression):
        return spdx
    # "License :: OSI Approved" alone names a family, not a licence.
    named = [item.rpartition("::")[2].strip() for item in classifiers if item.startswith(LICENSE_PREFIX)]
    if licenses := [name for name in dict.fromkeys(named) if name not in ("", "OSI Approved")]:
        return ", ".join(licenses)
    short = _declared(free_text)
    return short if short is not None and len(short) < SHORT_LICENSE and len(short.splitlines()) == 1 else None


def choose_url(urls: Mapping[str, Any], labels: tuple[str, ...]) -> str | None:
    """Choose the first web address in the order of ``labels``; labels are compared without punctuation, spaces and case."""
    found: dict[str, str] = {}
    for label, url in urls.items():
        address = _web_address(url)
        if address is not None:
            found.setdefault(label.translate(_UNSPOKEN).lower(), address)
    return next((found[label] for label in labels if label in found), None)


def _web_address(value: Any) -> str | None:
    address = _declared(value) if isinstance(value, str) else None
    return address if address is not None and address.lower().startswith(("https://", "http://")) else None


def _declared(value: str | None) -> str | None:
    """Keep text that says something, without spaces around it."""
    stripped = (value or "").strip()
    return None if stripped in ("", "UNKNOWN") else stripped
