"""How a history grows and shrinks: what a push, and a rewriting before it, make of the figures of a repository."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sandbox.commits import log, stranger_email
from sandbox.subjects import Commit, Repository, commit_oid, email_of

SECOND = timedelta(seconds=1)


def pushed(
    repo: Repository, *, on: datetime, login: str | None, commits: int, authored_at: datetime | None, is_merge: bool
) -> dict[str, Any]:
    """The fields that change when one author pushes so many commits; those pushed stand in front of all that were there."""
    if commits < 1:
        return {}
    made_at = (authored_at or on).astimezone(UTC).replace(microsecond=0)
    day = made_at.date()
    head_at = max(on, repo.head_at or on)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    behind = len(log(repo))
    newest_first = [
        Commit(
            commit_oid(repo.id, behind + commits - number, repo.rewrites),
            authored := max(made_at - SECOND * number, midnight),
            head_at if number == 0 else max(head_at.replace(microsecond=0) - SECOND * number, repo.head_at or authored, authored),
            login,
            email_of(login) if login else stranger_email(repo.id, f"{behind + commits - number}-{repo.rewrites}"),
            2 if is_merge and number == 0 and behind else 1 if behind or number < commits - 1 else 0,
        )
        for number in range(commits)
    ]
    return {
        **_counted(repo, login, commits),
        "commit_days": {**repo.commit_days, day: repo.commit_days.get(day, 0) + commits},
        "head_at": head_at,
        "pushed": (*newest_first, *repo.pushed),
        "grown_from": repo.grown_from or repo,
        "lost_count": repo.lost_count,
    }


def _counted(repo: Repository, login: str | None, commits: int) -> dict[str, Any]:
    """Who has how many commits now; those who have equally many keep their order."""
    if login is None:
        return {"anonymous_count": repo.anonymous_count + commits}
    counts = dict(repo.participants)
    counts[login] = counts.get(login, 0) + commits
    return {"participants": tuple(sorted(counts.items(), key=lambda pair: -pair[1]))}


def dropped(repo: Repository, drop: int) -> dict[str, Any]:
    """The fields that change when a force-push takes the newest ``drop`` commits away, before it brings its own."""
    commits = log(repo)
    gone = commits.page(0, drop)
    of_known_days = sum(repo.commit_days.values())
    days = Counter[date](repo.commit_days)
    days.subtract(commit.authored_at.date() for commit in gone[:of_known_days])
    people = Counter(commit.login for commit in gone)
    left = commits.page(drop, drop + 1)
    return {
        "commit_days": {day: count for day, count in days.items() if count > 0},
        "older_commit_count": repo.older_commit_count - len(gone[of_known_days:]),
        "participants": tuple(
            sorted(
                ((login, count - people[login]) for login, count in repo.participants if count > people[login]),
                key=lambda pair: -pair[1],
            )
        ),
        "anonymous_count": max(repo.anonymous_count - people[None], 0),
        "head_at": left[0].committed_at if left else None,
        "pushed": repo.pushed[drop:],
        "grown_from": repo.grown_from or repo,
        "lost_count": repo.lost_count + max(len(gone) - len(repo.pushed), 0),
        "rewrites": repo.rewrites + 1,
    }
