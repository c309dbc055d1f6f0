"""The API at other times, over harvests of a world that moves: the bytes that were served then, and the history of a package."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from api.app import create_app
from api.history import merge_figures
from sandbox.server import running as sandbox_running
from tests.api.publishing import publish_rows
from tests.api.running import ask, running
from tests.api.sample_rows import BASE, NEW_YORK, SAMPLE
from tests.conftest import NOW, Bench, prompt_world

SLUG = "django-scheduler"
REPO = "llazzaro/django-scheduler"
TARGETS = [
    f"/api/v4/packages/{SLUG}/",
    "/api/v4/packages/1776.json",
    "/api/v4/packages/?limit=7&offset=2",
    "/api/v4/packages/?limit=500&ordering=-repo_watchers",
    "/api/v4/grids/?limit=100",
    "/api/v4/categories/1/",
]
DAY = timedelta(days=1)


def and_as_of(target: str, text: str) -> str:
    """Ask the same as of another time."""
    return target + ("&" if "?" in target else "?") + f"as_of={text}"


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """Harvest three days, the stars changing each time; gives the folder, and what was served on each day."""
    then, world, holder = [], prompt_world(), []
    with sandbox_running(world, clock=lambda: holder[0].now if holder else NOW) as services:
        bench = Bench(data=tmp_path_factory.mktemp("lived") / "data", services=services)
        holder.append(bench)
        for day in range(3):
            world.change(REPO, stars=1331 + day)
            bench.harvest()
            with running(create_app(bench.data, zone=NEW_YORK, base_url=BASE)) as port:
                then.append([ask(port, "GET", target) for target in TARGETS])
            bench.now += DAY
    return bench.data, then


@pytest.fixture(scope="module")
def port(lived):
    """Serve the last publication."""
    with running(create_app(lived[0], zone=NEW_YORK, base_url=BASE)) as number:
        yield number


def test_every_answer_is_the_one_of_then(port, lived):
    """Whatever is asked as of a day, in any order, has the bytes that were served on that day; only page links say the day on top."""
    for day in (0, 2, 1, 0):
        text = (NOW + day * DAY + timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
        for target, (status, headers, body) in zip(TARGETS, lived[1][day], strict=True):
            told = ask(port, "GET", and_as_of(target, text))
            written = text.replace(":", "%3A").encode()
            plain = told[2].replace(b"as_of=" + written + b"&", b"")
            assert (told[0], plain) == (status, body), target
            assert len(told[2]) != len(body) or dict(told[1]) == dict(headers)
    assert len({tuple(answer[2] for answer in answers) for answers in lived[1]}) == 3


def test_pages_of_the_past_link_on_in_the_past(port):
    """The links of a page keep the time, so a walk stays on one day."""
    link, stars = f"{BASE}/api/v4/packages/?limit=9&as_of=2026-02-16", {}
    while link:
        page = json.loads(ask(port, "GET", link.removeprefix(BASE))[2])
        stars |= {row["slug"]: row["repo_watchers"] for row in page["results"]}
        link = page["next"]
    assert (stars[SLUG], len(stars)) == (1331, page["count"])


def test_the_past_is_kept_by_tag(port):
    """An answer of the past has a tag like any other, and is compressed like any other; HEAD has its head."""
    target = and_as_of(TARGETS[0], "2026-02-16")
    status, headers, body = ask(port, "HEAD", target)
    assert (status, body) == (200, b"")
    assert dict(headers)["content-length"] == str(len(ask(port, "GET", target)[2]))


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/api/v4/packages/?as_of=", 400),
        ("/api/v4/packages/?as_of=yesterday", 400),
        ("/api/v4/packages/?as_of=2026-02-16&ordering=no", 400),
        ("/api/v4/search/?q=a&as_of=2026-02-16", 400),
        ("/api/v4/packages/?as_of=2026-02-15", 404),
        ("/api/v4/packages/?as_of=0001-01-01", 404),
        ("/api/v4/packages/none/?as_of=2026-02-16", 404),
        ("/api/v4/packages?as_of=2026-02-16", 301),
        ("/api/v4/packages/?as_of=9999-12-31", 200),
        ("/api/v4/packages/?%61s_of=2026-02-15", 404),
        ("/api/v4/?as_of=nonsense", 200),
        ("/api/v4/packages/?format=xml&as_of=2026-02-16", 404),
    ],
)
def test_what_cannot_be_answered_is_told(port, target, status):
    """A time that is none is 400 under its name, a time before the first publication 404; the rest is as without it."""
    told = ask(port, "GET", target)
    assert told[0] == status
    if status == 400:
        assert list(json.loads(told[2])) == ["ordering" if "ordering" in target else "as_of"]


def test_history_tells_what_is_kept(port):
    """Stars with the time they were so, the versions PyPI lists, and commits by whole week, by slug and by id."""
    status, headers, body = ask(port, "GET", f"/api/v4/packages/{SLUG}/history/")
    told = json.loads(body)
    assert (status, dict(headers)["content-type"]) == (200, "application/json")
    assert [(figure["repo_watchers"], figure["from"][:10], figure["until"][:10]) for figure in told["stars"]] == [
        (1331 + day, f"2026-02-{15 + day}", f"2026-02-{15 + day}") for day in range(3)
    ]
    versions = [version["version"] for version in told["versions"]]
    assert (versions[-1], len(set(versions))) == ("0.12.0", len(versions))
    weeks = told["commits_by_week"]
    assert [week["week"] for week in weeks] == sorted({week["week"] for week in weeks})
    assert sum(week["commits"] for week in weeks) > 0
    assert ask(port, "GET", "/api/v4/packages/1776/history/")[2] == body
    assert ask(port, "HEAD", "/api/v4/packages/1776/history/")[0::2] == (200, b"")


def test_history_answers_as_other_addresses_do(port):
    """Missing packages, other methods, a missing slash and descriptions are what they are elsewhere."""
    assert ask(port, "GET", "/api/v4/packages/none/history/")[0] == 404
    assert ask(port, "GET", f"/api/v4/packages/{SLUG}/history/x/")[0] == 404
    assert ask(port, "POST", f"/api/v4/packages/{SLUG}/history/")[0] == 405
    assert ask(port, "OPTIONS", f"/api/v4/packages/{SLUG}/history/")[0] == 200
    status, headers, _ = ask(port, "GET", f"/api/v4/packages/{SLUG}/history?a=1")
    assert (status, dict(headers)["location"]) == (301, f"/api/v4/packages/{SLUG}/history/?a=1")


def test_every_package_has_a_history(port):
    """Packages without a repository or a project have an empty one, not an error; an unknown number is null."""
    listed = json.loads(ask(port, "GET", "/api/v4/packages/?limit=500")[2])["results"]
    for row in listed:
        told = json.loads(ask(port, "GET", f"/api/v4/packages/{row['id']}/history/")[2])
        assert (told["stars"] == []) == (row["repo_watchers"] is None), row["slug"]
        if told["stars"]:
            assert told["stars"][-1]["repo_watchers"] == row["repo_watchers"]
        if row["pypi_version"]:
            assert row["pypi_version"] in [version["version"] for version in told["versions"]]


def test_figures_join_while_they_are_the_same():
    """Rows that differ in nothing but the description become one span."""
    rows = [
        {"observed_at": start, "confirmed_at": end, "stars_count": stars, "forks_count": 1}
        for start, end, stars in ((1, 2, 5), (3, 4, 5), (5, 6, 7), (7, 8, 5))
    ]
    assert [(row["observed_at"], row["confirmed_at"], row["stars_count"]) for row in merge_figures(rows)] == [
        (1, 4, 5),
        (5, 6, 7),
        (7, 8, 5),
    ]
    assert rows[0]["confirmed_at"] == 2


def test_a_removed_publication_is_told(tmp_path):
    """When the folder is gone from under the server the past is 503, and the present goes on."""
    path = publish_rows(tmp_path, SAMPLE, "20260215T222000Z-a")
    with running(create_app(tmp_path, zone=NEW_YORK, base_url=BASE)) as port:
        path.rename(tmp_path / "elsewhere")
        assert ask(port, "GET", "/api/v4/packages/?as_of=2026-02-16")[0] == 503
        assert ask(port, "GET", "/api/v4/packages/1776/history/")[0] == 503
        assert ask(port, "GET", "/api/v4/packages/1776/")[0] == 200
