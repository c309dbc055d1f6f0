from __future__ import annotations

import httpx
import pytest

from sandbox import Fault, Limits, Mishap, Running
from tests.sandbox.asking import PLAIN, TOKEN, Clock, asking


def _used(answer: httpx.Response) -> tuple[int, int, int]:
    return tuple(int(answer.headers[f"x-ratelimit-{name}"]) for name in ("limit", "used", "remaining"))  # type: ignore[return-value]


def _ask(sandbox: Running, client: httpx.Client, **headers: str) -> httpx.Response:
    return client.get(f"{sandbox.github_url}{PLAIN}", headers=headers)


def test_every_answer_costs_one_unit_of_its_account() -> None:
    """60 an hour for strangers, 5,000 for a token, counted apart."""
    with asking() as (sandbox, client):
        assert _used(_ask(sandbox, client)) == (60, 1, 59)
        assert _used(_ask(sandbox, client)) == (60, 2, 58)
        assert _used(_ask(sandbox, client, **TOKEN)) == (5000, 1, 4999)
        missing = client.get(f"{sandbox.github_url}/repos/no/body", headers=TOKEN)
    assert _used(missing) == (5000, 2, 4998)
    assert missing.headers["x-ratelimit-resource"] == "core"


def test_not_modified_is_free_with_a_token_only() -> None:
    """A 304 to a stranger costs a unit."""
    with asking() as (sandbox, client):
        mine = _ask(sandbox, client, **TOKEN)
        assert _used(_ask(sandbox, client, **TOKEN, **{"if-none-match": mine.headers["etag"]}))[1] == 1
        theirs = _ask(sandbox, client)
        again = _ask(sandbox, client, **{"if-none-match": theirs.headers["etag"]})
    assert (again.status_code, _used(again)[1]) == (304, 2)


def test_exhausted_quota_is_refused_until_its_reset() -> None:
    """403 with nothing remaining, uncounted, and a fresh hour at the reset told."""
    clock = Clock()
    with asking(limits=Limits(anonymous_per_hour=2), clock=clock) as (sandbox, client):
        first = _ask(sandbox, client)
        _ask(sandbox, client)
        refused = [_ask(sandbox, client) for _ in range(3)][-1]
        assert refused.status_code == 403
        assert refused.json()["message"].startswith("API rate limit exceeded")
        assert _used(refused) == (2, 2, 0)
        assert "retry-after" not in refused.headers
        reset = int(first.headers["x-ratelimit-reset"])
        assert reset == int(refused.headers["x-ratelimit-reset"]) == int(clock.now.timestamp()) + 3600
        clock.move(3599)
        assert _ask(sandbox, client).status_code == 403
        clock.move(1)
        assert _used(_ask(sandbox, client)) == (2, 1, 1)


def test_limits_may_answer_429() -> None:
    """GitHub uses either status."""
    with asking(limits=Limits(anonymous_per_hour=0, limited_status=429)) as (sandbox, client):
        assert _ask(sandbox, client).status_code == 429


def test_tokens_of_one_account_share_a_meter() -> None:
    """More tokens of one user add nothing."""
    with asking(limits=Limits(accounts={"one": "me", "two": "me"})) as (sandbox, client):
        _ask(sandbox, client, authorization="Bearer one")
        assert _used(_ask(sandbox, client, authorization="Bearer two"))[1] == 2


@pytest.mark.parametrize("limits", [Limits(bad_tokens=frozenset({"a-token"})), Limits(known_tokens=frozenset({"other"}))])
def test_unknown_token_is_refused_everywhere(limits: Limits) -> None:
    """401 with GitHub's words, also on /rate_limit, charged to the stranger's quota."""
    with asking(limits=limits) as (sandbox, client):
        answers = [client.get(f"{sandbox.github_url}{path}", headers=TOKEN) for path in (PLAIN, "/rate_limit")]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].json() == {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest", "status": "401"}
    assert _used(answers[1]) == (60, 2, 58)


def test_rate_limit_is_free_and_slimmer_in_the_newer_version() -> None:
    """Asking for the quota costs nothing; the top-level rate is gone from 2026-03-10 on."""
    with asking() as (sandbox, client):
        _ask(sandbox, client, **TOKEN)
        old = client.get(f"{sandbox.github_url}/rate_limit", headers=TOKEN).json()
        new = client.get(f"{sandbox.github_url}/rate_limit", headers={**TOKEN, "x-github-api-version": "2026-03-10"}).json()
    assert old["rate"] == old["resources"]["core"] == new["resources"]["core"]
    assert new["resources"]["core"]["used"] == 1
    assert "rate" not in new


def test_points_per_minute_are_watched() -> None:
    """The request beyond the limit is told to wait although quota is left; a minute later all is well."""
    clock = Clock()
    with asking(limits=Limits(points_per_minute=3, retry_after=60), clock=clock) as (sandbox, client):
        answers = [_ask(sandbox, client, **TOKEN) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 403]
        assert "secondary rate limit" in answers[3].json()["message"]
        assert answers[3].headers["retry-after"] == "60"
        assert _used(answers[3]) == (5000, 3, 4997)
        clock.move(61)
        assert _ask(sandbox, client, **TOKEN).status_code == 200


def test_secondary_limits_come_in_bursts_with_and_without_advice() -> None:
    """A fault refuses as many requests as it says, on its path only."""
    with asking() as (sandbox, client):
        sandbox.faults.add(
            Fault(pattern="/github/repos/curious/plain", mishap=Mishap.SECONDARY, times=2),
            Fault(pattern="/github/repos/curious/plain", mishap=Mishap.SECONDARY, times=1, retry_after=7),
        )
        answers = [_ask(sandbox, client, **TOKEN) for _ in range(4)]
        assert client.get(f"{sandbox.github_url}/repos/curious/ready").status_code == 200
    assert [(answer.status_code, answer.headers.get("retry-after")) for answer in answers] == [
        (403, None),
        (403, None),
        (403, "7"),
        (200, None),
    ]
    assert _used(answers[3])[1] == 1
