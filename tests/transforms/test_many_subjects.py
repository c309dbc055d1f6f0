"""What answers about many repositories become once they are divided: probes, histories, and what follows from both."""

from __future__ import annotations

from datetime import timedelta

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.answers_as_sent import (
    HEAD,
    NOON,
    capture,
    commit_node,
    head_body,
    history_body,
    known_of,
    people_body,
    probe_body,
    repo_body,
    request_of,
    weeks_body,
)
from transforms.answers import InvalidAnswer
from transforms.github import PROBE_FIELDS, decipher_head, decipher_probe, decipher_repo
from transforms.observations import Gathering, ledger_row
from transforms.readings import OUTCOMES
from transforms.schemas import FACET_TABLES, FETCHES, HEAD_OBSERVATIONS, REPO_OBSERVATIONS

DAY = timedelta(days=1)
LIST = ("participants", {"logins": ["ada"], "commit_counts": [1], "participants_head_oid": "k", "participants_source": "contributors"})
REPO = ("repo", {"repo_id": 7, "node_id": "R_7", "full_name": "Owner/Name"})


def gather(*landed, known=None):
    """The tables made of (capture, verdict) pairs in landing order."""
    gathering = Gathering(known or known_of())
    for taken, verdict in landed:
        gathering.add(taken, verdict)
    return gathering.tables()


def row_of(tables, facet):
    """The one row of a facet, ``None`` when there is none."""
    rows = tables[FACET_TABLES[facet].name].to_pylist()
    assert len(rows) <= 1
    return rows[0] if rows else None


def test_graphql_and_rest_say_the_same():
    """The same repository gives the same row, whichever of them was asked."""
    told = decipher_probe(probe_body())
    rest = {**decipher_repo(repo_body()), **decipher_head(head_body())}
    assert told == rest
    values = {field.name for field in PROBE_FIELDS} - {"is_empty"}
    columns = {*REPO_OBSERVATIONS.names, *HEAD_OBSERVATIONS.names} - {"series", "observed_at", "confirmed_at", "sighting_count"}
    assert values == columns - {"subject", "outcome", "detail", "run_id", "source_url"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"description": None}, {"description": ""}),
        ({"homepageUrl": None}, {"homepage_url": None}),
        ({"homepageUrl": " https://a.example "}, {"homepage_url": "https://a.example"}),
        ({"licenseInfo": None}, {"license": None}),
        ({"licenseInfo": {"spdxId": "NOASSERTION"}}, {"license": None}),
        ({"licenseInfo": {"spdxId": None}}, {"license": None}),
        ({"pushedAt": None}, {"pushed_at": None}),
        ({"isEmpty": True, "defaultBranchRef": None}, {"head_oid": None, "last_commit_at": None, "default_branch": None}),
        ({"isEmpty": True}, {"head_oid": None, "last_commit_at": None, "authored_at": None}),
    ],
)
def test_what_may_be_absent_is_absent(changes, expected):
    """Null and nothing are what they are in REST."""
    values = decipher_probe(probe_body(**changes))
    assert {name: values[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"stargazerCount": None}, "stargazerCount"),
        ({"watchers": None}, "watchers.totalCount"),
        ({"watchers": ...}, "watchers.totalCount: missing"),
        ({"nameWithOwner": "name"}, "nameWithOwner"),
        ({"databaseId": None}, "databaseId"),
        ({"defaultBranchRef": {"name": "main", "target": {"oid": HEAD}}}, "committedDate: missing"),
        ({"defaultBranchRef": None}, "missing although the repository is not empty"),
        ({"defaultBranchRef": ...}, "defaultBranchRef.target.oid: missing"),
    ],
)
def test_a_piece_that_is_lacking_makes_the_whole_invalid(changes, named):
    """A count that is not there is no zero."""
    with pytest.raises(InvalidAnswer, match=named):
        decipher_probe(probe_body(**changes))


def test_a_probe_tells_of_the_repository_and_its_head():
    """Two rows of one answer, and nothing of what it did not ask for."""
    tables = gather((capture("probe"), "ok"))
    assert (row_of(tables, "repo")["stars_count"], row_of(tables, "head")["head_oid"]) == (1331, HEAD)
    assert {row_of(tables, facet)["source_url"] for facet in ("repo", "head")} == {"/graphql"}
    assert {row_of(tables, facet)["series"] for facet in ("repo", "head")} == {"github:7"}
    assert (row_of(tables, "weeks"), row_of(tables, "participants")) == (None, None)


