"""What is asked of many repositories at once, and what each of them was told, whatever the answer is made of."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.allowance import units
from extractors.batch_verdict import judge_batch, points, quota_headers
from extractors.conversation import GITHUB, GRAPHQL, HISTORY, PROBE, Target
from extractors.graphql import (
    FRESH_SIZE,
    MOST_IDS,
    NO_REASON,
    PAGE_SIZE,
    Part,
    decode_targets,
    divide,
    encode_targets,
    history_ask,
    price,
    probe_ask,
)
from extractors.verdict import Judgement, Verdict, judge

JSON = {"content-type": "application/json; charset=utf-8"}
QUOTA = {**JSON, "x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4990", "x-ratelimit-reset": "1795532400"}
EMPTY = {**QUOTA, "x-ratelimit-remaining": "0"}
RESET_AT = datetime.fromtimestamp(1795532400, UTC)
HTML = b"<!DOCTYPE html><html><head><title>Unicorn!</title></head></html>"
NODE = {"id": "R_1", "nameWithOwner": "o/r0"}
SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
WENT_WRONG = "Something went wrong while executing your query on 2026-11-24T13:23:00Z. Please include `0F1E:2D3C:4B5A` when reporting."
TOO_LATE = "We couldn't respond to your request in time. Sorry about that."
NODES = "This query requests up to 510,000 possible nodes which exceeds the maximum limit of 500,000."
IDS = "You may not provide more than 100 node ids; you provided 101."
MISSING = "Could not resolve to a Repository with the name 'o/r0'."
MISSING_ID = "Could not resolve to a node with the global id of 'R_1'."
POLICY = "`ORG` forbids access via a personal access token (classic). Please use a GitHub App."
RESOURCES = "Resource limits for this query exceeded."


def target(number: int = 0, **more: Any) -> Target:
    """Name a repository."""
    return Target(subject=f"github:o/r{number}", owner="o", name=f"r{number}", **more)


def body(data: object = None, *errors: dict[str, Any], **more: Any) -> bytes:
    """Write an answer as GitHub does."""
    return json.dumps({"data": data, **({"errors": list(errors)} if errors else {}), **more}).encode()


def error(message: str, kind: str | None = None, path: list[str | int] | None = None, **more: Any) -> dict[str, Any]:
    """Write one entry of ``errors``."""
    return {**({"type": kind} if kind else {}), **({"path": path} if path else {}), "message": message, **more}


def told(answer: bytes, *targets: Target, facet: str = PROBE, status: int | None = 200, headers: dict[str, str] = QUOTA) -> list[Part]:
    """Divide an answer about some repositories, by default one asked by its name."""
    return list(divide(targets or (target(),), facet=facet, status=status, headers=headers, body=answer, error=None))


# What one alias of an answer is told: an answer, its verdict, and whether it is asked again among fewer.
ALIASES = {
    "a node": (body({"r0": NODE}), Verdict.OK, False),
    "NOT_FOUND": (body({"r0": None}, error(MISSING, "NOT_FOUND", ["r0"])), Verdict.MISSING, False),
    "FORBIDDEN": (
        body({"r0": None}, error(POLICY, "FORBIDDEN", ["r0"], extensions={"saml_failure": False})),
        Verdict.REFUSED,
        False,
    ),
    "RESOURCE_LIMITS_EXCEEDED": (body({"r0": None}, error(RESOURCES, "RESOURCE_LIMITS_EXCEEDED", ["r0"])), Verdict.TRANSIENT, True),
    "went wrong at the alias": (body({"r0": None}, error(WENT_WRONG, None, ["r0"])), Verdict.TRANSIENT, True),
    "went wrong as a whole": (body({"r0": None, "r1": NODE}, error(WENT_WRONG)), Verdict.TRANSIENT, True),
    "timeout at the alias": (body({"r0": None}, error("Timeout on validation of query", None, ["r0"])), Verdict.TRANSIENT, True),
    "null and no reason": (body({"r0": None}), Verdict.TRANSIENT, True),
    "not even null": (body({}), Verdict.TRANSIENT, True),
    "an empty node": (body({"r0": {}}), Verdict.TRANSIENT, True),
    "a piece is missing": (body({"r0": {**NODE, "watchers": None}}, error(RESOURCES, None, ["r0", "watchers"])), Verdict.TRANSIENT, True),
    "a piece is not found": (body({"r0": None}, error("no", "NOT_FOUND", ["r0", "licenseInfo"])), Verdict.TRANSIENT, True),
    "an error nobody knows": (body({"r0": None}, error("?", "UNHEARD_OF", ["r0"])), Verdict.TRANSIENT, True),
    "limited at the alias": (body({"r0": None, "r1": NODE}, error("x", "RATE_LIMITED", ["r0"])), Verdict.TRANSIENT, True),
    "a node although not found": (body({"r0": NODE}, error(MISSING, "NOT_FOUND", ["r0"])), Verdict.TRANSIENT, True),
}


@pytest.mark.parametrize(("answer", "verdict", "may_split"), ALIASES.values(), ids=ALIASES)
def test_every_kind_of_alias(answer, verdict, may_split):
    """Each row of GitHub's partial answers is told apart, and none but a NOT_FOUND is ever a missing repository."""
    (part,) = told(answer)
    assert (part.verdict, part.may_split) == (verdict, may_split)
    assert (part.body == json.dumps(NODE, separators=(",", ":")).encode()) == (verdict is Verdict.OK)
    assert bool(part.detail) == (verdict is not Verdict.OK)


