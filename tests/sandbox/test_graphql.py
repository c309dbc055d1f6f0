from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from sandbox import Fault, Limits, Mishap, Running, curious_world
from sandbox.commits import log
from sandbox.shapes import node_id
from tests.sandbox.asking import TOKEN, Clock, asking

RATE = "rateLimit{cost limit remaining used resetAt nodeCount}"
PROBE = """fragment F on Repository{id databaseId nameWithOwner description homepageUrl stargazerCount forkCount watchers{totalCount}
  isArchived isDisabled isEmpty isFork isPrivate createdAt pushedAt licenseInfo{spdxId}
  defaultBranchRef{name target{... on Commit{oid committedDate authoredDate}}}}"""
HISTORY = """query($id:ID!,$since:GitTimestamp,$until:GitTimestamp,$after:String,$first:Int){ h0:node(id:$id){... on Repository{
  defaultBranchRef{target{... on Commit{oid history(first:$first,since:$since,until:$until,after:$after){
    totalCount pageInfo{hasNextPage endCursor hasPreviousPage startCursor}
    nodes{oid authoredDate committedDate parents{totalCount} author{email name user{login}}}}}}}}}}"""
BRANCH = "defaultBranchRef{target{... on Commit{history(first:100){%s}}}}"
MANY_NODES = "query($many:[ID!]!){n0:nodes(ids:$many){... on Repository{" + BRANCH % "nodes{parents(first:100){totalCount}}" + "}}}"
PLAIN_ID = node_id("R", 2_000_000)


def send(sandbox: Running, client: httpx.Client, query: str, **variables: Any) -> httpx.Response:
    """One query with a token."""
    return client.post(f"{sandbox.github_url}/graphql", json={"query": query, "variables": variables}, headers=TOKEN)


def probe(*names: str) -> tuple[str, dict[str, str]]:
    """A query for the counters of these repositories below ``curious/``, and its variables."""
    declared = ",".join(f"$o{place}:String!,$n{place}:String!" for place in range(len(names)))
    fields = "".join(f"r{place}:repository(owner:$o{place},name:$n{place}){{...F}}" for place in range(len(names)))
    variables = {f"{kind}{place}": value for place, name in enumerate(names) for kind, value in (("o", "curious"), ("n", name))}
    return f"query({declared}){{{RATE} {fields}}}{PROBE}", variables


def _used(answer: httpx.Response) -> tuple[str, int, int]:
    return (answer.headers["x-ratelimit-resource"], int(answer.headers["x-ratelimit-used"]), int(answer.headers["x-ratelimit-remaining"]))


def test_one_query_tells_of_many_repositories() -> None:
    """Each alias has what REST says of its repository, and the whole costs a point."""
    query, variables = probe("plain", "undescribed", "empty", "archived", "private")
    with asking() as (sandbox, client):
        answer = send(sandbox, client, query, **variables)
        rest = client.get(f"{sandbox.github_url}/repos/curious/plain").json()
        head = client.get(f"{sandbox.github_url}/repos/curious/plain/commits?per_page=1").json()[0]
    data = answer.json()["data"]
    assert answer.status_code == 200
    assert "errors" not in answer.json()
    assert data["r0"] == {
        "id": rest["node_id"],
        "databaseId": rest["id"],
        "nameWithOwner": rest["full_name"],
        "description": rest["description"],
        "homepageUrl": rest["homepage"],
        "stargazerCount": rest["stargazers_count"],
        "forkCount": rest["forks_count"],
        "watchers": {"totalCount": rest["subscribers_count"]},
        "isArchived": False,
        "isDisabled": False,
        "isEmpty": False,
        "isFork": False,
        "isPrivate": False,
        "createdAt": rest["created_at"],
        "pushedAt": rest["pushed_at"],
        "licenseInfo": {"spdxId": "MIT"},
        "defaultBranchRef": {
            "name": "main",
            "target": {
                "oid": head["sha"],
                "committedDate": head["commit"]["committer"]["date"],
                "authoredDate": head["commit"]["author"]["date"],
            },
        },
    }
    assert (data["r1"]["description"], data["r1"]["licenseInfo"]) == (None, None)
    assert (data["r2"]["isEmpty"], data["r2"]["defaultBranchRef"], data["r2"]["pushedAt"]) == (True, None, None)
    assert data["r3"]["isArchived"]
    assert data["r4"]["isPrivate"]
    assert _used(answer) == ("graphql", 1, 4999)
    assert data["rateLimit"] == {
        "cost": 1,
        "limit": 5000,
        "remaining": 4999,
        "used": 1,
        "resetAt": "2026-02-16T13:00:00Z",
        "nodeCount": 0,
    }


