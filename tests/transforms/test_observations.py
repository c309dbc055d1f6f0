from __future__ import annotations

from datetime import date, timedelta

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.answers_as_sent import (
    BODIES,
    NOON,
    capture,
    file_entry,
    head_body,
    known_of,
    people_body,
    project_body,
    repo_body,
    weeks_body,
)
from transforms.lists import PAGES_MAX
from transforms.observations import Gathering, ledger_row
from transforms.row_buffer import ROWS_HELD, RowBuffer
from transforms.schemas import COMMIT_READINGS, FACET_TABLES, FETCHES, FINDINGS, HISTORY_TABLES, RELEASES, STAR_DAYS, VALIDATORS

NEXT = {"link": '<http://127.0.0.1:9/repositories/7/contributors?page=2>; rel="next", <http://127.0.0.1:9/x?page=3>; rel="last"'}
LAST = {"link": '<http://127.0.0.1:9/x?rel=next>; rel="first", <http://127.0.0.1:9/x?page=1>; rel="prev"'}


def gather(*landed, known=None):
    """The tables made of (capture, verdict) pairs in landing order."""
    gathering = Gathering(known or known_of())
    for taken, verdict in landed:
        gathering.add(taken, verdict)
    return gathering.tables()


def only(tables, facet):
    """The one row of a facet."""
    (row,) = tables[FACET_TABLES[facet].name].to_pylist()
    return row


def codes(tables):
    """Which findings there are."""
    return [finding["code"] for finding in tables["findings"].to_pylist()]


def test_every_table_is_there_with_its_schema_though_nothing_landed():
    """An interrupted run before its first answer still loads."""
    tables = gather()
    assert {name: table.schema for name, table in tables.items()} == {
        table.name: table.schema for table in (*HISTORY_TABLES, RELEASES, VALIDATORS, FINDINGS, COMMIT_READINGS, STAR_DAYS)
    }
    assert not any(table.num_rows for table in tables.values())


def test_a_complete_harvest_of_one_package_gives_one_row_per_facet():
    """Each row says when, by which run, and under which identity."""
    tables = gather(*[(capture(facet), "ok") for facet in BODIES])
    for facet in FACET_TABLES:
        row = only(tables, facet)
        assert (row["outcome"], row["observed_at"], row["confirmed_at"], row["sighting_count"]) == ("ok", NOON, NOON, 1)
        assert row["series"] == ("pypi:django-name" if facet in ("project", "status") else "github:7")
        assert row["run_id"] == "20260215T120000Z-1"
    assert tables["releases"]["version"].to_pylist() == ["1.0"]
    assert tables["releases"]["project"].to_pylist() == ["django-name"]
    assert all(table.schema.equals(schema) for table, schema in ((tables[t.name], t.schema) for t in HISTORY_TABLES))
    for table in tables.values():
        table.validate(full=True)


def test_the_last_answer_to_a_question_decides():
    """A retried failure, a redirect and a second pass are superseded by what followed."""
    tables = gather(
        (capture("repo", status=502), "transient"),
        (capture("repo", status=301), "moved"),
        (capture("repo"), "ok"),
        (capture("weeks", b"{}", status=202), "pending"),
        (capture("weeks"), "ok"),
    )
    assert (only(tables, "repo")["outcome"], only(tables, "weeks")["outcome"]) == ("ok", "ok")


def test_a_repository_that_refuses_our_token_is_not_missing_when_strangers_do_not_see_it():
    """An organisation turned the token away and the question without one found nothing: it may be private, so it is refused."""
    tables = gather((capture("repo", status=403), "refused"), (capture("repo", b"", status=404, identity="anonymous"), "missing"))
    assert only(tables, "repo")["outcome"] == "refused"
    assert only(gather((capture("repo", b"", status=404), "missing")), "repo")["outcome"] == "missing"


def test_a_pending_statistic_is_pending_and_never_zeros():
    """202 with an empty object, twice: there are no weeks, and nothing else is spoiled by it."""
    tables = gather(
        (capture("repo"), "ok"), (capture("weeks", b"{}", status=202), "pending"), (capture("weeks", b"{}", status=202), "pending")
    )
    row = only(tables, "weeks")
    assert (row["outcome"], row["weeks"], row["weeks_end_on"], row["series"]) == ("pending", None, None, "github:7")
    assert codes(tables) == []


def test_weeks_end_on_the_utc_day_of_their_answer():
    """An answer of 23:59 UTC still belongs to the day."""
    tables = gather((capture("weeks", fetched_at=NOON.replace(hour=23, minute=59)), "ok"))
    assert only(tables, "weeks")["weeks_end_on"] == date(2026, 2, 15)


