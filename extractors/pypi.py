"""What to ask PyPI of one project: its JSON document (https://docs.pypi.org/api/json/)."""

from __future__ import annotations

from urllib.parse import quote

from extractors.conversation import PROJECT, PYPI, Ask, Plan
from extractors.redirects import follow


def project_plan(*, subject: str, name: str) -> Plan:
    """Ask for the JSON of one project by its PEP 503 ``name``; a redirect (a mirror that insists on another spelling) is followed."""
    yield from follow(Ask(source=PYPI, subject=subject, facet=PROJECT, url=f"/pypi/{quote(name, safe='')}/json"))
    return ()
