"""Many repositories a question, from the agenda over the wire and back: against a real server on the loopback."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest

from extractors.agenda import Agenda, BatchSize, Conversation, History, Probe, Work
from extractors.client import fingerprint
from extractors.conversation import GITHUB, GRAPHQL, HISTORY, PARTICIPANTS, PROBE, PYPI, REPO, Answer, Target, Validator
from extractors.driver import hold
from extractors.github import repo_plan
from extractors.graphql import Part, divide
from extractors.verdict import Verdict
from tests.extractors.forge import MESSAGES, NOT_FOUND, RESOURCES, Problem, answered, asked
from tests.extractors.loopback import START, Reply, Request
from tests.extractors.stage import SECRET, Stage, play, project, repo

NODE = {"id": "R_1"}
Settle = Callable[[Part, Answer], Iterable[Work]]


def target(number: int, **more: Any) -> Target:
    """Name a repository, every other one known by its id."""
    return Target(subject=f"github:o/r{number}", owner="o", name=f"r{number}", node_id=f"R_{number}" if number % 2 else None, **more)


def working_off(work: Iterable[Work], settle: Settle = lambda _part, _answer: ()) -> Callable[[Stage], Awaitable[None]]:
    """Hold an agenda of this work."""

    async def act(stage: Stage) -> None:
        await hold(agenda_of(work, settle), stage.session)

    return act


def agenda_of(work: Iterable[Work], settle: Settle = lambda _part, _answer: ()) -> Agenda:
    """Make an agenda of this work."""
    it = Agenda(probe_size=BatchSize(25), history_size=BatchSize(20), settle=settle)
    for one in work:
        it.add(one)
    return it


def probes(count: int) -> list[Probe]:
    """Probe so many repositories."""
    return [Probe(target(number)) for number in range(count)]


def well(request: Request) -> Reply:
    """Answer a query with every repository, everything else with an empty object."""
    return answered(request.body, lambda one: {"id": one.key}) if request.method == "POST" else Reply(body=b"{}")


def quota(remaining: int, seconds: float, status: int = 200, body: bytes = b"{}") -> Reply:
    """Tell of GraphQL's quota that is full again in some seconds."""
    reset = int((START + timedelta(seconds=seconds)).timestamp())
    told = {"limit": 5000, "remaining": remaining, "reset": reset, "resource": "graphql"}
    return Reply(status=status, headers={f"x-ratelimit-{key}": str(value) for key, value in told.items()}, body=body)


LIMITED = json.dumps({"errors": [{"type": "RATE_LIMITED", "message": "API rate limit already exceeded for user ID 1."}]}).encode()


def test_sixty_repositories_are_three_questions():
    """Every answer lands once, with whom it was about; what it cost is told by the answer and counted on a meter of its own."""
    settled: list[Part] = []

    def script(request: Request) -> Reply:
        return answered(request.body, lambda one: {"id": one.key}, cost=2)

    stage = play(script, working_off(probes(60), lambda part, _: settled.append(part) or ()))
    assert [len(answer.ask.targets) for answer in stage.landed] == [25, 25, 10]
    assert {(answer.ask.subject, answer.ask.facet, answer.ask.url, answer.ask.page) for answer in stage.landed} == {
        (GITHUB, PROBE, "/graphql", 1)
    }
    assert sorted(part.target.name for part in settled) == sorted(f"r{number}" for number in range(60))
    tally = stage.session.tally(GRAPHQL)
    assert (tally.requests, tally.units, tally.finished, tally.unfinished, tally.retried) == (3, 6, 60, 0, 0)
    assert stage.session.tally(GITHUB).requests == 0


def test_what_lands_says_what_each_repository_was_told():
    """The landed answer and its targets are enough to know it again, without the run that asked."""
    told: dict[str, tuple[Verdict, bytes]] = {}

    def settle(part: Part, answer: Answer) -> Iterable[Work]:
        told[part.target.name] = part.verdict, part.body
        return ()

    def script(request: Request) -> Reply:
        return answered(request.body, lambda one: Problem(NOT_FOUND) if one.key in ("o/r2", "R_3") else {"id": one.key})

    stage = play(script, working_off(probes(6), settle))
    (answer,) = stage.landed
    parts = divide(
        answer.ask.targets,
        facet=answer.ask.facet,
        status=answer.status,
        headers=answer.headers,
        body=answer.body,
        error=answer.error,
    )
    assert {part.target.name: (part.verdict, part.body) for part in parts} == told
    assert [name for name, (verdict, _) in told.items() if verdict is Verdict.MISSING] == ["r2", "r3"]