def test_a_repository_without_commits_is_known_to_have_none():
    """Zeros, nobody and no head; the list is as good as one of GitHub's."""
    tables = gather((capture("probe", probe_body(isEmpty=True, defaultBranchRef=None)), "ok"))
    assert (row_of(tables, "head")["outcome"], row_of(tables, "weeks")["weeks"]) == ("empty", [0] * 52)
    people = row_of(tables, "participants")
    assert (people["outcome"], people["logins"], people["listed_at"]) == ("ok", [], NOON)


def test_a_repository_graphql_does_not_find_is_missing_only_when_rest_said_so():
    """It may be blocked: until REST has told, nothing is settled."""
    told = (capture("probe", b"", error="NOT_FOUND Could not resolve to a Repository"), "missing")
    assert row_of(gather(told), "repo")["outcome"] == "failed"
    before = ("repo", {"outcome": "missing"})
    assert row_of(gather(told, known=known_of(before)), "repo")["outcome"] == "missing"


@pytest.mark.parametrize("verdict", sorted(set(OUTCOMES) - {"missing"}))
def test_a_part_without_an_answer_says_so_of_what_it_was_asked_for(verdict):
    """Of its newest commit nothing is said: what was known of it keeps its date, and REST is asked next."""
    told = capture("probe", b"", error="NOT_FOUND Could not resolve to a Repository")
    tables = gather((told, verdict))
    repo, head = row_of(tables, "repo"), row_of(tables, "head")
    assert (repo["outcome"], repo["detail"]) == (OUTCOMES[verdict], "NOT_FOUND Could not resolve to a Repository")
    assert head is None
    assert row_of(tables, "weeks") is None


def test_an_unreadable_part_names_its_fault_once():
    """Both facets are invalid, and a human is told once."""
    tables = gather((capture("probe", probe_body(forkCount=...)), "ok"))
    assert {row_of(tables, facet)["outcome"] for facet in ("repo", "head")} == {"invalid"}
    assert tables["findings"]["code"].to_pylist() == ["invalid_answer"]
    assert "forkCount: missing" in tables["findings"]["message"][0].as_py()


def test_a_private_repository_says_nothing_else():
    """Neither its head nor its commits, nor what is wrong with its other fields."""
    secret = capture("probe", probe_body(isPrivate=True, description="secret", stargazerCount="secret"))
    tables = gather((secret, "ok"), (capture("history", history_body(commit_node("secret"))), "ok"))
    assert (row_of(tables, "repo")["outcome"], row_of(tables, "head"), row_of(tables, "weeks")) == ("blocked", None, None)
    assert tables["findings"]["code"].to_pylist() == ["repo_private"]
    assert "secret" not in str([table.to_pylist() for table in tables.values()])


def test_rest_explains_what_graphql_could_not():
    """The later answer decides, facet by facet."""
    missing = (capture("probe", b"", error="NOT_FOUND"), "missing")
    blocked = (capture("repo", b'{"block": {"reason": "dmca"}}', status=451), "blocked")
    assert row_of(gather(missing, blocked), "repo")["outcome"] == "blocked"
    failed = (capture("probe", b"", error="no answer and no reason"), "transient")
    tables = gather(failed, (capture("repo"), "ok"), (capture("head"), "ok"))
    assert {row_of(tables, facet)["outcome"] for facet in ("repo", "head")} == {"ok"}


def test_a_refused_part_keeps_a_stranger_from_calling_it_missing():
    """As with REST: an organisation turned the token away."""
    refused = (capture("probe", b"", error="FORBIDDEN"), "refused")
    assert row_of(gather(refused, (capture("repo", b"", status=404), "missing")), "repo")["outcome"] == "refused"


def test_githubs_own_figures_speak_of_the_head_of_their_run():
    """Whatever the order they landed in; of a run that saw no head nobody knows."""
    weeks, people, probe = (capture("weeks"), "ok"), (capture("participants"), "ok"), (capture("probe"), "ok")
    for landed in ([probe, weeks, people], [weeks, people, probe]):
        tables = gather(*landed)
        assert row_of(tables, "weeks")["weeks_head_oid"] == row_of(tables, "participants")["participants_head_oid"] == HEAD
    assert row_of(gather(weeks), "weeks")["weeks_head_oid"] is None
    unchanged = (capture("head", b"", status=304), "unchanged")
    tables = gather(unchanged, weeks, known=known_of(("head", {"head_oid": "k"})))
    assert row_of(tables, "weeks")["weeks_head_oid"] == "k"
    pending = gather(probe, (capture("weeks", b"{}", status=202), "pending"))
    assert row_of(pending, "weeks")["weeks_head_oid"] is None


