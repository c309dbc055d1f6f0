"""Every kind of answer GitHub and PyPI give gets its verdict, and nothing they could send raises."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.conversation import GITHUB, HEAD, PARTICIPANTS, PROJECT, PYPI, REPO, WEEKS
from extractors.verdict import Judgement, Verdict, judge

JSON = {"content-type": "application/json; charset=utf-8"}
HTML = {"content-type": "text/html; charset=utf-8"}
QUOTA = {
    **JSON,
    "x-ratelimit-limit": "5000",
    "x-ratelimit-remaining": "4987",
    "x-ratelimit-used": "13",
    "x-ratelimit-reset": "1795532400",
    "x-ratelimit-resource": "core",
}
EMPTY_QUOTA = {**QUOTA, "x-ratelimit-remaining": "0", "x-ratelimit-used": "5000"}
RESET_AT = datetime.fromtimestamp(1795532400, UTC)
DOCS = "https://docs.github.com/rest"

REPO_BODY = json.dumps({"id": 13214632, "full_name": "llazzaro/django-scheduler", "watchers_count": 1279}).encode()
WEEKS_BODY = json.dumps({"all": [0] * 52, "owner": [0] * 52}).encode()
MOVED_BODY = json.dumps(
    {"message": "Moved Permanently", "url": "https://api.github.com/repositories/13214632", "documentation_url": f"{DOCS}#follow-redirects"}
).encode()
HTML_BODY = b"<!DOCTYPE html><html><head><title>Unicorn!</title></head></html>"


def message(text: str, **more: object) -> bytes:
    """Write an error body as GitHub does."""
    return json.dumps({"message": text, "documentation_url": DOCS, **more}).encode()


def blocked(reason: str) -> bytes:
    """Write the body of a blocked repository as GitHub does."""
    block = {"reason": reason, "created_at": "2019-03-05T10:12:13Z", "html_url": "https://github.com/tos"}
    return message("Repository access blocked", block=block)


SECONDARY = message("You have exceeded a secondary rate limit. Please wait a few minutes before you try again.")
PRIMARY = message("API rate limit exceeded for user ID 1.")
ABUSE = message("You have triggered an abuse detection mechanism.")
TOO_LARGE = message("The history or contributor list is too large to list contributors for this repository via the API.")
LIFETIME = message(
    "The 'NixOS' organization forbids access via a fine-grained personal access tokens if the token's lifetime is greater than 90 days."
)
CLASSIC = message("`ORG` forbids access via a personal access token (classic). Please use a GitHub App.")
SAML = message("Resource protected by organization SAML enforcement. You must grant your OAuth token access to this organization.")
IP_LIST = message("Although you appear to have the correct authorization credentials, the `org` organization has an IP allow list enabled.")

ROWS = {
    "200": (REPO, 200, QUOTA, REPO_BODY, Verdict.OK),
    "200 weeks": (WEEKS, 200, QUOTA, WEEKS_BODY, Verdict.OK),
    "200 with {} from the statistics": (WEEKS, 200, QUOTA, b"{}", Verdict.PENDING),
    "200 with {} elsewhere": (REPO, 200, QUOTA, b"{}", Verdict.OK),
    "200 that is HTML": (REPO, 200, HTML, HTML_BODY, Verdict.GARBLED),
    "200 cut short": (REPO, 200, QUOTA, REPO_BODY[:-9], Verdict.GARBLED),
    "200 without a body": (REPO, 200, QUOTA, b"", Verdict.GARBLED),
    "202 statistics": (WEEKS, 202, QUOTA, b"{}", Verdict.PENDING),
    "202 elsewhere": (REPO, 202, QUOTA, b"{}", Verdict.UNEXPECTED),
    "204 contributors": (PARTICIPANTS, 204, QUOTA, b"", Verdict.EMPTY),
    "204 statistics": (WEEKS, 204, QUOTA, b"", Verdict.EMPTY),
    "204 elsewhere": (REPO, 204, QUOTA, b"", Verdict.UNEXPECTED),
    "301": (REPO, 301, {**QUOTA, "location": "https://api.github.com/repositories/13214632"}, MOVED_BODY, Verdict.MOVED),
    "302": (REPO, 302, {**QUOTA, "location": "https://api.github.com/repositories/13214632"}, b"", Verdict.MOVED),
    "307": (REPO, 307, {**QUOTA, "location": "https://api.github.com/repositories/13214632"}, b"", Verdict.MOVED),
    "308": (REPO, 308, {**JSON, "location": "https://mirror.example/pypi/a/json"}, b"", Verdict.MOVED),
    "301 without location": (REPO, 301, QUOTA, MOVED_BODY, Verdict.UNEXPECTED),
    "304": (REPO, 304, QUOTA, b"", Verdict.UNCHANGED),
    "401": (REPO, 401, JSON, message("Bad credentials"), Verdict.BAD_TOKEN),
    "403 retry-after": (REPO, 403, {**QUOTA, "retry-after": "60"}, SECONDARY, Verdict.LIMITED),
    "429 retry-after": (REPO, 429, {**QUOTA, "retry-after": "60"}, SECONDARY, Verdict.LIMITED),
    "403 quota empty": (REPO, 403, EMPTY_QUOTA, PRIMARY, Verdict.LIMITED),
    "429 quota empty": (REPO, 429, EMPTY_QUOTA, PRIMARY, Verdict.LIMITED),
    "403 secondary": (REPO, 403, QUOTA, SECONDARY, Verdict.LIMITED),
    "403 secondary, older words": (REPO, 403, QUOTA, ABUSE, Verdict.LIMITED),
    "403 quota empty, headers lost": (REPO, 403, JSON, PRIMARY, Verdict.LIMITED),
    "429 without a word": (REPO, 429, QUOTA, b"", Verdict.LIMITED),
    "403 blocked tos": (REPO, 403, QUOTA, blocked("tos"), Verdict.BLOCKED),
    "403 blocked unavailable": (REPO, 403, QUOTA, blocked("unavailable"), Verdict.BLOCKED),
    "403 contributors too large": (PARTICIPANTS, 403, QUOTA, TOO_LARGE, Verdict.TOO_LARGE),
    "403 token's lifetime": (REPO, 403, QUOTA, LIFETIME, Verdict.REFUSED),
    "403 classic token": (REPO, 403, QUOTA, CLASSIC, Verdict.REFUSED),
    "403 SAML": (REPO, 403, QUOTA, SAML, Verdict.REFUSED),
    "403 IP allow list": (REPO, 403, QUOTA, IP_LIST, Verdict.REFUSED),
    "403 anything else": (REPO, 403, QUOTA, message("Resource not accessible by personal access token"), Verdict.FORBIDDEN),
    "403 no user agent": (REPO, 403, HTML, b"Request forbidden by administrative rules.", Verdict.FORBIDDEN),
    "404": (REPO, 404, QUOTA, message("Not Found", status="404"), Verdict.MISSING),
    "410": (REPO, 410, QUOTA, message("Gone"), Verdict.MISSING),
    "409 commits": (HEAD, 409, QUOTA, message("Git Repository is empty."), Verdict.EMPTY),
    "409 elsewhere": (REPO, 409, QUOTA, message("Conflict"), Verdict.UNEXPECTED),
    "422": (WEEKS, 422, QUOTA, message("Repository contains more than 10000 commits"), Verdict.UNSUPPORTED),
    "451": (REPO, 451, QUOTA, blocked("dmca"), Verdict.BLOCKED),
    "451 without block": (REPO, 451, QUOTA, b"", Verdict.BLOCKED),
    "500": (REPO, 500, QUOTA, message("Server Error"), Verdict.TRANSIENT),
    "502": (WEEKS, 502, HTML, HTML_BODY, Verdict.TRANSIENT),
    "503": (REPO, 503, HTML, HTML_BODY, Verdict.TRANSIENT),
    "504": (REPO, 504, JSON, message("We couldn't respond to your request in time."), Verdict.TRANSIENT),
    "400 unknown version": (REPO, 400, JSON, message("Invalid API version"), Verdict.UNEXPECTED),
    "418": (REPO, 418, {}, b"", Verdict.UNEXPECTED),
    "PyPI 200": (PROJECT, 200, {**JSON, "x-pypi-last-serial": "1"}, b'{"info":{}}\n', Verdict.OK),
    "PyPI 404": (PROJECT, 404, JSON, b'{"message": "Not Found"}', Verdict.MISSING),
    "PyPI 503": (PROJECT, 503, HTML, HTML_BODY, Verdict.TRANSIENT),
    "PyPI 429": (PROJECT, 429, {"retry-after": "5"}, b"", Verdict.LIMITED),
}


def judged(facet: str, status: int | None, headers: dict[str, str], body: bytes, error: str | None = None) -> Judgement:
    """Judge with the source that owns the facet."""
    return judge(source=PYPI if facet == PROJECT else GITHUB, facet=facet, status=status, headers=headers, body=body, error=error)


@pytest.mark.parametrize(("facet", "status", "headers", "body", "verdict"), ROWS.values(), ids=ROWS)
def test_every_row_of_the_classifier(facet, status, headers, body, verdict):
    """An answer as the service sends it is taken for what it is, and only 5xx is worth asking again."""
    judgement = judged(facet, status, headers, body)
    assert judgement.verdict is verdict
    assert judgement.is_retryable is (verdict is Verdict.TRANSIENT)


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({**EMPTY_QUOTA, "retry-after": "30"}, blocked("tos"), (Verdict.LIMITED, 30.0, None)),
        (EMPTY_QUOTA, SECONDARY, (Verdict.LIMITED, None, RESET_AT)),
        (EMPTY_QUOTA, blocked("tos"), (Verdict.LIMITED, None, RESET_AT)),
        (QUOTA, message("secondary rate limit", block={"reason": "tos"}), (Verdict.LIMITED, None, None)),
        (QUOTA, message("forbids access via: too large to list contributors", block={"reason": "tos"}), (Verdict.BLOCKED, None, None)),
        (QUOTA, message("forbids access via: too large to list contributors"), (Verdict.TOO_LARGE, None, None)),
        ({**EMPTY_QUOTA, "x-ratelimit-reset": "soon"}, PRIMARY, (Verdict.LIMITED, None, None)),
        ({**EMPTY_QUOTA, "x-ratelimit-reset": "9" * 30}, PRIMARY, (Verdict.LIMITED, None, None)),
        ({"retry-after": "soon"}, b"", (Verdict.LIMITED, None, None)),
        ({"retry-after": "-5"}, b"", (Verdict.LIMITED, None, None)),
        ({"retry-after": "Tue, 24 Nov 2026 13:25:00 GMT", "date": "Tue, 24 Nov 2026 13:23:00 GMT"}, b"", (Verdict.LIMITED, 120.0, None)),
        ({"retry-after": "Tue, 24 Nov 2026 13:25:00 GMT"}, b"", (Verdict.LIMITED, None, None)),
    ],
)
def test_a_403_is_tested_in_githubs_order(headers, body, expected):
    """``retry-after`` comes before the empty quota, that before the words, and a wait nobody can read is no wait."""
    judgement = judged(REPO, 403, headers, body)
    assert (judgement.verdict, judgement.retry_after, judgement.reset_at) == expected


@pytest.mark.parametrize(
    ("error", "is_retryable"),
    [
        ("timeout: ReadTimeout", True),
        ("connect: refused", True),
        ("refused host 'evil.example': only x is asked", False),
        ("invalid address: x", False),
        ("body larger than 32 MiB", False),
        ("the answer repeats the token", False),
    ],
)
def test_no_usable_answer_is_failed(error, is_retryable):
    """An error makes an answer failed whatever its status, and only errors of the moment are worth asking again."""
    for status in (None, 200):
        judgement = judged(REPO, status, {}, b"", error)
        assert (judgement.verdict, judgement.is_retryable, judgement.detail) == (Verdict.FAILED, is_retryable, error)


@pytest.mark.parametrize(
    ("facet", "status", "headers", "body", "words"),
    [
        (REPO, 451, QUOTA, blocked("dmca"), "451 Repository access blocked (dmca)"),
        (REPO, 404, QUOTA, message("Not Found"), "404 Not Found"),
        (REPO, 418, {}, b"[]", "github answered 418"),
        (REPO, 403, QUOTA, message("x" * 5000), "403 " + "x" * 300),
        (REPO, 301, {"location": " /repositories/1 "}, b"", "301"),
    ],
)
def test_the_detail_is_in_the_services_words(facet, status, headers, body, words):
    """The detail repeats the status and the message sent, cut to a readable length."""
    assert judged(facet, status, headers, body).detail == words


def test_a_redirect_tells_where_to():
    """The location is handed on as sent."""
    assert judged(REPO, 301, {"location": "https://api.github.com/repositories/1"}, b"").location == "https://api.github.com/repositories/1"


HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "date", "location", "x-ratelimit-remaining", "x-ratelimit-reset", "content-type"]),
    st.one_of(st.text(), st.sampled_from(["0", "-1", "1e9", "99999999999", "Tue, 24 Nov 2026 13:25:00 +9999"]), st.integers().map(str)),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["message", "block", "reason", "x"]), inner),
    max_leaves=8,
)
BODIES = st.binary() | VALUES.map(lambda value: json.dumps(value).encode())


@given(
    facet=st.sampled_from([REPO, HEAD, WEEKS, PARTICIPANTS, PROJECT, "unheard of"]),
    status=st.none() | st.integers() | st.sampled_from([200, 202, 204, 301, 403, 404, 409, 422, 429, 451, 503]),
    headers=HEADERS,
    body=BODIES,
    error=st.none() | st.text(),
)
def test_judging_is_total(facet, status, headers, body, error):
    """Whatever status, headers and body come, there is a verdict and waits are never negative."""
    judgement = judge(source=GITHUB, facet=facet, status=status, headers=headers, body=body, error=error)
    assert judgement.verdict in Verdict
    assert judgement.retry_after is None or judgement.retry_after >= 0
    assert judgement.verdict is not Verdict.MOVED or judgement.location


def test_deep_nesting_is_garbled():
    """JSON nested deeper than a parser's stack is no crash."""
    assert judged(REPO, 200, {}, b"[" * 1_000_000).verdict is Verdict.GARBLED
    assert judged(REPO, 403, {}, b'{"block":' * 100_000).verdict is Verdict.FORBIDDEN
