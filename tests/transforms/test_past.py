"""Answers about the past: windows are read whole and cut to their days, weeks of stars become days, nonsense becomes a finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest

from transforms.answers import InvalidAnswer
from transforms.past import Past, decipher_star_weeks
from transforms.readings import CaptureView

NOW = datetime(2026, 2, 16, 3, tzinfo=UTC)
DAY = timedelta(days=1)
SUNDAY = date(2026, 2, 8)


def view(body: Any, *, facet: str = "past", page: int = 1, url: str = "/graphql", request: str | None = None) -> CaptureView:
    """A landed answer about one repository."""
    return CaptureView(
        run_id="r", sequence=page, source="github", subject="github:a/b", facet=facet, page=page, url=url, attempt=1, status=200,
        headers={}, body=orjson.dumps(body), error=None, fetched_at=NOW + timedelta(minutes=page), duration_ms=1, identity="i",
        request=request,
    )  # fmt: skip


def page_of(days: Sequence[str], *, number: int = 1, has_next: bool = False, repo_id: int = 7) -> CaptureView:
    """A page with one commit on each of these days."""
    nodes = [
        {"oid": f"{number}{index}", "authoredDate": f"{day}T12:00:00Z", "committedDate": f"{day}T12:00:00Z",
         "author": {"email": "", "user": None}}
        for index, day in enumerate(days)
    ]  # fmt: skip
    history = {"totalCount": 9, "pageInfo": {"hasNextPage": has_next, "endCursor": f"cursor {number}"}, "nodes": nodes}
    node = {"databaseId": repo_id, "defaultBranchRef": {"target": {"oid": "h", "history": history}}}
    target = {"subject": "github:a/b", "owner": "a", "name": "b", "page": number, "from_on": "2024-01-02", "until_on": "2024-12-30"}
    return view(node, page=number, request=orjson.dumps([target]).decode())


def readings(past: Past) -> list[dict[str, Any]]:
    """The windows that were read whole."""
    rows: list[dict[str, Any]] = past.tables()["commit_readings"].to_pylist()
    return rows


def test_a_window_counts_once_its_last_page_came() -> None:
    """Pages add up, days outside the window do not count, and the reading is as old as its first page."""
    past = Past()
    past.add_commits(page_of(["2025-01-05", "2024-12-31", "2024-12-30", "2024-05-05"], has_next=True), "ok")
    assert readings(past) == []
    assert past.next_page("github:a/b") == (2, "cursor 1")
    past.add_commits(page_of(["2024-05-05", "2024-01-02", "2024-01-01"], number=2), "ok")
    assert past.next_page("github:a/b") is None
    (row,) = readings(past)
    assert (row["series"], row["from_on"], row["until_on"]) == ("github:7", date(2024, 1, 2), date(2024, 12, 30))
    assert dict(zip(row["days_on"], row["day_counts"], strict=True)) == {date(2024, 1, 2): 1, date(2024, 5, 5): 2, date(2024, 12, 30): 1}
    assert row["observed_at"] == NOW + timedelta(minutes=1)


def test_a_page_that_comes_again_counts_once_and_one_without_those_before_not_at_all() -> None:
    """Retries replace; a hole stays a hole; failures say nothing."""
    past = Past()
    past.add_commits(page_of(["2024-05-05"], number=2), "ok")
    assert past.next_page("github:a/b") == (1, None)
    past.add_commits(page_of(["2024-06-06"], has_next=True), "transient")
    past.add_commits(page_of(["2024-06-06"], has_next=True), "ok")
    past.add_commits(page_of(["2024-07-07"], number=3), "ok")
    assert past.next_page("github:a/b") == (2, "cursor 1")
    past.add_commits(page_of(["2024-05-05"], number=2, has_next=True), "ok")
    past.add_commits(page_of(["2024-05-05"], number=2), "ok")
    past.add_commits(page_of(["2024-05-05"], number=2), "ok")
    (row,) = readings(past)
    assert row["day_counts"] == [1, 1]


def test_a_repository_without_a_branch_had_no_commits() -> None:
    """The whole window is known, and empty."""
    past = Past()
    first = page_of([])
    past.add_commits(replace(first, body=orjson.dumps({"databaseId": 7, "defaultBranchRef": None})), "ok")
    assert readings(past)[0]["days_on"] == []


def stars(body: Any, url: str = "/repositories/7/stargazers/history?per_page=30&page=1") -> CaptureView:
    """A page of weeks."""
    return view(body, facet="stars", url=url)


def week(sunday: date, days: list[int]) -> dict[str, Any]:
    """One week."""
    return {"week": int(datetime(sunday.year, sunday.month, sunday.day, tzinfo=UTC).timestamp()), "total": sum(days), "days": days}


def test_weeks_of_stars_become_days_once_they_are_over() -> None:
    """A day told as 0 is a row; the last two days and the future are not over for GitHub yet; an absolute address tells the id too."""
    past = Past()
    past.add_stars(stars([week(SUNDAY + 7 * DAY, [5, 1, 0, 0, 0, 0, 0]), week(SUNDAY, [0, 0, 3, 0, 0, 0, 2])]), "ok")
    past.add_stars(stars([week(SUNDAY - 7 * DAY, [1] * 7)], "https://api.github.com/repositories/7/stargazers/history?page=2"), "ok")
    past.add_stars(stars([], "/repos/a/b/stargazers/history"), "ok")
    rows = {row["starred_on"]: row["retained_count"] for row in past.tables()["star_days"].to_pylist()}
    assert rows == {SUNDAY + n * DAY: count for n, count in enumerate([1] * 7 + [0, 0, 3, 0, 0, 0, 2], -7)}
    assert {row["series"] for row in past.tables()["star_days"].to_pylist()} == {"github:7"}


@pytest.mark.parametrize(
    "body",
    [{}, [1], [{}], [week(SUNDAY, [1] * 6)], [{**week(SUNDAY, [0] * 7), "week": -1}], [{**week(SUNDAY, [0] * 7), "week": 10**15}],
     [{**week(SUNDAY, [0] * 7), "days": [None] * 7}]],
)  # fmt: skip
def test_nonsense_is_a_finding_and_no_day(body: Any) -> None:
    """Each bad field is named; nothing is taken from the answer."""
    with pytest.raises(InvalidAnswer):
        decipher_star_weeks(orjson.dumps(body))
    past = Past()
    past.add_stars(stars(body), "ok")
    assert past.tables()["star_days"].num_rows == 0
    (problem,) = past.problems
    assert problem["code"] == "backfill_unreadable"
    assert "Next:" in problem["message"]
    past.add_commits(view({"defaultBranchRef": 5}), "ok")
    assert len(past.problems) == 2
