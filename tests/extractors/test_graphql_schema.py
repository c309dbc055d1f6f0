"""Every query the project can send is one GitHub's published schema allows."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from extractors.conversation import GRAPHQL, PAST, Ask, Target
from extractors.graphql import MOST_IDS, MOST_PROBED, MOST_READ, history_ask, probe_ask

SCHEMA = Path(__file__).resolve().parents[2] / ".cache" / "octokit-graphql-schema" / "schema.graphql"
KINDS = ("by id", "by name", "mixed")


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    """Read the schema that ``make check`` fetches from npm (``@octokit/graphql-schema``)."""
    if not SCHEMA.exists():
        pytest.skip("make check fetches GitHub's schema")
    # It repeats two fields and deprecates what its interfaces do not, which says nothing about our queries.
    return build_schema(SCHEMA.read_text(encoding="utf-8"), assume_valid=True)


def targets(count: int, kind: str, **more: object) -> list[Target]:
    """Name so many repositories, each known by its id or its name alone."""
    known = {"by id": lambda _: True, "by name": lambda _: False, "mixed": lambda index: index % 2 == 0}[kind]
    return [
        Target(subject=f"github:o/r{index}", owner="o", name=f"r{index}", node_id=f"R_{index}" if known(index) else None, **more)
        for index in range(count)
    ]


def mistakes(schema: GraphQLSchema, ask: Ask) -> list[str]:
    """Return what the schema has against a query, and what its variables lack or have too much."""
    assert ask.payload is not None
    content = orjson.loads(ask.payload)
    document = parse(content["query"])
    declared = {node.variable.name.value for node in document.definitions[0].variable_definitions}  # type: ignore[union-attr]
    odd = declared ^ set(content["variables"])
    return [*(error.message for error in validate(schema, document)), *(f"${name} is not in both" for name in sorted(odd))]


@pytest.mark.parametrize("kind", KINDS)
def test_probes_are_valid(schema, kind):
    """Probes of every size, by id, by name and mixed, up to the most ids GitHub takes."""
    for count in (*range(1, MOST_PROBED + 1), MOST_IDS):
        assert mistakes(schema, probe_ask(targets(count, kind))) == [], count


@pytest.mark.parametrize("until", [None, "known", "some"])
@pytest.mark.parametrize("page", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_histories_are_valid(schema, kind, page, until):
    """Histories of every size and kind: whole windows, what is new since a head, both, first pages and later ones."""
    for count in range(1, MOST_READ + 1) if page == 1 else (1, 2, MOST_READ):
        some = targets(count, kind, since="2025-11-25T00:00:00Z", page=page, after=None if page == 1 else "cursor")
        if until:
            some = [
                Target(**{**{name: getattr(target, name) for name in Target.__slots__}, "until_oid": "0" * 40})
                if until == "known" or index % 3 == 0
                else target
                for index, target in enumerate(some)
            ]
        assert mistakes(schema, history_ask(some)) == [], count


@pytest.mark.parametrize("kind", KINDS)
def test_windows_of_the_past_are_valid(schema, kind):
    """With an end and without, first pages and later ones; they are a question of their own."""
    window = {"since": "2024-02-16T00:00:00Z", "from_on": "2024-02-17", "until_on": "2024-12-31"}
    for count in (1, 2, MOST_READ):
        for until, page in ((None, 1), ("2025-12-31T00:00:00Z", 1), ("2025-12-31T00:00:00Z", 2)):
            some = targets(count, kind, **window, until=until, page=page, after=None if page == 1 else "cursor")
            asked = history_ask(some)
            assert mistakes(schema, asked) == [], count
            assert (asked.facet, asked.meter) == (PAST, GRAPHQL)


def test_the_check_sees_a_mistake(schema):
    """A field GitHub does not have, or a page without a size, would be told."""
    content = orjson.loads(probe_ask(targets(1, "by name")).payload)
    wrong = content["query"].replace("stargazerCount", "starCount")
    assert "Cannot query field 'starCount'" in validate(schema, parse(wrong))[0].message


def test_the_list_of_stargazers_is_never_asked_for():
    """Their number reads 0 in ``stargazers{totalCount}`` since GitHub closed the lists; ``stargazerCount`` has it."""
    asks = [probe_ask(targets(3, "mixed")), history_ask(targets(3, "mixed", since="2025-11-25T00:00:00Z"))]
    assert all(b"stargazers" not in (ask.payload or b"") for ask in asks)
    assert b"stargazerCount" in (asks[0].payload or b"")


def test_no_value_is_written_into_a_query():
    """Names with quotes and braces travel as variables and nowhere else."""
    evil = Target(subject="github:o/x", owner='o"){evil}', name="n\\", since='"', after="}", until_oid="{")
    for ask in (probe_ask([evil]), history_ask([evil])):
        content = orjson.loads(ask.payload or b"")
        assert "evil" not in content["query"]
        assert content["variables"]["o0"] == evil.owner
        assert content["variables"]["n0"] == evil.name
