"""Questions about many repositories at once, and what each of them was told: GitHub's GraphQL API.

Names, ids and moments travel as variables; nothing but the numbers of aliases is written into a query. A repository is asked for
under an alias of its own (``r0``, ``h0``), or, in a probe, by its node id at its place in the one list ``n0``.
https://docs.github.com/en/graphql/reference/objects#repository; costs as
https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api counts them: every connection is a
request, those below a page once for each of its entries, and a hundred requests are a point. That is why ``parents`` (is it a
merge?) is asked of few commits only: below a hundred commits it would make one repository cost a point.
Never ``stargazers{totalCount}``: it reads 0; the number is ``stargazerCount``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from extractors.batch_verdict import Content, Problem, judge_batch, read_content
from extractors.conversation import GITHUB, HISTORY, PAST, PROBE, Ask, Target
from extractors.judgement import Verdict

URL = "/graphql"
PROBE_SIZE = 25  # repositories in the first probe ...
MOST_PROBED = 50  # ... and in the largest; GitHub breaks off queries that touch too much, and not at a published size
HISTORY_SIZE = 20
MOST_READ = 25
MOST_IDS = 100  # "You may not provide more than 100 node ids"
PAGE_SIZE = 100  # commits on a page, GitHub's maximum
FRESH_SIZE = 25  # commits on the first page of what is new since a known head; each costs a request more, for its parents

_QUOTA = "rateLimit{cost limit remaining used resetAt nodeCount}"
_COUNTERS = (
    "fragment F on Repository{id databaseId nameWithOwner description homepageUrl stargazerCount forkCount watchers{totalCount} "
    "isArchived isDisabled isEmpty isFork isPrivate createdAt pushedAt licenseInfo{spdxId} "
    "defaultBranchRef{name target{...on Commit{oid committedDate authoredDate}}}}"
)
_COMMIT = "fragment C on Commit{oid authoredDate committedDate author{email user{login}}}"
_FRESH_COMMIT = "fragment M on Commit{...C parents(first:2){totalCount}}"
_NAMES = "id databaseId nameWithOwner"
NO_REASON = "no answer and no reason"

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one subject was told by an answer about many.

    Attributes:
        target: the subject as it was asked for.
        verdict: what its part is; ``transient`` when nothing is known of it, never ``missing`` without GitHub saying so.
        detail: why, in GitHub's words; empty for a plain success.
        body: its node as JSON; empty unless the verdict is ``ok``.
        may_split: asked for again, among fewer, it may be answered.
    """

    target: Target
    verdict: Verdict
    detail: str = ""
    body: bytes = b""
    may_split: bool = False


def probe_ask(targets: Sequence[Target]) -> Ask:
    """Ask for counters and newest commit of at most a hundred repositories, by node id where it is known."""
    named = [target for target in targets if target.node_id is None]
    ids = [target.node_id for target in targets if target.node_id is not None]
    if not targets or len(ids) > MOST_IDS:
        raise ValueError(f"a probe is about 1 to {MOST_IDS} repositories, not {len(targets)}")
    variables: dict[str, Any] = {"ids": ids} if ids else {}
    for index, target in enumerate(named):
        variables |= {f"o{index}": target.owner, f"n{index}": target.name}
    return _ask(PROBE, targets, _probe_text(len(named), has_ids=bool(ids)), variables)


def history_ask(targets: Sequence[Target]) -> Ask:
    """Ask for one page of the commits since a moment (committer date), newest first, for each of some repositories.

    What is new since a known head (``until_oid``) begins with a short page whose commits say how many parents they have; the
    rest comes in pages of a hundred. Windows of the past (``from_on``) are a question of their own, never mixed with others.
    """
    if not targets:
        raise ValueError("a history is about at least one repository")
    variables: dict[str, Any] = {}
    for index, target in enumerate(targets):
        place = {f"i{index}": target.node_id} if target.node_id is not None else {f"o{index}": target.owner, f"n{index}": target.name}
        variables |= {**place, f"s{index}": target.since, f"c{index}": target.after}
        if target.until is not None:
            variables[f"u{index}"] = target.until
    kinds = tuple(
        _Kind(target.node_id is not None, _page_size(target), target.until_oid is not None, target.until is not None) for target in targets
    )
    facet = PAST if any(target.from_on is not None for target in targets) else HISTORY
    return _ask(facet, targets, _history_text(kinds), variables)


