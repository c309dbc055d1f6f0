"""The description of the API in OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1), at ``/api/openapi.json``. Pure.

The tests hold it against the answers: every address in it is answered, by what its schema says and nothing else.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from api.answers import Asked, refuse
from api.filters import ORDERED_BY
from api.replies import Reply, json_reply, refuse_writing
from transforms.payload import render

OPENAPI = "/api/openapi.json"

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_MAYBE_TEXT: Schema = {"type": ["string", "null"]}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_MAYBE_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0}
_FLAG: Schema = {"type": "boolean"}
_LINK: Schema = {"type": "string", "format": "uri"}
_MAYBE_LINK: Schema = {"type": ["string", "null"], "format": "uri"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_MAYBE_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}
_DAY: Schema = {"type": "string", "format": "date"}
_WHEN: Schema = {"anyOf": [_DAY, _TIME]}


def _said(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


def _list(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def _object(description: str, /, **properties: Schema) -> Schema:
    """Every property is always there, and there are no others."""
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_PACKAGE = _object(
    "The record of a package; what is unknown is null or an empty list, never zero.",
    category=_said(_LINK, "Link to its category."),
    grids=_said(_list(_LINK), "Links to its grids, by id."),
    id=_COUNT,
    title=_TEXT,
    slug=_TEXT,
    last_updated=_said(_MAYBE_TIME, "The newest commit on the default branch."),
    last_fetched=_said(_MAYBE_TIME, "The oldest moment any of its sources was last confirmed; null until all were."),
    repo_url=_said(_TEXT, "Empty when the catalog has none."),
    pypi_version=_said(_MAYBE_TEXT, "PyPI's own latest version."),
    created=_TIME,
    modified=_TIME,
    repo_forks=_MAYBE_COUNT,
    repo_description=_said(_MAYBE_TEXT, "Empty when the repository has none, null while unknown."),
    pypi_url=_said(_TEXT, "Empty when the catalog has none."),
    documentation_url=_MAYBE_TEXT,
    repo_watchers=_said(_MAYBE_COUNT, "Stars, as v4 names them."),
    commits_over_52=_said(_list(_COUNT, maxItems=52), "Commits of 52 weeks, oldest first; empty while unknown."),
    participants=_said(_list(_TEXT), "Logins, most commits first; empty while unknown."),
)
_GRID = _object(
    "A comparison of packages.",
    id=_COUNT,
    title=_TEXT,
    slug=_TEXT,
    description=_TEXT,
    is_locked=_FLAG,
    packages=_said(_list(_LINK), "Links to its packages, by title."),
    header=_FLAG,
    created=_TIME,
    modified=_TIME,
)
_CATEGORY = _object(
    "A kind of package.",
    id=_COUNT,
    title=_TEXT,
    slug=_TEXT,
    description=_TEXT,
    title_plural=_TEXT,
    show_pypi=_FLAG,
    created=_TIME,
    modified=_TIME,
)
_FOUND = _object(
    "A package or a grid as search finds it.",
    **dict.fromkeys(("title", "title_no_prefix", "slug_no_prefix", "clean_title", "absolute_url", "category", "slug"), _TEXT),
    description=_MAYBE_TEXT,
    created=_TIME,
    modified=_TIME,
    item_type={"enum": ["package", "grid"]},
    repo_watchers=_MAYBE_COUNT,
    repo_forks=_MAYBE_COUNT,
    participants=_said(_TEXT, "Logins with commas."),
    last_committed=_MAYBE_TIME,
    last_released=_MAYBE_TIME,
    **dict.fromkeys(("weight", "pypi_downloads", "score", "usage"), _said({"type": ["number", "null"]}, "v4's own figure.")),
)
_HISTORY = _object(
    "What is kept of one package, oldest first.",
    id=_COUNT,
    slug=_TEXT,
    title=_TEXT,
    stars=_list(_object("Figures that held.", **{"from": _TIME}, until=_TIME, repo_watchers=_MAYBE_COUNT, repo_forks=_MAYBE_COUNT)),
    versions=_list(
        _object(
            "One that PyPI lists now.",
            version=_TEXT,
            released=_MAYBE_TIME,
            is_prerelease=_said({"type": ["boolean", "null"]}, "Null for a version that is not PEP 440."),
            is_yanked=_said({"type": ["boolean", "null"]}, "Null for a version without files."),
        )
    ),
    commits_by_week=_list(_object("A week known whole.", week=_said(_DAY, "Its Monday (UTC)."), commits=_COUNT)),
)
_BULK_FILE = _object(
    "One file; size and digest are null for the lines, whose links depend on who asks.",
    name=_TEXT,
    url=_LINK,
    bytes=_MAYBE_COUNT,
    sha256=_MAYBE_TEXT,
)


def _page_of(name: str) -> Schema:
    return _object("One page of a list.", count=_COUNT, next=_MAYBE_LINK, previous=_MAYBE_LINK, results=_list(_ref(name)))


SCHEMAS: dict[str, Schema] = {
    "Root": _object("Where everything is.", packages=_LINK, search=_LINK, grids=_LINK, categories=_LINK),
    "Package": _PACKAGE,
    "Grid": _GRID,
    "Category": _CATEGORY,
    "PackagePage": _page_of("Package"),
    "GridPage": _page_of("Grid"),
    "CategoryPage": _page_of("Category"),
    "FoundList": _list(_FOUND, maxItems=20),
    "History": _HISTORY,
    "Bulk": _object("The files there are.", run_id=_MAYBE_TEXT, as_of_at=_MAYBE_TIME, files=_list(_BULK_FILE)),
    "Live": _object("Alive.", status={"const": "live"}),
    "Ready": _object("What is served.", status={"const": "ready"}, run_id=_MAYBE_TEXT, as_of_at=_MAYBE_TIME, complaint=_MAYBE_TEXT),
    "Error": _object("What went wrong.", detail=_TEXT),
    "InvalidParameter": {
        "type": "object",
        "description": "What is wrong with a parameter, under its name.",
        "additionalProperties": _list(_TEXT, minItems=1),
        "minProperties": 1,
        "maxProperties": 1,
    },
}


def _parameter(name: str, place: str, description: str, schema: Schema) -> Schema:
    return {"name": name, "in": place, "required": place == "path", "description": description, "schema": schema}


_FIELDS = "|".join(ORDERED_BY)
_LOOKUP = _parameter("lookup", "path", "Slug or id; digits always mean an id.", _TEXT)
_ID = _parameter("lookup", "path", "Id; a category has no address by slug.", _TEXT)
_LIMIT = _parameter("limit", "query", "Records on a page; there is no maximum.", {"type": "integer", "minimum": 1, "default": 20})
_OFFSET = _parameter("offset", "query", "Records to leave out at the start.", {"type": "integer", "minimum": 0, "default": 0})
_AS_OF = _parameter("as_of", "query", "As it was published at this time (ISO 8601; UTC unless it says otherwise; not in v4).", _WHEN)
_CHOOSING = (
    _parameter("category", "query", "Packages of this category: slug or id (not in v4).", _TEXT),
    _parameter("grid", "query", "Packages of this grid: slug or id (not in v4).", _TEXT),
    _parameter("updated_since", "query", "Packages whose last_updated is at this time or later (ISO 8601; not in v4).", _WHEN),
    _parameter(
        "ordering",
        "query",
        "Fields with commas, - for the greatest first; what is unknown comes last (not in v4).",
        {"type": "string", "pattern": f"^-?({_FIELDS})(,-?({_FIELDS}))*$"},
    ),
)
_WORDS = _parameter("q", "query", "Words to look for; without any nothing is found.", _TEXT)
_TABLE = _parameter("table", "path", "Name of a table.", _TEXT)
_PARTS = _parameter("Range", "header", "A part of the file (RFC 9110, 14).", _TEXT)


_UNCHANGED: Schema = {"description": "The asker has it already (If-None-Match)."}


def _json(schema: str, description: str) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": _ref(schema)}}}


def _get(summary: str, schema: str, *parameters: Schema, errors: tuple[int, ...] = (), has_tag: bool = True) -> Schema:
    """Describe what GET answers in JSON; 400 is about a parameter, every other error has its words under ``detail``."""
    name = summary.partition(":")[0]
    answers = {"200": _json(schema, name)} | ({"304": _UNCHANGED} if has_tag else {})
    for status in errors:
        kind = "InvalidParameter" if status == HTTPStatus.BAD_REQUEST else "Error"
        answers[str(status)] = _json(kind, HTTPStatus(status).phrase)
    return {"get": {"summary": summary, "parameters": list(parameters), "responses": answers}}


def _file(summary: str, media_type: str, *parameters: Schema, has_parts: bool = True) -> Schema:
    content: Schema = {media_type: {}}
    answers: Schema = {"200": {"description": summary, "content": content}, "304": _UNCHANGED}
    if has_parts:
        parameters = (*parameters, _PARTS)
        answers |= {
            "206": {"description": "The part asked for, or several.", "content": {**content, "multipart/byteranges": {}}},
            "400": {"description": "The Range header names no part.", "content": {"text/plain": {"schema": _TEXT}}},
            "416": {"description": "There is no such part.", "content": {"text/plain": {"schema": _TEXT}}},
        }
    answers["404"] = _json("Error", "There is no such file.")
    return {"get": {"summary": summary, "parameters": list(parameters), "responses": answers}}


def _text(summary: str) -> Schema:
    return {"get": {"summary": summary, "responses": {"200": {"description": summary, "content": {"text/plain": {"schema": _TEXT}}}}}}


PATHS: dict[str, Schema] = {
    "/api/v4/": _get("Where everything is", "Root"),
    "/api/v4/packages/": _get("Packages: highest id first", "PackagePage", _LIMIT, _OFFSET, *_CHOOSING, _AS_OF, errors=(400, 404)),
    "/api/v4/packages/{lookup}/": _get("A package", "Package", _LOOKUP, _AS_OF, errors=(400, 404)),
    "/api/v4/packages/{lookup}/history/": _get("What is kept of a package: not in v4", "History", _LOOKUP, errors=(404,)),
    "/api/v4/grids/": _get("Grids: highest id first", "GridPage", _LIMIT, _OFFSET, _AS_OF, errors=(400, 404)),
    "/api/v4/grids/{lookup}/": _get("A grid", "Grid", _LOOKUP, _AS_OF, errors=(400, 404)),
    "/api/v4/categories/": _get("Categories: highest id first", "CategoryPage", _LIMIT, _OFFSET, _AS_OF, errors=(400, 404)),
    "/api/v4/categories/{lookup}/": _get("A category: by id alone", "Category", _ID, _AS_OF, errors=(400, 404)),
    "/api/v4/search/": _get("What is found: best first, at most 20", "FoundList", _WORDS, errors=(400,)),
    "/bulk/": _get("Files of all there is: not in v4", "Bulk"),
    "/bulk/packages.ndjson": _file("The records of all packages, one a line", "application/x-ndjson", has_parts=False),
    "/bulk/packhouse.duckdb": _file("The published database", "application/octet-stream"),
    "/bulk/{table}.parquet": _file("One table of it", "application/vnd.apache.parquet", _TABLE),
    "/health/live": _get("Whether the server is alive", "Live", has_tag=False),
    "/health/ready": _get("Which publication it serves", "Ready", has_tag=False),
    "/metrics": _text("Counts, durations and the publication's moment, for Prometheus"),
    OPENAPI: {
        "get": {
            "summary": "This description",
            "responses": {"200": {"description": "OpenAPI 3.1", "content": {"application/json": {}}}, "304": _UNCHANGED},
        }
    },
}


def description(base_url: str) -> dict[str, Any]:
    """Describe the whole API as it is found below ``base_url``."""
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "packhouse",
            "version": "4",
            "summary": "The Django Packages v4 API over a publication of packhouse, and what goes beyond it.",
            "description": "Nothing can be written. HEAD and OPTIONS are answered where GET is. A bad Host is 400, a long query 414, "
            "a large head 431, a form nobody can give below /api/v4/ 406.",
        },
        "servers": [{"url": base_url}],
        "paths": PATHS,
        "components": {"schemas": SCHEMAS},
    }


def describe(asked: Asked, base_url: str) -> Reply | None:
    """Answer ``/api/openapi.json``; None for any other question."""
    if asked.path != OPENAPI:
        return None
    return refuse(asked) or refuse_writing(asked.method) or json_reply(render(description(base_url)))
