"""The commits of a repository, one by one, as its days, participants and head have them.

A *log* is made when somebody asks for it: the commits of the known days at once, those of the years before only when they are
asked for as well. The same repository always gives the same log, and a push only puts commits in front of it.
"""

from __future__ import annotations

import random
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from sandbox.subjects import Commit, Repository, commit_oid, email_of

MERGED_SHARE = 0.05
# Commits made days before they came into the history: rebased work, patches by mail.
DELAYED_SHARE = 0.04
LONGEST_DELAY_DAYS = 5
# Commits of no known day are at least so much older than the head, so that no window of a year reaches them.
OLDER_THAN = timedelta(days=400)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


class Log:
    """All commits on the default branch of one value of a repository, newest first; a sequence read by ``page``."""

    def __init__(self, repo: Repository) -> None:
        self._pushed = repo.pushed
        self._grown = _grown(repo.grown_from or repo)
        self._lost = repo.lost_count
        self._length = len(repo.pushed) + len(self._grown) - repo.lost_count

    def __len__(self) -> int:
        return self._length

    def page(self, start: int, stop: int) -> list[Commit]:
        """The commits from position ``start`` to before ``stop``."""
        stop = min(stop, self._length)
        front = len(self._pushed)
        ahead = list(self._pushed[start:stop])
        return ahead + self._grown.page(max(start - front, 0) + self._lost, max(stop - front, 0) + self._lost)

    def __iter__(self) -> Iterator[Commit]:
        return iter(self.page(0, self._length))

    def count_since(self, since: datetime | None) -> int:
        """How many were committed at that moment or later; all when there is none. Dates only fall along a log."""
        if since is None:
            return self._length
        if self._pushed and self._pushed[-1].committed_at < since:
            return _count_since(self._pushed, since)
        return len(self._pushed) + max(self._grown.count_since(since) - self._lost, 0)


def _count_since(commits: Sequence[Commit], since: datetime) -> int:
    is_older = 1
    return bisect_left(commits, is_older, key=lambda commit: int(commit.committed_at < since))


class _Grown:
    """The log of a value nobody has pushed to, from its figures alone."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._length = repo.commit_count if repo.head_at else 0
        self._rng = random.Random(f"commits:{repo.id}")  # noqa: S311 - a simulation, no secret
        self._left = Counter({login: count for login, count in repo.participants if count > 0})
        self._anonymous_left = repo.anonymous_count
        self._strangers = 0
        self._recent = self._made(_moments(repo, self._rng), 0) if self._length else []
        self._older: list[Commit] | None = None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._length

    def page(self, start: int, stop: int) -> list[Commit]:
        known = len(self._recent)
        if stop <= known:
            return self._recent[start:stop]
        return self._recent[start:] + self._all_older()[max(start - known, 0) : stop - known]

    def count_since(self, since: datetime) -> int:
        if self._recent and self._recent[-1].committed_at < since:
            return _count_since(self._recent, since)
        if len(self._recent) == self._length or since > _older_bound(self._repo):
            return len(self._recent)
        return len(self._recent) + _count_since(self._all_older(), since)

    def _all_older(self) -> list[Commit]:
        with self._lock:  # authors are drawn once: a server and a test may both be the first to ask
            if self._older is None:
                known = len(self._recent)
                self._older = self._made(_older_moments(self._repo, self._length - known), known)
            return self._older

    def _made(self, moments: list[tuple[datetime, datetime]], first: int) -> list[Commit]:
        """Commits at these moments (authored, committed), the first of them standing at position ``first`` of the log."""
        logins, merges = self._drawn(len(moments)), self._rng.random
        last = self._length - 1
        return [
            Commit(
                commit_oid(self._repo.id, self._length - position),
                authored_at,
                committed_at,
                login,
                _email(login) if login else self._stranger(),
                0 if position == last else 2 if merges() < MERGED_SHARE else 1,
            )
            for position, ((authored_at, committed_at), login) in enumerate(zip(moments, logins, strict=True), first)
        ]

    def _drawn(self, count: int) -> list[str | None]:
        """Authors for so many commits, drawn from those whose commits are not all placed yet; ``None`` for nobody's account."""
        people: list[str | None] = [*self._left, None]
        counts = [*self._left.values(), self._anonymous_left]
        drawn = self._rng.sample(people, k=min(count, sum(counts)), counts=counts)
        for login, number in Counter(drawn).items():
            if login is None:
                self._anonymous_left -= number
            else:
                self._left[login] -= number
        return drawn + [None] * (count - len(drawn))

    def _stranger(self) -> str:
        self._strangers += 1
        return stranger_email(self._repo.id, f"{self._strangers - 1}")