def test_a_null_without_a_reason_is_unknown():
    """It is said to be without reason, and not that the repository is gone."""
    assert [part.detail for part in told(body({"r0": None}))] == [NO_REASON] == ["no answer and no reason"]


def test_errors_belong_to_the_alias_they_name():
    """Of one answer the good aliases are kept, whatever is said of the others."""
    answer = body(
        {"r0": NODE, "r1": None, "n0": [NODE, None, None, {"id": "R_4"}], "rateLimit": {"cost": 1}},
        error(MISSING, "NOT_FOUND", ["r1"]),
        error(MISSING_ID, "NOT_FOUND", ["n0", 1]),
        error(RESOURCES, "RESOURCE_LIMITS_EXCEEDED", ["n0", 3, "watchers"]),
    )
    ids = [target(number, node_id=f"R_{number}") for number in (2, 3, 4, 5)]
    # By name and by id in any order: the first and second of each kind keep their places.
    parts = told(answer, ids[0], target(0), ids[1], ids[2], target(1), ids[3])
    assert [(part.target.name, part.verdict) for part in parts] == [
        ("r2", Verdict.OK),
        ("r0", Verdict.OK),
        ("r3", Verdict.MISSING),
        ("r4", Verdict.TRANSIENT),
        ("r1", Verdict.MISSING),
        ("r5", Verdict.TRANSIENT),
    ]
    assert parts[2].detail == f"NOT_FOUND {MISSING_ID}"
    assert parts[3].detail == NO_REASON


@pytest.mark.parametrize("nodes", [None, [], [NODE], "nonsense", {"0": NODE}])
def test_a_list_that_is_not_as_long_as_asked(nodes):
    """Whoever has no place in the list of nodes is unknown."""
    verdicts = [part.verdict for part in told(body({"n0": nodes}), target(0, node_id="R_0"), target(1, node_id="R_1"))]
    assert verdicts == [Verdict.OK if nodes == [NODE] else Verdict.TRANSIENT, Verdict.TRANSIENT]


def test_an_error_of_the_whole_list_is_everybodys():
    """When the list of nodes is gone with a reason, the reason is theirs."""
    answer = body({"n0": None}, error(RESOURCES, "RESOURCE_LIMITS_EXCEEDED", ["n0"]))
    assert [part.detail for part in told(answer, target(node_id="R_0"))] == [f"RESOURCE_LIMITS_EXCEEDED {RESOURCES}"]


def test_histories_are_divided_by_their_aliases():
    """By id or by name, a history has the alias of its place."""
    answer = body({"h0": {**NODE, "defaultBranchRef": None}, "h1": None}, error(MISSING_ID, "NOT_FOUND", ["h1"]))
    parts = told(answer, target(0), target(1, node_id="R_1"), facet=HISTORY)
    assert [part.verdict for part in parts] == [Verdict.OK, Verdict.MISSING]