def price(ask: Ask) -> int:
    """Return the points a question is expected to cost."""
    if ask.facet == PROBE:
        requests = len(ask.targets)
    else:
        requests = sum(1 + (_page_size(target) if target.until_oid is not None else 0) for target in ask.targets)
    return max(1, (requests + 50) // 100)


def encode_targets(targets: Iterable[Target]) -> str:
    """Write targets as a JSON list, in order."""
    return orjson.dumps([{key: value for key, value in asdict(target).items() if value is not None} for target in targets]).decode()


def decode_targets(text: str) -> tuple[Target, ...]:
    """Read what ``encode_targets`` wrote; keys that are not known are passed over. Raises ValueError for anything else."""
    known = {field.name for field in fields(Target)}
    return tuple(Target(**{key: value for key, value in entry.items() if key in known}) for entry in orjson.loads(text))


def divide(
    targets: Sequence[Target], *, facet: str, status: int | None, headers: Mapping[str, str], body: bytes, error: str | None
) -> tuple[Part, ...]:
    """Tell what each target was told, in their order and each exactly once; total over whatever an answer may be.

    An answer that is not ``ok`` as a whole is every target's answer.
    """
    whole = judge_batch(status, headers, body, error)
    content = read_content(body) if whole.verdict is Verdict.OK else None
    if content is None:
        return tuple(Part(target=target, verdict=whole.verdict, detail=whole.detail, may_split=whole.may_split) for target in targets)
    problems = _by_place(content.problems)
    return tuple(_part(target, content, place, problems) for target, place in zip(targets, _places(facet, targets), strict=True))


def _part(target: Target, content: Content, place: Place, problems: Mapping[Place, list[Problem]]) -> Part:
    node = _at(content.data, place)
    named = problems.get(place) or (problems.get(place[:1], []) if node is None else [])
    if isinstance(node, dict) and node and not named:
        try:
            return Part(target=target, verdict=Verdict.OK, body=orjson.dumps(node))
        except TypeError:  # it reads deeper nesting than it writes
            return Part(target=target, verdict=Verdict.TRANSIENT, detail="nested without end", may_split=True)
    if not named:
        whole = next((problem for problem in content.problems if not problem.path), None)
        return Part(target=target, verdict=Verdict.TRANSIENT, detail=whole.message if whole else NO_REASON, may_split=True)
    own = [problem for problem in named if problem.path == place]
    problem = next(iter(own or named))
    detail = f"{problem.kind} {problem.message}".strip()
    if own and node is None and problem.kind == "NOT_FOUND":
        return Part(target=target, verdict=Verdict.MISSING, detail=detail)
    if problem.kind in ("FORBIDDEN", "INSUFFICIENT_SCOPES") and node is None:
        return Part(target=target, verdict=Verdict.REFUSED, detail=detail)
    # Resource limits, time limits, bugs, and a node without all that was asked: nothing is known of the repository.
    return Part(target=target, verdict=Verdict.TRANSIENT, detail=detail, may_split=True)


def _by_place(problems: Iterable[Problem]) -> dict[Place, list[Problem]]:
    """Problems by the alias they speak of, or by alias and place in the list of ids."""
    found: dict[Place, list[Problem]] = {}
    for problem in problems:
        if problem.path:
            is_listed = len(problem.path) > 1 and isinstance(problem.path[1], int)
            found.setdefault(problem.path[: 1 + is_listed], []).append(problem)
    return found


def _places(facet: str, targets: Sequence[Target]) -> Iterator[Place]:
    """Where in ``data`` each target is answered."""
    named = listed = 0
    for index, target in enumerate(targets):
        if facet != PROBE:
            yield (f"h{index}",)
        elif target.node_id is None:
            yield (f"r{named}",)
            named += 1
        else:
            yield ("n0", listed)
            listed += 1


def _at(data: Mapping[str, Any] | None, place: Place) -> object:
    value: object = data
    for step in place:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _ask(facet: str, targets: Sequence[Target], text: str, variables: Mapping[str, Any]) -> Ask:
    payload = orjson.dumps({"query": text, "variables": variables})
    return Ask(source=GITHUB, subject=GITHUB, facet=facet, url=URL, payload=payload, targets=tuple(targets), attempts=1)


@lru_cache(maxsize=256)
def _probe_text(named: int, *, has_ids: bool) -> str:
    declared = [f"$o{index}:String!,$n{index}:String!" for index in range(named)] + ["$ids:[ID!]!"] * has_ids
    asked = [f"r{index}:repository(owner:$o{index},name:$n{index}){{...F}}" for index in range(named)]
    asked += ["n0:nodes(ids:$ids){...F}"] * has_ids
    return f"query({','.join(declared)}){{{_QUOTA} {' '.join(asked)}}} {_COUNTERS}"


class _Kind(NamedTuple):
    """How one repository stands in a query for commits."""

    has_id: bool
    size: int
    has_parents: bool
    has_until: bool


@lru_cache(maxsize=256)
def _history_text(kinds: tuple[_Kind, ...]) -> str:
    """Write the query for repositories that are each asked by id or not, for so many commits, with parents or an end or without."""
    declared, asked = [], []
    for index, (has_id, size, has_parents, has_until) in enumerate(kinds):
        declared.append(f"$i{index}:ID!" if has_id else f"$o{index}:String!,$n{index}:String!")
        declared.append(f"$s{index}:GitTimestamp,$c{index}:String" + f",$u{index}:GitTimestamp" * has_until)
        commits = f"nodes{{...{'M' if has_parents else 'C'}}}"
        window = f"first:{size},since:$s{index}" + f",until:$u{index}" * has_until
        page = f"history({window},after:$c{index}){{totalCount pageInfo{{hasNextPage endCursor}} {commits}}}"
        node = f"{_NAMES} defaultBranchRef{{target{{...on Commit{{oid {page}}}}}}}"
        place = f"node(id:$i{index}){{...on Repository{{{node}}}}}" if has_id else f"repository(owner:$o{index},name:$n{index}){{{node}}}"
        asked.append(f"h{index}:{place}")
    fragments = f"{_COMMIT} {_FRESH_COMMIT}" if any(kind.has_parents for kind in kinds) else _COMMIT
    return f"query({','.join(declared)}){{{_QUOTA} {' '.join(asked)}}} {fragments}"


def _page_size(target: Target) -> int:
    return FRESH_SIZE if target.until_oid is not None and target.page == 1 else PAGE_SIZE
