"""The sandbox's GitHub answers against GitHub's own OpenAPI description (npm package ``@octokit/openapi``, fetched by ``make check``)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from openapi_schema_validator import OAS30Validator, oas30_format_checker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from sandbox import Limits, curious_world, sample_world, synthetic_world
from sandbox.synthetic import repository_name
from sandbox.world import World
from tests.sandbox.asking import TOKEN, asking

DESCRIPTION = Path(__file__).resolve().parents[2] / ".cache" / "octokit-openapi" / "api.github.com.json"
pytestmark = pytest.mark.skipif(not DESCRIPTION.exists(), reason="GitHub's API description is not here: `make check` fetches it")

REPO, PEOPLE, COMMITS = "/repos/{owner}/{repo}", "/repos/{owner}/{repo}/contributors", "/repos/{owner}/{repo}/commits"
WEEKS, RATE = "/repos/{owner}/{repo}/stats/participation", "/rate_limit"
# What GitHub answers although its description does not say so, and where that is known from.
UNDESCRIBED = {
    (WEEKS, 202): "statistics not yet computed: https://docs.github.com/en/rest/metrics/statistics",
    (WEEKS, 204): "empty repository, as described for the other statistics",
    (REPO, 451): "repository blocked by law: github/rest-api-description issue 3314",
}


@lru_cache(maxsize=1)
def _description() -> dict[str, Any]:
    described: dict[str, Any] = orjson.loads(DESCRIPTION.read_bytes())
    return described


@lru_cache(maxsize=4)
def _registry(api_version: str) -> Registry[Any]:
    """The description as it stands for one API version: breaking changes up to it are applied to the schemas we use."""
    described = copy.copy(_description())
    schemas = dict(described["components"]["schemas"])
    for name in ("full-repository", "rate-limit-overview"):
        schemas[name] = _patched(schemas[name], api_version)
    schemas["commit"] = copy.deepcopy(schemas["commit"])
    for name in ("author", "committer"):  # "nullable" beside "oneOf": the description means it, the validator overlooks it
        assert schemas["commit"]["properties"][name].pop("nullable")
        schemas["commit"]["properties"][name]["oneOf"].append({"enum": [None], "nullable": True})
    described["components"] = {**described["components"], "schemas": schemas}
    return Registry().with_resource("urn:github", Resource.from_contents(described, default_specification=DRAFT4))


def _patched(schema: dict[str, Any], api_version: str) -> dict[str, Any]:
    patched = copy.deepcopy(schema)
    for change in schema.get("x-github-breaking-changes", ()):
        if change["version"] <= api_version and "patch" in change:
            for name, value in change["patch"].get("properties", {}).items():
                if value is None:
                    patched["properties"].pop(name, None)
            patched["required"] = change["patch"].get("required", patched["required"])
    return patched


def _pointer(path: str, status: int) -> str | None:
    """JSON pointer to the schema of an answer, ``""`` when it is described without a body, ``None`` when not at all."""
    responses = _description()["paths"][path]["get"]["responses"]
    if str(status) not in responses:
        return None
    response, base = responses[str(status)], f"/paths/{path.replace('~', '~0').replace('/', '~1')}/get/responses/{status}"
    if "$ref" in response:
        base = response["$ref"].removeprefix("#")
        response = _description()["components"]["responses"][base.rsplit("/", 1)[-1]]
    return f"{base}/content/application~1json/schema" if response.get("content") else ""


def _mistakes(pointer: str, body: Any, api_version: str) -> list[str]:
    schema = {"$ref": f"urn:github#{pointer.replace('{', '%7B').replace('}', '%7D')}"}
    validator = OAS30Validator(schema, registry=_registry(api_version), format_checker=oas30_format_checker)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(body)]


CURIOUS = [
    (REPO, "/repos/curious/plain", 200),
    (REPO, "/repos/curious/undescribed", 200),
    (REPO, "/repos/curious/archived", 200),
    (REPO, "/repos/curious/empty", 200),
    (REPO, "/repos/curious/refusing", 403),
    (REPO, "/repos/curious/former", 301),
    (REPO, "/repos/curious/nowhere", 404),
    (REPO, "/repos/curious/tos", 403),
    (REPO, "/repos/curious/dmca", 451),
    (PEOPLE, "/repos/curious/crowded/contributors?anon=1&per_page=100&page=3", 200),
    (PEOPLE, "/repos/curious/plain/contributors", 200),
    (PEOPLE, "/repos/curious/empty/contributors", 204),
    (PEOPLE, "/repos/curious/too-large/contributors", 403),
    (COMMITS, "/repos/curious/plain/commits", 200),
    (COMMITS, "/repos/curious/one-commit/commits?per_page=1", 200),
    (COMMITS, "/repos/curious/empty/commits", 409),
    (WEEKS, "/repos/curious/ready/stats/participation", 200),
    (WEEKS, "/repos/curious/plain/stats/participation", 202),
    (WEEKS, "/repos/curious/empty/stats/participation", 204),
    (RATE, "/rate_limit", 200),
]


@pytest.mark.parametrize("api_version", ["2022-11-28", "2026-03-10"])
def test_every_answer_is_as_github_describes_it(api_version: str) -> None:
    """Status known to the description (or to the list of what it leaves out) and body valid, in both API versions."""
    headers = {**TOKEN, "x-github-api-version": api_version}
    mistakes: dict[str, list[str]] = {}
    with asking() as (sandbox, client):
        for path, asked, status in CURIOUS:
            answer = client.get(f"{sandbox.github_url}{asked}", headers=headers)
            assert answer.status_code == status, asked
            pointer = _pointer(path, status)
            if pointer is None:
                assert (path, status) in UNDESCRIBED
            elif pointer:
                mistakes[asked] = _mistakes(pointer, answer.json(), api_version)
    assert {asked: found for asked, found in mistakes.items() if found} == {}
    assert len(mistakes) >= 15


@pytest.mark.parametrize("make_world", [sample_world, lambda: synthetic_world(25, 1)], ids=["sample", "synthetic"])
def test_worlds_are_as_github_describes_them(make_world: Callable[[], World]) -> None:
    """Every repository of the sample, and a handful of synthetic ones, valid at all four endpoints."""
    names = [
        "llazzaro/django-scheduler",
        "celery/celery",
        "encode/django-rest-framework",
        *(repository_name(1, index) for index in range(25)),
    ]
    checked = 0
    with asking(make_world()) as (sandbox, client):
        for name in names:
            for path, rest in (
                (REPO, ""),
                (PEOPLE, "/contributors?per_page=100"),
                (COMMITS, "/commits?per_page=3"),
                (WEEKS, "/stats/participation"),
            ):
                answer = client.get(f"{sandbox.github_url}/repos/{name}{rest}", headers=TOKEN)
                pointer = _pointer(path, answer.status_code)
                if answer.status_code == 200 and pointer:
                    assert _mistakes(pointer, answer.json(), "2022-11-28") == [], name
                    checked += 1
    assert checked >= 9


def test_limits_are_as_github_describes_them() -> None:
    """Primary and secondary refusals carry the described error body."""
    with asking(limits=Limits(token_per_hour=1, points_per_minute=3)) as (sandbox, client):
        answers = [client.get(f"{sandbox.github_url}/repos/curious/plain", headers=TOKEN) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 403, 403, 403]
    assert "secondary" in answers[3].json()["message"]
    for answer in answers[1:]:
        assert _mistakes(_pointer(REPO, 403) or "", answer.json(), "2022-11-28") == []


def test_a_wrong_answer_would_be_noticed() -> None:
    """The validation has teeth: a missing field, a wrong type and a null where none may be are each named."""
    with asking(curious_world()) as (sandbox, client):
        body = client.get(f"{sandbox.github_url}/repos/curious/plain").json()
    pointer = _pointer(REPO, 200) or ""
    without = {name: value for name, value in body.items() if name != "subscribers_count"}
    assert any("subscribers_count" in mistake for mistake in _mistakes(pointer, without, "2022-11-28"))
    assert any(mistake.startswith("forks_count") for mistake in _mistakes(pointer, {**body, "forks_count": "14"}, "2022-11-28"))
    assert any(mistake.startswith("owner") for mistake in _mistakes(pointer, {**body, "owner": None}, "2022-11-28"))
