"""The whole API as files: what a web server without packhouse needs to give the same bytes. Pure.

    api/v4/index.json                                the root
    api/v4/<kind>/index.json                         the first page of a list
    api/v4/<kind>/pages/limit=20&offset=40.json      every page that a link of a list leads to, named as the query of that link
    api/v4/<kind>/<id>/index.json, <slug>/index.json one record, by each of its addresses

Left out is what no file can answer: search, another ``limit``, formats and pages for people.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from api.answers import Asked, answer
from api.bodies import Bodies
from api.pages import DEFAULT_LIMIT
from api.routes import CATEGORIES, GRIDS, PACKAGES, match, parse_lookup
from api.snapshot import Shelf
from transforms.payload import API_PATH, Row

INDEX = "index.json"
PAGES = "pages"


def static_files(bodies: Bodies, base_url: str, *, is_one_page: bool = False) -> Iterator[tuple[str, bytes]]:
    """Give the path of each file, relative to where ``base_url`` leads, and its bytes: those that ``packhouse serve`` answers.

    With ``is_one_page`` a list is one file with all its records and without further pages: the answer to a ``limit`` as long as
    the list. A web server that does not look at queries gives the first page for every link to a further one, without end.
    """
    yield _file("", INDEX), _body(bodies, base_url, API_PATH)
    for kind in (PACKAGES, GRIDS, CATEGORIES):
        address = f"{API_PATH}{kind}/"
        shelf = bodies.snapshot.shelf(kind)
        rows = shelf.rows
        if is_one_page:
            yield _file(kind, INDEX), _body(bodies, base_url, address, f"limit={len(rows) or DEFAULT_LIMIT}")
        else:
            yield _file(kind, INDEX), _body(bodies, base_url, address)
            for query in page_queries(len(rows)):
                yield _file(kind, PAGES, f"{query}.json"), _body(bodies, base_url, address, query)
        for row in rows:
            for name in (str(row["id"]), row["slug"]):
                if is_reachable(kind, name, row, shelf):
                    yield _file(kind, name, INDEX), _body(bodies, base_url, f"{address}{name}/")


def page_queries(count: int) -> Iterator[str]:
    """Write the query of every link from page to page in a list of ``count``; the first page has one when there is a second."""
    if count > DEFAULT_LIMIT:
        yield f"limit={DEFAULT_LIMIT}"
    for offset in range(DEFAULT_LIMIT, count, DEFAULT_LIMIT):
        yield f"limit={DEFAULT_LIMIT}&offset={offset}"


def is_reachable(kind: str, name: str, row: Row, shelf: Shelf) -> bool:
    """Tell whether this id or slug is the address of its own record: categories have no slugs, and digits always mean an id."""
    route = match(f"{API_PATH}{kind}/{name}/")
    key = parse_lookup(kind, name) if route is not None and route.lookup == name else None
    return key is not None and (found := shelf.find(key)) is not None and found["id"] == row["id"]


def _file(*parts: str) -> str:
    return API_PATH.strip("/") + "/" + "/".join(part for part in parts if part)


def _body(bodies: Bodies, base_url: str, path: str, query: str = "") -> bytes:
    site = urlsplit(base_url)
    return answer(Asked(method="GET", scheme=site.scheme, host=site.netloc, path=path, query=query), bodies, base_url).body