def test_an_empty_repository_has_zeros_nobody_and_no_head():
    """Empty is not gone: 204 and 409 are answers."""
    tables = gather(
        (capture("repo"), "ok"),
        (capture("head", b"", status=409), "empty"),
        (capture("weeks", b"", status=204), "empty"),
        (capture("participants", b"", status=204), "empty"),
    )
    assert (only(tables, "head")["outcome"], only(tables, "head")["last_commit_at"]) == ("empty", None)
    assert (only(tables, "weeks")["outcome"], only(tables, "weeks")["weeks"]) == ("ok", [0] * 52)
    assert (only(tables, "participants")["outcome"], only(tables, "participants")["logins"]) == ("ok", [])


def page(number, *logins, headers, **changes):
    """One page of participants."""
    return capture(
        "participants", people_body(*logins), page=number, headers=headers, url=f"/repos/owner/name/contributors?page={number}", **changes
    )


def test_pages_of_participants_become_one_list_in_the_order_of_the_forge():
    """The row is that of the list, found at the address of its first page; nobody stands twice."""
    tables = gather((page(1, "zoe", "ada", headers=NEXT), "ok"), (page(2, "ada", "bob", headers=LAST), "ok"))
    row = only(tables, "participants")
    assert (row["outcome"], row["logins"], row["commit_counts"]) == ("ok", ["zoe", "ada", "bob"], [9, 9, 9])
    assert row["source_url"] == "/repos/owner/name/contributors?page=1"


def test_a_failed_page_that_is_asked_again_costs_nothing():
    """Pages held before stay held."""
    failed = capture("participants", b"", page=2, status=502)
    tables = gather((page(1, "zoe", headers=NEXT), "ok"), (failed, "transient"), (page(2, "bob", headers=LAST), "ok"))
    assert only(tables, "participants")["logins"] == ["zoe", "bob"]


def test_an_incomplete_list_is_not_published_as_a_list():
    """When the last page does not come, there is no list: half of one would look like people leaving."""
    stopped = only(gather((page(1, "zoe", headers=NEXT), "ok")), "participants")
    assert (stopped["outcome"], stopped["logins"], stopped["detail"]) == ("limited", None, "page 2 was not asked for")
    failed = only(
        gather((page(1, "zoe", headers=NEXT), "ok"), (capture("participants", page=2, status=None, error="timeout"), "failed")),
        "participants",
    )
    assert (failed["outcome"], failed["logins"]) == ("failed", None)
    lost = only(gather((page(3, "zoe", headers=LAST), "ok")), "participants")
    assert (lost["outcome"], lost["logins"]) == ("failed", None)


def test_a_list_read_again_replaces_the_first_reading():
    """A second traversal within one run does not add to the first."""
    tables = gather(
        (page(1, "old", headers=NEXT), "ok"),
        (page(2, "older", headers=LAST), "ok"),
        (page(1, "new", headers=NEXT), "ok"),
        (page(2, "newer", headers=LAST), "ok"),
    )
    assert only(tables, "participants")["logins"] == ["new", "newer"]


def test_a_page_landed_twice_changes_nothing():
    """An interrupted run may have landed an answer that is asked once more."""
    tables = gather((page(1, "zoe", headers=NEXT), "ok"), (page(2, "bob", headers=LAST), "ok"), (page(2, "bob", headers=LAST), "ok"))
    assert (only(tables, "participants")["outcome"], only(tables, "participants")["logins"]) == ("ok", ["zoe", "bob"])


def test_a_list_cut_short_is_marked_as_capped():
    """By the harvest's own limit of pages, or by GitHub's limit of addresses it links to logins."""
    many = [f"u{number}" for number in range(300)]
    row = only(gather((page(1, *many, headers={}), "ok")), "participants")
    assert (row["outcome"], len(row["logins"])) == ("capped", 300)
    pages = [(page(number, f"u{number}", headers=NEXT), "ok") for number in range(1, PAGES_MAX + 1)]
    tables = gather(*pages)
    assert (only(tables, "participants")["outcome"], len(only(tables, "participants")["logins"])) == ("capped", PAGES_MAX)
    assert codes(tables) == ["participants_capped"]
    assert only(gather(*pages[:-1]), "participants")["outcome"] == "limited"


@pytest.mark.parametrize(
    ("link", "has_next"),
    [
        (None, False),
        ('<https://x>; rel="next"', True),
        ("<https://x>; rel=next", True),
        ('<https://x>; title="t"; REL="prev next"', True),
        ('<https://x?a;rel=next>; rel="last"', False),
        ('<https://x>; rel="nextish"', False),
    ],
)
def test_whether_a_page_follows_is_read_from_the_relation_alone(link, has_next):
    """RFC 8288: the relation is a parameter, quoted or not, and an address may contain anything."""
    row = only(gather((page(1, "a", headers={} if link is None else {"link": link}), "ok")), "participants")
    assert (row["outcome"] == "limited") is has_next