# What a whole answer is: status, headers, body, and what it is judged.
WHOLE = {
    "data": (200, QUOTA, body({"r0": NODE}), Judgement(verdict=Verdict.OK)),
    "some data": (200, QUOTA, body({"r0": NODE, "r1": None}, error("x", "RATE_LIMITED")), Judgement(verdict=Verdict.OK)),
    "no data but reasons": (200, QUOTA, body({"r0": None}, error(MISSING, "NOT_FOUND", ["r0"])), Judgement(verdict=Verdict.OK)),
    "RATE_LIMITED": (
        200,
        EMPTY,
        body(None, error("API rate limit exceeded for user ID 1.", "RATE_LIMITED")),
        Judgement(verdict=Verdict.LIMITED, detail="RATE_LIMITED API rate limit exceeded for user ID 1.", reset_at=RESET_AT),
    ),
    "RATE_LIMIT": (
        200,
        EMPTY,
        body(None, error("no more", "RATE_LIMIT", code="graphql_rate_limit")),
        Judgement(verdict=Verdict.LIMITED, detail="RATE_LIMIT no more", reset_at=RESET_AT),
    ),
    "RATE_LIMIT and no more words": (
        200,
        QUOTA,
        body(None, error("no more", "RATE_LIMIT")),
        Judgement(verdict=Verdict.LIMITED, detail="RATE_LIMIT no more"),
    ),
    "limited in words": (200, QUOTA, body(None, error(SECONDARY)), Judgement(verdict=Verdict.LIMITED, detail=SECONDARY)),
    "limited with nulls": (
        200,
        QUOTA,
        body({"r0": None, "rateLimit": {"remaining": 7}}, error(SECONDARY, None, ["r0"])),
        Judgement(verdict=Verdict.LIMITED, detail=SECONDARY),
    ),
    "limited for so long": (
        200,
        {**EMPTY, "retry-after": "17"},
        body(None, error(SECONDARY)),
        Judgement(verdict=Verdict.LIMITED, detail=SECONDARY, retry_after=17),
    ),
    "nothing left": (
        200,
        EMPTY,
        body(None, error("You are out.")),
        Judgement(verdict=Verdict.LIMITED, detail="You are out.", reset_at=RESET_AT),
    ),
    "secondary as 403": (
        403,
        JSON,
        json.dumps({"message": SECONDARY}).encode(),
        Judgement(verdict=Verdict.LIMITED, detail=f"403 {SECONDARY}"),
    ),
    "429": (429, {**JSON, "retry-after": "60"}, b"", Judgement(verdict=Verdict.LIMITED, detail="429", retry_after=60)),
    "403 and nothing left": (403, EMPTY, b"{}", Judgement(verdict=Verdict.LIMITED, detail="403", reset_at=RESET_AT)),
    "MAX_NODE_LIMIT_EXCEEDED": (
        200,
        EMPTY,
        body(None, error(NODES, "MAX_NODE_LIMIT_EXCEEDED")),
        Judgement(verdict=Verdict.UNSUPPORTED, detail=f"MAX_NODE_LIMIT_EXCEEDED {NODES}", may_split=True),
    ),
    "ARGUMENT_LIMIT": (
        200,
        QUOTA,
        body(None, error(IDS, "ARGUMENT_LIMIT", ["n0"])),
        Judgement(verdict=Verdict.UNSUPPORTED, detail=f"ARGUMENT_LIMIT {IDS}", may_split=True),
    ),
    "RESOURCE_LIMITS_EXCEEDED": (
        200,
        QUOTA,
        body(None, error(RESOURCES, "RESOURCE_LIMITS_EXCEEDED")),
        Judgement(verdict=Verdict.TRANSIENT, detail=f"RESOURCE_LIMITS_EXCEEDED {RESOURCES}", is_retryable=True, may_split=True),
    ),
    "went wrong": (
        200,
        QUOTA,
        body(None, error(WENT_WRONG)),
        Judgement(verdict=Verdict.TRANSIENT, detail=WENT_WRONG, is_retryable=True, may_split=True),
    ),
    "too late": (
        200,
        QUOTA,
        body(None, error(TOO_LATE)),
        Judgement(verdict=Verdict.TRANSIENT, detail=TOO_LATE, is_retryable=True, may_split=True),
    ),
    "502": (502, {}, HTML, Judgement(verdict=Verdict.TRANSIENT, detail="502", is_retryable=True, may_split=True)),
    "504": (
        504,
        {"retry-after": "3"},
        json.dumps({"message": TOO_LATE}).encode(),
        Judgement(verdict=Verdict.TRANSIENT, detail=f"504 {TOO_LATE}", is_retryable=True, may_split=True, retry_after=3),
    ),
    "401": (401, QUOTA, b'{"message": "Bad credentials"}', Judgement(verdict=Verdict.BAD_TOKEN, detail="401 Bad credentials")),
    "403 by policy": (403, QUOTA, json.dumps({"message": POLICY}).encode(), Judgement(verdict=Verdict.REFUSED, detail=f"403 {POLICY}")),
    "403 that blocks": (403, QUOTA, b'{"block": {"reason": "tos"}}', Judgement(verdict=Verdict.FORBIDDEN, detail="403")),
    "FORBIDDEN": (200, QUOTA, body(None, error("no", "FORBIDDEN")), Judgement(verdict=Verdict.REFUSED, detail="FORBIDDEN no")),
    "no such field": (
        200,
        QUOTA,
        body(None, error("Field 'isFork' doesn't exist on type 'Repository'")),
        Judgement(verdict=Verdict.UNSUPPORTED, detail="Field 'isFork' doesn't exist on type 'Repository'"),
    ),
    "no such service": (404, JSON, b'{"message": "Not Found"}', Judgement(verdict=Verdict.UNSUPPORTED, detail="404 Not Found")),
    "422": (422, JSON, b"", Judgement(verdict=Verdict.UNSUPPORTED, detail="422")),
    "moved": (301, {"location": "https://elsewhere.example/"}, b"", Judgement(verdict=Verdict.UNEXPECTED, detail="GraphQL answered 301")),
    "unchanged": (304, {}, b"", Judgement(verdict=Verdict.UNEXPECTED, detail="GraphQL answered 304")),
    "unheard of": (200, QUOTA, body(None, error("?", "NEW")), Judgement(verdict=Verdict.UNEXPECTED, detail="NEW ?")),
    "neither": (200, QUOTA, b"{}", Judgement(verdict=Verdict.UNEXPECTED, detail="GraphQL answered neither data nor errors")),
}


