from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import Repository, World, curious_world, sample_world, synthetic_world
from sandbox.commits import head_authored_at, head_commit, log
from sandbox.subjects import Commit, weekly_commits
from sandbox.synthetic import make_repository

NOW = datetime(2026, 2, 16, 12, tzinfo=UTC)
NAME = "curious/plain"
LOGINS = ("ada", "grace", "dependabot[bot]", "newcomer", None)


def consistent(days: dict[date, int], older: int, shares: list[int], strangers: int, second: int) -> Repository:
    """A repository whose participants have made exactly its commits; ``shares`` says how they are split."""
    head_on = max(days)
    total = sum(days.values()) + older
    anonymous = min(strangers, total)
    cuts = sorted(share % (total - anonymous + 1) for share in shares)
    parts = [end - start for start, end in zip([0, *cuts], [*cuts, total - anonymous], strict=True)]
    counts = sorted((part for part in parts if part), reverse=True)
    names = [f"dev-{place}" if place != 1 else "dependabot[bot]" for place in range(len(counts))]
    found = curious_world().repository(NAME)
    assert found
    return replace(
        found,
        commit_days=days,
        older_commit_count=older,
        head_at=datetime(head_on.year, head_on.month, head_on.day, tzinfo=UTC) + timedelta(seconds=second),
        participants=tuple(zip(names, counts, strict=True)),
        anonymous_count=anonymous,
    )


def repositories() -> st.SearchStrategy[Repository]:
    """Repositories whose figures agree with each other."""
    return st.builds(
        consistent,
        st.dictionaries(st.dates(date(2025, 2, 1), NOW.date()), st.integers(1, 8), min_size=1, max_size=12),
        st.integers(0, 40),
        st.lists(st.integers(0, 10_000), max_size=5),
        st.integers(0, 4),
        st.integers(0, 43_000),
    )


@st.composite
def stories(draw: st.DrawFn) -> World:
    """A world in which a repository was pushed to, rewritten and pushed to again."""
    repo = draw(repositories())
    world = World([repo], today=NOW.date)
    moment = NOW
    for _ in range(draw(st.integers(0, 5))):
        moment += timedelta(hours=draw(st.integers(0, 60)))
        login, commits = draw(st.sampled_from(LOGINS)), draw(st.integers(1, 4))
        left = len(log(_plain(world)))
        if draw(st.booleans()):
            authored_at = moment - timedelta(days=draw(st.integers(0, 30))) if draw(st.booleans()) else None
            world.push(NAME, on=moment, login=login, commits=commits, authored_at=authored_at, is_merge=draw(st.booleans()))
        else:
            world.force_push(NAME, drop=draw(st.integers(0, left)), on=moment, login=login, commits=commits)
    return world


def _plain(world: World) -> Repository:
    repo = world.repository(NAME)
    assert repo
    return repo


def agrees(repo: Repository) -> None:
    """Everything a log must have in common with the figures of its repository."""
    commits = list(log(repo))
    assert len(commits) == repo.commit_count == len({commit.oid for commit in commits})
    known, older = commits[: sum(repo.commit_days.values())], commits[sum(repo.commit_days.values()) :]
    assert Counter(commit.authored_at.date() for commit in known) == Counter(repo.commit_days)
    assert len(older) == repo.older_commit_count
    people = Counter(commit.login for commit in commits)
    assert people.pop(None, 0) == repo.anonymous_count
    assert people == Counter(dict(repo.participants))
    assert [count for _, count in repo.participants] == sorted((count for _, count in repo.participants), reverse=True)
    moments = [commit.committed_at for commit in commits]
    assert moments == sorted(moments, reverse=True)
    assert all(commit.committed_at >= commit.authored_at for commit in commits)
    assert all(commit.parents_count for commit in commits[:-1])
    if commits:
        head = commits[0]
        assert (head.oid, head.committed_at, head.authored_at) == (repo.head_oid, repo.head_at, head_authored_at(repo))
        assert head == head_commit(repo)
    else:
        assert (repo.head_oid, repo.head_at, head_authored_at(repo), head_commit(repo)) == (None, None, None, None)


@given(repo=repositories())
def test_a_log_agrees_with_every_figure_of_its_repository(repo: Repository) -> None:
    """Days, people, count and head are the same whether one counts the commits or reads the figures."""
    agrees(repo)
    first = log(repo).page(len(log(repo)) - 1, len(log(repo)))[0]
    assert first.parents_count == 0, "the first commit of a repository has no parent"


@given(world=stories())
def test_pushes_and_rewritings_leave_all_figures_in_agreement(world: World) -> None:
    """Whatever happened to it, a repository's log and figures tell the same story."""
    agrees(_plain(world))


@given(repo=repositories(), size=st.integers(1, 17))
def test_pages_of_a_log_make_up_the_whole(repo: Repository, size: int) -> None:
    """Whatever the page size, the pages together are the log, also when a later one is read first."""
    whole = list(log(repo))
    again = log(replace(repo))
    starts = range(0, len(whole), size)
    pages = {start: again.page(start, start + size) for start in reversed(starts)}
    assert [commit for start in starts for commit in pages[start]] == whole
    assert again.page(len(whole), len(whole) + size) == []


@given(world=stories(), days=st.integers(-3, 900), seconds=st.integers(0, 86_400))
def test_a_window_begins_with_the_first_commit_committed_in_it(world: World, days: int, seconds: int) -> None:
    """Counting from a moment is counting the commits committed then or later."""
    since = NOW - timedelta(days=days, seconds=seconds)
    commits = log(_plain(world))
    assert commits.count_since(since) == sum(commit.committed_at >= since for commit in commits)
    assert commits.count_since(None) == len(commits)


