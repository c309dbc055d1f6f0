"""Names of projects in plain text: one a line, requirements as pip reads them, and lists made from a classifier of PyPI.

Grammar of requirements: https://pip.pypa.io/en/stable/reference/requirements-file-format/; of one requirement: PEP 508, read by
``packaging``. A requirement counts whatever its versions, extras, hashes and markers are: a catalog belongs to no environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import orjson
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

from transforms.candidates import STRINGS, Include, Listing, decode, lines_of, numbered_lines, quoted, repository_of
from transforms.references import InvalidReference, parse_project_reference

_COMMENT = re.compile(r"(^|\s+)#.*$")
_OPTIONS_BEHIND = re.compile(r"\s--?[A-Za-z].*$")
_OPTION = re.compile(r"(-[A-Za-z]|--[a-z][a-z0-9-]*)(?:[=\s]\s*)?(.*)", re.DOTALL)
_EGG = re.compile(r"[#&]egg=([^&\[]*)")
_ADDRESS = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://|git@|file:)")
_LOCAL = re.compile(r"(?:\.{1,2}(?:[/\\]|$)|[/\\~]|[A-Za-z]:\\)")
_ARCHIVES = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tgz")
_INCLUDES = frozenset({"-r", "--requirement"})
_EDITABLES = frozenset({"-e", "--editable"})
_SEPARATORS = re.compile(r"[,;\t ]+")
_HEADERS = frozenset({"name", "project", "package"})


def read_names(data: bytes, file: str) -> Listing:
    """Read one name or PyPI address a line; blank lines and comments (``#``) are nothing."""
    listing = Listing(file=file)
    for number, line in numbered_lines(decode(data, listing) or ""):
        text = _COMMENT.sub("", line).strip()
        if text and "/" in text:
            try:
                listing.add(str(parse_project_reference(text)), number)
            except InvalidReference as error:
                listing.refuse(number, str(error))
        elif text:
            listing.add(text, number)
    return listing


def read_classifier_list(data: bytes, file: str) -> Listing:
    """Read what PyPI listed for a classifier, as people save it.

    JSON: a list of names, of pairs ``[name, version]`` (the answer of the XML-RPC method ``browse``), or of objects with ``name``.
    Text: a name at the beginning of each line, then perhaps a comma, tab or space and more; a header ``name`` is left out.
    """
    listing = Listing(file=file)
    text = decode(data, listing) or ""
    if text.lstrip().startswith("["):
        _read_json_list(text, listing)
        return listing
    for number, line in numbered_lines(text):
        name = _SEPARATORS.split(_COMMENT.sub("", line).strip())[0].strip('"')
        if name and not (number == 1 and name.lower() in _HEADERS):
            listing.add(name, number)
    return listing


def _read_json_list(text: str, listing: Listing) -> None:
    try:
        entries = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        listing.refuse(error.lineno, f"not JSON ({error.msg}): write a list of names, or of [name, version]")
        return
    lines = lines_of(text, STRINGS)
    for place, entry in enumerate(entries, start=1):
        named = entry[0] if isinstance(entry, list) and entry else entry.get("name") if isinstance(entry, dict) else entry
        if isinstance(named, str):
            listing.add(named, lines.get(named))
        else:
            listing.refuse(None, f"entry {place} has no name: write a name, [name, version] or an object with name")


def read_requirements(data: bytes, file: str) -> Listing:
    """Read a requirements file; files named by ``-r`` are left to the caller, constraints (``-c``) name nothing to be installed."""
    listing = Listing(file=file)
    for number, line in _logical_lines(decode(data, listing) or ""):
        text = _COMMENT.sub("", line).strip()
        if text.startswith("-"):
            _read_option(text, number, listing)
        elif text:
            add_requirement(listing, _OPTIONS_BEHIND.sub("", text), number)
    return listing


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join lines that end in a backslash; the number is that of the first."""
    begun: int | None = None
    parts: list[str] = []
    for number, line in numbered_lines(text):
        begun = number if begun is None else begun
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            parts.append(line[:-1])
            continue
        yield begun, "".join((*parts, line))
        begun, parts = None, []
    if begun is not None:
        yield begun, "".join(parts)


def _read_option(text: str, number: int, listing: Listing) -> None:
    option = _OPTION.fullmatch(text)
    if option is None:
        listing.refuse(number, f"{quoted(text)} is no option of a requirements file: write -r file, or a requirement")
        return
    name, value = option[1], option[2].strip().strip("\"'")
    if name in _INCLUDES | _EDITABLES and not value:
        listing.refuse(number, f"{name} names nothing: write a file or an address behind it")
    elif name in _INCLUDES and _ADDRESS.match(value):
        listing.remark(number, f"{quoted(value)} is a file elsewhere, which is not fetched: fetch it yourself and name it as a source")
    elif name in _INCLUDES:
        listing.includes.append(Include(path=value, line=number))
    elif name in _EDITABLES:
        add_requirement(listing, _OPTIONS_BEHIND.sub("", value), number)


def add_requirement(listing: Listing, text: str, line: int | None) -> None:
    """Take in one requirement: by PEP 508, or an address that tells the name; a local path is left out with a remark."""
    text = text.strip()
    if _ADDRESS.match(text):
        _add_address(listing, text, line)
        return
    if _LOCAL.match(text) or _is_local_archive(text):
        listing.remark(line, f"{quoted(text)} is a local path, which no catalog can name: add the project by its name if it is on PyPI")
        return
    try:
        requirement = Requirement(text)
    except (InvalidRequirement, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else "it nests too deep"
        listing.refuse(line, f"{quoted(text)} is no requirement ({reason}): write it as PEP 508 says, for example django-scheduler>=0.10")
        return
    listing.add(requirement.name, line, repository_of(requirement.url))


def _is_local_archive(text: str) -> bool:
    return "@" not in text and text.lower().endswith(_ARCHIVES)


def _add_address(listing: Listing, text: str, line: int | None) -> None:
    egg = _EGG.search(text)
    name = unquote(egg[1]) if egg else _archive_name(text)
    if name is None:
        listing.remark(line, f"{quoted(text)} does not tell which project it is: write NAME @ address, or #egg=NAME behind it")
        return
    listing.add(name, line, repository_of(text))


def _archive_name(address: str) -> str | None:
    try:
        file = unquote(urlsplit(address.split(" ", maxsplit=1)[0]).path.rpartition("/")[2])
        if file.endswith(".whl"):
            return str(parse_wheel_filename(file)[0])
        return str(parse_sdist_filename(file)[0]) if file.endswith((".tar.gz", ".zip")) else None
    except (InvalidWheelFilename, InvalidSdistFilename, ValueError):
        return None
