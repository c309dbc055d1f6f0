"""The description of the API: sound OpenAPI 3.1, and every answer is what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from api.app import create_app
from api.filters import ORDERED_BY
from api.openapi import OPENAPI, PATHS, SCHEMAS, description
from api.routes import match
from sandbox.server import running as sandbox_running
from tests.api.running import ask, running
from tests.api.sample_rows import BASE, NEW_YORK
from tests.conftest import NOW, Bench, prompt_world

EXAMPLES = {"{lookup}": "1776", "{table}": "packages"}
KINDS = {"/api/v4/grids/{lookup}/": "62", "/api/v4/categories/{lookup}/": "1"}


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """Serve a harvest of the sample catalog."""
    with sandbox_running(prompt_world(), clock=lambda: NOW) as services:
        bench = Bench(data=tmp_path_factory.mktemp("described") / "data", services=services)
        bench.harvest()
    with running(create_app(bench.data, zone=NEW_YORK, base_url=BASE)) as number:
        yield number


def validator(schema: dict[str, Any]) -> OAS31Validator:
    """Judge by a schema of the description."""
    whole = Resource.from_contents(description(BASE), default_specification=DRAFT202012)
    pointed = json.loads(json.dumps(schema).replace('"#/components', '"urn:api#/components'))
    return OAS31Validator(pointed, registry=Registry().with_resource("urn:api", whole))


def dictionaries(value: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary in a value, itself included."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from dictionaries(inner)


def test_it_is_served(port):
    """The description is JSON with the address of this server, kept by tag, and other methods are refused."""
    status, headers, body = ask(port, "GET", OPENAPI)
    assert (status, dict(headers)["content-type"]) == (200, "application/json")
    assert json.loads(body) == json.loads(json.dumps(description(BASE)))
    assert json.loads(body)["servers"] == [{"url": BASE}]
    assert ask(port, "HEAD", OPENAPI)[0::2] == (200, b"")
    assert ask(port, "POST", OPENAPI)[0] == 405


def test_it_is_sound():
    """Schemas are schemas of OpenAPI 3.1, references lead somewhere, each is used, and path parameters are those in the path."""
    whole = description(BASE)
    for schema in SCHEMAS.values():
        OAS31Validator.check_schema(schema)
    references = {found["$ref"] for found in dictionaries(whole) if "$ref" in found}
    assert references == {f"#/components/schemas/{name}" for name in SCHEMAS}
    for path, item in PATHS.items():
        assert list(item) == ["get"]
        parameters = item["get"].get("parameters", [])
        assert [p["name"] for p in parameters if p["in"] == "path"] == re.findall(r"\{(\w+)\}", path)
        assert len({(p["name"], p["in"]) for p in parameters}) == len(parameters)
        for parameter in parameters:
            OAS31Validator.check_schema(parameter["schema"])
        assert all(re.fullmatch(r"[1-5]\d\d", status) and answer["description"] for status, answer in item["get"]["responses"].items())


@pytest.mark.parametrize("path", PATHS)
def test_every_address_is_answered_as_described(port, path):
    """GET is 200 with the media type and by the schema it names."""
    target = path
    for name, value in EXAMPLES.items():
        target = target.replace(name, KINDS.get(path, value))
    status, headers, body = ask(port, "GET", target)
    (media_type, content), *more = PATHS[path]["get"]["responses"]["200"]["content"].items()
    assert (status, dict(headers)["content-type"].partition(";")[0], more) == (200, media_type, [])
    if media_type == "application/json" and content:
        validator(content["schema"]).validate(json.loads(body))


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/api/v4/packages/?limit=500", "PackagePage"),
        ("/api/v4/packages/?limit=5&offset=5&ordering=-repo_watchers,slug&as_of=2026-02-16", "PackagePage"),
        ("/api/v4/grids/?limit=500", "GridPage"),
        ("/api/v4/categories/?limit=500", "CategoryPage"),
        ("/api/v4/search/?q=django", "FoundList"),
        ("/api/v4/packages/none/", "Error"),
        ("/api/v4/packages/?as_of=2001-01-01", "Error"),
        ("/api/v4/packages/?category=none", "InvalidParameter"),
        ("/bulk/none.parquet", "Error"),
    ],
)
def test_answers_are_by_their_schema(port, target, name):
    """Whole lists, searches, the past and errors are what their schemas say."""
    validator(SCHEMAS[name]).validate(json.loads(ask(port, "GET", target)[2]))


def test_a_schema_can_say_no(port):
    """A key too many, one too few or another type is not what the schema says."""
    record = json.loads(ask(port, "GET", "/api/v4/packages/1776/")[2])
    judge = validator(SCHEMAS["Package"])
    assert judge.is_valid(record)
    for wrong in (record | {"more": 1}, {key: value for key, value in record.items() if key != "slug"}, record | {"repo_watchers": "1331"}):
        assert not judge.is_valid(wrong)


def test_every_address_of_v4_is_described():
    """No kind of address that is routed is missing, and the fields to order by are those there are."""
    described = {(route.kind, route.lookup is not None) for path in PATHS if (route := match(path.replace("{lookup}", "1"))) is not None}
    lists = {(kind, has_lookup) for kind in ("packages", "grids", "categories") for has_lookup in (False, True)}
    assert described == lists | {("root", False), ("search", False)}
    ordering = next(p for p in PATHS["/api/v4/packages/"]["get"]["parameters"] if p["name"] == "ordering")
    assert all(re.search(ordering["schema"]["pattern"], f"-{field},{field}") for field in ORDERED_BY)
