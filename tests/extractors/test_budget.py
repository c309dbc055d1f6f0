"""The budget obeys limits before it is told, waits exactly as long as it is told, and never promises what is not there."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.allowance import Account, Allowance, units
from extractors.budget import Budget, Terms, open_budgets
from extractors.conversation import ANONYMOUS, GITHUB, GRAPHQL, PYPI
from extractors.verdict import Judgement, Verdict

NOW = datetime(2026, 11, 24, 13, 23, tzinfo=UTC)
IDENTITY = "token:0123456789ab"


def budget(limit: int | None = 5000, points: int = 0, concurrency: int = 16, cap: int | None = None) -> Budget:
    """Open GitHub's budget."""
    return Budget(Terms(service="GitHub", limit=limit, points_per_minute=points), concurrency=concurrency, allowance=Allowance(cap))


def quota(limit: int, remaining: int, reset: datetime, resource: str = "core") -> dict[str, str]:
    """Write the headers of a quota as GitHub does."""
    values = {"limit": limit, "remaining": remaining, "reset": int(reset.timestamp()), "resource": resource}
    return {f"x-ratelimit-{key}": str(value) for key, value in values.items()}


def limited(*, retry_after: float | None = None, reset_at: datetime | None = None) -> Judgement:
    """Judge an answer as limited."""
    return Judgement(verdict=Verdict.LIMITED, retry_after=retry_after, reset_at=reset_at, detail="403 slow down")


def ask(it: Budget, at: float, headers: dict[str, str] | None = None, judgement: Judgement | None = None, cost: int = 1) -> None:
    """Send a request at ``at`` and settle it at once."""
    it.spend(at)
    it.settle(sent_at=at, at=at, now=NOW + timedelta(seconds=at), status=200, headers=headers or {}, cost=cost, judgement=judgement)


def test_a_fresh_budget_lets_go():
    """Nothing is waited for before anything is known."""
    assert budget().delay(0) == 0


@pytest.mark.parametrize("seconds", [1, 7, 60, 3600])
def test_retry_after_is_waited_for_exactly(seconds):
    """As many seconds as told, from when it was told."""
    it = budget()
    ask(it, 5, judgement=limited(retry_after=seconds))
    assert it.delay(5) == seconds
    assert it.delay(5 + seconds - 0.25) == 0.25
    assert it.delay(5 + seconds) == 0


def test_the_reset_is_waited_for_exactly():
    """An empty quota is waited for until it is full, counted from the wall clock's time of the answer."""
    it = budget(limit=60)
    reset = NOW + timedelta(seconds=2520)
    ask(it, 0, quota(60, 0, reset), limited(reset_at=reset))
    assert it.delay(0) == 2520
    assert it.describe(0) == "waiting 42 min for GitHub's quota (0 of 60 left, resets 14:05 UTC)"
    assert it.delay(2519) == 1
    assert it.delay(2520) == 0
    assert it.remaining == 60


def test_the_quota_is_obeyed_before_being_told():
    """The answer that says nothing is left is enough; nobody has to be refused."""
    it = budget(limit=60)
    ask(it, 0, quota(60, 0, NOW + timedelta(seconds=100)))
    assert it.delay(0) == 100


def test_a_secondary_limit_doubles():
    """Without a word how long, a minute is waited for, then two, four, eight; the sixth in a row ends the source."""
    it, at, waits = budget(), 0.0, []
    for _ in range(5):
        ask(it, at, judgement=limited())
        waits.append(it.delay(at))
        at += it.delay(at)
    assert waits == [60, 120, 240, 480, 960]
    assert it.ended is None
    ask(it, at, judgement=limited())
    assert it.ended == "GitHub limited us 6 times in a row (403 slow down)"
    assert it.delay(at) == math.inf
    assert it.describe(at) == it.ended


def test_a_good_answer_forgives():
    """After an answer the next secondary limit starts at a minute again."""
    it = budget()
    ask(it, 0, judgement=limited())
    ask(it, 60, judgement=limited())
    ask(it, 180)
    ask(it, 181, judgement=limited())
    assert it.delay(181) == 60


def test_requests_limited_together_are_one_strike():
    """Sixteen requests refused at once are one mistake, and those sent before it neither add to it nor forgive it."""
    it = budget()
    for _ in range(4):
        it.spend(0)
    for at in (1.0, 1.5, 2.0):
        it.settle(sent_at=0, at=at, now=NOW, status=403, headers={}, cost=1, judgement=limited())
    it.settle(sent_at=0, at=3, now=NOW, status=200, headers={}, cost=1)
    assert it.strikes == 1
    assert it.delay(3) == 59


