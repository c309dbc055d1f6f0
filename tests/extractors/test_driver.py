"""Many conversations at once, against a real server on the loopback and a clock that passes only when slept on."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from datetime import timedelta

import pytest

from extractors.conversation import GITHUB, GRAPHQL, HEAD, PROJECT, PYPI, REPO, WEEKS, Answer, Ask, Plan
from extractors.driver import hold_later
from tests.extractors.loopback import START, Reply, Request
from tests.extractors.stage import ALL, BUSY, OK, Stage, hold, holding, in_turn, play, project, repo, repos


def test_conversations_are_held_and_landed():
    """Every answer of every plan lands, and the tally knows what it cost."""
    stage = play(lambda _: OK, holding([repo("a", ALL), project("p"), repo("b")]))
    assert sorted((answer.ask.subject, answer.ask.facet) for answer in stage.landed) == [
        ("github:o/a", "head"),
        ("github:o/a", "participants"),
        ("github:o/a", "repo"),
        ("github:o/a", "weeks"),
        ("github:o/b", "repo"),
        ("pypi:p", "project"),
    ]
    tally = stage.session.tally(GITHUB)
    assert (tally.requests, tally.units, tally.finished, tally.unfinished, tally.waited_seconds) == (5, 5, 2, 0, 0)
    assert stage.session.tally(PYPI).units == 0
    assert stage.session.endings == {}


def test_absolute_addresses_land_relative_to_the_base():
    """A redirect's target is landed and recalled under one spelling, whatever host it is recorded from."""

    def script(request: Request) -> Reply:
        to = f"http://{request.headers['host']}/github/repositories/7"
        return Reply(status=301, headers={"Location": to}) if request.target.endswith("/a") else OK

    stage = play(script, holding([repo("a", frozenset({REPO, HEAD}))]))
    assert [answer.ask.url for answer in stage.landed] == ["/repos/o/a", "/repositories/7", "/repositories/7/commits?per_page=1"]


@pytest.mark.parametrize("busy", [BUSY, Reply(wire=b""), Reply(wire=b"nonsense\r\n\r\n")], ids=["502", "closed", "garbage"])
def test_what_may_pass_is_asked_three_times(busy):
    """Transport errors and 5xx are tried again after a pause, each attempt landed and numbered."""
    stage = play(in_turn(busy, busy, OK), holding([repo("a")]))
    assert [answer.attempt for answer in stage.landed] == [1, 2, 3]
    assert stage.landed[-1].status == 200
    assert 0 < stage.clock.seconds <= 3
    stage = play(in_turn(busy), holding([repo("a")]))
    assert [answer.attempt for answer in stage.landed] == [1, 2, 3]
    assert stage.session.tally(GITHUB).retried == 2


@pytest.mark.parametrize("status", [204, 304, 400, 403, 404, 409, 410, 418, 422, 451])
def test_what_is_an_answer_is_not_asked_twice(status):
    """Anything but a 5xx is an answer, welcome or not."""
    stage = play(lambda _: Reply(status=status), holding([repo("a")]))
    assert len(stage.server.requests) == len(stage.landed) == 1


def test_what_cannot_help_is_not_asked_twice():
    """A redirect to another host and a body over the cap are no errors of the moment."""
    stage = play(lambda _: Reply(status=301, headers={"Location": "https://evil.example/x"}), holding([repo("a")]))
    assert [answer.error is not None for answer in stage.landed] == [False, True]
    stage = play(lambda _: Reply(headers={"content-length": str(10**10)}), holding([project("p")]))
    assert len(stage.landed) == 1


def test_a_503_may_say_how_long():
    """The pause before the next attempt is not shorter than the service asked for."""
    stage = play(in_turn(Reply(status=503, headers={"Retry-After": "9"}), OK), holding([project("p")]))
    assert stage.clock.seconds == 9


def test_a_service_that_is_down_for_long_is_not_asked_before_its_time():
    """A 503 that tells to come back in ten minutes is the answer of this run: one question is not worth the wait."""
    stage = play(in_turn(Reply(status=503, headers={"Retry-After": "600"}), OK), holding([project("p")]))
    assert len(stage.landed) == 1
    assert stage.clock.seconds < 600