def test_what_was_probed_leads_to_histories_and_conversations():
    """Pages are asked for one after the other, many repositories together, and REST beside them."""
    pages = {"r0": 3, "r1": 1, "r2": 2}

    def settle(part: Part, answer: Answer) -> Iterable[Work]:
        at = part.target
        if answer.ask.facet == PROBE:
            yield History(Target(subject=at.subject, owner="o", name=at.name, node_id="R", since="2025-11-25T00:00:00Z"))
            if at.name == "r2":
                yield Conversation(at.subject, repo("r2", frozenset({PARTICIPANTS}))[1])
        elif at.page < pages[at.name]:
            yield History(Target(subject=at.subject, owner="o", name=at.name, node_id="R", after=f"c{at.page}", page=at.page + 1))

    stage = play(well, working_off(probes(3), settle))
    histories = [[(t.name, t.page, t.after) for t in answer.ask.targets] for answer in stage.landed if answer.ask.facet == HISTORY]
    assert histories == [
        [("r0", 1, None), ("r1", 1, None), ("r2", 1, None)],
        [("r0", 2, "c1"), ("r2", 2, "c1")],
        [("r0", 3, "c2")],
    ]
    assert [answer.ask.facet for answer in stage.landed if answer.ask.source == GITHUB and not answer.ask.targets] == [PARTICIPANTS]
    assert stage.session.tally(GRAPHQL).finished == 3 + 6
    assert stage.session.tally(GITHUB).finished == 1


@pytest.mark.parametrize(
    "failure",
    [
        Reply(status=502, body=b"<html>"),
        Reply(status=504, body=b'{"message": "We couldn\'t respond to your request in time."}'),
        Reply(wire=b""),
        Reply(body=b"<html>"),
        Reply(body=json.dumps({"data": None, "errors": [{"message": MESSAGES[""]}]}).encode()),
        Reply(body=json.dumps({"errors": [{"type": "MAX_NODE_LIMIT_EXCEEDED", "message": "too many nodes"}]}).encode()),
    ],
    ids=["502", "504", "closed", "html", "went wrong", "too many nodes"],
)
def test_a_query_that_is_too_much_is_asked_in_halves(failure):
    """The driver does not repeat it as it is: the agenda asks fewer at once, and everybody is settled well."""
    settled: Counter[str] = Counter()
    agenda = agenda_of(probes(40), lambda part, _: settled.update([part.target.name] if part.verdict is Verdict.OK else ["?"]) or ())

    async def act(stage: Stage) -> None:
        await hold(agenda, stage.session)

    stage = play(lambda request: failure if len(asked(request.body)) > 10 else well(request), act, queries=1)
    assert settled == Counter(f"r{number}" for number in range(40))
    sizes = [len(answer.ask.targets) for answer in stage.landed]
    assert sizes[:3] == [25, 13, 12]
    assert sum(size > 10 for size in sizes) == 4
    assert 3 < agenda.probe_size.size <= 10
    assert stage.session.tally(GRAPHQL).retried == 0


def test_good_aliases_are_kept_and_the_others_asked_again():
    """Beyond what the service has resources for nothing is lost, and nobody who was answered is asked twice."""
    times: Counter[str] = Counter()

    def script(request: Request) -> Reply:
        place = {one.key: index for index, one in enumerate(asked(request.body))}
        times.update(key for key, index in place.items() if index < 9)
        return answered(request.body, lambda one: {"id": one.key} if place[one.key] < 9 else Problem(RESOURCES))

    settled: list[str] = []
    stage = play(script, working_off(probes(25), lambda part, _: settled.append(part.target.name) or ()))
    assert sorted(settled) == sorted(f"r{number}" for number in range(25))
    assert set(times.values()) == {1}
    assert stage.session.tally(GRAPHQL).requests <= 4


def test_a_repository_that_is_never_answered_is_left_to_others():
    """After two questions about it alone it is settled as transient; a conversation by REST can take it up."""

    def settle(part: Part, answer: Answer) -> Iterable[Work]:
        if part.verdict is not Verdict.OK:
            assert (part.verdict, len(answer.ask.targets)) == (Verdict.TRANSIENT, 1)
            plan = repo_plan(subject=part.target.subject, owner="o", name=part.target.name, facets=frozenset({REPO}), known_id=None)
            yield Conversation(part.target.subject, plan)

    def script(request: Request) -> Reply:
        if request.method == "GET":
            return Reply(body=b"{}")
        return answered(request.body, lambda one: Problem("", ("watchers",)) if one.key == "o/r4" else {"id": one.key})

    stage = play(script, working_off(probes(10), settle))
    assert stage.targets(GITHUB).count("/repos/o/r4") == 1
    assert [len(answer.ask.targets) for answer in stage.landed if answer.ask.targets] == [10, 1, 1]