def test_the_meters_of_rest_and_graphql_are_apart() -> None:
    """A query costs no request, a request no point, and /rate_limit tells both."""
    query, variables = probe("plain")
    with asking() as (sandbox, client):
        send(sandbox, client, query, **variables)
        send(sandbox, client, query, **variables)
        rest = client.get(f"{sandbox.github_url}/repos/curious/plain", headers=TOKEN)
        resources = client.get(f"{sandbox.github_url}/rate_limit", headers=TOKEN).json()["resources"]
        lines = sandbox.ledger.lines()
    assert _used(rest) == ("core", 1, 4999)
    assert (resources["core"]["used"], resources["graphql"]["used"]) == (1, 2)
    assert [(line.method, line.path, line.meter, line.units) for line in lines] == [
        ("POST", "/graphql", "graphql", 1),
        ("POST", "/graphql", "graphql", 1),
        ("GET", "/repos/curious/plain", "core", 1),
        ("GET", "/rate_limit", "core", 0),
    ]
    assert lines[0].asked_bytes_count > 300
    assert lines[0].bytes_count > 300
    assert lines[0].seconds >= 0


def test_known_repositories_are_asked_by_their_ids_in_one_field() -> None:
    """The list has the order of the ids, with null for what is not there, which an error names by its place."""
    ids = [node_id("R", 2_000_001), node_id("R", 99), PLAIN_ID, "R_nonsense", node_id("C", 2_000_000)]
    with asking() as (sandbox, client):
        answer = send(sandbox, client, "query($ids:[ID!]!){n0:nodes(ids:$ids){__typename ... on Repository{name}}}", ids=ids).json()
    assert answer["data"]["n0"] == [
        {"__typename": "Repository", "name": "one-commit"},
        None,
        {"__typename": "Repository", "name": "plain"},
        None,
        None,
    ]
    assert [error["path"] for error in answer["errors"]] == [["n0", 1], ["n0", 3], ["n0", 4]]
    assert answer["errors"][0] == {
        "type": "NOT_FOUND",
        "path": ["n0", 1],
        "locations": [{"line": 1, "column": 20}],
        "message": f"Could not resolve to a node with the global id of '{ids[1]}'.",
    }


def test_what_is_missing_blocked_or_refused_is_null_and_named() -> None:
    """The other aliases are answered; a rename is followed unless the query says otherwise."""
    query, variables = probe("nowhere", "dmca", "tos", "refusing", "former", "plain")
    with asking() as (sandbox, client):
        answer = send(sandbox, client, query, **variables).json()
        strict = send(sandbox, client, '{repository(owner:"curious",name:"former",followRenames:false){name}}').json()
    assert [alias for alias, value in answer["data"].items() if value is None] == ["r0", "r1", "r2", "r3"]
    assert answer["data"]["r4"]["nameWithOwner"] == "curious/renamed"
    assert {error["path"][0]: error["type"] for error in answer["errors"]} == {
        "r0": "NOT_FOUND",
        "r1": "NOT_FOUND",
        "r2": "NOT_FOUND",
        "r3": "FORBIDDEN",
    }
    assert answer["errors"][0]["message"] == "Could not resolve to a Repository with the name 'curious/nowhere'."
    assert answer["errors"][3]["extensions"] == {"saml_failure": False}
    assert "forbids access via" in answer["errors"][3]["message"]
    assert (strict["data"], strict["errors"][0]["type"]) == ({"repository": None}, "NOT_FOUND")


def test_the_list_of_stargazers_has_no_number() -> None:
    """The trap GitHub sets: the connection counts nothing, stargazerCount does."""
    with asking() as (sandbox, client):
        answer = send(
            sandbox, client, '{repository(owner:"curious",name:"plain"){stargazerCount stargazers{totalCount} forks{totalCount}}}'
        )
    assert answer.json()["data"]["repository"] == {"stargazerCount": 120, "stargazers": {"totalCount": 0}, "forks": {"totalCount": 14}}


