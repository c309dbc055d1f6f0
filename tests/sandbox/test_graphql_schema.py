"""What the sandbox knows of GitHub's GraphQL schema against the schema GitHub publishes (npm package ``@octokit/graphql-schema``)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_specified_scalar_type,
    print_ast,
)

from sandbox.nodes import PLAIN, RESOLVERS
from sandbox.queries import BEHIND, SCHEMA

PUBLISHED = Path(__file__).resolve().parents[2] / ".cache" / "octokit-graphql-schema" / "schema.graphql"
needs_published = pytest.mark.skipif(not PUBLISHED.exists(), reason="GitHub's GraphQL schema is not here: `make check` fetches it")
OURS = [kind for name, kind in SCHEMA.type_map.items() if not name.startswith("__") and not is_specified_scalar_type(kind)]


@lru_cache(maxsize=1)
def _published() -> GraphQLSchema:
    """As published, though it defines two fields twice."""
    return build_schema(PUBLISHED.read_text(encoding="utf-8"), assume_valid_sdl=True)


def _default(argument: GraphQLArgument) -> str | None:
    return print_ast(argument.default.literal) if argument.default and argument.default.literal else None


@needs_published
@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.name)
def test_every_field_is_githubs(kind: GraphQLObjectType | GraphQLInterfaceType | GraphQLScalarType) -> None:
    """Types, fields, arguments, defaults and what may be null are word for word those of the published schema."""
    theirs = _published().type_map[kind.name]
    assert type(theirs) is type(kind)
    if isinstance(kind, GraphQLScalarType):
        return
    assert isinstance(theirs, GraphQLObjectType | GraphQLInterfaceType)
    assert {interface.name for interface in kind.interfaces} <= {interface.name for interface in theirs.interfaces}
    for name, field in kind.fields.items():
        assert str(field.type) == str(theirs.fields[name].type), name
        for argument, ours in field.args.items():
            their_argument = theirs.fields[name].args[argument]
            assert (str(ours.type), _default(ours)) == (str(their_argument.type), _default(their_argument)), f"{name}({argument})"
        left_out = theirs.fields[name].args.keys() - field.args.keys()
        assert not any(str(theirs.fields[name].args[argument].type).endswith("!") for argument in left_out), name


def test_every_field_has_an_answer() -> None:
    """Whatever a valid query may ask for, the sandbox can say; and it can say nothing else."""
    answered = {
        (kind.name, name)
        for kind in OURS
        if isinstance(kind, GraphQLObjectType) and kind.name not in PLAIN | {"Query"}
        for name in kind.fields
    }
    assert answered == set(RESOLVERS)


def test_whatever_stands_behind_an_interface_is_one_of_its_kind() -> None:
    """A node is asked as a repository, what a branch points at as a commit, and every interface has such a type."""
    interfaces = {kind.name: kind for kind in OURS if isinstance(kind, GraphQLInterfaceType)}
    assert set(BEHIND) == set(interfaces)
    for name, concrete in BEHIND.items():
        found = SCHEMA.type_map[concrete]
        assert isinstance(found, GraphQLObjectType)
        assert interfaces[name] in found.interfaces


def test_defaults_are_said_where_github_has_them() -> None:
    """Renames are followed and queries are run unless the query says otherwise."""
    fields = SCHEMA.query_type.fields if SCHEMA.query_type else {}
    assert _default(fields["repository"].args["followRenames"]) == "true"
    assert _default(fields["rateLimit"].args["dryRun"]) == "false"
    assert get_named_type(fields["nodes"].type).name == "Node"