def test_a_secondary_limit_halves_the_lanes_which_grow_back():
    """After a secondary limit fewer requests are in flight, and slowly more again."""
    it = budget(concurrency=8)
    ask(it, 0, judgement=limited(retry_after=1))
    lanes = []
    for count in (0, 100, 100):
        for _ in range(count):
            ask(it, 10)
        sent = 0
        while it.delay(10) == 0:
            it.spend(10)
            sent += 1
        for _ in range(sent):
            it.forget()
        lanes.append(sent)
    assert lanes == [4, 5, 6]


def test_an_empty_quota_does_not_halve_the_lanes():
    """The primary limit has nothing to do with how many requests are in flight."""
    it = budget(concurrency=2)
    ask(it, 0, judgement=limited(reset_at=NOW + timedelta(seconds=5)))
    it.spend(5)
    assert it.delay(5) == 0


def test_no_more_in_flight_than_allowed():
    """With every lane taken only an answer that comes back helps; GitHub's hundred is never exceeded."""
    it = budget(concurrency=500)
    ask(it, 0)
    for _ in range(100):
        assert it.delay(0) == 0
        it.spend(0)
    assert it.delay(0) == math.inf
    it.settle(sent_at=0, at=1, now=NOW, status=200, headers={}, cost=1)
    assert it.delay(1) == 0


def test_points_per_minute():
    """The points of a minute are not exceeded, and the wait says why."""
    it = budget(points=5)
    for at in range(5):
        assert it.delay(at) == 0
        ask(it, at)
    assert it.delay(4) == 57
    assert it.describe(4) == "waiting 57 s for GitHub's 5 points a minute"
    assert it.delay(61) == 0


def test_zero_points_is_no_limit():
    """A server without a secondary limit is not slowed down."""
    it = budget(limit=None, points=0)
    for _ in range(5000):
        ask(it, 0)
    assert it.delay(0) == 0


def test_the_last_units_go_slowly_and_a_hundredth_is_kept():
    """Near the end of the quota requests go out one after the other, and the reserve stays for others with this token."""
    it = budget()
    reset = NOW + timedelta(seconds=1800)
    ask(it, 0, quota(5000, 76, reset))
    assert it.delay(0) == 0
    ask(it, 0, quota(5000, 75, reset))
    assert it.delay(0) == 1
    assert it.delay(1) == 0
    ask(it, 1, quota(5000, 51, reset))
    assert it.delay(2) == 0
    ask(it, 2, quota(5000, 50, reset))
    assert it.delay(2) == 1798
    assert it.describe(2) == "waiting 30 min for GitHub's quota (50 of 5,000 left, resets 13:53 UTC)"


def test_a_reserve_is_left_to_others():
    """A backfill stops at half of the hour's quota and waits for the next, whoever spent the other half."""
    it = Budget(Terms(service="GitHub", limit=5000, reserve=0.5), concurrency=4)
    ask(it, 0, quota(5000, 2501, NOW + timedelta(minutes=30)))
    assert it.delay(1) < 2
    ask(it, 2, quota(5000, 2500, NOW + timedelta(minutes=30)))
    assert it.delay(2) == pytest.approx(30 * 60 - 2)
    budgets = open_budgets(identities={GITHUB: IDENTITY}, concurrency={GITHUB: 4, GRAPHQL: 1}, points_per_minute=450, reserve=0.5)
    for each in (budgets[GITHUB, IDENTITY], budgets[GRAPHQL, IDENTITY]):
        ask(each, 0, quota(5000, 2400, NOW + timedelta(minutes=30), each.resource))
        assert each.delay(1) > 60


def test_headers_out_of_order_do_not_add_to_the_quota():
    """Of two answers to one quota the lower count holds, whichever comes first; an older quota is past."""
    it = budget()
    reset = NOW + timedelta(seconds=1800)
    ask(it, 0, quota(5000, 4000, reset))
    ask(it, 0, quota(5000, 4400, reset))
    assert it.remaining == 3999
    ask(it, 1, quota(5000, 4990, reset - timedelta(seconds=5)))
    assert it.remaining == 3998
    ask(it, 2, quota(5000, 4990, reset + timedelta(seconds=3600)))
    assert it.remaining == 4990