def test_history_tells_the_commits_of_the_log_page_by_page() -> None:
    """Newest first, as many as the window has, each with its author; a bot and a stranger have no account."""
    world = curious_world()
    now = datetime(2026, 2, 16, 9, tzinfo=UTC)
    world.push("curious/plain", on=now, login="dependabot[bot]")
    world.push("curious/plain", on=now, login=None)
    repo = world.push("curious/plain", on=now, login="grace", is_merge=True)
    pages: list[dict[str, Any]] = []
    with asking(world) as (sandbox, client):
        after = None
        for _ in range(4):
            answer = send(sandbox, client, HISTORY, id=PLAIN_ID, first=20, after=after).json()
            pages.append(answer["data"]["h0"]["defaultBranchRef"]["target"]["history"])
            after = pages[-1]["pageInfo"]["endCursor"]
    nodes = [node for page in pages for node in page["nodes"]]
    assert [page["pageInfo"]["hasNextPage"] for page in pages] == [True, True, False, False]
    assert [page["totalCount"] for page in pages] == [49] * 4
    assert pages[0]["pageInfo"]["endCursor"] == f"{repo.head_oid} 19"
    assert [node["oid"] for node in nodes] == [commit.oid for commit in log(repo)]
    assert nodes[0] == {
        "oid": repo.head_oid,
        "authoredDate": "2026-02-16T09:00:00Z",
        "committedDate": "2026-02-16T09:00:00Z",
        "parents": {"totalCount": 2},
        "author": {"email": "grace@example.org", "name": "grace", "user": {"login": "grace"}},
    }
    assert [node["author"]["user"] for node in nodes[1:3]] == [None, None]
    assert nodes[2]["author"]["email"].endswith("+dependabot[bot]@users.noreply.github.com")
    assert nodes[-1]["parents"]["totalCount"] == 0


def test_history_of_a_window_selects_by_committer_date() -> None:
    """Commits from the moment on and until the other, both included."""
    world = curious_world()
    repo = world.repository("curious/plain")
    assert repo
    commits = list(log(repo))
    since, until = commits[4].committed_at.isoformat(), commits[1].committed_at.isoformat()
    with asking(world) as (sandbox, client):
        found = send(sandbox, client, HISTORY, id=PLAIN_ID, first=3, since=since, until=until).json()
    page = found["data"]["h0"]["defaultBranchRef"]["target"]["history"]
    assert page["totalCount"] == 4
    assert [node["oid"] for node in page["nodes"]] == [commit.oid for commit in commits[1:4]]


@pytest.mark.parametrize("rewrites", [False, True])
def test_a_cursor_stays_on_its_head(rewrites: bool) -> None:
    """A push or a rewriting between two pages changes nothing about the second."""
    world = curious_world()
    before = world.repository("curious/plain")
    assert before
    expected = [commit.oid for commit in log(before)][20:40]
    with asking(world) as (sandbox, client):
        first = send(sandbox, client, HISTORY, id=PLAIN_ID, first=20).json()
        cursor = first["data"]["h0"]["defaultBranchRef"]["target"]["history"]["pageInfo"]["endCursor"]
        if rewrites:
            world.force_push("curious/plain", drop=30, on=datetime(2026, 2, 16, tzinfo=UTC), login="ada")
        world.push("curious/plain", on=datetime(2026, 2, 16, tzinfo=UTC), login="ada", commits=3)
        second = send(sandbox, client, HISTORY, id=PLAIN_ID, first=20, after=cursor).json()
    target = second["data"]["h0"]["defaultBranchRef"]["target"]
    assert [node["oid"] for node in target["history"]["nodes"]] == expected
    assert target["history"]["totalCount"] == 46
    assert target["oid"] != before.head_oid


def test_a_cursor_of_nowhere_is_refused() -> None:
    """The alias is null, and the error names the field that could not be told."""
    with asking() as (sandbox, client):
        answer = send(sandbox, client, HISTORY, id=PLAIN_ID, first=20, after="0" * 40 + " 19").json()
        nonsense = send(sandbox, client, HISTORY, id=PLAIN_ID, first=20, since="yesterday").json()
    assert answer["data"] == {"h0": None}
    assert answer["errors"][0]["path"] == ["h0", "defaultBranchRef", "target", "history"]
    assert "valid cursor" in answer["errors"][0]["message"]
    assert nonsense["data"] == {"h0": None}