@pytest.mark.parametrize("status", [403, 429])
def test_retry_after_is_waited_for_exactly(status):
    """The same question goes out again when the service said, not a moment earlier or later."""
    stage = play(in_turn(Reply(status=status, headers={"Retry-After": "7"}), OK), holding([repo("a")]))
    assert [seconds for _, seconds in stage.times] == [0, 7]
    assert [answer.status for answer in stage.landed] == [status, 200]
    assert stage.session.tally(GITHUB).waited_seconds == 7


def empty_quota(seconds: float) -> Reply:
    """Refuse for an empty quota that is full again in some seconds."""
    reset = int((START + timedelta(seconds=seconds)).timestamp())
    headers = {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "0", "x-ratelimit-reset": str(reset), "x-ratelimit-resource": "core"}
    return Reply(status=403, headers=headers, body=b'{"message": "API rate limit exceeded"}')


def test_the_reset_is_waited_for_exactly_and_said():
    """An empty quota is waited for with a line that says how long, why and until when."""
    stage = play(in_turn(empty_quota(2520), OK), holding([repo("a"), project("p")]), token=None)
    assert [seconds for target, seconds in stage.times if "github" in target] == [0, 2520]
    assert stage.said[0] == (GITHUB, "waiting 42 min for GitHub's quota (0 of 60 left, resets 14:05 UTC)")
    assert stage.session.tally(GITHUB).finished == 1


def test_a_secondary_limit_waits_longer_each_time():
    """Without a word how long: a minute, then two."""
    slow = Reply(status=403, body=b'{"message": "You have exceeded a secondary rate limit."}')
    stage = play(in_turn(slow, slow, OK), holding([repo("a")]))
    assert [seconds for _, seconds in stage.times] == [0, 60, 180]


def test_a_limit_that_never_ends_ends_the_source():
    """After five waits in a row the source is left alone for this run."""
    stage = play(lambda request: Reply(status=429) if "github" in request.target else OK, holding([*repos(3), project("p")]), concurrency=1)
    assert len(stage.targets(GITHUB)) == 6
    assert stage.session.endings == {GITHUB: "GitHub limited us 6 times in a row (429)"}
    assert stage.session.tally(GITHUB).unfinished == 3
    assert stage.session.tally(PYPI).finished == 1


def test_one_ask_that_is_always_limited_is_given_up():
    """A question refused again and again while others are answered does not hold up the run for ever."""

    def script(request: Request) -> Reply:
        return Reply(status=429, headers={"Retry-After": "1"}) if request.target.endswith("r0") else OK

    stage = play(script, holding(repos(40)), concurrency=2)
    assert stage.targets(GITHUB).count("/repos/o/r0") == 6
    assert stage.session.endings == {}


def test_a_wait_too_long_ends_the_source_only():
    """A run does not sit out a wait of hours, and the other source goes on."""
    stage = play(
        lambda request: empty_quota(7200) if "github" in request.target else OK,
        holding([*repos(3), project("p")]),
        token=None,
        concurrency=1,
    )
    assert stage.session.endings == {GITHUB: "GitHub would make us wait 120 min, longer than this run may wait"}
    assert len(stage.targets(GITHUB)) == 1
    assert stage.session.tally(PYPI).finished == 1
    assert stage.clock.seconds == 0


def test_points_per_minute_are_obeyed_unasked():
    """No minute sees more than the points, although the server never says a word."""
    stage = play(lambda _: OK, holding(repos(23)), points=5)
    times = [seconds for _, seconds in stage.times]
    assert len(times) == 23
    assert max(sum(start <= other < start + 60 for other in times) for start in times) == 5


def test_the_quota_is_obeyed_unasked():
    """The last unit of the quota is followed by a wait, not by a refusal."""
    left = iter(range(4, -1, -1))

    def script(_: Request) -> Reply:
        remaining = next(left, 59)
        reset = int((START + timedelta(seconds=600 if remaining < 59 else 4200)).timestamp())
        return Reply(headers={"x-ratelimit-limit": "60", "x-ratelimit-remaining": str(remaining), "x-ratelimit-reset": str(reset)})

    stage = play(script, holding(repos(7)), token=None, concurrency=1)
    times = [seconds for _, seconds in stage.times]
    assert times[4] < 600
    assert times[5:] == [600, 600]


