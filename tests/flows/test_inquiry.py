"""What follows from what GitHub said of a repository, one answer after the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from extractors.agenda import Conversation, History, Probe
from extractors.conversation import HISTORY, PROBE, Answer, Ask, Target
from extractors.graphql import Part
from extractors.verdict import Verdict
from flows.choice import window_start
from flows.inquiry import Inquiry
from flows.planning import LastAnswer
from tests.transforms.answers_as_sent import HEAD, NOON, commit_node, history_body, known_of, probe_body

SUBJECT = "github:owner/name"
TARGET = Target(subject=SUBJECT, owner="owner", name="name")
REPO = ("repo", {"repo_id": 7, "node_id": "R_7", "full_name": "Owner/Name"})


def weeks(head="k", **changes):
    """Commits by day as the store knows them."""
    row = {"weeks_head_oid": head, "weeks_source": "history", "days_on": [date(2026, 2, 1)], "day_counts": [1]}
    return "weeks", {**row, **changes}


def people(**changes):
    """Participants as the store knows them, listed yesterday."""
    row = {"logins": ["ada"], "commit_counts": [1], "participants_head_oid": "k", "participants_source": "contributors"}
    return "participants", {**row, "listed_at": NOON - timedelta(days=1), **changes}


def inquiry(*known, last=None):
    """An inquiry whose conversations are the facets they are about."""
    return Inquiry(
        known=known_of(REPO, *known),
        answered=frozenset(),
        last=last or {},
        converse=lambda subject, facets, _id, _is_refused: Conversation(subject, sorted(facets)),
        is_full=False,
    )


def follow(asker, facet, body, target=TARGET):
    """What is asked after one good answer: targets of histories, facets of conversations."""
    answer = Answer(
        ask=Ask(source="github", subject="github", facet=facet, url="/graphql"),
        status=200,
        headers={},
        body=b"",
        fetched_at=NOON,
        duration_ms=1,
        attempt=1,
        identity="f",
    )
    part = Part(target=target, verdict=Verdict.OK, body=body)
    return [work.target if isinstance(work, History) else work.plan for work in asker.settle(part, answer)]


def test_an_unmoved_head_asks_nothing():
    """Everything is known."""
    assert follow(inquiry(weeks(HEAD), people(participants_head_oid=HEAD)), PROBE, probe_body()) == []


def test_another_repository_under_the_name_is_read_from_the_start():
    """Though it has the very same newest commit: nothing that is known is of it."""
    asker = inquiry(weeks(HEAD), people(participants_head_oid=HEAD))
    listed, target = follow(asker, PROBE, probe_body(databaseId=8))
    assert (listed, target.until_oid, target.page) == (["participants"], None, 1)


@pytest.mark.parametrize("outcome", ["failed", "limited", "invalid", "pending"])
def test_a_list_that_did_not_come_is_asked_for_again(outcome):
    """Though the head has not moved since and the list is not thirty days old; one that was answered is not."""
    known = (weeks(HEAD), people(participants_head_oid="older"))
    last = {(SUBJECT, "participants"): LastAnswer(outcome=outcome, confirmed_at=NOON)}
    assert follow(inquiry(*known, last=last), PROBE, probe_body()) == [["participants"]]
    last = {(SUBJECT, "participants"): LastAnswer(outcome="ok", confirmed_at=NOON)}
    assert follow(inquiry(weeks(HEAD), people(participants_head_oid=HEAD), last=last), PROBE, probe_body()) == []


def test_a_list_that_speaks_of_another_commit_is_asked_for_again():
    """Where no history is read that could carry it on: the head has not moved since the weeks were read, or they are GitHub's own."""
    assert follow(inquiry(weeks(HEAD), people(participants_head_oid="older")), PROBE, probe_body()) == [["participants"]]
    many = weeks("older", weeks_source="participation", weeks=[2001] + [0] * 51, days_on=None, day_counts=None)
    assert follow(inquiry(many, people(participants_head_oid="older")), PROBE, probe_body()) == [["participants"], ["weeks"]]


def not_found(**target):
    """What follows when GraphQL does not find a repository, by its name or by its id."""
    part = Part(target=replace(TARGET, **target), verdict=Verdict.MISSING)
    ask = Ask(source="github", subject="github", facet=PROBE, url="/graphql")
    return part, Answer(
        ask=ask, status=200, headers={}, body=b"", fetched_at=NOON, duration_ms=1, attempt=1, identity="f", error=None, is_recalled=False
    )


def test_a_name_that_leads_nowhere_is_tried_by_its_id_and_then_by_rest():
    """A renamed repository whose old name died lives on; only what neither finds is looked into, and only once."""
    (probe,) = inquiry().settle(*not_found())
    assert probe == Probe(replace(TARGET, node_id="R_7"))
    (conversation,) = inquiry().settle(*not_found(node_id="R_7"))
    assert set(conversation.plan) == {"repo", "head", "weeks", "participants"}
    last = {(SUBJECT, "repo"): LastAnswer(outcome="missing", confirmed_at=NOON)}
    assert list(inquiry(last=last).settle(*not_found(node_id="R_7"))) == []


def test_what_was_missing_is_asked_for_by_its_name():
    """Another repository may have taken its place."""
    last = {(SUBJECT, "repo"): LastAnswer(outcome="missing", confirmed_at=NOON)}
    assert inquiry(last=last).begin(TARGET) == Probe(TARGET)
    assert inquiry().begin(TARGET) == Probe(replace(TARGET, node_id="R_7"))


@pytest.mark.parametrize(
    ("committed", "since"),
    [
        (NOON - timedelta(days=30), window_start(NOON)),
        (NOON - timedelta(days=600), "2024-06-25T11:59:59Z"),
        (None, window_start(NOON)),
    ],
)
def test_the_commits_are_read_back_to_the_one_at_which_the_list_is_known(committed, since):
    """A repository that slept for longer than the window has to show that its past was not rewritten."""
    asker = inquiry(weeks(), people(), ("head", {"head_oid": "k", "last_commit_at": committed}))
    (target,) = follow(asker, PROBE, probe_body())
    assert (target.since, target.until_oid, target.node_id) == (since, None, "R_7")


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([commit_node("n", login="ada"), commit_node("k")], []),
        ([commit_node("n", login="eve"), commit_node("k")], [["participants"]]),
        ([commit_node("n", login="ada")], [["participants"]]),
    ],
    ids=["carried on", "somebody new", "rewritten"],
)
def test_the_list_is_asked_for_where_it_cannot_be_carried_on(nodes, expected):
    """Somebody new came, or its head is not in the history any more."""
    asker = inquiry(weeks(), people())
    (target,) = follow(asker, PROBE, probe_body())
    assert follow(asker, HISTORY, history_body(*nodes), target) == expected