@pytest.mark.parametrize(("status", "headers", "answer", "judgement"), WHOLE.values(), ids=WHOLE)
def test_every_kind_of_whole_answer(status, headers, answer, judgement):
    """An answer is judged as a whole, alike by the driver and when it is loaded; none is missing or blocked."""
    for facet in (PROBE, HISTORY):
        assert judge(source=GITHUB, facet=facet, status=status, headers=headers, body=answer, error=None) == judgement
    assert judgement.verdict not in (Verdict.MISSING, Verdict.BLOCKED)


@pytest.mark.parametrize(("status", "headers", "answer", "judgement"), [row for row in WHOLE.values() if row[3].verdict is not Verdict.OK])
def test_an_answer_that_is_none_is_everybodys(status, headers, answer, judgement):
    """What is wrong with the whole is what every repository was told."""
    parts = told(answer, target(0), target(1, node_id="R_1"), status=status, headers=headers)
    said = [(part.verdict, part.detail, part.may_split, part.body) for part in parts]
    assert said == [(judgement.verdict, judgement.detail, judgement.may_split, b"")] * 2


@pytest.mark.parametrize("answer", [HTML, b"", b"[]", b'{"data": {"r0"', b"\xff"], ids=["html", "nothing", "list", "cut off", "bytes"])
def test_a_body_that_is_none(answer):
    """A page of a proxy, or half an answer, is garbled and asked again among fewer."""
    judgement = judge_batch(200, QUOTA, answer, None)
    assert (judgement.verdict, judgement.is_retryable, judgement.may_split) == (Verdict.GARBLED, True, True)


