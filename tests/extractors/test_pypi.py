"""What PyPI is asked of a project depends on what its document says, and on what the index promised."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from extractors.conversation import ANONYMOUS, INDEX, PROJECT, PYPI, STATUS, Answer, Ask, Plan
from extractors.pypi import SIMPLE_JSON, index_plan, project_plan

DOCUMENT, PAGE = "/pypi/django-scheduler/json", "/simple/django-scheduler/"
BOTH = frozenset({PROJECT, STATUS})
Said = tuple[int | None, dict[str, str], bytes]
OK: Said = (200, {}, b"{}")
GONE: Said = (404, {}, b'{"message": "Not Found"}')


def serial(number: object, *, is_header: bool = True) -> Said:
    """Answer with a document of this serial."""
    if is_header:
        return 200, {"x-pypi-last-serial": str(number)}, b"{}"
    return 200, {}, (f'{{"last_serial": {number}}}').encode()


def answer_to(ask: Ask, said: Said) -> Answer:
    """Answer an ask."""
    status, headers, body = said
    return Answer(
        ask=ask,
        status=status,
        headers=headers,
        body=body,
        fetched_at=datetime(2026, 11, 24, tzinfo=UTC),
        duration_ms=1,
        attempt=1,
        identity=ANONYMOUS,
        error=None if status else "timeout: ReadTimeout",
    )


def converse(plan: Plan, script: Callable[[Ask], Said]) -> tuple[list[Ask], tuple[Plan, ...]]:
    """Feed a plan what ``script`` answers until it ends; return its asks and what it leaves for later."""
    asks: list[Ask] = []
    try:
        ask = next(plan)
        while True:
            asks.append(ask)
            ask = plan.send(answer_to(ask, script(ask)))
    except StopIteration as end:
        return asks, end.value


def plan(facets: frozenset[str] = frozenset({PROJECT}), promised: int | None = None, **more: bool) -> Plan:
    """Plan django-scheduler."""
    return project_plan(subject="pypi:django-scheduler", name="django-scheduler", facets=facets, promised_serial=promised, **more)


def urls(asks: list[Ask]) -> list[str]:
    """Return what was asked, in order."""
    return [ask.url for ask in asks]


@pytest.mark.parametrize(
    ("facets", "asked"),
    [(frozenset({PROJECT}), [DOCUMENT]), (frozenset({STATUS}), [PAGE]), (BOTH, [DOCUMENT, PAGE])],
    ids=["document", "page", "both"],
)
def test_only_what_is_due(facets, asked):
    """Document and page are asked for each when it is due, the page as JSON."""
    asks, later = converse(plan(facets), lambda _: OK)
    assert (urls(asks), later) == (asked, ())
    assert {ask.facet: (ask.source, ask.accept) for ask in asks} == {
        facet: (PYPI, SIMPLE_JSON if facet == STATUS else "application/json") for facet in facets
    }


@pytest.mark.parametrize("facets", [frozenset({PROJECT}), BOTH])
def test_a_project_without_a_document_is_looked_for_in_the_index(facets):
    """Its page tells quarantined, empty and deleted apart, whether or not the page was due; it is asked for once."""
    asks, later = converse(plan(facets), lambda ask: GONE if ask.facet == PROJECT else OK)
    assert (urls(asks), later) == ([DOCUMENT, PAGE], ())


@pytest.mark.parametrize("said", [(502, {}, b""), (None, {}, b""), (429, {}, b""), (304, {}, b""), (200, {}, b"<html>")])
def test_what_is_not_missing_is_not_looked_for(said):
    """A failure says nothing of whether the project is there."""
    asks, _ = converse(plan(), lambda _: said)
    assert urls(asks) == [DOCUMENT]


def test_questions_are_conditional_where_wanted():
    """What did not change may be answered with 304."""
    for believed in (BOTH, frozenset({PROJECT}), frozenset({STATUS}), frozenset()):
        asks, _ = converse(plan(BOTH, believed=believed), lambda _: OK)
        assert [ask.is_conditional for ask in asks] == [PROJECT in believed, STATUS in believed]


@pytest.mark.parametrize(
    ("said", "is_behind"),
    [
        (serial(100), False),
        (serial(101), False),
        (serial(99), True),
        (serial(99, is_header=False), True),
        (serial('"99"', is_header=False), True),
        (serial('" 100 "', is_header=False), False),
        (serial("true", is_header=False), False),
        (serial('"soon"', is_header=False), False),
        ((200, {}, b"[]"), False),
        ((200, {}, b"<html>"), False),
        ((200, {"x-pypi-last-serial": "9" * 30}, b'{"last_serial": 99}'), True),
        ((304, {}, b""), True),
        ((304, {"x-pypi-last-serial": "99"}, b""), True),
        ((304, {"x-pypi-last-serial": "100"}, b""), False),
        ((502, {}, b""), False),
        ((None, {}, b""), False),
        (GONE, False),
    ],
)
def test_a_document_older_than_promised_is_asked_for_again(said, is_behind):
    """By header or body, as number or text: below the promised serial it is an old copy and comes up once more, later."""
    _, later = converse(plan(promised=100, believed=BOTH), lambda _: said)
    assert len(later) == is_behind
    for again in later:
        asks, still = converse(again, lambda _: said)
        assert (urls(asks), still) == ([DOCUMENT], ())
        assert not asks[0].is_conditional


def test_nothing_was_promised():
    """Without the index any serial will do."""
    _, later = converse(plan(), lambda _: serial(1))
    assert later == ()


@pytest.mark.parametrize(("facets", "asked"), [(frozenset({PROJECT}), [DOCUMENT, PAGE]), (BOTH, [DOCUMENT])])
def test_a_project_that_is_gone_by_then_is_looked_for(facets, asked):
    """When the second question finds no document, the page is asked for unless it was."""
    _, later = converse(plan(facets, promised=100), lambda _: serial(99))
    asks, still = converse(later[0], lambda _: GONE)
    assert (urls(asks), still) == (asked, ())


def test_names_are_quoted():
    """A name cannot break out of its place in the path."""
    asks, _ = converse(project_plan(subject="pypi:a", name="a/../b?c", facets=BOTH), lambda _: OK)
    assert urls(asks) == ["/pypi/a%2F..%2Fb%3Fc/json", "/simple/a%2F..%2Fb%3Fc/"]


def test_a_project_that_moved_is_followed():
    """A mirror that wants another spelling is asked for that, document and page."""

    def script(ask: Ask) -> Said:
        to = ask.url.replace("django-scheduler", "Django_Scheduler")
        return OK if "_" in ask.url else (301, {"location": to}, b"")

    asks, _ = converse(plan(BOTH), script)
    assert urls(asks) == [DOCUMENT, "/pypi/Django_Scheduler/json", PAGE, "/simple/Django_Scheduler/"]


@pytest.mark.parametrize("said", [OK, (304, {}, b""), (406, {}, b""), (None, {}, b"")])
def test_the_index_is_one_question(said):
    """All projects with their serials, as JSON and conditionally, about PyPI itself; the answer is handed over, whatever it is."""
    told: list[Answer] = []
    asks, later = converse(index_plan(told.append), lambda _: said)
    assert [(ask.subject, ask.facet, ask.url, ask.accept, ask.is_conditional) for ask in asks] == [
        (PYPI, INDEX, "/simple/", SIMPLE_JSON, True)
    ]
    assert ([answer.status for answer in told], later) == ([said[0]], ())


def test_an_index_that_moved_is_followed():
    """The last answer is the one handed over."""
    told: list[Answer] = []
    converse(index_plan(told.append), lambda ask: OK if ask.url == "/index/" else (301, {"location": "/index/"}, b""))
    assert [(answer.status, answer.ask.url) for answer in told] == [(200, "/index/")]