@given(repo=repositories(), login=st.sampled_from(LOGINS), commits=st.integers(1, 4))
def test_a_push_puts_its_commits_in_front_and_changes_none(repo: Repository, login: str | None, commits: int) -> None:
    """All older commits stay as they are, and those in front are the pusher's."""
    world = World([repo], today=NOW.date)
    before = list(log(repo))
    after = list(log(world.push(NAME, on=NOW + timedelta(days=1), login=login, commits=commits)))
    assert after[commits:] == before
    assert {commit.login for commit in after[:commits]} == {login}
    assert {commit.authored_at.date() for commit in after[:commits]} == {date(2026, 2, 17)}


@given(repo=repositories(), drop=st.integers(0, 60), commits=st.integers(1, 3))
def test_a_rewriting_takes_the_newest_away_for_good(repo: Repository, drop: int, commits: int) -> None:
    """What was dropped comes under no hash again, what is behind it stays."""
    world = World([repo], today=NOW.date)
    before = list(log(repo))
    world.force_push(NAME, drop=drop, on=NOW, login="ada", commits=commits)
    after = list(log(world.push(NAME, on=NOW, login="ada", commits=2)))
    assert after[2 + commits :] == before[drop:]
    assert not {commit.oid for commit in after[: 2 + commits]} & {commit.oid for commit in before}


@given(repo=repositories())
def test_a_year_of_the_log_gives_the_weeks_participation_tells(repo: Repository) -> None:
    """52 windows counted by author day from what history gives for 54 weeks are those of the statistics."""
    since = NOW - timedelta(days=54 * 7)
    commits = log(repo).page(0, log(repo).count_since(since))
    ends = datetime(NOW.year, NOW.month, NOW.day, tzinfo=UTC)
    weeks = [0] * 52
    for commit in commits:
        age = (ends - commit.authored_at) / timedelta(days=7)
        if 0 < age <= 52:
            weeks[51 - int(age - 1e-9)] += 1
    assert weeks == weekly_commits(repo, NOW.date())


def test_equal_values_have_equal_logs() -> None:
    """A repository made anew from seed and index has the same commits, hash by hash."""
    for index in range(5):
        assert list(log(make_repository(3, index))) == list(log(make_repository(3, index)))


def _consistent_worlds() -> list[Repository]:
    synthetic = synthetic_world(120, 1)
    repos = [synthetic.repository_by_id(repo_id) for repo_id in synthetic.repository_ids()]
    sample = sample_world()
    repos += [sample.repository_by_id(repo_id) for repo_id in sample.repository_ids()]
    curious = curious_world()
    repos += [curious.repository_by_id(repo_id) for repo_id in curious.repository_ids()]
    return [repo for repo in repos if repo]


@pytest.mark.parametrize("repo", _consistent_worlds(), ids=lambda repo: repo.full_name)
def test_all_worlds_agree_with_their_logs(repo: Repository) -> None:
    """Sample, curiosities and synthetic repositories have no figure their commits do not bear out."""
    agrees(repo)


def test_logs_have_what_real_histories_have() -> None:
    """Merges, work committed days after it was made, bots with their own address, and people without an account."""
    commits = [commit for repo in _consistent_worlds() for commit in log(repo)]
    merges, late = (
        Counter(commit.parents_count for commit in commits)[2],
        [c for c in commits if c.committed_at - c.authored_at > timedelta(days=1)],
    )
    assert 0.03 < merges / len(commits) < 0.07
    assert late
    assert max(commit.committed_at - commit.authored_at for commit in late) <= timedelta(days=5)
    bots = [commit for commit in commits if commit.login and commit.login.endswith("[bot]")]
    assert bots
    assert {commit.email.partition("+")[2] for commit in bots} == {f"{commit.login}@users.noreply.github.com" for commit in bots}
    assert any(commit.login is None for commit in commits)


def test_work_made_earlier_counts_for_the_day_it_was_made() -> None:
    """A push of old work comes in front, with the day it was made, which may be outside of any window."""
    world = curious_world()
    made_at = datetime(2023, 5, 4, 3, 2, 1, tzinfo=UTC)
    repo = world.push(NAME, on=NOW, login="grace", commits=2, authored_at=made_at, is_merge=True)
    newest, second = log(repo).page(0, 2)
    assert newest == Commit(repo.head_oid or "", made_at, NOW, "grace", "grace@example.org", 2)
    assert (second.authored_at, second.parents_count) == (made_at - timedelta(seconds=1), 1)
    assert repo.commit_days[date(2023, 5, 4)] == 2
    agrees(repo)


def test_ties_among_participants_keep_their_order() -> None:
    """Who catches up stands behind those who had as many before."""
    world = curious_world()
    world.change(NAME, participants=(("ada", 20), ("grace", 13), ("joan", 12), ("mary", 1)))
    after = world.push(NAME, on=NOW, login="joan")
    assert [login for login, _ in after.participants] == ["ada", "grace", "joan", "mary"]
    after = world.push(NAME, on=NOW, login="newcomer")
    assert [login for login, _ in after.participants] == ["ada", "grace", "joan", "mary", "newcomer"]
    after = world.push(NAME, on=NOW, login="newcomer")
    assert [login for login, _ in after.participants] == ["ada", "grace", "joan", "newcomer", "mary"]


def test_a_change_of_figures_begins_another_history() -> None:
    """Days given anew are all there is: nothing pushed before is left."""
    world = curious_world()
    world.push(NAME, on=NOW, login="ada", commits=3)
    repo = world.change(NAME, commit_days={date(2026, 2, 14): 1}, older_commit_count=0, participants=(("ada", 1),))
    assert len(log(repo)) == 1
    assert repo.pushed == ()