@pytest.mark.parametrize(
    ("reason", "is_retryable", "may_split"),
    [("timeout: ReadTimeout", True, True), ("body larger than 32 MiB", False, True), ("refused host 'x'", False, False)],
)
def test_no_answer(reason, is_retryable, may_split):
    """Without an answer nothing is known; fewer repositories help against time and size, not against a wrong address."""
    judgement = judge_batch(None if "body" not in reason else 200, {}, b"", reason)
    assert judgement == Judgement(verdict=Verdict.FAILED, detail=reason, is_retryable=is_retryable, may_split=may_split)


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["r0", "r1", "n0", "type", "path", "data", "x"]), inner),
    max_leaves=12,
)
ERRORS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["NOT_FOUND", "FORBIDDEN", "RATE_LIMITED", "X"]) | JSONISH,
            "path": st.lists(st.sampled_from(["r0", "r1", "n0", 0, 1, "watchers"]) | JSONISH, max_size=4) | JSONISH,
            "message": st.sampled_from([SECONDARY, WENT_WRONG]) | JSONISH,
        },
    )
    | JSONISH,
    max_size=4,
)
ANSWERS = st.fixed_dictionaries({}, optional={"data": JSONISH, "errors": ERRORS | JSONISH}) | JSONISH
HEADERS = st.dictionaries(st.sampled_from(["retry-after", "x-ratelimit-remaining", "x-ratelimit-reset", "date"]), st.text(max_size=12))


@given(
    answer=ANSWERS.map(json.dumps).map(str.encode) | st.binary(max_size=40),
    status=st.none() | st.integers(100, 599) | st.just(200),
    headers=HEADERS,
    reason=st.none() | st.just("timeout: x"),
    known=st.lists(st.booleans(), min_size=1, max_size=5),
    facet=st.sampled_from([PROBE, HISTORY]),
)
def test_every_target_is_told_once_whatever_comes(answer, status, headers, reason, known, facet):
    """Nothing a service could send raises, loses a repository, or makes one missing that GitHub did not name."""
    targets = [target(number, node_id=f"R_{number}" if has_id else None) for number, has_id in enumerate(known)]
    parts = divide(targets, facet=facet, status=status, headers=headers, body=answer, error=reason)
    assert [part.target for part in parts] == targets
    for part in parts:
        assert part.verdict is not Verdict.MISSING or b"NOT_FOUND" in answer
        assert bool(part.body) == (part.verdict is Verdict.OK)
    assert points(status, answer) >= 0
    quota_headers(headers, answer)


@given(
    st.lists(
        st.builds(
            Target,
            subject=st.text(),
            owner=st.text(),
            name=st.text(),
            node_id=st.none() | st.text(),
            since=st.none() | st.text(),
            until_oid=st.none() | st.text(),
            after=st.none() | st.text(),
            page=st.integers(1, 50),
        )
    )
)
def test_targets_survive_being_written(targets):
    """What was asked is read back as it was."""
    assert decode_targets(encode_targets(targets)) == tuple(targets)


def test_keys_of_later_versions_are_passed_over():
    """A landing written by another version is still read."""
    assert decode_targets('[{"subject":"github:o/r0","owner":"o","name":"r0","colour":"red"}]') == (target(),)


def test_a_question_names_its_targets():
    """An ask about many is about the source itself, is sent once, and carries whom it is about in their order."""
    targets = (target(0), target(1, node_id="R_1"))
    for ask in (probe_ask(targets), history_ask(targets)):
        assert (ask.source, ask.subject, ask.url, ask.attempts, ask.targets, ask.meter) == (GITHUB, GITHUB, "/graphql", 1, targets, GRAPHQL)
    assert json.loads(probe_ask(targets).payload or b"")["variables"] == {"ids": ["R_1"], "o0": "o", "n0": "r0"}