def test_an_unchanged_list_speaks_of_the_head_of_its_run():
    """It was asked for again, so its thirty days begin anew."""
    tables = gather((capture("probe"), "ok"), (capture("participants", b"", status=304), "unchanged"), known=known_of(LIST))
    row = row_of(tables, "participants")
    assert (row["outcome"], row["listed_at"], row["participants_head_oid"], row["participants_source"]) == (
        "unchanged", NOON, HEAD, "contributors",
    )  # fmt: skip


def history(*nodes, **changes):
    """A whole history as it landed."""
    return capture("history", history_body(*nodes), **changes), "ok"


def test_a_history_gives_weeks_and_carries_the_list_on():
    """Both of the moment it was read, and of the series the run saw."""
    tables = gather((capture("probe"), "ok"), history(commit_node("n1"), commit_node("k")), known=known_of(REPO, LIST))
    weeks, people = row_of(tables, "weeks"), row_of(tables, "participants")
    assert (weeks["weeks_source"], sum(weeks["weeks"]), weeks["weeks_head_oid"]) == ("history", 2, "n1")
    assert (people["logins"], people["commit_counts"], people["participants_source"]) == (["ada"], [2], "history")
    assert (weeks["series"], people["series"], people["source_url"]) == ("github:7", "github:7", "/graphql")


LISTS = [
    ((capture("participants", people_body("zoe")), "ok"), "ok"),
    ((capture("participants", b"", status=304), "unchanged"), "unchanged"),
    ((capture("participants", b"", status=502), "transient"), "failed"),
    ((capture("participants", b"", status=403), "too_large"), "unsupported"),
]


@pytest.mark.parametrize(("listed", "outcome"), LISTS, ids=[outcome for _, outcome in LISTS])
def test_githubs_own_list_decides_whatever_came_first(listed, outcome):
    """A list that was asked for and did not come is asked for again: carrying on would hide that."""
    commits = history(commit_node("n1"), commit_node("k"))
    for landed in ([commits, listed], [listed, commits]):
        assert row_of(gather(*landed, known=known_of(LIST)), "participants")["outcome"] == outcome


def test_statistics_follow_a_history_that_was_too_much():
    """The first page told that there are too many; the numbers GitHub has decide."""
    first = (capture("history", history_body(commit_node("n1"), next_cursor="x")), "ok")
    assert row_of(gather(first), "weeks")["outcome"] == "limited"
    assert row_of(gather(first, (capture("weeks", weeks_body(3)), "ok")), "weeks")["weeks_source"] == "participation"


def test_a_page_of_a_complete_history_that_landed_twice_changes_nothing():
    """An interrupted run may ask once more."""
    first = (capture("history", history_body(commit_node("n1"), next_cursor="x"), request=request_of(page=1)), "ok")
    second = (capture("history", history_body(commit_node("n0")), page=2, request=request_of(page=2)), "ok")
    assert gather(first, second, second) == gather(first, second)


@pytest.mark.parametrize("facet", ["repo", "head", "participants", "project", "status"])
def test_validators_come_from_good_answers(facet):
    """With the identity that got them, the version that answered and the address as sent; not from a 304, 404 or 202."""
    headers = {"etag": 'W/"a"', "last-modified": "Sun, 15 Feb 2026 19:46:55 GMT", "x-github-api-version-selected": "2026-03-10"}
    good = capture(facet, headers=headers, url="http://127.0.0.1:9/a?b=1", identity="f1")
    (row,) = gather((good, "ok"))["validators"].to_pylist()
    assert row == {
        "identity": "f1", "api_version": "2026-03-10", "url": "http://127.0.0.1:9/a?b=1", "subject": good.subject, "facet": facet,
        "etag": 'W/"a"', "last_modified": "Sun, 15 Feb 2026 19:46:55 GMT", "seen_at": NOON,
    }  # fmt: skip
    for verdict, changes in [("missing", {"status": 404}), ("unchanged", {"status": 304}), ("pending", {"status": 202})]:
        assert gather((capture(facet, b"", headers=headers, **changes), verdict))["validators"].num_rows == 0
    assert gather((capture(facet), "ok"))["validators"].num_rows == 0
    assert gather((capture("participants", b"", status=204, headers=headers), "empty"))["validators"].num_rows == 0
    assert gather((capture(facet, b"{", headers=headers), "ok"))["validators"].num_rows == 0
    assert gather((good, "ok"), (capture(facet, b"", status=502), "transient"))["validators"].num_rows == 0


@pytest.mark.parametrize("facet", ["weeks", "index"])
def test_some_answers_have_no_validators(facet):
    """The weeks have one ETag with the 202 before them; an unchanged index would leave nothing to compare serials with."""
    assert gather((capture(facet, headers={"etag": '"a"'}), "ok"))["validators"].num_rows == 0


