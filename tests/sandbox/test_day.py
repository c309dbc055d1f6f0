from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest

from sandbox import SYNTHETIC_MOMENT, Repository, RunningClock, Shares, World, curious_world, pass_day, sample_world, synthetic_world
from sandbox.commits import log
from tests.sandbox.asking import asking
from tests.sandbox.test_commits import agrees

QUIET = Shares(pushed=0, released=0, starred=0)
STORMY = Shares(
    pushed=0.3,
    force_pushed=0.1,
    starred=0.3,
    described=0.1,
    renamed=0.1,
    transferred=0.1,
    deleted=0.05,
    recreated=0.05,
    archived=0.1,
    released=0.3,
    yanked=0.1,
    removed=0.05,
    closed=0.1,
    quarantined=0.1,
)


def _repositories(world: World) -> list[Repository]:
    return [repo for repo in map(world.repository_by_id, world.repository_ids()) if repo]


def test_a_usual_day_has_the_shares_it_was_given() -> None:
    """Of 4,000 packages about 3 % were pushed to and 0.5 % released, within the day, in order of time; the world is a day older."""
    world = synthetic_world(4000, 1)
    heads = {repo.id: repo.head_oid for repo in _repositories(world)}
    serials = dict(world.serials())
    events = pass_day(world, now=SYNTHETIC_MOMENT, seed=1)
    counts = Counter(event.kind for event in events)
    assert 85 < counts["pushed"] < 145
    assert 8 < counts["released"] < 32
    assert set(counts) == {"pushed", "released", "starred"}
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert all(SYNTHETIC_MOMENT < event.at < SYNTHETIC_MOMENT + timedelta(days=1) for event in events)
    assert world.today() == date(2026, 2, 17)
    moved = {repo.id for repo in _repositories(world) if repo.head_oid != heads[repo.id]}
    assert moved == {repo.id for event in events if event.kind == "pushed" and (repo := world.repository(event.subject))}
    assert {name for name, serial in world.serials() if serial != serials[name]} == {
        event.subject for event in events if event.kind == "released"
    }


def test_the_same_seed_gives_the_same_day() -> None:
    """Events and what comes of them are equal in two worlds; another seed gives others."""
    worlds = [synthetic_world(300, 2) for _ in range(3)]
    told = [pass_day(world, now=SYNTHETIC_MOMENT, seed=seed, shares=STORMY) for world, seed in zip(worlds, (5, 5, 6), strict=True)]
    assert told[0] == told[1] != told[2]
    one, two = ([(repo.id, repo.full_name, repo.head_oid, repo.participants) for repo in _repositories(world)] for world in worlds[:2])
    assert one == two
    assert list(worlds[0].serials()) == list(worlds[1].serials())


@pytest.mark.parametrize(
    "make_world", [lambda: synthetic_world(150, 3), sample_world, curious_world], ids=["synthetic", "sample", "curious"]
)
def test_five_stormy_days_leave_everything_in_agreement(make_world: object) -> None:
    """Pushes, rewritings, renames, deletions and the rest happen, and no repository's commits contradict its figures."""
    world = make_world()  # type: ignore[operator]
    kinds = Counter[str]()
    for day in range(5):
        kinds.update(event.kind for event in pass_day(world, now=SYNTHETIC_MOMENT + timedelta(days=day), seed=day, shares=STORMY))
    assert len(kinds) >= 12
    for repo in _repositories(world):
        agrees(repo)
        assert repo.head_at is None or repo.head_at <= SYNTHETIC_MOMENT + timedelta(days=5)
        assert world.repository(repo.full_name) is repo
    for name in world.project_names():
        project = world.project(name)
        assert project
        assert project.status in ("active", "archived", "quarantined")


def test_who_pushes_is_mostly_known() -> None:
    """Among many pushes most are by people known there, some by newcomers, a few by nobody's account, some merge."""
    world = synthetic_world(2000, 4)
    known = {repo.id: {login for login, _ in repo.participants} for repo in _repositories(world)}
    pass_day(world, now=SYNTHETIC_MOMENT, shares=Shares(pushed=1, released=0, starred=0))
    heads = [(repo, log(repo).page(0, 1)[0]) for repo in _repositories(world) if repo.pushed]
    newcomers = sum(head.login is not None and head.login not in known[repo.id] for repo, head in heads) / len(heads)
    assert 0.1 < newcomers < 0.25
    assert 0 < sum(head.login is None for _, head in heads) / len(heads) < 0.08
    assert 0.05 < sum(head.parents_count == 2 for _, head in heads) / len(heads) < 0.15
    assert 0.03 < sum(head.authored_at.date() < head.committed_at.date() for _, head in heads) / len(heads) < 0.15
    assert not any(repo.pushed for repo in _repositories(world) if repo.is_archived or repo.block)