def test_concurrency_is_reached_and_not_exceeded():
    """As many requests as allowed are in flight together, never more."""
    now = most = 0
    reached = asyncio.Event()

    async def script(_: Request) -> Reply:
        nonlocal now, most
        now += 1
        most = max(most, now)
        if now == 3:
            reached.set()
        await reached.wait()
        await asyncio.sleep(0)
        now -= 1
        return OK

    stage = play(script, holding(repos(30)), concurrency=3)
    assert (most, stage.session.tally(GITHUB).finished) == (3, 30)


def test_the_budget_of_a_run_stops_politely():
    """Exactly as many units as allowed are used; what came in is landed, PyPI costs nothing and goes on."""
    stage = play(lambda _: OK, holding([*repos(20), project("p"), project("q")]), cap=7)
    assert len(stage.targets(GITHUB)) == 7
    assert stage.session.tally(GITHUB).units == sum(answer.ask.source == GITHUB for answer in stage.landed) == 7
    assert stage.session.endings == {GITHUB: "stopped as told: the budget of 7 units is used up"}
    assert stage.session.tally(GITHUB).unfinished == 13
    assert stage.session.tally(PYPI).finished == 2


def test_stop_sends_nothing_more_and_lands_what_is_in_flight():
    """Once the flag is set, requests on their way are answered and landed, and the rest is left."""
    in_flight = asyncio.Event()

    async def act(stage: Stage) -> None:
        held = asyncio.create_task(hold(repos(50), stage.session))
        await in_flight.wait()
        stage.session.stop.set()
        go_on.set()
        await held

    go_on = asyncio.Event()

    async def script(_: Request) -> Reply:
        nonlocal arrived
        arrived += 1
        if arrived == 4:
            in_flight.set()
        await go_on.wait()
        return OK

    arrived = 0
    stage = play(script, act)
    assert len(stage.landed) == len(stage.server.requests) == 4
    assert stage.session.tally(GITHUB).finished == 4


def test_stop_does_not_wait_for_ever():
    """An answer that does not come within the grace is not waited for."""

    async def script(_: Request) -> Reply:
        stage_stop.set()
        await asyncio.Event().wait()
        return OK

    stage_stop = threading.Event()
    stage = play(script, holding(repos(3)), stop=stage_stop, grace=0.0)
    assert stage.landed == []
    assert stage.session.tally(GITHUB).unfinished == 3


def test_stop_ends_a_wait():
    """A run that waits for the quota stops at once."""

    def progress(_: str, text: str | None) -> None:
        if text:
            stop.set()

    stop = threading.Event()
    stage = play(in_turn(empty_quota(3000)), holding(repos(3)), token=None, stop=stop, progress=progress)
    assert stage.clock.seconds <= 1


def answer_of(stage_url: str, body: bytes = b'{"id": 1}', status: int = 200, **more: object) -> Answer:
    """Recall an answer as the landing keeps it."""
    ask = Ask(source=GITHUB, subject="github:o/a", facet=more.pop("facet", REPO), url=stage_url)
    values = {"fetched_at": START, "duration_ms": 1, "attempt": 1, "identity": "token:x", **more}
    return Answer(ask=ask, status=status, headers={}, body=body, **values)


def test_landed_answers_are_not_asked_for_again():
    """What an interrupted run has landed costs nothing, is not landed twice, and leads on to what is missing."""
    recall = {("github:o/a", REPO, "/repos/o/a", 1): answer_of("/repos/o/a")}
    stage = play(lambda _: OK, holding([repo("a", frozenset({REPO, HEAD}))]), recall=recall)
    assert stage.targets(GITHUB) == ["/repos/o/a/commits?per_page=1"]
    assert [answer.ask.facet for answer in stage.landed] == [HEAD]
    tally = stage.session.tally(GITHUB)
    assert (tally.recalled, tally.requests, tally.units) == (1, 1, 1)


@pytest.mark.parametrize(
    "answer",
    [
        answer_of("/repos/o/a", status=429),
        answer_of("/repos/o/a", status=502),
        answer_of("/repos/o/a", status=401),
        answer_of("/", error="timeout"),
    ],
    ids=["limited", "5xx", "bad token", "no answer"],
)
def test_what_says_nothing_is_asked_anew(answer):
    """A landed refusal or failure is no answer to the question."""
    stage = play(lambda _: OK, holding([repo("a")]), recall={("github:o/a", REPO, "/repos/o/a", 1): answer})
    assert len(stage.landed) == 1
    assert stage.session.tally(GITHUB).recalled == 0


