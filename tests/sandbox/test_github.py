from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from sandbox import curious_world
from sandbox.commits import log
from tests.sandbox.asking import PLAIN, TOKEN, asking


def test_repository_is_found_in_any_case_and_by_its_id() -> None:
    """Owner and name are not case sensitive, and the numeric id leads to the same body."""
    with asking() as (sandbox, client):
        plain = client.get(f"{sandbox.github_url}{PLAIN}")
        assert plain.status_code == 200
        assert plain.json()["full_name"] == "curious/plain"
        assert client.get(f"{sandbox.github_url}/repos/CURIOUS/Plain").json() == plain.json()
        assert client.get(f"{sandbox.github_url}/repositories/{plain.json()['id']}").json() == plain.json()


def test_stars_stand_under_three_names_and_watchers_under_a_fourth() -> None:
    """GitHub calls stars watchers, and watchers subscribers."""
    with asking() as (sandbox, client):
        body = client.get(f"{sandbox.github_url}{PLAIN}").json()
    assert body["stargazers_count"] == body["watchers_count"] == body["watchers"] == 120
    assert body["subscribers_count"] == 9
    assert body["forks_count"] == body["forks"] == 14


def test_links_in_bodies_and_headers_lead_back_to_the_sandbox() -> None:
    """No address a caller may follow leaves the machine."""
    with asking() as (sandbox, client):
        assert client.get(f"{sandbox.github_url}{PLAIN}").json()["url"] == f"{sandbox.github_url}{PLAIN}"
        pages = client.get(f"{sandbox.github_url}/repos/curious/crowded/contributors")
        moved = client.get(f"{sandbox.github_url}/repos/curious/former")
    assert pages.headers["link"].startswith(f"<{sandbox.github_url}/repositories/")
    assert moved.headers["location"] == moved.json()["url"] == f"{sandbox.github_url}/repositories/2000013"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/repos/curious/plain/", 404),
        ("/repos/curious/nowhere", 404),
        ("/repos/curious/plain/stats/code_frequency", 404),
        ("/repositories/99", 404),
        ("/repos/curious/former", 301),
        ("/repos/curious/dmca", 451),
        ("/repos/curious/tos", 403),
        ("/repos/curious/unavailable", 403),
        ("/repos/curious/too-large/contributors", 403),
        ("/repos/curious/empty", 200),
        ("/repos/curious/empty/contributors", 204),
        ("/repos/curious/empty/commits?per_page=1", 409),
        ("/repos/curious/empty/stats/participation", 204),
        ("/repos/curious/ready/stats/participation", 200),
        ("/repos/curious/refusing", 200),
    ],
)
def test_each_oddity_has_its_status(path: str, status: int) -> None:
    """What is odd about a repository shows in the status GitHub gives it."""
    with asking() as (sandbox, client):
        answer = client.get(f"{sandbox.github_url}{path}")
    assert answer.status_code == status
    assert (answer.content == b"") == (status == 204)


def test_blocked_repositories_say_why() -> None:
    """The block object tells a blocked repository from a limit."""
    with asking() as (sandbox, client):
        reasons = {name: client.get(f"{sandbox.github_url}/repos/curious/{name}").json()["block"]["reason"] for name in ("dmca", "tos")}
    assert reasons == {"dmca": "dmca", "tos": "tos"}


def test_organisation_policy_refuses_the_token_but_not_the_stranger() -> None:
    """The same public repository answers without a token."""
    with asking() as (sandbox, client):
        refused = client.get(f"{sandbox.github_url}/repos/curious/refusing", headers=TOKEN)
        assert (refused.status_code, "forbids access via" in refused.json()["message"]) == (403, True)
        assert int(refused.headers["x-ratelimit-remaining"]) > 0
        assert client.get(f"{sandbox.github_url}/repos/curious/refusing").status_code == 200


def test_a_private_repository_is_there_for_its_token_only() -> None:
    """Strangers get the 404 of a missing one."""
    with asking() as (sandbox, client):
        url = f"{sandbox.github_url}/repos/curious/private"
        assert client.get(url).status_code == 404
        mine = client.get(url, headers=TOKEN).json()
    assert (mine["private"], mine["visibility"]) == (True, "private")


def test_a_repository_may_have_strangers_only() -> None:
    """The list of its contributors is empty although it has commits."""
    with asking() as (sandbox, client):
        url = f"{sandbox.github_url}/repos/curious/anonymous/contributors"
        assert client.get(url).json() == []
        assert len(client.get(f"{url}?anon=1&per_page=100").json()) == 46