def test_requests_in_flight_count_against_what_an_answer_tells():
    """The first of ten answers knows of one request only; the nine others are taken off what it says is left."""
    it = budget(limit=60)
    for _ in range(10):
        it.spend(0)
    it.settle(sent_at=0, at=1, now=NOW, status=200, headers=quota(60, 59, NOW + timedelta(seconds=100)), cost=1)
    assert it.remaining == 50


def test_a_reset_with_requests_in_flight():
    """Requests on their way when the quota is full again may count against it, and their answers tell of the old one."""
    it = budget(limit=60)
    reset = NOW + timedelta(seconds=100)
    ask(it, 0, quota(60, 10, reset))
    it.spend(99)
    it.spend(99)
    assert it.delay(100) == 0
    assert it.remaining == 58
    it.settle(sent_at=99, at=101, now=NOW + timedelta(seconds=101), status=200, headers=quota(60, 9, reset), cost=1)
    assert it.remaining == 58


def test_another_resource_tells_nothing():
    """The quota of searches is not that of repositories."""
    it = budget()
    ask(it, 0, quota(30, 0, NOW + timedelta(seconds=60), "search"))
    assert it.delay(0) == 0


def test_a_service_without_quota_headers_has_no_quota():
    """A server with rate limits switched off sends no headers, and is not held to sixty requests."""
    it = budget(limit=60)
    ask(it, 0)
    assert it.remaining is None
    assert it.describe(0) == "GitHub"


def test_without_a_reset_one_request_finds_out():
    """When the assumed quota is gone and nothing was heard of a reset, requests go out one at a time."""
    it = budget(limit=2, concurrency=5)
    for _ in range(2):
        it.spend(0)
    assert it.delay(100) == math.inf
    for _ in range(2):
        it.settle(sent_at=0, at=100, now=NOW, status=500, headers={"x-ratelimit-limit": "2"}, cost=1)
    assert it.remaining == 0
    assert it.delay(200) == 0


def test_requests_without_an_answer_are_given_back():
    """A service out of reach does not use up the quota."""
    it = budget(limit=60)
    for _ in range(100):
        it.spend(0)
        it.settle(sent_at=0, at=0, now=NOW, status=None, headers={}, cost=0)
    assert it.remaining == 60


def test_the_cap_of_a_run_is_never_exceeded():
    """What is in flight counts, so that a cap of three means three; then the budget ends politely."""
    it = budget(cap=3)
    for _ in range(3):
        assert it.delay(0) == 0
        it.spend(0)
    assert it.delay(0) == math.inf
    assert it.ended is None
    it.settle(sent_at=0, at=0, now=NOW, status=304, headers={}, cost=0)
    assert it.delay(0) == 0
    it.spend(0)
    for _ in range(3):
        it.settle(sent_at=0, at=0, now=NOW, status=200, headers={}, cost=1)
    it.delay(0)
    assert it.ended == "stopped as told: the budget of 3 units is used up"


def test_plenty_is_described_briefly():
    """Without a wait the line says what is left."""
    it = budget()
    ask(it, 0, quota(5000, 4312, NOW + timedelta(seconds=600)))
    assert it.describe(0) == "GitHub: 4,312 of 5,000 left"
    ask(it, 0, judgement=limited(retry_after=90))
    assert it.describe(0) == "waiting 90 s because GitHub asked us to slow down"


def test_budgets_of_a_run():
    """One budget for each identity, two for GitHub with a token, one cap over both."""
    budgets = open_budgets(
        identities={GITHUB: IDENTITY, PYPI: ANONYMOUS}, concurrency={GITHUB: 16, PYPI: 4}, points_per_minute=900, unit_cap=1
    )
    assert {key: it.limit for key, it in budgets.items()} == {(GITHUB, IDENTITY): 5000, (GITHUB, ANONYMOUS): 60, (PYPI, ANONYMOUS): None}
    ask(budgets[GITHUB, IDENTITY], 0)
    for it in budgets.values():
        it.delay(0)
    assert [it.ended is not None for it in budgets.values()].count(True) == 2
    assert budgets[PYPI, ANONYMOUS].ended is None