@pytest.mark.parametrize("form", ["200 with an error", "403", "200 and retry-after"])
def test_a_limit_is_waited_out_and_the_same_asked_again(form):
    """In whatever form GraphQL says that it is enough, the wait is the one told and nobody is asked among fewer for it."""
    forms = {
        "200 with an error": quota(0, 90, body=LIMITED),
        "403": quota(0, 90, status=403),
        "200 and retry-after": Reply(headers={"retry-after": "90"}, body=LIMITED),
    }
    replies = [forms[form]]
    stage = play(lambda request: replies.pop() if replies else well(request), working_off(probes(25)))
    assert [seconds for _, seconds in stage.times] == [0, 90]
    assert [len(answer.ask.targets) for answer in stage.landed] == [25, 25]
    assert stage.session.tally(GRAPHQL).finished == 25


def test_the_points_of_a_quota_are_obeyed_unasked():
    """What a body alone tells of the quota is enough: the last points are followed by a wait, not by a refusal."""
    reset = (START + timedelta(seconds=600)).isoformat().replace("+00:00", "Z")

    def script(request: Request) -> Reply:
        told = {"limit": 5000, "remaining": 50 if stage_clock() < 600 else 4999, "resetAt": reset if stage_clock() < 600 else later}
        return answered(request.body, lambda one: {"id": one.key}, rate_limit=told)

    later = (START + timedelta(seconds=4200)).isoformat().replace("+00:00", "Z")
    clock: list[Any] = []

    def stage_clock() -> float:
        return clock[0].seconds if clock else 0.0

    async def act(stage: Stage) -> None:
        clock.append(stage.clock)
        await hold(agenda_of(probes(75)), stage.session)

    stage = play(script, act, queries=1)
    assert [seconds for _, seconds in stage.times] == [0, 600, 600]
    assert stage.said[0] == (GRAPHQL, "waiting 10 min for GitHub GraphQL's quota (50 of 5,000 left, resets 13:33 UTC)")


def test_an_empty_quota_of_graphql_does_not_hold_up_rest():
    """The two meters of an account run dry one by one."""
    work = [*probes(3), *(Conversation(*repo(f"x{number}")) for number in range(5))]
    stage = play(lambda request: quota(0, 7200, body=LIMITED) if request.method == "POST" else well(request), working_off(work))
    assert stage.session.tally(GITHUB).finished == 5
    assert stage.session.endings == {GRAPHQL: "GitHub GraphQL would make us wait 120 min, longer than this run may wait"}
    assert stage.session.tally(GRAPHQL).unfinished == 3


@pytest.mark.parametrize("refused", ["POST", "GET"])
def test_a_token_refused_in_mid_run_ends_both_meters_and_not_the_run(refused):
    """Whichever meter hears of it, GitHub is asked nothing more, the reason is said once in each place, and PyPI goes on."""
    bad = Reply(status=401, body=b'{"message": "Bad credentials"}')
    work = [*probes(200), *(Conversation(*repo(f"x{number}")) for number in range(200)), *(Conversation(*project(name)) for name in "pqr")]
    stage = play(lambda request: bad if request.method == refused and "github" in request.target else well(request), working_off(work))
    reason = "GitHub refused the token (401 Bad credentials); check GITHUB_TOKEN, or unset it to ask anonymously"
    assert stage.session.endings == {GITHUB: reason, GRAPHQL: reason}
    assert len(stage.targets(GITHUB)) < 60
    assert stage.session.tally(PYPI).finished == 3
    done = [stage.session.tally(meter).finished + stage.session.tally(meter).unfinished for meter in (GRAPHQL, GITHUB)]
    assert done == [200, 200]


