"""Names of projects in bills of materials: CycloneDX (JSON and XML), SPDX 2 (JSON and tag-value) and SPDX 3 (JSON-LD).

A component is a project of PyPI when it has a package URL ``pkg:pypi/name@version`` (https://github.com/package-url/purl-spec); every
other component is left out, and how many there were is remarked. An XML file with a document type is refused, so nothing in it can grow
by expansion or be fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote
from xml.parsers import expat

import orjson

from transforms.candidates import STRINGS, Listing, decode, lines_of, numbered_lines, quoted, repository_of

_PURL = re.compile(r"pkg:/*pypi/+([^@?#]+)(?:[@?#].*)?", re.IGNORECASE | re.DOTALL)
_CYCLONEDX = "cyclonedx.org/schema/bom"
_TAG = re.compile(r"([A-Za-z]+):[ \t]*(.*)")
_SPDX_PURL = re.compile(r"(?:PACKAGE[-_]MANAGER)[ \t]+purl[ \t]+(\S+)", re.IGNORECASE)


class _HasDocumentType(Exception):
    """The XML has a document type."""


def read_cyclonedx(data: bytes, file: str) -> Listing:
    """Read the components of a CycloneDX bill, nested ones too; what the bill is about is none of them."""
    listing = Listing(file=file)
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        _read_cyclonedx_xml(data, listing)
        return listing
    text, document = _load(data, listing)
    if document is None:
        return listing
    if document.get("bomFormat") != "CycloneDX":
        listing.refuse(1, 'not a CycloneDX bill: it has no "bomFormat": "CycloneDX"')
        return listing
    foreign, lines = 0, lines_of(text, STRINGS)
    for component in _components(document, listing):
        purl = component.get("purl")
        if isinstance(purl, str) and is_pypi(purl):
            _add(listing, purl, lines.get(purl), _vcs_address(component))
        else:
            foreign += 1
    _remark_foreign(listing, foreign)
    return listing


def read_spdx(data: bytes, file: str) -> Listing:
    """Read the packages of an SPDX document that have a package URL of PyPI."""
    listing = Listing(file=file)
    if not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        _read_tag_value(data, listing)
        return listing
    text, document = _load(data, listing)
    if document is None:
        return listing
    if "@graph" in document or "@context" in document:
        purls = list(_purls_of_graph(document.get("@graph"), listing))
    elif str(document.get("spdxVersion", "")).startswith("SPDX-"):
        purls = list(_purls_of_packages(document.get("packages", []), listing))
    else:
        listing.refuse(1, 'not an SPDX document: it has no "spdxVersion" and no "@graph"')
        return listing
    lines = lines_of(text, STRINGS)
    for purl in purls:
        if purl is not None and is_pypi(purl):
            _add(listing, purl, lines.get(purl), None)
    _remark_foreign(listing, sum(purl is None or not is_pypi(purl) for purl in purls))
    return listing


def is_pypi(purl: str) -> bool:
    """Whether a package URL is one of PyPI."""
    return _PURL.fullmatch(purl.strip()) is not None


def _add(listing: Listing, purl: str, line: int | None, address: object) -> None:
    found = _PURL.fullmatch(purl.strip())
    if found is not None:
        listing.add(unquote(found[1]).rstrip("/"), line, repository_of(address))


def _remark_foreign(listing: Listing, count: int) -> None:
    if count:
        what = "1 component has" if count == 1 else f"{count:,} components have"
        listing.remark(None, f"{what} no package URL of PyPI (pkg:pypi/...) and were left out")


def _load(data: bytes, listing: Listing) -> tuple[str, dict[str, Any] | None]:
    text = decode(data, listing)
    if text is None:
        return "", None
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        listing.refuse(error.lineno, f"not JSON ({error.msg}): write the bill again")
        return text, None
    if not isinstance(document, dict):
        listing.refuse(1, "not a bill of materials: it is no JSON object")
        return text, None
    return text, document


def _components(document: dict[str, Any], listing: Listing) -> Iterator[dict[str, Any]]:
    """Every component, those within others after them; orjson reads no more than 1,024 levels."""
    waiting = [document.get("components", [])]
    while waiting:
        listed = waiting.pop()
        if not isinstance(listed, list):
            listing.refuse(None, "components is no list: write the bill again")
            continue
        for component in listed:
            if not isinstance(component, dict):
                listing.refuse(None, "a component is no object: write the bill again")
                continue
            yield component
            waiting.append(component.get("components", []))


def _vcs_address(component: dict[str, Any]) -> object:
    references = component.get("externalReferences", [])
    listed = references if isinstance(references, list) else []
    found = (entry.get("url") for entry in listed if isinstance(entry, dict) and entry.get("type") == "vcs")
    return next((address for address in found if repository_of(address)), None)


def _purls_of_packages(packages: object, listing: Listing) -> Iterator[str | None]:
    for package in packages if isinstance(packages, list) else [None]:
        references = package.get("externalRefs", []) if isinstance(package, dict) else None
        if not isinstance(references, list):
            listing.refuse(None, "packages has an entry that is no package: write the document again")
            continue
        purls = [entry.get("referenceLocator") for entry in references if isinstance(entry, dict) and entry.get("referenceType") == "purl"]
        yield _best(purls)


def _purls_of_graph(graph: object, listing: Listing) -> Iterator[str | None]:
    if not isinstance(graph, list):
        listing.refuse(None, "@graph is no list: write the document again")
        return
    for element in graph:
        if not isinstance(element, dict) or not str(element.get("type", "")).endswith("software_Package"):
            continue
        known = element.get("externalIdentifier", [])
        identifiers = known if isinstance(known, list) else []
        purls = [entry.get("identifier") for entry in identifiers if isinstance(entry, dict)]
        yield _best([element.get("software_packageUrl"), *purls])


def _best(purls: list[Any]) -> str | None:
    """The package URL of PyPI among several, else any."""
    texts = [purl for purl in purls if isinstance(purl, str)]
    return next((purl for purl in texts if is_pypi(purl)), texts[0] if texts else None)


def _read_tag_value(data: bytes, listing: Listing) -> None:
    """Read ``PackageName:`` and ``ExternalRef: PACKAGE-MANAGER purl ...`` of a tag-value document."""
    text = decode(data, listing)
    if text is None:
        return
    packages = named = 0
    is_named = is_spdx = False
    for number, line in numbered_lines(text):
        tag = _TAG.match(line)
        if tag is None:
            continue
        is_spdx = is_spdx or tag[1] == "SPDXVersion"
        if tag[1] == "PackageName":
            packages, is_named = packages + 1, False
        elif tag[1] == "ExternalRef" and (found := _SPDX_PURL.match(tag[2])) and is_pypi(found[1]):
            _add(listing, found[1], number, None)
            named, is_named = named + (not is_named), True
    if not is_spdx:
        listing.refuse(1, "not an SPDX document: it has no line SPDXVersion:")
    _remark_foreign(listing, max(0, packages - named))


def _read_cyclonedx_xml(data: bytes, listing: Listing) -> None:
    """Read ``component/purl`` of an XML bill as it streams by; a document type ends the reading."""
    reader = _XmlReader(listing)
    try:
        reader.parser.Parse(data, True)  # noqa: FBT003 - expat's word for the last piece
    except _HasDocumentType:
        listing.refuse(reader.parser.CurrentLineNumber, "the file has a document type (<!DOCTYPE), which no bill needs: remove it")
        return
    except expat.ExpatError as error:
        listing.refuse(error.lineno, f"not XML ({expat.ErrorString(error.code)}): write the bill again")
        return
    except (ValueError, LookupError) as error:  # an encoding nobody knows
        listing.refuse(1, f"not XML that can be read ({quoted(str(error))}): save it as UTF-8")
        return
    if not reader.is_bill:
        listing.refuse(1, "not a CycloneDX bill: its first element is no bom of cyclonedx.org")
    _remark_foreign(listing, reader.foreign)


class _XmlReader:
    """Handlers of one reading; a stack of names tells where a text stands."""

    def __init__(self, listing: Listing) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartDoctypeDeclHandler = self._refuse_document_type
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.is_bill = False
        self.foreign = 0
        self._listing = listing
        self._path: list[str] = []
        self._parts: list[str] = []
        self._open: list[tuple[str, int] | None] = []  # the package URL of each component that is not closed yet

    def _refuse_document_type(self, *_names: object) -> None:
        raise _HasDocumentType

    def _start(self, name: str, _attributes: object) -> None:
        space, _, local = name.rpartition(" ")
        if not self._path:
            self.is_bill = local == "bom" and _CYCLONEDX in space
        self._path.append(local)
        self._parts = []
        if self._is_component():
            self._open.append(None)

    def _is_component(self) -> bool:
        return self._path[-2:] == ["components", "component"]

    def _text(self, text: str) -> None:
        self._parts.append(text)

    def _end(self, _name: str) -> None:
        if self._path[-3:] == ["components", "component", "purl"] and self._open:
            self._open[-1] = ("".join(self._parts).strip(), self.parser.CurrentLineNumber)
        if self._is_component():
            purl = self._open.pop()
            if purl is not None and is_pypi(purl[0]):
                _add(self._listing, purl[0], purl[1], None)
            else:
                self.foreign += 1
        self._path.pop()
        self._parts = []
