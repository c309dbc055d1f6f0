"""What GitHub is asked of a repository depends on what it answered before; tested by feeding answers, without a network."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from extractors.conversation import ANONYMOUS, FACETS, GITHUB, HEAD, PARTICIPANTS, REPO, WEEKS, Answer, Ask, Plan
from extractors.github import MAX_PAGES, repo_plan

SUBJECT = "github:llazzaro/django-scheduler"
BASE = "/repos/llazzaro/django-scheduler"
BY_ID = "https://api.github.com/repositories/13214632"
ALL = frozenset(FACETS[GITHUB])
IDENTITY = "token:0123456789ab"

OK = (200, {}, b"{}")
WEEKS_OK = (200, {}, b'{"all":[]}')
NOT_FOUND = (404, {}, b'{"message":"Not Found"}')
POLICY = (403, {}, b'{"message":"`ORG` forbids access via a personal access token (classic)."}')
BAD_TOKEN = (401, {}, b'{"message":"Bad credentials"}')

Script = Callable[[Ask], tuple[int | None, dict[str, str], bytes]]


def converse(plan: Plan, script: Script, identity: str = IDENTITY) -> tuple[list[Ask], tuple[Plan, ...]]:
    """Feed a plan what ``script`` answers until it ends; return its asks and what it leaves for later."""
    asks: list[Ask] = []
    try:
        ask = next(plan)
        while True:
            asks.append(ask)
            status, headers, body = script(ask)
            answer = Answer(
                ask=ask,
                status=status,
                headers=headers,
                body=body,
                fetched_at=datetime(2026, 11, 24, tzinfo=UTC),
                duration_ms=1,
                attempt=1,
                identity=ANONYMOUS if ask.is_anonymous else identity,
                error=None if status else "timeout: ReadTimeout",
            )
            ask = plan.send(answer)
    except StopIteration as end:
        return asks, end.value


def plan(facets: frozenset[str] = ALL, known_id: int | None = None) -> Plan:
    """Plan django-scheduler."""
    return repo_plan(subject=SUBJECT, owner="llazzaro", name="django-scheduler", facets=facets, known_id=known_id)


def by_url(answers: dict[str, tuple[int | None, dict[str, str], bytes]]) -> Script:
    """Answer the urls named, and every other one well."""
    return lambda ask: answers.get(ask.url, WEEKS_OK if ask.facet == WEEKS else OK)


def urls(asks: list[Ask]) -> list[str]:
    """Return what was asked, in order."""
    return [ask.url for ask in asks]


def moved(to: str, status: int = 301) -> tuple[int, dict[str, str], bytes]:
    """Redirect."""
    return status, {"location": to}, b"{}"


def test_four_facets_in_order():
    """A repository that answers well costs four requests, in the order repo, head, weeks, participants."""
    asks, later = converse(plan(), by_url({}))
    assert urls(asks) == [BASE, f"{BASE}/commits?per_page=1", f"{BASE}/stats/participation", f"{BASE}/contributors?per_page=100"]
    assert [ask.facet for ask in asks] == [REPO, HEAD, WEEKS, PARTICIPANTS]
    assert {(ask.source, ask.subject, ask.page, ask.accept, ask.is_anonymous) for ask in asks} == {
        (GITHUB, SUBJECT, 1, "application/vnd.github+json", False)
    }
    assert later == ()


def test_only_what_is_due():
    """Facets that are not due are not asked for."""
    asks, _ = converse(plan(frozenset({PARTICIPANTS, HEAD})), by_url({}))
    assert [ask.facet for ask in asks] == [HEAD, PARTICIPANTS]


def test_names_are_quoted():
    """A name cannot break out of its place in the path."""
    asks, _ = converse(repo_plan(subject="github:a/b", owner="a", name="b/../c?d#e", facets=frozenset({REPO}), known_id=None), by_url({}))
    assert urls(asks) == ["/repos/a/b%2F..%2Fc%3Fd%23e"]


def test_a_rename_is_followed_and_kept():
    """After a 301 the other facets are asked for at the new address, so that they cost one request each."""
    asks, _ = converse(plan(), by_url({BASE: moved(BY_ID)}))
    assert urls(asks) == [
        BASE,
        BY_ID,
        f"{BY_ID}/commits?per_page=1",
        f"{BY_ID}/stats/participation",
        f"{BY_ID}/contributors?per_page=100",
    ]


def test_a_rename_met_on_a_facet_is_kept_too():
    """When the repository itself is not due, the new address is learnt from the first facet that moved."""
    asks, _ = converse(plan(ALL - {REPO}), by_url({f"{BASE}/commits?per_page=1": moved(f"{BY_ID}/commits?per_page=1")}))
    assert urls(asks)[1:] == [f"{BY_ID}/commits?per_page=1", f"{BY_ID}/stats/participation", f"{BY_ID}/contributors?per_page=100"]


@pytest.mark.parametrize("status", [302, 307])
def test_a_move_for_now_is_followed_but_not_kept(status):
    """A temporary redirect says nothing about the next question."""
    asks, _ = converse(plan(frozenset({REPO, HEAD})), by_url({BASE: moved(BY_ID, status)}))
    assert urls(asks) == [BASE, BY_ID, f"{BASE}/commits?per_page=1"]


def test_redirects_in_a_circle_end():
    """No address is asked twice for one question."""
    asks, later = converse(plan(), by_url({BASE: moved(BY_ID), BY_ID: moved(BY_ID)}))
    assert (urls(asks), later) == ([BASE, BY_ID], ())


def test_redirects_without_end_end():
    """Five hops are followed, not more."""
    asks, _ = converse(plan(), lambda ask: moved(f"https://api.github.com/repositories/{len(ask.url)}{ask.url[-9:]}1"))
    assert len(asks) == 6


@pytest.mark.parametrize(
    "answer",
    [NOT_FOUND, (403, {}, b'{"message":"Repository access blocked","block":{"reason":"tos"}}'), (451, {}, b""), (410, {}, b"")],
    ids=["missing", "blocked", "dmca", "deleted"],
)
def test_a_repository_that_is_not_there_is_asked_nothing_more(answer):
    """Its other facets would only give the same answer."""
    asks, _ = converse(plan(), by_url({BASE: answer}))
    assert urls(asks) == [BASE]


def test_missing_is_confirmed_by_id():
    """A repository known before and missing under its name is asked for under its id, and found, all facets there."""
    asks, _ = converse(plan(known_id=7), by_url({BASE: NOT_FOUND}))
    assert urls(asks) == [
        BASE,
        "/repositories/7",
        "/repositories/7/commits?per_page=1",
        "/repositories/7/stats/participation",
        "/repositories/7/contributors?per_page=100",
    ]
    assert [ask.facet for ask in asks[:2]] == [REPO, REPO]


def test_missing_under_its_id_too_is_believed():
    """The id is tried once."""
    asks, _ = converse(plan(known_id=7), by_url({BASE: NOT_FOUND, "/repositories/7": NOT_FOUND}))
    assert urls(asks) == [BASE, "/repositories/7"]


def test_a_facet_missing_of_a_repository_that_is_there_needs_no_confirmation():
    """Once the repository answered under its name its id is not needed."""
    asks, _ = converse(plan(known_id=7), by_url({f"{BASE}/commits?per_page=1": NOT_FOUND}))
    assert not [url for url in urls(asks) if "repositories" in url]


def test_an_organisation_that_refuses_the_token_is_asked_without():
    """The same question goes out once more without credentials, and so do the ones after it."""
    asks, _ = converse(plan(), lambda ask: OK if ask.is_anonymous else POLICY)
    assert [(ask.facet, ask.is_anonymous) for ask in asks] == [
        (REPO, False),
        (REPO, True),
        (HEAD, True),
        (WEEKS, True),
        (PARTICIPANTS, True),
    ]


@pytest.mark.parametrize(("identity", "count"), [(IDENTITY, 2), (ANONYMOUS, 1)])
def test_a_refusal_without_a_token_is_final(identity, count):
    """There is nothing else to try when the anonymous question was refused as well."""
    asks, _ = converse(plan(), lambda _: POLICY, identity)
    assert len(asks) == count


def test_a_bad_token_ends_the_plan():
    """A 401 says nothing of the repository and everything about the rest of the plan."""
    asks, _ = converse(plan(), by_url({f"{BASE}/commits?per_page=1": BAD_TOKEN}))
    assert [ask.facet for ask in asks] == [REPO, HEAD]


@pytest.mark.parametrize(
    "answer",
    [(502, {}, b""), (None, {}, b""), (422, {}, b""), (204, {}, b""), (403, {}, b"{}"), (200, {}, b"<html>")],
    ids=["5xx", "no answer", "unsupported", "empty", "forbidden", "garbled"],
)
def test_one_facet_that_fails_does_not_stop_the_next(answer):
    """Statistics that cannot be had are no reason to miss the participants."""
    asks, later = converse(plan(), by_url({f"{BASE}/stats/participation": answer}))
    assert [ask.facet for ask in asks] == [REPO, HEAD, WEEKS, PARTICIPANTS]
    assert later == ()


def test_an_empty_repository_is_asked_all():
    """409 on its commits is an answer; the others say that it is empty too."""
    asks, _ = converse(plan(), by_url({f"{BASE}/commits?per_page=1": (409, {}, b'{"message":"Git Repository is empty."}')}))
    assert [ask.facet for ask in asks] == [REPO, HEAD, WEEKS, PARTICIPANTS]


@pytest.mark.parametrize("pending", [(202, {}, b"{}"), (200, {}, b"{}")], ids=["202", "200 with {}"])
def test_pending_weeks_are_asked_for_again_later(pending):
    """Statistics being computed go to the back of the queue, twice, and then wait for the next run."""
    passes = []
    plans = [plan()]
    while plans:
        asks, later = converse(plans.pop(), by_url({f"{BASE}/stats/participation": pending}))
        passes.append([ask.facet for ask in asks])
        plans.extend(later)
    assert passes == [[REPO, HEAD, WEEKS, PARTICIPANTS], [WEEKS], [WEEKS]]


def test_weeks_later_are_asked_for_where_the_repository_moved_to():
    """The second pass remembers the rename."""
    answers = {BASE: moved(BY_ID), f"{BY_ID}/stats/participation": (202, {}, b"{}")}
    _, later = converse(plan(), by_url(answers))
    asks, after = converse(later[0], by_url({}))
    assert (urls(asks), after) == ([f"{BY_ID}/stats/participation"], ())


def paged(last: int) -> Script:
    """Link contributors up to page ``last`` as GitHub does."""

    def script(ask: Ask) -> tuple[int, dict[str, str], bytes]:
        if ask.facet != PARTICIPANTS:
            return OK
        link = f'<{BY_ID}/contributors?per_page=100&page={ask.page + 1}>; rel="next", <{BY_ID}/x>; rel="last"'
        return 200, {"link": link} if ask.page < last else {}, json.dumps([{"login": "a"}]).encode()

    return script


def test_pages_follow_the_link_header():
    """Pages are asked for at the address linked, numbered from 1, until there is no next one."""
    asks, _ = converse(plan(frozenset({PARTICIPANTS})), paged(3))
    assert [(ask.page, ask.url) for ask in asks] == [
        (1, f"{BASE}/contributors?per_page=100"),
        (2, f"{BY_ID}/contributors?per_page=100&page=2"),
        (3, f"{BY_ID}/contributors?per_page=100&page=3"),
    ]


def test_pages_are_capped():
    """No more than fifty pages are read of one repository."""
    asks, _ = converse(plan(frozenset({PARTICIPANTS})), paged(1000))
    assert len(asks) == MAX_PAGES == 50


def test_a_page_that_fails_is_the_last():
    """What comes after a missing page is of no use."""
    script = paged(9)
    asks, _ = converse(plan(frozenset({PARTICIPANTS})), lambda ask: (502, {}, b"") if ask.page == 2 else script(ask))
    assert [ask.page for ask in asks] == [1, 2]


def conditional(known_pages: int = 1, facets: frozenset[str] = frozenset({PARTICIPANTS})) -> Plan:
    """Plan django-scheduler, whose answers are known from before."""
    return repo_plan(
        subject=SUBJECT,
        owner="llazzaro",
        name="django-scheduler",
        facets=facets,
        known_id=13214632,
        is_conditional=True,
        known_pages=known_pages,
    )


UNCHANGED = (304, {}, b"")
LIST = "/repositories/13214632/contributors?per_page=100"


def test_everything_but_computed_weeks_is_asked_conditionally():
    """The weeks move on by themselves under an ETag that may stay, so they are never left unsent."""
    asks, _ = converse(conditional(facets=ALL), by_url({}))
    assert {ask.facet: ask.is_conditional for ask in asks} == {REPO: True, HEAD: True, WEEKS: False, PARTICIPANTS: True}
    asks, _ = converse(plan(), by_url({}))
    assert not any(ask.is_conditional for ask in asks)


def test_an_unchanged_repository_goes_on():
    """A 304 is an answer: the other facets are asked for."""
    asks, _ = converse(conditional(facets=ALL), lambda _: UNCHANGED)
    assert [ask.facet for ask in asks] == [REPO, HEAD, WEEKS, PARTICIPANTS]


@pytest.mark.parametrize("pages", [1, 3])
def test_an_unchanged_list_is_confirmed_page_by_page(pages):
    """As many pages as were known are asked for at the address GitHub links to, though a 304 links to nothing."""
    asks, _ = converse(conditional(pages), lambda _: UNCHANGED)
    assert urls(asks) == [LIST, *(f"{LIST}&page={page}" for page in range(2, pages + 1))]
    assert [(ask.page, ask.is_conditional) for ask in asks] == [(page, True) for page in range(1, pages + 1)]


def test_links_of_a_304_are_followed():
    """Where a 304 does link, its links hold: further than known, and no further than they go."""

    def script(ask: Ask) -> tuple[int, dict[str, str], bytes]:
        return 304, {"link": f'<{BY_ID}/contributors?page={ask.page + 1}>; rel="next"' if ask.page < 4 else '<x>; rel="first"'}, b""

    asks, _ = converse(conditional(2), script)
    assert [ask.page for ask in asks] == [1, 2, 3, 4]
    asks, _ = converse(conditional(9), script)
    assert [ask.page for ask in asks] == [1, 2, 3, 4]


def test_a_changed_page_starts_the_list_over():
    """The list is read in one go: from its first page on, and unconditionally, so that all pages are of one time."""
    whole = paged(3)
    asks, _ = converse(conditional(3), lambda ask: UNCHANGED if ask.is_conditional and ask.page < 3 else whole(ask))
    assert [(ask.page, ask.is_conditional) for ask in asks] == [(1, True), (2, True), (3, True), (1, False), (2, False), (3, False)]


def test_a_changed_first_page_is_the_start():
    """The pages after it are asked for unconditionally at once."""
    asks, _ = converse(conditional(3), paged(3))
    assert [(ask.page, ask.is_conditional) for ask in asks] == [(1, True), (2, False), (3, False)]


def test_a_page_that_fails_among_unchanged_ones_is_the_last():
    """Nothing is known of the list then, and nothing more is asked."""
    asks, _ = converse(conditional(3), lambda ask: UNCHANGED if ask.page == 1 else (502, {}, b""))
    assert [ask.page for ask in asks] == [1, 2]


def test_unchanged_pages_are_capped():
    """However many pages were known, fifty are read."""
    asks, _ = converse(conditional(1000), lambda _: UNCHANGED)
    assert len(asks) == MAX_PAGES


def test_what_the_repository_and_its_newest_commit_spare_is_not_asked_for():
    """Whoever knows them says what need not be asked any more; only good answers about them are shown."""
    told: list[Answer] = []

    def spared(answer: Answer) -> frozenset[str]:
        told.append(answer)
        return frozenset({WEEKS}) if answer.ask.facet == HEAD else frozenset()

    def plan_of() -> Plan:
        return repo_plan(subject=SUBJECT, owner="llazzaro", name="django-scheduler", facets=ALL, known_id=None, spared=spared)

    asks, _ = converse(plan_of(), by_url({}))
    assert [ask.facet for ask in asks] == [REPO, HEAD, PARTICIPANTS]
    assert [answer.ask.facet for answer in told] == [REPO, HEAD]
    asks, _ = converse(plan_of(), by_url({f"{BASE}/commits?per_page=1": (502, {}, b"")}))
    assert [ask.facet for ask in asks] == [REPO, HEAD, WEEKS, PARTICIPANTS]
    assert [answer.ask.facet for answer in told] == [REPO, HEAD, REPO]


def test_a_token_that_is_known_to_be_refused_is_not_offered():
    """Every question goes out without it from the start."""
    made = repo_plan(subject=SUBJECT, owner="llazzaro", name="django-scheduler", facets=ALL, known_id=None, is_anonymous=True)
    asks, _ = converse(made, by_url({}))
    assert [ask.is_anonymous for ask in asks] == [True] * 4