@pytest.mark.parametrize("failure", [Reply(status=502, body=b"<html>"), Reply(body=b"<html>")], ids=["502", "html"])
def test_graphql_out_of_reach_is_given_up(failure):
    """Twenty questions in a row without an answer end the meter, not the other one."""
    work = [*probes(500), Conversation(*repo("x"))]
    stage = play(lambda request: failure if request.method == "POST" else well(request), working_off(work))
    assert list(stage.session.endings) == [GRAPHQL]
    assert stage.session.endings[GRAPHQL].startswith("GitHub GraphQL is out of reach: 20 questions in a row failed (")
    assert stage.session.tally(GITHUB).finished == 1
    tally = stage.session.tally(GRAPHQL)
    assert tally.requests <= 21
    assert tally.finished + tally.unfinished == 500


def test_without_a_token_nothing_is_asked_by_graphql():
    """Work for a meter that is not there is given up and counted, and the rest goes on."""
    stage = play(well, working_off([*probes(7), Conversation(*repo("x"))]), token=None)
    assert (stage.session.tally(GRAPHQL).unfinished, stage.session.tally(GITHUB).finished) == (7, 1)
    assert [request.method for request in stage.server.requests] == ["GET"]


def test_stop_lets_everybody_go():
    """What is on its way is answered and landed, the rest is counted as unfinished, and nobody waits for it."""
    stop = threading.Event()

    async def script(request: Request) -> Reply:
        stop.set()
        await asyncio.sleep(0)
        return well(request)

    stage = play(script, working_off(probes(100), lambda part, _: [History(part.target)]), stop=stop, queries=2)
    tally = stage.session.tally(GRAPHQL)
    assert len(stage.landed) == len(stage.server.requests) == tally.requests <= 2
    assert tally.finished == sum(len(answer.ask.targets) for answer in stage.landed)
    assert tally.unfinished == 100  # probes never asked, and the histories that followed from the others


def test_the_cap_of_a_run_counts_points_too():
    """Requests and points together are no more than allowed."""
    work = [*probes(200), *(Conversation(*repo(f"x{number}")) for number in range(20))]
    stage = play(well, working_off(work), cap=9)
    spent = {meter: stage.session.tally(meter).units for meter in (GITHUB, GRAPHQL)}
    assert sum(spent.values()) == 9
    assert min(spent.values()) > 0


def test_stored_validators_are_sent_to_their_own_address_only():
    """A conditional question takes the validator of this token, version and address along; a 304 is free and counted."""
    mine = fingerprint(SECRET)
    validators = {
        (mine, "", "/repos/o/a"): Validator(etag='"a"'),
        ("token:another00000", "", "/repos/o/b"): Validator(etag='"b"'),
        (mine, "", "/repos/o/c"): Validator(etag='"c"'),
    }

    def plan(name: str, *, is_conditional: bool) -> Conversation:
        subject = f"github:o/{name}"
        facets = frozenset({REPO})
        made = repo_plan(subject=subject, owner="o", name=name, facets=facets, known_id=None, is_conditional=is_conditional)
        return Conversation(subject, made)

    def script(request: Request) -> Reply:
        return Reply(status=304, body=b"") if "if-none-match" in request.headers else Reply()

    work = [plan("a", is_conditional=True), plan("b", is_conditional=True), plan("c", is_conditional=False)]
    stage = play(script, working_off(work), validators=validators, concurrency=1)
    assert [request.headers.get("if-none-match") for request in stage.server.requests] == ['"a"', None, None]
    tally = stage.session.tally(GITHUB)
    assert (tally.requests, tally.units, tally.unchanged) == (3, 2, 1)
    assert [answer.status for answer in stage.landed] == [304, 200, 200]


def test_a_service_that_fails_often_is_asked_less_at_once():
    """Server errors shrink what is in flight; good answers let it grow again, never above what was configured."""
    now = 0
    most: list[int] = []
    is_bad = True

    async def script(_: Request) -> Reply:
        nonlocal now
        now += 1
        most.append(now)
        for _turn in range(40):
            await asyncio.sleep(0)
        now -= 1
        return Reply(status=503) if is_bad else Reply(body=b"{}")

    async def act(stage: Stage) -> None:
        nonlocal is_bad
        await hold(agenda_of([Conversation(*repo(f"a{number}")) for number in range(12)]), stage.session)
        is_bad = False
        most.clear()
        await hold(agenda_of([Conversation(*repo(f"b{number}")) for number in range(99)]), stage.session)
        low = max(most)
        most.clear()
        await hold(agenda_of([Conversation(*repo(f"c{number}")) for number in range(900)]), stage.session)
        assert low < 4 < max(most[-20:]) <= 8

    play(script, act, concurrency=8, patience=1000)