def test_rename_keeps_sub_resource_and_query() -> None:
    """A sub-resource of a renamed repository redirects to the same one below its id."""
    with asking() as (sandbox, client):
        moved = client.get(f"{sandbox.github_url}/repos/curious/former/contributors?per_page=100")
        assert moved.headers["location"] == f"{sandbox.github_url}/repositories/2000013/contributors?per_page=100"
        assert client.get(moved.headers["location"]).status_code == 200


def test_statistics_are_pending_once_and_keep_their_etag() -> None:
    """202 with an empty object first, 200 next, both with one ETag; a push makes them pending again."""
    world = curious_world()
    with asking(world) as (sandbox, client):
        url = f"{sandbox.github_url}{PLAIN}/stats/participation"
        pending, ready = client.get(url), client.get(url)
        assert (pending.status_code, pending.json()) == (202, {})
        assert ready.status_code == 200
        assert len(ready.json()["all"]) == 52
        assert pending.headers["etag"] == ready.headers["etag"]
        world.push("curious/plain", on=datetime(2026, 2, 15, tzinfo=UTC), login="ada")
        assert client.get(url).status_code == 202


def test_statistics_may_never_be_ready() -> None:
    """A very active repository answers 202 for ever."""
    with asking() as (sandbox, client):
        url = f"{sandbox.github_url}/repos/curious/never-ready/stats/participation"
        assert {client.get(url).status_code for _ in range(5)} == {202}


def test_participation_ends_at_the_midnight_that_begins_today() -> None:
    """Commits of today are in no window; those of the seven days before are in the last."""
    world = curious_world()
    world.change("curious/ready", commit_days={date(2026, 2, 15): 7, date(2026, 2, 14): 2, date(2026, 2, 8): 1, date(2026, 2, 7): 5})
    with asking(world) as (sandbox, client):
        weeks = client.get(f"{sandbox.github_url}/repos/curious/ready/stats/participation").json()["all"]
    assert weeks[-2:] == [5, 3]
    assert sum(weeks) == 8


def test_contributors_come_in_pages_linked_to_each_other() -> None:
    """Following rel=next from the first page gives every contributor once, in order."""
    with asking() as (sandbox, client):
        url: str | None = f"{sandbox.github_url}/repos/curious/crowded/contributors?per_page=100"
        logins: list[str] = []
        sizes: list[int] = []
        while url:
            answer = client.get(url)
            logins += [row["login"] for row in answer.json()]
            sizes.append(len(answer.json()))
            url = answer.links.get("next", {}).get("url")
        first = client.get(f"{sandbox.github_url}/repos/curious/crowded/contributors?per_page=100")
    assert sizes == [100, 100, 30]
    assert logins == [f"curious-{number:03d}" for number in range(230)]
    assert first.links["last"]["url"].endswith("?per_page=100&page=3")


@pytest.mark.parametrize(
    ("query", "count"), [("", 30), ("?per_page=500", 100), ("?per_page=x", 30), ("?page=99", 0), ("?anon=1&per_page=100&page=3", 42)]
)
def test_page_sizes_are_githubs(query: str, count: int) -> None:
    """30 by default, 100 at most, nothing beyond the end, anonymous ones only when asked for."""
    with asking() as (sandbox, client):
        answer = client.get(f"{sandbox.github_url}/repos/curious/crowded/contributors{query}")
    assert len(answer.json()) == count


def test_anonymous_contributors_have_no_login() -> None:
    """An address that belongs to no account is listed by name only, last."""
    with asking() as (sandbox, client):
        last = client.get(f"{sandbox.github_url}/repos/curious/crowded/contributors?anon=1&per_page=100&page=3").json()[-1]
    assert "login" not in last
    assert last["type"] == "Anonymous"


def test_single_page_has_no_link() -> None:
    """A repository with one commit sends no Link header: the count must come from the page."""
    with asking() as (sandbox, client):
        one = client.get(f"{sandbox.github_url}/repos/curious/one-commit/commits?per_page=1")
        many = client.get(f"{sandbox.github_url}{PLAIN}/commits?per_page=1")
    assert "link" not in one.headers
    assert len(one.json()) == 1
    assert many.links["last"]["url"].endswith("&page=46")