def stranger_email(repo_id: int, which: str) -> str:
    """The address of a commit that belongs to no account."""
    return f"anonymous-{repo_id}-{which}@example.org"


_email = lru_cache(maxsize=4096)(email_of)
_grown = lru_cache(maxsize=256)(_Grown)
log = lru_cache(maxsize=256)(Log)


def head_commit(repo: Repository) -> Commit | None:
    """The newest commit, ``None`` when the repository is empty."""
    if repo.pushed:
        return repo.pushed[0]
    return log(repo).page(0, 1)[0] if repo.head_at else None


def head_authored_at(repo: Repository) -> datetime | None:
    """When the newest commit was made, found without making the log where that can be."""
    base = repo.grown_from or repo
    is_plain = base.head_at is not None and not repo.pushed and not repo.lost_count
    if is_plain and base.head_at and max(base.commit_days, default=base.head_at.date()) == base.head_at.date():
        return base.head_at.replace(microsecond=0)
    head = head_commit(repo)
    return head.authored_at if head else None


def _moments(repo: Repository, rng: random.Random) -> list[tuple[datetime, datetime]]:
    """When the commits of the known days were made and committed, newest commit first.

    The newest has the time of the head; the others lie evenly within their day, a few of them committed some days later.
    """
    head_at = repo.head_at or repo.pushed_at
    last_delayed = head_at.replace(microsecond=0) - SECOND
    moments: list[tuple[datetime, datetime]] = []
    for day in sorted(repo.commit_days, reverse=True):
        number = repo.commit_days[day]
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        end = min(midnight + DAY, head_at) if head_at >= midnight else midnight + DAY
        step = (end - midnight) / (number + 1)
        for position in range(number):
            authored_at = (end - step * (position + 1)).replace(microsecond=0)
            if not moments:
                authored_at = head_at.replace(microsecond=0) if head_at.date() == day else authored_at
                moments.append((authored_at, max(head_at, authored_at)))
                continue
            delay = DAY + timedelta(seconds=rng.randrange((LONGEST_DELAY_DAYS - 1) * 86_400)) if rng.random() < DELAYED_SHARE else None
            moments.append((authored_at, max(min(authored_at + delay, last_delayed), authored_at) if delay else authored_at))
    if not moments:
        return [(head_at.replace(microsecond=0), head_at)]
    head, others = moments[:1], moments[1:]
    others.sort(key=lambda pair: pair[1], reverse=True)
    return head + others


def _older_bound(repo: Repository) -> datetime:
    """Before which moment all commits of no known day lie."""
    head_at = repo.head_at or repo.pushed_at
    oldest = min(repo.commit_days, default=head_at.date())
    return min(datetime(oldest.year, oldest.month, oldest.day, tzinfo=UTC), (head_at - OLDER_THAN).replace(microsecond=0))


def _older_moments(repo: Repository, number: int) -> list[tuple[datetime, datetime]]:
    """Times of the commits of no known day: evenly from the repository's creation, or a year, before the known ones."""
    bound = _older_bound(repo)
    step = (bound - min(repo.created_at, bound - timedelta(days=365))) / (number + 1)
    made = [(bound - step * (position + 1)).replace(microsecond=0) for position in range(number)]
    return [(moment, moment) for moment in made]
