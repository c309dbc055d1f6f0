"""Packages that a source names: what every reader of an import gives, and how the same name from many places becomes one.

Readers: ``requirement_files.py``, ``lock_files.py``, ``bills_of_materials.py``. Each takes the bytes of one file and gives a
:class:`Listing`, whatever the bytes are. Names are normalised as PEP 503 says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from packaging.utils import canonicalize_name

from transforms.references import InvalidReference, ProjectName, parse_repo_url
from transforms.sheets import Mistake

_LINE_END = re.compile(r"\r\n|\n|\r")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_LONGEST_NAME = 200
_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
# Texts as JSON and TOML quote them, without what their escapes mean.
STRINGS = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_REVISION = re.compile(r"@[^@/]*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A project that a source names.

    Attributes:
        name: as PEP 503 normalises it.
        title: as the source spells it.
        file: where it is named, for messages; ``line`` (from 1) likewise, ``None`` where a format has no lines.
        repo_url: the repository the source takes it from, canonical; ``None`` where it comes from an index.
    """

    name: ProjectName
    title: str
    file: str
    line: int | None
    repo_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Include:
    """Another file that a requirements file names, as written, and the line that does."""

    path: str
    line: int


@dataclass(slots=True, kw_only=True)
class Listing:
    """What one source says.

    Attributes:
        file: its name, for messages.
        candidates: the projects, in the order named; one may be named often.
        mistakes: what cannot be read.
        remarks: what is no project of PyPI and so was left out: local folders, components of other languages.
        includes: files to be read as well.
    """

    file: str
    candidates: list[Candidate] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    remarks: list[Mistake] = field(default_factory=list)
    includes: list[Include] = field(default_factory=list)

    def add(self, spelling: object, line: int | None, repo_url: str | None = None) -> None:
        """Take a project in by its name; what is no name becomes a mistake."""
        text = spelling.strip() if isinstance(spelling, str) else ""
        if not _NAME.fullmatch(text) or len(text) > _LONGEST_NAME:
            self.refuse(line, f"{quoted(spelling)} is no name of a project: write it as PyPI shows it, for example django-scheduler")
            return
        name = ProjectName(canonicalize_name(text))
        self.candidates.append(Candidate(name=name, title=text, file=self.file, line=line, repo_url=repo_url))

    def refuse(self, line: int | None, message: str) -> None:
        """Note a mistake."""
        self.mistakes.append(Mistake(file=self.file, line=line, column=None, message=message))

    def remark(self, line: int | None, message: str) -> None:
        """Note what was left out."""
        self.remarks.append(Mistake(file=self.file, line=line, column=None, message=message))


def quoted(value: object) -> str:
    """Quote anything for a message; long texts are cut, credentials of an address left out."""
    text = value if isinstance(value, str) else type(value).__name__
    text = re.sub(r"(//)[^/?#@]*@", r"\1...@", text)
    return repr(text if len(text) <= 80 else text[:77] + "...")  # noqa: PLR2004 - as long as a line in a terminal


def decode(data: bytes, listing: Listing) -> str | None:
    """Decode UTF-8 (with a byte order mark or without); anything else is a mistake of the listing, and ``None``."""
    if data.startswith(_UTF_16):
        listing.refuse(1, "the file is UTF-16: save it as UTF-8")
        return None
    data = data.removeprefix(_BOM)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        listing.refuse(len(_LINE_END.split(before)), f"byte {error.start + 1} is 0x{data[error.start]:02X}: save the file as UTF-8")
        return None


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Give every line with its number, counted from 1 as an editor does."""
    yield from enumerate(_LINE_END.split(text), start=1)


def lines_of(text: str, pattern: re.Pattern[str]) -> dict[str, int]:
    """Tell on which line each match of ``pattern`` first ends, by its first group that matched; for formats whose parsers tell no lines."""
    lines: dict[str, int] = {}
    line, before = 1, 0
    for found in pattern.finditer(text):
        line += text.count("\n", before, found.end())
        before = found.end()
        lines.setdefault(found[found.lastindex or 0], line)
    return lines


def repository_of(address: object) -> str | None:
    """Read the repository that a direct reference (``git+https://host/owner/name@revision``) names; ``None`` when it names none."""
    if not isinstance(address, str):
        return None
    text = address.strip().partition("#")[0]
    head, separator, tail = text.partition("://")
    if separator and "/" in tail:
        host, slash, path = tail.partition("/")
        text = f"{head}{separator}{host}{slash}{_REVISION.sub('', path)}"
    try:
        return parse_repo_url(text).url
    except InvalidReference:
        return None


def fuse(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Make one of all that have the same name: the first of them, with the first repository any of them has."""
    fused: dict[ProjectName, Candidate] = {}
    for candidate in candidates:
        first = fused.setdefault(candidate.name, candidate)
        if first.repo_url is None and candidate.repo_url is not None:
            fused[candidate.name] = Candidate(
                name=first.name, title=first.title, file=first.file, line=first.line, repo_url=candidate.repo_url
            )
    return list(fused.values())