def test_a_landed_answer_is_given_once():
    """Weeks that were pending when landed are asked for in the second pass, not recalled for ever."""
    url = "/repos/o/a/stats/participation"
    recall = {("github:o/a", WEEKS, url, 1): answer_of(url, status=202, facet=WEEKS)}

    async def act(stage: Stage) -> None:
        await hold_later(await hold([repo("a", frozenset({WEEKS}))], stage.session), stage.session)

    stage = play(lambda _: OK, act, recall=recall)
    assert stage.targets(GITHUB) == [url]


def test_an_answer_to_the_token_is_not_recalled_for_the_anonymous_question():
    """Refusals by an organisation that were landed still lead to the questions without credentials."""
    words = b'{"message": "forbids access via a personal access token (classic)"}'
    urls = {REPO: "/repos/o/a", HEAD: "/repos/o/a/commits?per_page=1"}
    recall = {("github:o/a", facet, url, 1): answer_of(url, body=words, status=403, facet=facet) for facet, url in urls.items()}
    stage = play(lambda _: OK, holding([repo("a", frozenset({REPO, HEAD}))]), recall=recall)
    assert stage.targets(GITHUB) == list(urls.values())
    assert ["authorization" in request.headers for request in stage.server.requests] == [False, False]


def test_a_refused_token_ends_github_only():
    """A 401 stops every question to GitHub, on both meters, tells what to do, and PyPI goes on."""
    refused = Reply(status=401, body=b'{"message": "Bad credentials"}')
    stage = play(lambda request: refused if "github" in request.target else OK, holding([*repos(30), *map(project, "pqrst")]))
    assert len(stage.targets(GITHUB)) <= 4
    reason = "GitHub refused the token (401 Bad credentials); check GITHUB_TOKEN, or unset it to ask anonymously"
    assert stage.session.endings == {GITHUB: reason, GRAPHQL: reason}
    assert stage.session.tally(PYPI).finished == 5
    assert stage.session.tally(GITHUB).unfinished + stage.session.tally(GITHUB).finished == 30


def test_a_service_that_wants_a_token_says_so():
    """Without a token a 401 has another remedy."""
    stage = play(lambda _: Reply(status=401), holding(repos(1)), token=None)
    assert stage.session.endings == {GITHUB: "GitHub answers only with a token (401)"}


def test_a_service_out_of_reach_is_given_up():
    """Twenty questions in a row without an answer are enough to know, and one line says it."""
    stage = play(lambda request: Reply(wire=b"") if "github" in request.target else OK, holding([*repos(200), project("p")]))
    assert len({answer.ask.subject for answer in stage.landed if answer.ask.source == GITHUB}) < 40
    assert stage.session.endings[GITHUB].startswith("GitHub is out of reach: 20 questions in a row failed (transport: ")
    assert stage.session.tally(PYPI).finished == 1


def test_a_few_failures_among_answers_do_not_end_a_source():
    """Only failures in a row count."""
    stage = play(lambda request: BUSY if request.target[-1] in "13579" else OK, holding(repos(100)), patience=5)
    assert stage.session.endings == {}
    assert stage.session.tally(GITHUB).finished == 100


def test_pending_weeks_are_taken_up_in_later_passes():
    """202 goes to the back of the queue and is asked for twice more, after a pause each."""

    def script(request: Request) -> Reply:
        return Reply(status=202) if "stats" in request.target else OK

    async def act(stage: Stage) -> None:
        later = await hold([repo("a", ALL), repo("b", ALL)], stage.session)
        assert [subject for subject, _ in later] == ["github:o/a", "github:o/b"]
        assert len(stage.landed) == 8
        await hold_later(later, stage.session)

    stage = play(script, act)
    assert [answer.ask.facet for answer in stage.landed[8:]] == [WEEKS] * 4
    assert [seconds for target, seconds in stage.times if target.endswith("a/stats/participation")] == [0, 2, 6]


def test_a_refusal_by_an_organisation_is_answered_anonymously():
    """The question goes out again without the token and the run goes on."""
    policy = Reply(status=403, body=b'{"message": "`ORG` forbids access via a personal access token (classic)."}')
    stage = play(lambda request: policy if "authorization" in request.headers else OK, holding([repo("a", frozenset({REPO, HEAD}))]))
    assert [(answer.status, answer.identity == "anonymous") for answer in stage.landed] == [(403, False), (200, True), (200, True)]
    assert stage.session.endings == {}


