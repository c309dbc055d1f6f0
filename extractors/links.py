"""The ``Link`` header (RFC 8288): pages are followed by what the service links to, never by addresses we make up.

GitHub's documentation, "Using pagination in the REST API":
https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_LINK = re.compile(r"""<([^<>]*)>((?:[^<>",]|"[^"]*")*)""")
_RELATION = re.compile(r"""(?i);\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))""")


def next_link(headers: Mapping[str, str]) -> str | None:
    """Return the address of the next page, or ``None`` on the last one; header names in lower case."""
    for match in _LINK.finditer(headers.get("link", "")):
        relation = _RELATION.search(match[2])
        if relation and "next" in (relation[1] or relation[2] or "").lower().split():
            return match[1].strip() or None
    return None
