"""The kinds of source a catalog is made from, and which one a file is, told by its name or else by how it begins."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from enum import StrEnum

from transforms.bills_of_materials import read_cyclonedx, read_spdx
from transforms.candidates import Listing
from transforms.lock_files import read_pylock, read_pyproject, read_uv_lock
from transforms.requirement_files import read_classifier_list, read_names, read_requirements


class Kind(StrEnum):
    """What a source is; the words of ``--from``."""

    NAMES = "names"
    REQUIREMENTS = "requirements"
    PYPROJECT = "pyproject"
    UV_LOCK = "uv-lock"
    PYLOCK = "pylock"
    CYCLONEDX = "cyclonedx"
    SPDX = "spdx"
    CLASSIFIER_LIST = "classifier-list"
    DJANGO_PACKAGES = "django-packages"
    PYPI_INDEX = "pypi-index"


READERS: Mapping[Kind, Callable[[bytes, str], Listing]] = {
    Kind.NAMES: read_names,
    Kind.REQUIREMENTS: read_requirements,
    Kind.PYPROJECT: read_pyproject,
    Kind.UV_LOCK: read_uv_lock,
    Kind.PYLOCK: read_pylock,
    Kind.CYCLONEDX: read_cyclonedx,
    Kind.SPDX: read_spdx,
    Kind.CLASSIFIER_LIST: read_classifier_list,
}

_NAMES = (
    (re.compile(r"uv\.lock"), Kind.UV_LOCK),
    (re.compile(r"pylock(\.[^.]+)?\.toml"), Kind.PYLOCK),
    (re.compile(r"pyproject\.toml"), Kind.PYPROJECT),
    (re.compile(r".*\.cdx\.(json|xml)|bom\.(json|xml)"), Kind.CYCLONEDX),
    (re.compile(r".*\.spdx(\.json)?|.*\.spdx3?\.json"), Kind.SPDX),
    (re.compile(r".*(requirements|constraints).*\.(txt|in)|.*\.in"), Kind.REQUIREMENTS),
)
_BEGINNING = 65_536
_REQUIREMENT = re.compile(r"[=<>~!\[;@]|^\s*-", re.MULTILINE)
_WORDS = re.compile(r"\s*(#.*)?|\s*\S+\s*(#.*)?")


def detect(name: str, data: bytes) -> Kind | None:
    """Tell the kind of a file by its name (without folders) and its bytes; ``None`` where that would be a guess."""
    named = next((kind for pattern, kind in _NAMES if pattern.fullmatch(name.lower())), None)
    if named is not None:
        return named
    beginning = data[:_BEGINNING].decode("utf-8-sig", "replace").lstrip()
    if name.lower().endswith(".toml"):
        return _detect_toml(data)
    if beginning.startswith(("<", "{", "[")):
        return _detect_document(beginning)
    return Kind.SPDX if re.search(r"^SPDXVersion:", beginning, re.MULTILINE) else _detect_text(beginning)


def _detect_document(beginning: str) -> Kind | None:
    if beginning.startswith("["):
        return Kind.CLASSIFIER_LIST
    if beginning.startswith("<"):
        return Kind.CYCLONEDX if "cyclonedx.org" in beginning else None
    if '"CycloneDX"' in beginning:
        return Kind.CYCLONEDX
    return Kind.SPDX if '"spdxVersion"' in beginning or "spdx.org" in beginning else None


def _detect_toml(data: bytes) -> Kind | None:
    try:
        keys = tomllib.loads(data.decode("utf-8-sig")).keys()
    except (ValueError, RecursionError):
        return None
    if "lock-version" in keys:
        return Kind.PYLOCK
    if "package" in keys and "version" in keys:
        return Kind.UV_LOCK
    return Kind.PYPROJECT if keys & {"project", "dependency-groups", "build-system"} else None


def _detect_text(beginning: str) -> Kind | None:
    """Names alone, or requirements; the last line may be cut off."""
    lines = [line for line in beginning.split("\n")[:-1] or [beginning] if line.strip()]
    if not lines:
        return None
    if _REQUIREMENT.search("\n".join(lines)):
        return Kind.REQUIREMENTS
    return Kind.NAMES if all(_WORDS.fullmatch(line) for line in lines) else None
