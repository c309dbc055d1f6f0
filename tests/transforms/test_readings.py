from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.answers_as_sent import BODIES, capture, project_body, repo_body
from transforms.readings import OUTCOMES, read_answer


@pytest.mark.parametrize("facet", sorted(BODIES))
def test_a_good_answer_has_values_and_no_detail(facet):
    """Every facet is read by its own decipherer."""
    reading = read_answer(capture(facet), "ok")
    assert (reading.outcome, reading.detail) == ("ok", None)
    assert reading.row or reading.people


@pytest.mark.parametrize("verdict", sorted(OUTCOMES))
@pytest.mark.parametrize("facet", sorted(BODIES))
def test_an_answer_that_is_not_good_never_has_values(facet, verdict):
    """Whatever its body looks like: a 202 has no zeros, a 404 no emptiness."""
    reading = read_answer(capture(facet, status=500), verdict)
    assert (reading.outcome, dict(reading.row), list(reading.releases), reading.people) == (OUTCOMES[verdict], {}, [], None)
    assert reading.detail


def test_an_empty_repository_is_known_to_be_empty():
    """204 and 409 say that there are no commits: zeros and an empty list are then the truth, and nothing is gone."""
    weeks = read_answer(capture("weeks", b"", status=204), "empty")
    assert (weeks.outcome, weeks.row["weeks"]) == ("ok", [0] * 52)
    assert read_answer(capture("participants", b"", status=204), "empty").people == []
    head = read_answer(capture("head", b"", status=409), "empty")
    assert (head.outcome, dict(head.row)) == ("empty", {})


def test_a_repository_or_project_without_content_is_a_failure():
    """Nothing documents such an answer, so nothing is concluded from it."""
    assert read_answer(capture("repo", b"", status=204), "empty").outcome == "failed"
    assert read_answer(capture("project", b"", status=204), "empty").outcome == "failed"


def test_an_unreadable_answer_names_every_bad_field():
    """The detail is what a human needs to see."""
    reading = read_answer(capture("project", project_body(name=..., version=4)), "ok")
    assert reading.outcome == "invalid"
    assert reading.detail == "info.name: missing; info.version: is 4, expected text"


def test_an_answer_about_another_project_is_not_taken():
    """Names are compared as PEP 503 says, so spelling does not matter and another project does."""
    assert read_answer(capture("project", project_body(name="DJANGO.name")), "ok").outcome == "ok"
    reading = read_answer(capture("project", project_body(name="flask")), "ok")
    assert (reading.outcome, reading.code) == ("invalid", "project_name_mismatch")


@pytest.mark.parametrize("changes", [{}, {"stargazers_count": "secret"}])
def test_a_private_repository_says_nothing_but_that(changes):
    """Only our token sees it: no value of it and no complaint about a value of it may reach a publication."""
    reading = read_answer(capture("repo", repo_body(private=True, description="secret", **changes)), "ok")
    assert (reading.outcome, reading.detail, reading.code) == ("blocked", "the repository is private", "repo_private")
    assert not reading.row


def test_a_304_says_that_nothing_changed():
    """It has no body; what was held stays true."""
    reading = read_answer(capture("repo", b"", status=304), "unchanged")
    assert (reading.outcome, reading.detail, dict(reading.row)) == ("unchanged", None, {})


@pytest.mark.parametrize(
    ("facet", "verdict", "changes", "detail"),
    [
        ("repo", "blocked", {"status": 451, "body": b'{"block": {"reason": "dmca"}}'}, "the forge blocks it (dmca)"),
        ("repo", "blocked", {"status": 451, "body": b""}, "the forge blocks it (HTTP 451)"),
        ("repo", "failed", {"status": None, "error": "timeout"}, "timeout"),
        ("repo", "missing", {"status": 404}, "HTTP 404"),
        ("repo", "bad_token", {"status": 401}, "the service does not accept the token (HTTP 401)"),
        ("participants", "too_large", {"status": 403}, "the list is too large for the service (HTTP 403)"),
        ("weeks", "pending", {"status": 202}, "the service is still computing it (HTTP 202)"),
    ],
)
def test_the_reason_is_told_in_words_that_do_not_change(facet, verdict, changes, detail):
    """The same reason seen twice is the same text, so that a history does not grow by it."""
    assert read_answer(capture(facet, **changes), verdict).detail == detail


def test_a_verdict_nobody_defined_is_a_bug():
    """It is not passed over in silence."""
    with pytest.raises(KeyError):
        read_answer(capture("repo"), "surprising")


@settings(deadline=None)
@given(
    st.sampled_from(sorted(BODIES)), st.sampled_from(["ok", "empty", *OUTCOMES]), st.binary(max_size=40), st.none() | st.integers(100, 599)
)
def test_every_answer_can_be_read(facet, verdict, body, status):
    """No bytes, status or verdict raise; values come only with a good outcome."""
    reading = read_answer(capture(facet, body, status=status), verdict)
    assert not reading.row or reading.outcome == "ok"
