"""What to ask PyPI: the JSON document of a project, its page in the index, and the index itself.

https://docs.pypi.org/api/json/ (documents), https://docs.pypi.org/api/index-api/ (the index, PEP 691) and PEP 792 (status markers).
A document is cached at the edge of PyPI's network for a day and the index for half an hour, so what one promises the other may
not have yet: a document whose serial is below the promised one is asked for once more, later in the same run.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import quote

import orjson

from extractors.conversation import INDEX, PROJECT, PYPI, STATUS, Answer, Ask, Plan
from extractors.redirects import follow

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
SERIAL = "x-pypi-last-serial"


def project_plan(
    *, subject: str, name: str, facets: frozenset[str], believed: frozenset[str] = frozenset(), promised_serial: int | None = None
) -> Plan:
    """Ask for ``facets`` of one project by its PEP 503 ``name``; a redirect (a mirror that insists on another spelling) is followed.

    A project without a document is looked for in the index, whatever is due: its page there tells a quarantined or empty project
    from a deleted one. What is ``believed`` of the facets is asked with the validator of its last answer. ``promised_serial`` is the
    serial the index gave it; a document that is older is asked for again, once, by the plan returned.
    """
    has_page = STATUS in facets
    later: tuple[Plan, ...] = ()
    if PROJECT in facets:
        answer, _ = yield from follow(_document(subject, name, is_conditional=PROJECT in believed))
        has_page = has_page or answer.status == HTTPStatus.NOT_FOUND
        if promised_serial is not None and _is_behind(answer, promised_serial):
            later = (_later(subject, name, has_page=not has_page),)
    if has_page:
        yield from follow(_page(subject, name, is_conditional=STATUS in believed))
    return later


def index_plan(then: Callable[[Answer], None]) -> Plan:
    """Ask for the index of all projects with their serials (some 40 MB), and call ``then`` with the last answer."""
    answer, _ = yield from follow(Ask(source=PYPI, subject=PYPI, facet=INDEX, url="/simple/", accept=SIMPLE_JSON, is_conditional=True))
    then(answer)
    return ()


def document_plan(subject: str, name: str, then: Callable[[Answer], None]) -> Plan:
    """Ask for the document of one project by its PEP 503 ``name`` and nothing else, and call ``then`` with the last answer."""
    answer, _ = yield from follow(_document(subject, name, is_conditional=False))
    then(answer)
    return ()


def _later(subject: str, name: str, *, has_page: bool) -> Plan:
    """Ask for the document once more, and for the page when it is gone by now and the page was not asked for."""
    answer, _ = yield from follow(_document(subject, name, is_conditional=False))
    if has_page and answer.status == HTTPStatus.NOT_FOUND:
        yield from follow(_page(subject, name, is_conditional=False))
    return ()


def _document(subject: str, name: str, *, is_conditional: bool) -> Ask:
    url = f"/pypi/{quote(name, safe='')}/json"
    return Ask(source=PYPI, subject=subject, facet=PROJECT, url=url, is_conditional=is_conditional)


def _page(subject: str, name: str, *, is_conditional: bool) -> Ask:
    url = f"/simple/{quote(name, safe='')}/"
    return Ask(source=PYPI, subject=subject, facet=STATUS, url=url, accept=SIMPLE_JSON, is_conditional=is_conditional)


def _is_behind(answer: Answer, promised_serial: int) -> bool:
    """Tell whether a document is older than promised. One that did not change is: a newer one would have."""
    if answer.status == HTTPStatus.NOT_MODIFIED:
        serial = _serial(answer.headers.get(SERIAL))
        return serial is None or serial < promised_serial
    if answer.status != HTTPStatus.OK or answer.error is not None:
        return False
    serial = _serial(answer.headers.get(SERIAL))
    if serial is None:
        serial = _serial_in(answer.body)
    return serial is not None and serial < promised_serial


def _serial_in(body: bytes) -> int | None:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return _serial(document.get("last_serial")) if isinstance(document, dict) else None


def _serial(value: object) -> int | None:
    """Read a serial, which mirrors write as text."""
    if isinstance(value, int):
        return None if isinstance(value, bool) else value
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None  # noqa: PLR2004 - what 64 bits hold
