"""Reading a GraphQL query: from its text to steps that ``nodes.py`` can walk, and what it costs before anybody walks.

Text, validation and the order of steps are kept by text, for a harvest sends few texts and many variables. Cost and node count
follow https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from graphql import (
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    build_schema,
    get_named_type,
    get_variable_values,
    is_abstract_type,
    is_leaf_type,
    parse,
    validate,
)
from graphql.execution.values import VariableValues, get_argument_values, get_directive_values
from graphql.type import GraphQLIncludeDirective, GraphQLSkipDirective

SCHEMA = build_schema(Path(__file__).with_name("schema.graphql").read_text(encoding="utf-8"))
QUERY = cast("GraphQLObjectType", SCHEMA.query_type)
# What stands behind an interface in this world: a node is a repository, what a branch points at is a commit.
BEHIND = {"Node": "Repository", "GitObject": "Commit"}
MOST_NODES, MOST_IDS, LARGEST_PAGE = 500_000, 100, 100
TYPENAME, HISTORY = "__typename", "history"

Problem = dict[str, Any]


class Refused(Exception):
    """The whole query is answered with these errors and no data."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(problems[0]["message"])
        self.problems = list(problems)


@dataclass(frozen=True, slots=True)
class Field:
    """One field as the text has it: the name it is answered under, its definition, and the fields below it."""

    key: str
    name: str
    type_name: str
    node: FieldNode
    definition: GraphQLField | None
    below: tuple[Field, ...] | None
    conditions: tuple[DirectiveNode, ...]
    fixed: Step | None


class Step(NamedTuple):
    """One field with its arguments, ready to be walked; ``below`` is ``None`` where a value stands."""

    key: str
    name: str
    type_name: str
    arguments: Mapping[str, Any]
    below: tuple[Step, ...] | None
    location: Mapping[str, int]
    weight: Weight


class Weight(NamedTuple):
    """What one field and all below it cost: requests for connections, and nodes at most."""

    requests: int
    nodes: int


@dataclass(frozen=True, slots=True)
class Query:
    """A query that GitHub's schema allows."""

    operation: OperationDefinitionNode
    fields: tuple[Field, ...]
    is_history: bool

    def bound(self, variables: Mapping[str, Any]) -> tuple[Step, ...]:
        """Its steps with these variables; raises Refused when one is missing or of another type, or a page of another size."""
        values = get_variable_values(SCHEMA, self.operation.variable_definitions or (), dict(variables))
        if isinstance(values, list):
            raise Refused(*map(_problem, values))
        return tuple(_bound(self.fields, values, ()))


def read(text: str, operation_name: str | None = None) -> Query:
    """The query in this text; raises Refused with what is wrong about it."""
    found = _read(text, operation_name)
    if isinstance(found, Refused):
        raise Refused(*found.problems)
    return found


@lru_cache(maxsize=256)
def _read(text: str, operation_name: str | None) -> Query | Refused:
    try:
        document = parse(text, max_tokens=200_000)
    except GraphQLError as error:
        return Refused(_problem(error))
    if mistakes := validate(SCHEMA, document):
        return Refused(*map(_problem, mistakes))
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    named = [node for node in operations if operation_name is None or (node.name and node.name.value == operation_name)]
    if len(named) != 1 or named[0].operation is not OperationType.QUERY:
        return Refused({"message": f"No operation named {operation_name!r}" if operation_name else "An operation name is required"})
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    fields = _Reading(fragments).fields([named[0].selection_set], QUERY)
    return Query(named[0], fields, any(_is_history(field) for field in fields))


def _is_history(field: Field) -> bool:
    return field.name == HISTORY or any(_is_history(below) for below in field.below or ())