def test_the_bill_follows_the_connections() -> None:
    """A hundred connections a point, rounded, one at least; a connection below a page of a hundred counts a hundred times."""
    counters = '{rateLimit{cost nodeCount} nodes(ids:["x"]){... on Repository{watchers{totalCount}}}}'
    page = 'r%d:repository(owner:"curious",name:"plain"){defaultBranchRef{target{... on Commit{history(first:100){nodes{oid%s}}}}}}'
    with asking() as (sandbox, client):

        def bill(query: str) -> tuple[int, int]:
            answer = send(sandbox, client, query)
            told = answer.json()["data"]["rateLimit"]
            assert sandbox.ledger.lines()[-1].units == told["cost"]
            return told["cost"], told["nodeCount"]

        assert bill(counters) == (1, 0)
        assert bill(f"{{{RATE} {''.join(page % (place, '') for place in range(20))}}}") == (1, 2000)
        assert bill(f"{{{RATE} {''.join(page % (place, '') for place in range(149))}}}") == (1, 14900)
        assert bill(f"{{{RATE} {''.join(page % (place, '') for place in range(150))}}}") == (2, 15000)
        assert bill(f"{{{RATE} {''.join(page % (place, ' parents(first:2){totalCount}') for place in range(20))}}}") == (20, 6000)


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("query($ids:[ID!]!){n0:nodes(ids:$ids){id}}", "ARGUMENT_LIMIT"),
        ('{repository(owner:"a",name:"b"){watchers(first:101){totalCount}}}', "EXCESSIVE_PAGINATION"),
        ('{repository(owner:"a",name:"b"){watchers(first:0){totalCount}}}', "UNPROCESSABLE"),
        (
            '{repository(owner:"a",name:"b"){defaultBranchRef{target{... on Commit{history{nodes{oid}}}}}}}',
            "MISSING_PAGINATION_BOUNDARIES",
        ),
        (
            MANY_NODES,
            "MAX_NODE_LIMIT_EXCEEDED",
        ),
    ],
)
def test_queries_beyond_githubs_sizes_are_refused_whole(query: str, kind: str) -> None:
    """No data, one error that says which rule was broken."""
    variables = {name: [PLAIN_ID] * count for name, count in (("ids", 101), ("many", 100)) if f"${name}" in query}
    with asking() as (sandbox, client):
        answer = send(sandbox, client, query, **variables)
    assert answer.status_code == 200
    assert "data" not in answer.json()
    assert [error["type"] for error in answer.json()["errors"]] == [kind]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("{repository(", "Syntax Error"),
        ("{repository(owner:1,name:2){id}}", "String cannot represent"),
        ('{repository(owner:"a",name:"b"){contributors{totalCount}}}', "contributors"),
        ('query($o:String!){repository(owner:$o,name:"b"){id}}', "$o"),
        ("query A{rateLimit{cost}} query B{rateLimit{cost}}", "operation name"),
        ("mutation{__typename}", "mutation"),
    ],
)
def test_a_wrong_query_is_told_what_is_wrong(query: str, words: str) -> None:
    """Status 200, errors with words and places, no data."""
    with asking() as (sandbox, client):
        answer = send(sandbox, client, query)
    assert answer.status_code == 200
    assert set(answer.json()) == {"errors"}
    assert words in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"query": 3}', b'{"query": "{rateLimit{cost}}", "variables": [1]}'])
def test_what_is_no_query_is_a_bad_request(body: bytes) -> None:
    """400 with GitHub's words, and nothing is charged."""
    with asking() as (sandbox, client):
        answer = client.post(f"{sandbox.github_url}/graphql", content=body, headers=TOKEN)
        assert sandbox.ledger.lines()[-1].units == 0
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_fields_may_be_left_out_and_said_twice() -> None:
    """Directives are obeyed and what two fragments ask of one field is answered once."""
    query = """query Wanted($yes:Boolean!,$no:Boolean!){repository(owner:"curious",name:"plain"){
      ...A ...B id @skip(if:$yes) name @include(if:$no) url @include(if:$yes) ... @skip(if:$no){isFork}}}
      fragment A on Repository{licenseInfo{key}} fragment B on Node{id ... on Repository{licenseInfo{spdxId name}}}
      query Other{rateLimit{cost}}"""
    with asking() as (sandbox, client):
        answer = client.post(
            f"{sandbox.github_url}/graphql",
            json={"query": query, "variables": {"yes": True, "no": False}, "operationName": "Wanted"},
            headers=TOKEN,
        )
    assert answer.json()["data"]["repository"] == {
        "licenseInfo": {"key": "mit", "spdxId": "MIT", "name": "MIT licence"},
        "id": PLAIN_ID,
        "url": "https://github.com/curious/plain",
        "isFork": False,
    }


