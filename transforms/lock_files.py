"""Names of projects in the TOML files of Python projects: ``pyproject.toml``, ``uv.lock`` and ``pylock.toml``.

Grammars: https://packaging.python.org/en/latest/specifications/pyproject-toml/, ``.../dependency-groups/``, ``.../pylock-toml/``;
uv and Poetry document their own tables. Only names and where the code comes from are read, so that a file whose hashes or wheels
somebody would refuse still tells its names, and every mistake is told, not the first. ``tomllib`` tells no lines: they are
found in the text.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.utils import canonicalize_name

from transforms.candidates import Listing, decode, lines_of, quoted, repository_of
from transforms.references import ProjectName
from transforms.requirement_files import add_requirement

_TEXTS = re.compile(r'"((?:[^"\\\n]|\\.)*)"|\'([^\'\n]*)\'')
_KEYS = re.compile(r"^[ \t]*[\"']?([A-Za-z0-9._-]+)[\"']?[ \t]*=", re.MULTILINE)
_PYTHON = "python"  # Poetry writes the Python it needs among the dependencies
_FOLDERS = frozenset({"virtual", "editable", "directory", "path"})


def read_pyproject(data: bytes, file: str) -> Listing:
    """Read the dependencies of a project: required, optional, by group; Poetry's and uv's own tables too. The project itself is none."""
    listing = Listing(file=file)
    text, document = _load(data, listing)
    project = _table(document, "project", listing)
    poetry = _table(_table(document, "tool", listing), "poetry", listing)
    own = {ProjectName(canonicalize_name(name)) for table in (project, poetry) if isinstance(name := table.get("name"), str)}
    lines, keys = lines_of(text, _TEXTS), lines_of(text, _KEYS)
    for requirement in _requirements(document, project, listing):
        add_requirement(listing, requirement, lines.get(requirement) or lines.get(requirement.replace('"', '\\"')))
    for name, wanted in _poetry_dependencies(poetry, listing):
        if canonicalize_name(name) != _PYTHON:
            _add_poetry(listing, name, wanted, keys.get(name))
    listing.candidates = [candidate for candidate in listing.candidates if candidate.name not in own]
    sources = _table(_table(_table(document, "tool", listing), "uv", listing), "sources", listing)
    _place_sources(listing, sources)
    return listing


def read_uv_lock(data: bytes, file: str) -> Listing:
    """Read every package that uv locked; the project itself and other folders are left out with a remark."""
    listing = Listing(file=file)
    text, document = _load(data, listing)
    for line, package in _packages(document, "package", text, listing):
        name = package.get("name")
        source = package.get("source", {})
        if not isinstance(source, dict):
            listing.refuse(line, f"the source of {quoted(name)} is no table: write the lock again with uv lock")
        elif _FOLDERS & source.keys():
            listing.remark(line, f"{quoted(name)} is a folder of this project, not a project of PyPI")
        else:
            listing.add(name, line, repository_of(source.get("git")))
    return listing


def read_pylock(data: bytes, file: str) -> Listing:
    """Read every package of a ``pylock.toml`` (PEP 751, version 1); folders are left out with a remark."""
    listing = Listing(file=file)
    text, document = _load(data, listing)
    version = document.get("lock-version")
    if document and not (isinstance(version, str) and version.partition(".")[0] == "1"):
        listing.refuse(
            lines_of(text, _KEYS).get("lock-version"), f"lock-version is {quoted(version)}: version 1 of pylock.toml is read here"
        )
        return listing
    for line, package in _packages(document, "packages", text, listing):
        name, vcs = package.get("name"), package.get("vcs")
        if "directory" in package:
            listing.remark(line, f"{quoted(name)} is a folder of this project, not a project of PyPI")
        else:
            listing.add(name, line, repository_of(vcs.get("url")) if isinstance(vcs, dict) else None)
    return listing


def _load(data: bytes, listing: Listing) -> tuple[str, dict[str, Any]]:
    text = decode(data, listing)
    if text is None:
        return "", {}
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line ([0-9]+)", str(error))
        listing.refuse(int(place[1]) if place else text.count("\n") + 1, f"not TOML ({error}): put it right, or write the file again")
    except (RecursionError, ValueError) as error:  # nested too deep; an integer with more digits than Python reads
        listing.refuse(None, f"not TOML that can be read ({type(error).__name__}): write the file again")
    return text, {}


def _table(parent: Mapping[str, Any], key: str, listing: Listing) -> dict[str, Any]:
    value = parent.get(key, {})
    if isinstance(value, dict):
        return value
    _refuse_once(listing, f"{key} is no table: write [{key}] above its values")
    return {}


def _refuse_once(listing: Listing, message: str) -> None:
    if message not in {mistake.message for mistake in listing.mistakes}:
        listing.refuse(None, message)


def _requirements(document: Mapping[str, Any], project: Mapping[str, Any], listing: Listing) -> Iterator[str]:
    """Every requirement by PEP 508 that stands somewhere."""
    yield from _texts(project.get("dependencies", []), "project.dependencies", listing)
    for extra, wanted in _table(project, "optional-dependencies", listing).items():
        yield from _texts(wanted, f"project.optional-dependencies.{extra}", listing)
    for group, wanted in _table(document, "dependency-groups", listing).items():
        kept = [item for item in wanted if not (isinstance(item, dict) and "include-group" in item)] if isinstance(wanted, list) else wanted
        yield from _texts(kept, f"dependency-groups.{group}", listing)
    uv = _table(_table(document, "tool", listing), "uv", listing)
    yield from _texts(uv.get("dev-dependencies", []), "tool.uv.dev-dependencies", listing)


def _texts(values: object, where: str, listing: Listing) -> Iterator[str]:
    if not isinstance(values, list):
        listing.refuse(None, f"{where} is no list: write a list of requirements")
        return
    for value in values:
        if isinstance(value, str):
            yield value
        else:
            listing.refuse(None, f"{where} has an entry that is no text: write requirements as PEP 508 says")


def _poetry_dependencies(poetry: Mapping[str, Any], listing: Listing) -> Iterator[tuple[str, Any]]:
    yield from _table(poetry, "dependencies", listing).items()
    yield from _table(poetry, "dev-dependencies", listing).items()
    for group in _table(poetry, "group", listing).values():
        if isinstance(group, dict):
            yield from _table(group, "dependencies", listing).items()


def _add_poetry(listing: Listing, name: str, wanted: object, line: int | None) -> None:
    table = wanted if isinstance(wanted, dict) else {}
    if "path" in table:
        listing.remark(line, f"{quoted(name)} is a folder of this project, not a project of PyPI")
    else:
        listing.add(name, line, repository_of(table.get("git")))


def _place_sources(listing: Listing, sources: Mapping[str, Any]) -> None:
    """Give the candidates the repositories that ``tool.uv.sources`` takes them from."""
    placed = {canonicalize_name(name): repository_of(source.get("git")) for name, source in sources.items() if isinstance(source, dict)}
    for candidate in list(listing.candidates):
        repo_url = placed.get(canonicalize_name(candidate.name))
        if repo_url is not None and candidate.repo_url is None:
            listing.add(candidate.title, candidate.line, repo_url)


def _packages(document: Mapping[str, Any], key: str, text: str, listing: Listing) -> Iterator[tuple[int | None, dict[str, Any]]]:
    """Every table of the array with its line; what is no table is a mistake."""
    packages = document.get(key, [])
    if not isinstance(packages, list):
        listing.refuse(None, f"{key} is no array of tables: write the lock again")
        return
    header = re.compile(rf"^[ \t]*\[\[[ \t]*{key}[ \t]*\]\]", re.MULTILINE)
    lines = _lines_at(text, [found.end() for found in header.finditer(text)])
    if len(lines) != len(packages):  # written inline, or a header stands within a text
        lines = [None] * len(packages)
    for line, package in zip(lines, packages, strict=True):
        if isinstance(package, dict):
            yield line, package
        else:
            listing.refuse(line, f"{key} has an entry that is no table: write the lock again")


def _lines_at(text: str, places: list[int]) -> list[int | None]:
    lines: list[int | None] = []
    line, before = 1, 0
    for place in places:
        line += text.count("\n", before, place)
        before = place
        lines.append(line)
    return lines