@pytest.mark.parametrize(
    ("source", "status", "identity", "cost"),
    [
        (GITHUB, 200, IDENTITY, 1),
        (GITHUB, 404, IDENTITY, 1),
        (GITHUB, 304, IDENTITY, 0),
        (GITHUB, 304, ANONYMOUS, 1),
        (GITHUB, None, IDENTITY, 0),
        (PYPI, 200, ANONYMOUS, 0),
    ],
)
def test_units(source, status, identity, cost):
    """Every answer of GitHub costs one unit but a 304 to a token; PyPI has no quota."""
    assert units(source=source, status=status, identity=identity) == cost


class Server:
    """GitHub's quota as GitHub counts it, over the budget's own seconds."""

    def __init__(self, limit: int, length: int) -> None:
        self.limit, self.length = limit, length
        self.used, self.reset = 0, math.inf

    def count(self, at: float) -> dict[str, str]:
        """Count a request and return the headers of its answer."""
        if at >= self.reset:
            self.used, self.reset = 0, math.inf
        if self.reset == math.inf:
            self.reset = math.ceil(at) + self.length
        self.used += 1
        return quota(self.limit, self.limit - self.used, NOW + timedelta(seconds=self.reset))


PAUSES = st.just(0.0) | st.floats(0, 40)
STEPS = st.lists(st.tuples(PAUSES, st.integers(0, 30), st.integers(0, 30), st.booleans()), max_size=60)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, points=st.integers(1, 200), limit=st.integers(20, 60), length=st.integers(30, 400), concurrency=st.integers(1, 20))
def test_laws(steps, points, limit, length, concurrency):
    """Whatever comes in whatever order: never more than the points in any minute, never below zero, never one request too many."""
    it = budget(limit=20, points=points, concurrency=concurrency)
    server = Server(limit, length)
    sent: list[float] = []
    in_flight: list[tuple[float, dict[str, str]]] = []
    at = 0.0
    for pause, asks, answers, is_last_first in steps:
        at += pause
        for _ in range(asks):
            if it.delay(at) > 0:
                break
            it.spend(at)
            sent.append(at)
            in_flight.append((at, server.count(at)))
            assert server.used <= server.limit
        for _ in range(min(answers, len(in_flight))):
            sent_at, headers = in_flight.pop(-1 if is_last_first else 0)
            it.settle(sent_at=sent_at, at=at, now=NOW + timedelta(seconds=at), status=200, headers=headers, cost=1)
        assert it.remaining is not None
        assert 0 <= it.remaining <= max(limit, 20)
        assert 0 <= it.in_flight <= concurrency
    for start in sent:
        assert sum(start <= other <= start + 60 for other in sent) <= points


@given(st.lists(st.tuples(st.none() | st.floats(0, 1e9), st.booleans(), st.text(), st.text(), st.text())))
def test_any_headers_are_survived(answers):
    """No header raises, and no wait is negative."""
    it = budget()
    for retry_after, is_limited, limit, remaining, reset in answers:
        headers = {"x-ratelimit-limit": limit, "x-ratelimit-remaining": remaining, "x-ratelimit-reset": reset}
        ask(it, 0, headers, limited(retry_after=retry_after) if is_limited else None)
        assert it.delay(0) >= 0
        assert it.describe(0)


def graphql(limit: int | None = 5000, points: int = 2000, seconds: float = 60.0, concurrency: int = 16, **shared: object) -> Budget:
    """Open GitHub's budget for GraphQL."""
    terms = Terms(service="GitHub GraphQL", limit=limit, points_per_minute=points, seconds_per_minute=seconds, resource="graphql")
    return Budget(terms, concurrency=concurrency, **shared)


def test_a_query_is_paid_at_its_price():
    """What it is expected to cost is taken when it is sent, and put right when the answer tells what it did cost."""
    it = graphql(points=10)
    ask(it, 0, quota(5000, 4000, NOW + timedelta(seconds=1800), "graphql"))
    it.spend(1, 7)
    assert it.remaining == 3993
    assert it.delay(1, 3) > 59
    it.settle(sent_at=1, at=1, now=NOW, status=200, headers={}, cost=2, price=7)
    assert it.remaining == 3998
    it.spend(70, 1)
    it.settle(sent_at=70, at=70, now=NOW, status=200, headers={}, cost=9, price=1)
    assert it.remaining == 3989
    assert it.delay(71, 2) == 60  # the nine points count in the minute, too