def test_a_dry_run_tells_the_cost_and_takes_nothing() -> None:
    """Only the bill is answered, and it is not booked."""
    with asking() as (sandbox, client):
        answer = send(sandbox, client, '{rateLimit(dryRun:true){cost remaining} repository(owner:"curious",name:"plain"){id}}')
    assert answer.json() == {"data": {"rateLimit": {"cost": 1, "remaining": 5000}}}
    assert _used(answer) == ("graphql", 0, 5000)


def test_strangers_and_false_tokens_are_turned_away() -> None:
    """There is no anonymous GraphQL."""
    with asking() as (sandbox, client):
        url = f"{sandbox.github_url}/graphql"
        stranger = client.post(url, json={"query": "{rateLimit{cost}}"})
        bad = client.post(url, json={"query": "{rateLimit{cost}}"}, headers={"authorization": "bearer bad-token"})
        assert client.get(url, headers=TOKEN).status_code == 404
    assert (stranger.status_code, bad.status_code) == (401, 401)
    assert "requires you to be authenticated" in stranger.json()["message"]
    assert bad.json()["message"] == "Bad credentials"


@pytest.mark.parametrize("kind", ["RATE_LIMIT", "RATE_LIMITED"])
def test_used_up_points_are_refused_with_status_200(kind: str) -> None:
    """An error and no data, nothing remaining in the headers, until the reset; REST goes on."""
    clock = Clock()
    query, variables = probe("plain")
    with asking(limits=Limits(graphql_per_hour=1, graphql_limit_type=kind), clock=clock) as (sandbox, client):
        send(sandbox, client, query, **variables)
        refused = send(sandbox, client, query, **variables)
        assert client.get(f"{sandbox.github_url}/repos/curious/plain", headers=TOKEN).status_code == 200
        clock.move(3600)
        assert send(sandbox, client, query, **variables).json()["data"]["r0"]
    assert (refused.status_code, _used(refused)) == (200, ("graphql", 1, 0))
    assert "data" not in refused.json()
    assert refused.json()["errors"][0]["type"] == kind
    assert "rate limit" in refused.json()["errors"][0]["message"]


@pytest.mark.parametrize("status", [403, 200])
def test_points_of_a_minute_are_watched(status: int) -> None:
    """The query that breaks the secondary limit is refused in either documented form and may come again a minute later."""
    clock = Clock()
    query, variables = probe("plain")
    limits = Limits(graphql_points_per_minute=2, graphql_secondary_status=status, retry_after=9)
    with asking(limits=limits, clock=clock) as (sandbox, client):
        answers = [send(sandbox, client, query, **variables) for _ in range(3)]
        assert client.get(f"{sandbox.github_url}/repos/curious/plain", headers=TOKEN).status_code == 200
        clock.move(61)
        assert "data" in send(sandbox, client, query, **variables).json()
    refused = answers[2]
    assert (refused.status_code, refused.headers["retry-after"], _used(refused)) == (status, "9", ("graphql", 2, 4998))
    message = refused.json()["errors"][0]["message"] if status == 200 else refused.json()["message"]
    assert "secondary rate limit" in message
    assert "data" not in refused.json()


def test_the_time_queries_take_is_watched() -> None:
    """Once the answers of the last minute took longer than allowed, the next query is refused."""
    clock = Clock()
    limits = Limits(graphql_seconds_per_minute=0.02)
    query, variables = probe("plain")
    with asking(limits=limits, clock=clock) as (sandbox, client):
        sandbox.faults.latency_ms = 30
        assert [send(sandbox, client, query, **variables).status_code for _ in range(2)] == [200, 403]
        clock.move(61)
        assert send(sandbox, client, query, **variables).status_code == 200


def test_a_query_takes_longer_the_more_it_asks_for() -> None:
    """So many milliseconds for each repository, which the ledger shows."""
    query, variables = probe("plain", "ready", "nowhere")
    with asking() as (sandbox, client):
        sandbox.faults.repository_ms = 20
        send(sandbox, client, query, **variables)
        (line,) = sandbox.ledger.lines()
    assert line.seconds > 0.059


