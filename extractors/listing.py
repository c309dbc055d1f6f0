"""What to ask a Django Packages v4 API: a list, page after page, as its own links lead.

The lists are ``/api/v4/packages/``, ``/grids/`` and ``/categories/``; each page names the next one. Where a link may lead is decided by
whoever reads the page; the client asks no other host than the one it was given.
"""

from __future__ import annotations

from collections.abc import Callable

from extractors.conversation import CATALOG_API, PAGE, Answer, Ask, Plan
from extractors.redirects import follow

RECORDS_PER_PAGE = 100


def listing_plan(name: str, then: Callable[[Answer], str | None]) -> Plan:
    """Ask for the list with this name from its first page on; ``then`` takes each answer and gives the target of the next page, if any."""
    target: str | None = f"/api/v4/{name}/?limit={RECORDS_PER_PAGE}"
    page = 1
    while target is not None:
        answer, _ = yield from follow(Ask(source=CATALOG_API, subject=f"{CATALOG_API}:{name}", facet=PAGE, url=target, page=page))
        target = then(answer)
        page += 1
    return ()