class _Reading:
    """Fields of selection sets, fragments put in; what two fragments ask of the same field is asked once."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments

    def fields(self, sets: Iterable[SelectionSetNode], kind: GraphQLObjectType) -> tuple[Field, ...]:
        merged: dict[str, list[tuple[FieldNode, tuple[DirectiveNode, ...]]]] = {}
        for selection_set in sets:
            for node, conditions in self._spread(selection_set, kind, ()):
                merged.setdefault(node.alias.value if node.alias else node.name.value, []).append((node, conditions))
        return tuple(self._field(key, nodes, kind) for key, nodes in merged.items())

    def _spread(
        self, selection_set: SelectionSetNode, kind: GraphQLObjectType, outer: tuple[DirectiveNode, ...]
    ) -> Iterator[tuple[FieldNode, tuple[DirectiveNode, ...]]]:
        for node in selection_set.selections:
            conditions = (*outer, *(node.directives or ()))
            if isinstance(node, FieldNode):
                yield node, conditions
                continue
            inner = self._fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else cast("InlineFragmentNode", node)
            wanted = inner.type_condition.name.value if inner.type_condition else kind.name
            if wanted == kind.name or wanted in {interface.name for interface in kind.interfaces}:
                yield from self._spread(inner.selection_set, kind, conditions)

    def _field(self, key: str, nodes: Sequence[tuple[FieldNode, tuple[DirectiveNode, ...]]], kind: GraphQLObjectType) -> Field:
        node, conditions = nodes[0]
        name = node.name.value
        if name == TYPENAME:
            return Field(key, name, kind.name, node, None, None, conditions, None)
        definition = kind.fields[name]
        below = None
        if not is_leaf_type(found := get_named_type(definition.type)):
            concrete = SCHEMA.type_map[BEHIND[found.name]] if is_abstract_type(found) else found
            sets = (each.selection_set for each, _ in nodes if each.selection_set)
            below = self.fields(sets, cast("GraphQLObjectType", concrete))
        is_fixed = name != HISTORY and not (node.arguments or conditions) and all(each.fixed for each in below or ())
        fixed = tuple(each.fixed for each in below if each.fixed) if below is not None and is_fixed else None
        arguments = get_argument_values(definition, node) if is_fixed else {}
        step = _weighed(Field(key, name, kind.name, node, definition, below, conditions, None), arguments, fixed) if is_fixed else None
        return Field(key, name, kind.name, node, definition, below, conditions, step)


def _bound(fields: Iterable[Field], values: VariableValues, path: tuple[str, ...]) -> Iterator[Step]:
    for field in fields:
        if field.fixed:
            yield field.fixed
        elif not field.conditions or _is_wanted(field, values):
            here = (*path, field.key)
            try:
                arguments = get_argument_values(field.definition, field.node, values) if field.definition else {}
            except GraphQLError as error:
                raise Refused(_problem(error)) from None
            _check_page(field, arguments, here)
            below = None if field.below is None else tuple(_bound(field.below, values, here))
            yield _weighed(field, arguments, below)


def _is_wanted(field: Field, values: VariableValues) -> bool:
    for directive in field.conditions:
        holder = FieldNode(name=field.node.name, directives=(directive,))
        skip = get_directive_values(GraphQLSkipDirective, holder, values)
        include = get_directive_values(GraphQLIncludeDirective, holder, values)
        if (skip and skip["if"]) or (include and not include["if"]):
            return False
    return True


def _check_page(field: Field, arguments: Mapping[str, Any], path: tuple[str, ...]) -> None:
    """GitHub's own rules about sizes, which are no part of its schema."""
    place = {"path": list(path), "locations": [location_of(field.node)]}
    size = arguments.get("first", arguments.get("last"))
    if field.name == "nodes" and len(ids := arguments.get("ids", ())) > MOST_IDS:
        message = f"You may not provide more than {MOST_IDS} node ids; you provided {len(ids)}."
        raise Refused({"type": "ARGUMENT_LIMIT", **place, "message": message})
    if field.name == HISTORY and size is None and any(below.name == "nodes" for below in field.below or ()):
        message = "You must provide a `first` or `last` value to properly paginate the `history` connection."
        raise Refused({"type": "MISSING_PAGINATION_BOUNDARIES", **place, "message": message})
    if size is not None and size > LARGEST_PAGE:
        message = f"Requesting {size} records on the `{field.name}` connection exceeds the `first` limit of {LARGEST_PAGE} records."
        raise Refused({"type": "EXCESSIVE_PAGINATION", **place, "message": message})
    if size is not None and size < 1:
        message = f"`first` on the `{field.name}` connection cannot be less than one."
        raise Refused({"type": "UNPROCESSABLE", **place, "message": message})


def _weighed(field: Field, arguments: Mapping[str, Any], below: tuple[Step, ...] | None) -> Step:
    """The step with what it costs: a connection is one request, and as many of what is below its nodes as it has nodes."""
    size = arguments.get("first") or arguments.get("last") or 0
    is_connection = field.definition is not None and str(field.definition.type).rstrip("!").endswith("Connection")
    requests, nodes = (1, size) if is_connection else (0, 0)
    times_all = len(arguments["ids"]) if "ids" in arguments else 1
    for step in below or ():
        times = size if is_connection and step.name in ("nodes", "edges") else times_all
        requests += step.weight.requests * times
        nodes += step.weight.nodes * times
    return Step(field.key, field.name, field.type_name, arguments, below, location_of(field.node), Weight(requests, nodes))


def cost_of(steps: Iterable[Step]) -> tuple[int, int]:
    """Points and nodes of a whole query; raises Refused when it may return more nodes than GitHub lets it."""
    weights = [step.weight for step in steps]
    nodes = sum(weight.nodes for weight in weights)
    if nodes > MOST_NODES:
        message = f"This query requests up to {nodes:,} possible nodes which exceeds the maximum limit of {MOST_NODES:,}."
        raise Refused({"type": "MAX_NODE_LIMIT_EXCEEDED", "message": message})
    return max(1, (sum(weight.requests for weight in weights) + 50) // 100), nodes


def location_of(node: FieldNode) -> dict[str, int]:
    """Where in the text a field stands."""
    if node.loc is None:
        return {"line": 1, "column": 1}
    return {"line": node.loc.start_token.line, "column": node.loc.start_token.column}


def _problem(error: GraphQLError) -> Problem:
    """A mistake in the query, as GitHub tells it: no type, no data."""
    places = [{"line": place.line, "column": place.column} for place in error.locations or ()]
    return {"message": error.message, **({"locations": places} if places else {})}