def test_graphql_time_is_kept():
    """Sixty seconds of answers in a minute are enough, and the wait says why."""
    it = graphql(limit=None, concurrency=4)
    for number in range(10):
        it.spend(number * 6)
        it.settle(sent_at=number * 6, at=number * 6 + 6, now=NOW, status=200, headers={}, cost=1)
    assert it.delay(60) == 7
    assert it.describe(60) == "waiting 7 s for GitHub GraphQL's 60 seconds a minute"


def test_a_minute_begins_quickly_and_goes_on_steadily():
    """All lanes are open until time is used; then there are fewer, down to two of REST and one of GraphQL, and never none."""
    account = Account(90)
    rest = Budget(Terms(service="GitHub", limit=None), concurrency=16, account=account)
    queries = Budget(Terms(service="x", limit=None, seconds_per_minute=60, steady=1), concurrency=4, account=account)
    seen = []
    for at in (1, 16, 31, 46):
        for second in range(at - 1, at + 14 if at > 1 else 1):
            queries.spend(second)
            queries.settle(sent_at=second, at=second + 1, now=NOW, status=200, headers={}, cost=1)
        seen.append((lanes_of(rest, at + 15), lanes_of(queries, at + 15)))
    assert seen == [(16, 4), (11, 2), (5, 1), (2, 1)]


def test_the_time_of_both_meters_is_kept():
    """Ninety seconds of answers in a minute, of whichever meter, are enough for one account."""
    account = Account(90)
    rest = Budget(Terms(service="GitHub", limit=None), concurrency=50, account=account)
    queries = graphql(limit=None, account=account)
    for it, count in ((rest, 10), (queries, 6)):
        for _ in range(count):
            it.spend(0)
        for _ in range(count):
            it.settle(sent_at=0, at=5, now=NOW, status=200, headers={}, cost=1)
    assert queries.delay(5) == 0  # 80 of 90 in all, 30 of 60 for GraphQL
    for _ in range(2):
        assert rest.delay(5) == 0
        rest.spend(5)
    assert queries.delay(5) == 61
    assert queries.describe(5) == "waiting 61 s for GitHub GraphQL's 90 seconds a minute"


def test_an_account_has_a_hundred_requests_in_flight_over_both_meters():
    """REST and GraphQL share what one account may have under way."""
    account = Account()
    rest, queries = budget(limit=None, concurrency=100), graphql(limit=None, seconds=0.0, account=account)
    rest._account = account
    for _ in range(97):
        assert rest.delay(0) == 0
        rest.spend(0)
    for _ in range(3):
        assert queries.delay(0) == 0
        queries.spend(0)
    assert (queries.delay(0), rest.delay(0), account.in_flight) == (math.inf, math.inf, 100)
    rest.settle(sent_at=0, at=1, now=NOW, status=200, headers={}, cost=1)
    assert queries.delay(1) == 0


def test_an_account_that_is_too_fast_is_quiet_on_both_meters():
    """A secondary limit on one meter is waited out on the other as well; an empty quota is not."""
    account = Account()
    rest = Budget(Terms(service="GitHub", limit=5000), concurrency=4, account=account)
    queries = graphql(account=account)
    ask(queries, 0, judgement=limited(retry_after=30))
    assert (queries.delay(0), rest.delay(0)) == (30, 30)
    assert rest.describe(0) == "waiting 30 s because GitHub asked us to slow down"
    ask(rest, 40, quota(5000, 0, NOW + timedelta(seconds=900)), limited(reset_at=NOW + timedelta(seconds=900)))
    assert (rest.delay(40), queries.delay(40)) == (860, 0)


def test_one_cap_counts_units_and_points():
    """What a run may use is used by both meters together, at the price expected and at last at the cost told."""
    allowance = Allowance(10)
    rest = Budget(Terms(service="GitHub", limit=None), concurrency=9, allowance=allowance)
    queries = graphql(limit=None, points=0, seconds=0, allowance=allowance)
    rest.spend(0)
    assert (queries.delay(0, 9), queries.delay(0, 10)) == (0, math.inf)
    queries.spend(0, 9)
    assert (rest.delay(0), rest.ended) == (math.inf, None)
    queries.settle(sent_at=0, at=0, now=NOW, status=200, headers={}, cost=7, price=9)
    assert (rest.delay(0), queries.delay(0, 4), queries.ended) == (0, math.inf, None)
    rest.settle(sent_at=0, at=0, now=NOW, status=200, headers={}, cost=1)
    assert (queries.delay(0, 4), queries.ended) == (math.inf, "stopped as told: the budget of 10 units is used up")
    assert (rest.delay(0), rest.ended) == (0, None)  # two are left, and a REST request costs one