def test_history_follows_the_numeric_id():
    """The id of this run's answer, else the one known before, else the name."""
    known = known_of(("repo", {"repo_id": 7, "full_name": "owner/name"}))
    assert only(gather((capture("weeks"), "ok"), known=known), "weeks")["series"] == "github:7"
    assert only(gather((capture("repo", status=404), "missing"), known=known), "repo")["series"] == "github:7"
    assert only(gather((capture("weeks"), "ok")), "weeks")["series"] == "github:owner/name"
    assert only(gather((capture("weeks"), "ok"), (capture("repo", repo_body(id=8)), "ok"), known=known), "weeks")["series"] == "github:8"


def test_a_rename_is_told_and_continues_the_series():
    """The answer of a redirect has the new name and the old id."""
    known = known_of(("repo", {"repo_id": 7, "full_name": "owner/name"}))
    tables = gather((capture("repo", repo_body(full_name="Other/Name")), "ok"), known=known)
    assert codes(tables) == ["repo_renamed"]
    assert "Other/Name" in tables["findings"]["message"][0].as_py()
    assert only(tables, "repo")["series"] == "github:7"


def test_another_repository_under_an_old_name_is_told_and_begins_a_series():
    """Somebody may take over a name; stars of one are not stars of the other."""
    tables = gather((capture("repo", repo_body(id=8)), "ok"), known=known_of(("repo", {"repo_id": 7, "full_name": "owner/name"})))
    assert codes(tables) == ["repo_replaced"]
    assert only(tables, "repo")["series"] == "github:8"


def test_what_a_human_should_see_is_found_once_and_with_its_level():
    """Failures that only mean "try again" are not among it."""
    landed = [
        (capture("repo", repo_body(stargazers_count=...)), "ok"),
        (capture("weeks", b"{}"), "ok"),
        (capture("participants", status=403), "too_large"),
        (capture("head", status=502), "transient"),
        (capture("repo", repo_body(private=True), subject="github:owner/hidden", status=200), "ok"),
        (capture("repo", status=404, subject="github:a/gone"), "missing"),
        (capture("repo", status=451, subject="github:a/blocked"), "blocked"),
        (capture("repo", status=403, subject="github:a/org"), "refused"),
        (capture("project", project_body(name="flask")), "ok"),
        (capture("project", project_body(name="b", requires_python=">=3.6.*"), subject="pypi:b"), "ok"),
        (capture("project", status=404, subject="pypi:c"), "missing"),
        (capture("project", status=None, error="timeout", subject="pypi:d"), "failed"),
    ]
    findings = gather(*landed, *landed)["findings"].to_pylist()
    assert {(finding["subject"], finding["code"], finding["level"]) for finding in findings} == {
        ("github:owner/name", "invalid_answer", "error"),
        ("github:owner/name", "too_large_contributors", "note"),
        ("github:owner/hidden", "repo_private", "warning"),
        ("github:a/gone", "repo_missing", "warning"),
        ("github:a/blocked", "repo_blocked", "warning"),
        ("github:a/org", "repo_refused", "warning"),
        ("pypi:django-name", "project_name_mismatch", "error"),
        ("pypi:b", "invalid_requires_python", "note"),
        ("pypi:c", "project_missing", "warning"),
    }
    assert len(findings) == 9
    (message,) = [finding["message"] for finding in findings if finding["code"] == "invalid_answer"]
    assert "stargazers_count: missing" in message
    assert "all: missing" in message


def test_nothing_a_private_repository_answers_becomes_a_row():
    """Its other facets were asked with the same token: no login, week or commit of it is kept, nor its name in a finding."""
    tables = gather(
        (capture("repo", repo_body(private=True, description="secret", full_name="secret/secret")), "ok"),
        (capture("head", head_body()), "ok"),
        (capture("weeks", weeks_body()), "ok"),
        (capture("participants", people_body("secret")), "ok"),
        (capture("weeks", weeks_body(), subject="github:a/public"), "ok"),
    )
    row = only(tables, "repo")
    assert (row["outcome"], row["detail"], row["description"]) == ("blocked", "the repository is private", None)
    assert [tables[FACET_TABLES[facet].name].num_rows for facet in ("head", "weeks", "participants")] == [0, 1, 0]
    assert codes(tables) == ["repo_private"]
    assert "secret" not in str([table.to_pylist() for table in tables.values()])