def test_commits_are_newest_first_and_end_with_a_root() -> None:
    """Walking all pages gives every commit once, each the parent of the one before, the newest with the date of the head."""
    with asking() as (sandbox, client):
        rows = [
            row
            for page in range(1, 4)
            for row in client.get(f"{sandbox.github_url}{PLAIN}/commits", params={"per_page": 20, "page": page}).json()
        ]
    moments = [row["commit"]["committer"]["date"] for row in rows]
    assert len(rows) == 46
    assert moments == sorted(moments, reverse=True)
    assert moments[0] == "2026-02-14T10:30:00Z"
    assert [row["parents"][0]["sha"] for row in rows[:-1]] == [row["sha"] for row in rows[1:]]
    assert rows[-1]["parents"] == []
    repo = curious_world().repository("curious/plain")
    assert repo
    assert [len(row["parents"]) for row in rows] == [commit.parents_count for commit in log(repo)]


def test_known_version_is_answered_with_304() -> None:
    """If-None-Match is compared weakly and If-Modified-Since is understood; a change gives the new version."""
    world = curious_world()
    with asking(world) as (sandbox, client):
        url = f"{sandbox.github_url}{PLAIN}"
        first = client.get(url, headers=TOKEN)
        etag = first.headers["etag"]
        for condition in (etag, etag.removeprefix("W/"), f'"x", {etag}', "*"):
            again = client.get(url, headers={**TOKEN, "if-none-match": condition})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        assert client.get(url, headers={**TOKEN, "if-modified-since": first.headers["last-modified"]}).status_code == 304
        assert client.get(url, headers={**TOKEN, "if-modified-since": "yesterday"}).status_code == 200
        world.change("curious/plain", stars=121)
        assert client.get(url, headers={**TOKEN, "if-none-match": etag}).status_code == 200


def test_a_page_known_already_does_not_say_how_many_follow() -> None:
    """A 304 has no Link header: who asks again must remember how many pages there were."""
    with asking() as (sandbox, client):
        url = f"{sandbox.github_url}/repos/curious/crowded/contributors?per_page=100"
        first = client.get(url, headers=TOKEN)
        again = client.get(url, headers={**TOKEN, "if-none-match": first.headers["etag"]})
    assert "link" in first.headers
    assert again.status_code == 304
    assert "link" not in again.headers


def test_etags_belong_to_the_token() -> None:
    """A validator got with one token, or without, is worthless with another."""
    with asking() as (sandbox, client):
        url = f"{sandbox.github_url}{PLAIN}"
        etags = {client.get(url, headers=headers).headers["etag"] for headers in ({}, TOKEN, {"authorization": "token other"})}
    assert len(etags) == 3


def test_api_version_is_checked_and_obeyed() -> None:
    """An unknown version is 400; the newer one drops has_downloads."""
    with asking() as (sandbox, client):
        url = f"{sandbox.github_url}{PLAIN}"
        bodies = {
            version: client.get(url, headers={"x-github-api-version": version}) for version in ("2022-11-28", "2026-03-10", "1999-01-01")
        }
    assert "has_downloads" in bodies["2022-11-28"].json()
    assert "has_downloads" not in bodies["2026-03-10"].json()
    assert bodies["1999-01-01"].status_code == 400


def test_request_without_user_agent_is_forbidden() -> None:
    """GitHub turns away who does not say who they are, in plain text and without quota headers."""
    with asking() as (sandbox, client):
        answer = client.get(f"{sandbox.github_url}{PLAIN}", headers={"user-agent": ""})
    assert answer.status_code == 403
    assert "User-Agent" in answer.text
    assert "x-ratelimit-limit" not in answer.headers


def test_head_has_the_headers_and_no_body() -> None:
    """HEAD tells the length of what GET would send."""
    with asking() as (sandbox, client):
        url = f"{sandbox.github_url}{PLAIN}"
        head, get = client.head(url, headers={"accept-encoding": "identity"}), client.get(url, headers={"accept-encoding": "identity"})
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.content))


def test_world_may_change_while_it_is_served() -> None:
    """A rename, an archiving, a deletion and a take-over show in the next answers."""
    world = curious_world()
    now = datetime(2026, 2, 16, tzinfo=UTC)
    with asking(world) as (sandbox, client):
        world.rename("curious/plain", "else/where")
        assert client.get(f"{sandbox.github_url}{PLAIN}").status_code == 301
        world.change("else/where", is_archived=True)
        body = client.get(f"{sandbox.github_url}/repos/else/where").json()
        assert (body["archived"], body["full_name"], body["owner"]["login"]) == (True, "else/where", "else")
        world.delete("else/where")
        for path in (PLAIN, "/repos/else/where", f"/repositories/{body['id']}"):
            assert client.get(f"{sandbox.github_url}{path}").status_code == 404
        taken = curious_world().change("curious/undescribed", id=7, name="plain", updated_at=now + timedelta(days=1))
        world.add(taken)
        assert client.get(f"{sandbox.github_url}{PLAIN}").json()["id"] == 7
