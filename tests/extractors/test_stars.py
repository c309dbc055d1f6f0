"""Which pages of stars are asked for, and when it is enough."""

from __future__ import annotations

from datetime import UTC, datetime

from extractors.conversation import Answer, Ask
from extractors.stars import star_plan

NOW = datetime(2026, 2, 16, tzinfo=UTC)
NEXT = {"link": '<https://api.github.com/repositories/7/stargazers/history?page=9>; rel="next"'}


def answers(pages: range, replies: list[tuple[int, dict[str, str], bytes]]) -> list[Ask]:
    """What is asked when it is answered so, one after the other."""
    plan, asked = star_plan(subject="github:a/b", repo_id=7, pages=pages), []
    try:
        ask = next(plan)
        for status, headers, body in replies:
            asked.append(ask)
            ask = plan.send(
                Answer(ask=ask, status=status, headers=headers, body=body, fetched_at=NOW, duration_ms=1, attempt=1, identity="i")
            )
        asked.append(ask)
    except StopIteration:
        pass
    return asked


def test_the_pages_asked_for_and_no_more() -> None:
    """Page after page by the repository's number, thirty weeks each."""
    asked = answers(range(2, 4), [(200, NEXT, b"[]")] * 3)
    assert [ask.url for ask in asked] == [f"/repositories/7/stargazers/history?per_page=30&page={page}" for page in (2, 3)]
    assert [ask.page for ask in asked] == [2, 3]


def test_it_ends_where_the_weeks_end_or_no_answer_helps() -> None:
    """Without a next page, or without the repository, nothing more is asked."""
    assert len(answers(range(1, 9), [(200, {}, b"[]")])) == 1
    assert len(answers(range(1, 9), [(404, {}, b"{}")])) == 1


def test_who_refuses_our_token_is_asked_without_it() -> None:
    """An organisation's policy turns the token away: the same page and those after it are asked anonymously."""
    refusal = (403, {}, b'{"message": "`a` forbids access via a personal access token (classic)."}')
    asked = answers(range(1, 3), [refusal, (200, NEXT, b"[]"), (200, {}, b"[]")])
    assert [(ask.page, ask.is_anonymous) for ask in asked] == [(1, False), (1, True), (2, True)]
    assert len(answers(range(1, 3), [refusal, refusal])) == 2