@pytest.mark.parametrize("kind", ["renamed", "transferred", "deleted", "recreated", "archived", "described"])
def test_what_befalls_a_repository_shows(kind: str) -> None:
    """Each event does what it is called, and the former name leads where GitHub would lead."""
    world = curious_world()
    before = world.repository("curious/plain")
    pass_day(world, now=SYNTHETIC_MOMENT, shares=Shares(**{"pushed": 0, "released": 0, "starred": 0, kind: 1}))
    after = world.repository("curious/plain")
    assert before
    if kind == "deleted":
        assert after is None
        return
    assert after
    assert (after.id != before.id) == (kind == "recreated")
    assert (after.full_name != before.full_name) == (kind in ("renamed", "transferred"))
    assert (after.owner != before.owner) == (kind == "transferred")
    assert (after.is_archived, after.archived_at is None) == (kind == "archived", kind != "archived")
    assert (after.description != before.description) == (kind in ("described", "recreated"))


def test_a_quarantine_ends_as_it_began_and_moves_the_serial_twice() -> None:
    """A project out of the listing is found again the next day; an archiving moves nothing."""
    world = curious_world()
    serials = dict(world.serials())
    quarantines, closings = (Shares(**{"pushed": 0, "released": 0, "starred": 0, kind: 1}) for kind in ("quarantined", "closed"))
    pass_day(world, now=SYNTHETIC_MOMENT, shares=quarantines)
    assert "curious-plain" not in dict(world.serials())
    assert "curious-quarantined" in dict(world.serials())
    pass_day(world, now=SYNTHETIC_MOMENT + timedelta(days=1), shares=quarantines)
    assert dict(world.serials())["curious-plain"] == serials["curious-plain"] + 2
    pass_day(world, now=SYNTHETIC_MOMENT + timedelta(days=2), shares=closings)
    assert dict(world.serials())["curious-plain"] == serials["curious-plain"] + 2
    project = world.project("curious-plain")
    assert project
    assert project.status == "archived"


def test_a_day_passes_over_http_and_the_clock_goes_with_it() -> None:
    """A caller in another process gets the events; statistics, quota windows and dates follow the clock."""
    seconds = [0.0]
    clock = RunningClock(SYNTHETIC_MOMENT, ticks=lambda: seconds[0])
    world = synthetic_world(300, 1)
    world.today = clock.today
    with asking(world, clock=clock) as (sandbox, client):
        url = f"{sandbox.base_url}/sandbox/day"
        seconds[0] = 60.0
        told = client.post(url, params={"pushed": "0.5", "starred": "0", "seed": "3"}).json()
        answer = client.get(f"{sandbox.github_url}/rate_limit", headers={"authorization": "token a"})
        assert sandbox.ledger.lines()[0].at == 86_460.0
        assert client.post(url, params={"pushed": "many"}).status_code == 400
        assert client.post(url, params={"flooded": "1"}).json() == {"message": "nothing is called flooded"}
    assert (told["now"], told["today"]) == ("2026-02-17T03:01:00+00:00", "2026-02-17")
    assert world.today() == date(2026, 2, 17)
    assert 100 < sum(event["kind"] == "pushed" for event in told["events"]) < 180
    assert answer.headers["date"] == "Tue, 17 Feb 2026 03:01:00 GMT"
    assert int(answer.headers["x-ratelimit-reset"]) == int((clock() + timedelta(hours=1)).timestamp())


def test_no_day_passes_where_the_clock_is_another() -> None:
    """A sandbox under the caller's clock says so and changes nothing."""
    world = curious_world()
    with asking(world) as (sandbox, client):
        refused = client.post(f"{sandbox.base_url}/sandbox/day")
    assert refused.status_code == 409
    assert world.revision == 0


def test_a_clock_runs_and_is_put_forward() -> None:
    """It starts where told, moves with its ticks, and jumps by what it is told."""
    seconds = [100.0]
    clock = RunningClock(datetime(2026, 1, 1, 23, 0, tzinfo=UTC), ticks=lambda: seconds[0])
    seconds[0] += 90
    assert clock() == datetime(2026, 1, 1, 23, 1, 30, tzinfo=UTC)
    clock.advance(timedelta(hours=24))
    assert clock() == datetime(2026, 1, 2, 23, 1, 30, tzinfo=UTC)
    assert (clock.today(), clock.elapsed()) == (date(2026, 1, 2), 86_490.0)


def test_a_quiet_day_only_passes() -> None:
    """Nothing happens, and the windows of participation have moved on."""
    world = curious_world()
    assert pass_day(world, now=SYNTHETIC_MOMENT - timedelta(days=1), shares=QUIET) == []
    assert (world.revision, world.today()) == (0, date(2026, 2, 16))