def test_a_404_that_heals_through_the_numeric_id_is_not_reported():
    """Only what stands at the end of the run is told."""
    tables = gather(
        (capture("repo", status=404), "missing"),
        (capture("repo", url="http://127.0.0.1:9/github/repositories/7"), "ok"),
        known=known_of(("repo", {"repo_id": 7, "full_name": "owner/name"})),
    )
    assert (codes(tables), only(tables, "repo")["source_url"]) == ([], "/repositories/7")


def test_only_the_releases_of_the_last_answer_are_listed():
    """A project read twice in one run does not list its releases twice, and a failed second reading lists none."""
    first = (capture("project", project_body({"0.9": [file_entry()], "1.0": []})), "ok")
    second = (capture("project", project_body({"1.0": [file_entry()]})), "ok")
    assert gather(first, second)["releases"]["version"].to_pylist() == ["1.0"]
    assert gather(first, (capture("project", status=502), "transient"))["releases"].num_rows == 0


def test_a_missing_int_stays_an_int():
    """A row without stars beside one with stars does not turn counts into fractions."""
    tables = gather((capture("repo"), "ok"), (capture("repo", status=404, subject="github:a/b"), "missing"))
    column = tables["repo_observations"]["stars_count"]
    assert (column.type, sorted(column.to_pylist(), key=str)) == (pa.int64(), [1331, None])


def test_rows_are_held_as_columns_once_there_are_many():
    """The buffer gives every row in order, and may be asked and filled again."""
    buffer = RowBuffer(pa.schema([pa.field("n", pa.int64(), nullable=False)]))
    for number in range(ROWS_HELD + 3):
        buffer.add({"n": number, "ignored": 1})
    assert buffer.table()["n"].to_pylist() == list(range(ROWS_HELD + 3))
    buffer.add({})
    assert buffer.table()["n"].to_pylist()[-2:] == [ROWS_HELD + 2, None]


def test_the_ledger_has_one_row_per_answer_with_its_cost():
    """Meter and units left are read from the headers; a header that is no number is no number."""
    headers = {"x-ratelimit-resource": "core", "x-ratelimit-remaining": "59"}
    row = ledger_row(capture("repo", headers=headers, url="http://127.0.0.1:9/github/repositories/7?a=1"), "ok", 1)
    assert tuple(row) == FETCHES.names
    assert (row["meter"], row["remaining_count"], row["units_count"], row["bytes_count"]) == ("core", 59, 1, len(repo_body()))
    assert row["url"] == "/repositories/7?a=1"
    assert ledger_row(capture("repo", headers={"x-ratelimit-remaining": "-"}), "ok", 0)["remaining_count"] is None
    pa.Table.from_pylist([row], schema=FETCHES.schema).validate(full=True)


VERDICTS = ["ok", "ok", "ok", "missing", "pending", "transient", "empty", "blocked", "limited", "unchanged"]
BODY = st.sampled_from([*BODIES.values(), b"", b"{}", head_body("1999-01-01T00:00:00Z"), weeks_body(3), orjson.dumps([]), repo_body(id=9)])
ANSWER = st.builds(
    lambda facet, body, verdict, page, minutes, link: (
        capture(facet, body, page=page, fetched_at=NOON + timedelta(minutes=minutes), headers=link),
        verdict,
    ),
    st.sampled_from(sorted(BODIES)),
    BODY,
    st.sampled_from(VERDICTS),
    st.integers(1, 3),
    st.integers(0, 3),
    st.sampled_from([{}, NEXT, LAST]),
)


def under(subject, answers):
    """The same answers about another subject."""
    return [(capture(c.facet, c.body, page=c.page, fetched_at=c.fetched_at, headers=c.headers, subject=subject), v) for c, v in answers]


@settings(max_examples=60, deadline=None)
@given(st.lists(ANSWER, max_size=8))
def test_gathering_the_same_answers_twice_changes_nothing(answers):
    """Twice is once, and tables may be asked for repeatedly."""
    gathering = Gathering(known_of())
    for taken, verdict in [*answers, *answers]:
        gathering.add(taken, verdict)
    assert gathering.tables() == gathering.tables()
    if not any(taken.facet == "participants" and taken.page > 1 for taken, _ in answers):
        assert gathering.tables() == gather(*answers)


@settings(max_examples=60, deadline=None)
@given(st.lists(ANSWER, max_size=6), st.lists(ANSWER, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_answers_about_different_subjects_does_not_matter(left, right, random):
    """However two conversations interleave, the tables are the same."""
    queues = [under("github:a/a", left), under("github:b/b", right)]
    in_turn = gather(*queues[0], *queues[1])
    mixed = []
    while any(queues):
        mixed.append(random.choice([queue for queue in queues if queue]).pop(0))
    assert gather(*mixed) == in_turn