@pytest.mark.parametrize("count", [0, MOST_IDS + 1])
def test_a_probe_has_a_size(count):
    """Nobody, or more ids than GitHub takes, is a mistake of ours."""
    with pytest.raises(ValueError, match="1 to 100 repositories"):
        probe_ask([target(number, node_id="R") for number in range(count)])
    with pytest.raises(ValueError, match="at least one"):
        history_ask([])


def test_only_what_is_new_tells_its_parents():
    """A whole window is a page of a hundred without parents; what is new since a head begins with a short page that has them."""
    since = "2025-11-25T00:00:00Z"
    texts = {
        key: json.loads(history_ask([target(since=since, **more)]).payload or b"")["query"]
        for key, more in {"window": {}, "new": {"until_oid": "a"}, "later": {"until_oid": "a", "page": 2, "after": "c"}}.items()
    }
    assert [("parents" in text, f"first:{PAGE_SIZE}" in text, f"first:{FRESH_SIZE}" in text) for text in texts.values()] == [
        (False, True, False),
        (True, False, True),
        (True, True, False),
    ]


@pytest.mark.parametrize(
    ("ask", "cost"),
    [
        (probe_ask([target(number) for number in range(50)]), 1),
        (probe_ask([target(number, node_id="R") for number in range(100)]), 1),
        (history_ask([target(number) for number in range(25)]), 1),
        (history_ask([target(number, until_oid="a") for number in range(25)]), 7),
        (history_ask([target(until_oid="a", page=2)]), 1),
        (history_ask([target(number, until_oid="a", page=2) for number in range(3)]), 3),
    ],
    ids=["50 by name", "100 by id", "25 windows", "25 news", "later page", "3 later pages"],
)
def test_the_price_is_known_before(ask, cost):
    """A hundred connections are a point, and a page's entries count each for what is below them."""
    assert price(ask) == cost


@pytest.mark.parametrize(
    ("status", "answer", "cost"),
    [
        (200, body({"rateLimit": {"cost": 7}}), 7),
        (200, body({"rateLimit": {"cost": 0}}), 0),
        (200, body({"rateLimit": {"cost": True}, "r0": NODE}), 1),
        (200, body({"r0": NODE}), 1),
        (200, body(None, error(NODES, "MAX_NODE_LIMIT_EXCEEDED")), 1),
        (200, body(None, error(SECONDARY)), 0),
        (200, HTML, 1),
        (502, HTML, 1),
        (403, b"{}", 0),
        (401, b"{}", 0),
        (None, b"", 0),
    ],
)
def test_points_are_read_from_the_answer(status, answer, cost):
    """What the answer says it cost; one point when it does not say, nothing when there is none or it was refused."""
    assert points(status, answer) == units(source=GITHUB, facet=PROBE, status=status, identity="token:x", body=answer) == cost


def test_the_quota_is_read_from_the_body_too():
    """Where a proxy drops the headers, ``rateLimit`` says how the quota stands; where they are there, they hold."""
    told_limit = {"cost": 1, "limit": 5000, "remaining": 17, "resetAt": "2026-11-24T14:00:00Z"}
    answer = body({"rateLimit": told_limit})
    seconds = str(int(datetime(2026, 11, 24, 14, tzinfo=UTC).timestamp()))
    assert quota_headers({"a": "b"}, answer) == {
        "a": "b",
        "x-ratelimit-limit": "5000",
        "x-ratelimit-remaining": "17",
        "x-ratelimit-reset": seconds,
    }
    assert quota_headers(QUOTA, answer) is QUOTA
    for odd in (
        {**told_limit, "resetAt": "soon"},
        {**told_limit, "remaining": "17"},
        {**told_limit, "resetAt": "2026-11-24T14:00:00"},
        None,
    ):
        assert quota_headers(JSON, body({"rateLimit": odd})) is JSON


def test_a_renamed_target_is_told_by_its_place():
    """Whatever name a node bears now, it is the answer to the one who asked at its place."""
    (part,) = told(body({"r0": {**NODE, "nameWithOwner": "new/name"}}), replace(target(), name="old"))
    assert (part.verdict, part.target.name) == (Verdict.OK, "old")
