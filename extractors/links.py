"""The ``Link`` header (RFC 8288): pages are followed by what the service links to, never by addresses we make up.

GitHub's documentation, "Using pagination in the REST API":
https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

_LINK = re.compile(r"""<([^<>]*)>((?:[^<>",]|"[^"]*")*)""")
_PARAMETER = re.compile(r""";\s*([\w*-]+)\s*=\s*(?:"([^"]*)"|([^\s;,"]+))""")


def next_link(headers: Mapping[str, str]) -> str | None:
    """Return the address of the next page, or ``None`` on the last one; header names in lower case."""
    return _linked(headers, "next")


def count_pages(headers: Mapping[str, str]) -> int | None:
    """Return how many pages there are, by the ``page`` of the address the last one is linked by; ``None`` when that is not told."""
    address = _linked(headers, "last")
    try:
        numbers = parse_qs(urlsplit(address or "").query).get("page", [])
    except ValueError:
        return None
    return int(numbers[0]) if numbers and numbers[0].isascii() and numbers[0].isdigit() else None


def _linked(headers: Mapping[str, str], wanted: str) -> str | None:
    for link in _LINK.finditer(headers.get("link", "")):
        parameters = [(name.lower(), quoted or bare) for name, quoted, bare in _PARAMETER.findall(link[2])]
        relation = next((value for name, value in parameters if name == "rel"), "")
        if wanted in relation.lower().split():
            return link[1].strip() or None
    return None