def test_a_query_for_too_many_is_answered_in_part() -> None:
    """Those beyond the capacity are null and named; a history has a capacity of its own."""
    query, variables = probe("plain", "ready", "archived")
    ids = [PLAIN_ID, node_id("R", 2_000_001), node_id("R", 2_000_002)]
    listed = "query($ids:[ID!]!){n0:nodes(ids:$ids){id ... on Repository{" + BRANCH % "totalCount" + "}}}"
    with asking(limits=Limits(probe_capacity=2, history_capacity=1)) as (sandbox, client):
        partial = send(sandbox, client, query, **variables).json()
        history = send(sandbox, client, listed, ids=ids).json()
        sandbox.limits.over_capacity_status = 502
        page = send(sandbox, client, query, **variables)
        two = probe("plain", "ready")
        assert send(sandbox, client, two[0], **two[1]).json()["data"]["r1"]
        assert [line.units for line in sandbox.ledger.lines()] == [1, 1, 1, 1]
    assert [alias for alias, value in partial["data"].items() if value is None] == ["r2"]
    assert [(error["type"], error["path"]) for error in partial["errors"]] == [("RESOURCE_LIMITS_EXCEEDED", ["r2"])]
    assert [value is None for value in history["data"]["n0"]] == [False, True, True]
    assert [error["path"] for error in history["errors"]] == [["n0", 1], ["n0", 2]]
    assert (page.status_code, page.headers["content-type"]) == (502, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("mishap", "kind"),
    [(Mishap.ALIAS_NULL, None), (Mishap.ALIAS_LIMITS, "RESOURCE_LIMITS_EXCEEDED"), (Mishap.ALIAS_WRONG, "")],
)
def test_some_repositories_of_a_query_may_be_lost(mishap: Mishap, kind: str | None) -> None:
    """A share of them is null, with an error or without any; the others are answered."""
    query, variables = probe(*["plain"] * 20)
    with asking() as (sandbox, client):
        sandbox.faults.add(Fault(pattern="/github/graphql", mishap=mishap, share=0.4, times=1))
        spoilt = send(sandbox, client, query, **variables).json()
        whole = send(sandbox, client, query, **variables).json()
    lost = [alias for alias, value in spoilt["data"].items() if value is None]
    assert 0 < len(lost) < 20
    named = {error["path"][0]: error for error in spoilt.get("errors", ())}
    assert sorted(named) == ([] if kind is None else sorted(lost))
    assert {error.get("type", "") for error in named.values()} == ({kind} if kind is not None else set())
    assert mishap is not Mishap.ALIAS_WRONG or all("Something went wrong" in error["message"] for error in named.values())
    assert "errors" not in whole


def test_a_piece_of_an_answer_may_be_lost() -> None:
    """The alias is there without its branch or its commits, and the error names the place."""
    query, variables = probe("plain")
    with asking() as (sandbox, client):
        sandbox.faults.add(Fault(pattern="/github/graphql", mishap=Mishap.ALIAS_HOLLOW, share=1))
        counters = send(sandbox, client, query, **variables).json()
        history = send(sandbox, client, HISTORY, id=PLAIN_ID, first=5).json()
    assert counters["data"]["r0"]["stargazerCount"] == 120
    assert counters["data"]["r0"]["defaultBranchRef"] is None
    assert counters["errors"][0]["path"] == ["r0", "defaultBranchRef"]
    assert history["data"]["h0"] == {"defaultBranchRef": {"target": None}}
    assert history["errors"][0]["path"] == ["h0", "defaultBranchRef", "target", "history"]


def test_a_query_may_fail_as_a_whole() -> None:
    """Something went wrong, a gateway's page, half of the JSON, or the secondary limit out of nowhere."""
    query, variables = probe("plain")
    mishaps = (Mishap.WRONG, Mishap.STATUS, Mishap.TRUNCATED, Mishap.SECONDARY)
    with asking() as (sandbox, client):
        sandbox.faults.add(*(Fault(pattern="/github/graphql", mishap=mishap, times=1) for mishap in mishaps))
        wrong, page, half, limited = [send(sandbox, client, query, **variables) for _ in mishaps]
        assert send(sandbox, client, query, **variables).json()["data"]["r0"]
        lines = sandbox.ledger.lines()
    assert (wrong.status_code, wrong.json()["data"]) == (200, None)
    assert "Something went wrong while executing your query" in wrong.json()["errors"][0]["message"]
    assert (page.status_code, page.text[:15]) == (502, "<!DOCTYPE html>")
    with pytest.raises(ValueError, match=r"JSON|Expecting|Unterminated|delimiter"):
        half.json()
    assert (limited.status_code, limited.headers["x-ratelimit-resource"]) == (403, "graphql")
    assert [(line.mishap, line.units) for line in lines] == [("wrong", 1), ("status", 0), ("truncated", 1), ("secondary", 0), ("", 1)]