def test_only_a_whole_list_has_validators():
    """A 304 to half of one would confirm what was never known; all its pages count from when it was whole."""
    link = '<http://127.0.0.1:9/x?page=2>; rel="next"'
    first = capture("participants", people_body("a"), headers={"link": link, "etag": '"1"'}, url="/one")
    second = capture("participants", people_body("b"), page=2, headers={"etag": '"2"'}, url="/two", fetched_at=NOON + DAY)
    assert gather((first, "ok"))["validators"].num_rows == 0
    assert gather((first, "ok"), (capture("participants", page=2, status=502), "transient"))["validators"].num_rows == 0
    found = gather((first, "ok"), (second, "ok"))["validators"].to_pylist()
    assert [(row["url"], row["etag"], row["seen_at"]) for row in found] == [("/one", '"1"', NOON + DAY), ("/two", '"2"', NOON + DAY)]


def test_a_private_repository_leaves_no_validators():
    """Nor anything else of it."""
    headers = {"etag": '"a"'}
    landed = [(capture("repo", repo_body(private=True), headers=headers), "ok"), (capture("head", headers=headers), "ok")]
    assert gather(*landed)["validators"].num_rows == 0


def test_the_ledger_tells_how_many_were_asked_about_and_when_the_quota_is_full():
    """One row for the whole answer."""
    request = orjson.dumps([{"subject": "github:a/a"}, {"subject": "github:a/b"}]).decode()
    headers = {"x-ratelimit-resource": "graphql", "x-ratelimit-remaining": "4999", "x-ratelimit-reset": "1771200000"}
    row = ledger_row(capture("probe", subject="github", headers=headers, request=request), "ok", 1)
    assert tuple(row) == FETCHES.names
    assert (row["targets_count"], row["meter"], row["resets_at"].isoformat()) == (2, "graphql", "2026-02-16T00:00:00+00:00")
    assert ledger_row(capture("repo", headers={"x-ratelimit-reset": "soon"}), "ok", 1)["resets_at"] is None


VERDICTS = ["ok", "ok", "ok", "missing", "transient", "limited", "refused", "garbled"]
BODY = st.sampled_from(
    [
        probe_body(),
        probe_body(isEmpty=True),
        probe_body(databaseId=8),
        b"",
        b"{}",
        history_body(commit_node("n"), commit_node("k")),
        history_body(commit_node("n"), next_cursor="x"),
        history_body(),
        history_body(commit_node("n"), databaseId=8),
    ]
)
PART = st.builds(
    lambda facet, body, verdict, page, minutes: (
        capture(facet, body, page=page, fetched_at=NOON + timedelta(minutes=minutes), request=request_of(page=page, until_oid="k")),
        verdict,
    ),
    st.sampled_from(["probe", "history", "participants", "head"]),
    BODY,
    st.sampled_from(VERDICTS),
    st.integers(1, 3),
    st.integers(0, 3),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(PART, max_size=8), st.booleans())
def test_whatever_lands_there_is_one_row_a_facet(parts, is_known):
    """No order of parts raises, and tables may be asked for repeatedly."""
    known = known_of(REPO, LIST, ("weeks", {"weeks_head_oid": "k", "weeks_source": "history", "days_on": [], "day_counts": []}))
    gathering = Gathering(known if is_known else known_of())
    for taken, verdict in parts:
        gathering.add(taken, verdict)
    tables = gathering.tables()
    assert tables == gathering.tables()
    for facet, table in FACET_TABLES.items():
        tables[table.name].validate(full=True)
        row = row_of(tables, facet)
        assert row is None or row["outcome"] in {"ok", "capped", "empty", "unchanged", *OUTCOMES.values(), "invalid"}
    weeks = row_of(tables, "weeks")
    assert weeks is None or (weeks["weeks"] is not None) == (weeks["outcome"] == "ok")


@settings(max_examples=60, deadline=None)
@given(st.lists(PART, max_size=6), st.lists(PART, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_parts_about_different_repositories_does_not_matter(left, right, random):
    """However the answers about two of them interleave, the tables are the same."""
    queues = []
    for name, parts in (("a", left), ("b", right)):
        changes = {"subject": f"github:{name}/{name}"}
        queues.append([(capture(c.facet, c.body, page=c.page, fetched_at=c.fetched_at, request=c.request, **changes), v) for c, v in parts])
    in_turn = gather(*queues[0], *queues[1])
    mixed = []
    while any(queues):
        mixed.append(random.choice([queue for queue in queues if queue]).pop(0))
    assert gather(*mixed) == in_turn