@pytest.mark.parametrize("limit", [60, 5000])
def test_an_empty_quota_refuses_few(limit):
    """Until an answer tells how the quota stands, four requests feel their way; and again after each reset."""
    it = budget(limit=limit, concurrency=50)
    for _ in range(4):
        assert it.delay(0) == 0
        it.spend(0)
    assert it.delay(0) == math.inf
    reset = NOW + timedelta(seconds=100)
    it.settle(sent_at=0, at=1, now=NOW + timedelta(seconds=1), status=200, headers=quota(limit, limit - 4, reset), cost=1)
    assert it.delay(1) == 0
    for _ in range(40):
        it.spend(1)
    assert it.delay(101) == math.inf  # a new quota, and forty answers that tell of the old one


def test_a_service_without_a_quota_needs_no_feelers():
    """PyPI has no quota to be told of."""
    it = budget(limit=None, concurrency=50)
    for _ in range(50):
        assert it.delay(0) == 0
        it.spend(0)


@pytest.mark.parametrize(("apart", "wait"), [(-90, 100), (40, 100), (100_000, 100_100)])
def test_a_reset_is_of_the_services_clock(apart, wait):
    """The wait is measured by the answer's own date where our clock goes a little wrong, and by ours where the date is nonsense."""
    it = budget(limit=60)
    theirs = NOW + timedelta(seconds=apart)
    reset = theirs + timedelta(seconds=100)
    headers = {**quota(60, 0, reset), "date": theirs.strftime("%a, %d %b %Y %H:%M:%S GMT")}
    ask(it, 0, headers, limited(reset_at=reset))
    assert it.delay(0) == wait


def test_a_service_in_trouble_is_asked_less_at_once():
    """Five of twenty answers that are server errors halve the requests in flight; one now and then does not."""
    trouble = Judgement(verdict=Verdict.TRANSIENT, is_retryable=True)
    it = budget(limit=None, concurrency=16)
    for _ in range(10):
        ask(it, 0, judgement=trouble)
        for _ in range(9):
            ask(it, 0)
    assert lanes_of(it) == 16
    for _ in range(5):
        ask(it, 0, judgement=trouble)
    assert lanes_of(it) == 8
    for _ in range(50):
        it.spend(0)
        it.settle(sent_at=0, at=0, now=NOW, status=None, headers={}, cost=0, judgement=trouble)
    assert lanes_of(it) == 1
    for _ in range(300):
        ask(it, 0)
    assert lanes_of(it) == 4


def lanes_of(it: Budget, at: float = 0) -> int:
    """Count how many requests a budget lets out at once."""
    sent = 0
    while it.delay(at) == 0:
        it.spend(at)
        sent += 1
    for _ in range(sent):
        it.forget(at)
    return sent


def test_graphql_has_a_budget_only_with_a_token():
    """Both meters of an account, what is asked without credentials, and PyPI; secondary limits unless the server has none."""
    counts = {GITHUB: 16, GRAPHQL: 4, PYPI: 4}
    with_token = open_budgets(identities={GITHUB: IDENTITY, PYPI: ANONYMOUS}, concurrency=counts, points_per_minute=900)
    assert set(with_token) == {(GITHUB, IDENTITY), (GITHUB, ANONYMOUS), (GRAPHQL, IDENTITY), (PYPI, ANONYMOUS)}
    assert (with_token[GRAPHQL, IDENTITY].limit, with_token[GRAPHQL, IDENTITY].resource) == (5000, "graphql")
    assert with_token[GRAPHQL, IDENTITY]._account is with_token[GITHUB, IDENTITY]._account is not with_token[GITHUB, ANONYMOUS]._account
    without = open_budgets(identities={GITHUB: ANONYMOUS, PYPI: ANONYMOUS}, concurrency=counts, points_per_minute=900)
    assert set(without) == {(GITHUB, ANONYMOUS), (PYPI, ANONYMOUS)}
    free = open_budgets(identities={GITHUB: IDENTITY}, concurrency=counts, points_per_minute=0)[GRAPHQL, IDENTITY]
    for _ in range(3000):
        ask(free, 0)
    assert free.delay(0) == 0