def test_a_long_wait_beside_the_token_gives_up_the_plan_only():
    """The sixty anonymous requests an hour are not waited for while the token has plenty."""

    def script(request: Request) -> Reply:
        if request.target.endswith("r0"):
            return Reply(status=403, body=b'{"message": "SAML"}') if "authorization" in request.headers else empty_quota(3000)
        return OK

    stage = play(script, holding(repos(4)))
    tally = stage.session.tally(GITHUB)
    assert (tally.finished, tally.unfinished, stage.session.endings, stage.clock.seconds) == (3, 1, {}, 0)


class DiskFullError(Exception):
    """Nothing more can be written."""


@pytest.mark.parametrize("part", ["land", "tick", "progress"])
def test_an_error_of_ours_stops_everything(part):
    """When landing fails all work ends at once, requests in flight are cancelled, and the error rises as it is."""
    calls = 0

    def fail(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 3 or part == "tick":
            raise DiskFullError

    async def script(request: Request) -> Reply:
        if part == "tick" or request.target.endswith("r0"):
            await asyncio.Event().wait()
        return OK

    async def act(stage: Stage) -> None:
        with pytest.raises(DiskFullError):
            await hold(repos(500), stage.session)
        assert all(budget.in_flight == 0 for budget in stage.session.budgets.values())
        assert len(asyncio.all_tasks()) == 1 + stage.server.open_connections

    stage = play(script, act, **{part: fail})
    assert len(stage.server.requests) < 500


def test_a_bug_in_a_plan_is_a_crash():
    """A mistake of ours is not hidden among the answers."""

    def broken() -> Plan:
        yield from ()
        raise ZeroDivisionError

    async def act(stage: Stage) -> None:
        with pytest.raises(ZeroDivisionError):
            await hold([("github:o/x", broken()), *repos(3)], stage.session)

    play(lambda _: OK, act)


def test_github_does_not_hold_up_pypi():
    """While every GitHub conversation waits, PyPI's are held to their end, wherever they stand in the catalog."""
    left = 60
    done = asyncio.Event()

    async def script(request: Request) -> Reply:
        nonlocal left
        if "github" in request.target:
            await done.wait()
        else:
            left -= 1
            if not left:
                done.set()
        return OK

    stage = play(script, holding([*repos(100), *(project(f"p{number}") for number in range(60)), *repos(10)]))
    assert stage.session.tally(PYPI).finished == 60
    assert stage.session.tally(GITHUB).finished == 110


def test_any_answer_is_survived():
    """Whatever a service answers, every plan comes to its end and every answer lands."""
    rng = random.Random(7)  # noqa: S311 - a repeatable mixture

    def script(_: Request) -> Reply:
        headers = {
            name: rng.choice(values)
            for name, values in {
                "Link": ['<http://x/>; rel="next"', "<", "", '</y>; rel="next"'],
                "Location": ["/repos/o/zz", "http://[", "https://evil.example/", ""],
                "x-ratelimit-remaining": ["7", "-1", "many"],
            }.items()
            if rng.random() < 0.5
        }
        status = rng.choice(
            [200, 200, 201, 202, 204, 206, 301, 302, 304, 307, 308, 400, 403, 404, 405, 409, 410, 418, 422, 451, 500, 502, 599]
        )
        body = rng.choice([b"", b"{}", b"[]", b"null", b"<html>", b'{"message": 1}', json.dumps({"block": []}).encode(), b"\xff\xfe"])
        return Reply(status=status, headers=headers, body=body if status not in (204, 304) else b"")

    plans = [*(repo(f"r{number}", ALL, known_id=number) for number in range(60)), *(project(f"p{number}") for number in range(20))]
    stage = play(script, holding(plans))
    assert stage.session.endings == {}
    assert stage.session.tally(GITHUB).finished == 60
    assert stage.session.tally(PYPI).finished == 20
    assert stage.session.tally(GITHUB).requests == sum(answer.ask.source == GITHUB for answer in stage.landed)


def test_two_holds_share_one_session():
    """Batches held side by side share budget and tally."""

    async def act(stage: Stage) -> None:
        await asyncio.gather(hold(repos(10), stage.session), hold([project("p")], stage.session))

    stage = play(lambda _: OK, act, cap=5)
    assert stage.session.tally(GITHUB).units == 5
    assert [answer.ask.facet for answer in stage.landed].count(PROJECT) == 1
