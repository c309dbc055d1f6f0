"""What follows from what GitHub said of a repository: the work of one batch, begun by probes and carried on answer by answer.

Here the rooms meet: ``transforms`` read an answer, ``choice.py`` decides, ``extractors`` ask. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from extractors.agenda import Conversation, History, Probe, Work
from extractors.conversation import FACETS, GITHUB, PARTICIPANTS, PROBE, REPO, WEEKS, Answer, Target
from extractors.graphql import Part
from extractors.verdict import Verdict
from flows.choice import LIST_AGE, MOST_PAGES, Weeks, choose_next, has_strangers, is_too_large, newer, window_start
from flows.planning import SETTLED, LastAnswer
from transforms.answers import InvalidAnswer
from transforms.commits import Commit, HistoryPage, decipher_history
from transforms.github import decipher_probe
from transforms.known import Known

ALL = frozenset(FACETS[GITHUB])
SECOND = timedelta(seconds=1)
TIMESTAMP = "%Y-%m-%dT%H:%M:%SZ"


def _is_line(commits: tuple[Commit, ...]) -> bool:
    """Tell whether these commits are known to stand one on the other, without a merge."""
    return all(commit.is_merge is False for commit in commits)


class Reason(StrEnum):
    """Why a repository is asked about over REST, where that decides how."""

    NONE = "none"
    REFUSED = "refused"  # its organisation refuses the token
    CHANGED = "changed"  # the list is known to have changed: a 304 would only hide that


@dataclass(slots=True, kw_only=True)
class _Reading:
    """The history of one repository as far as it was read."""

    logins: set[str] = field(default_factory=set)
    has_met_list: bool = False  # the commit at which the participants are known


@dataclass(slots=True, kw_only=True)
class Inquiry:
    """Decides what follows each part of a batched answer.

    Attributes:
        known: what the store knew before this run.
        answered: facets this run has answers to already, ``(subject, facet)``: a resumed run does not ask them again.
        last: the newest answer to each facet of each subject before this run.
        converse: makes the REST conversation of a subject about some facets, of the repository with this numeric id, for a reason.
        is_full: read everything anew.
    """

    known: Known
    answered: frozenset[tuple[str, str]]
    last: Mapping[tuple[str, str], LastAnswer]
    converse: Callable[[str, frozenset[str], int | None, Reason], Conversation]
    is_full: bool
    readings: dict[str, _Reading] = field(default_factory=dict)
    listed: set[str] = field(default_factory=set)  # whose participants are being asked for
    settled: set[str] = field(default_factory=set)  # whose probe was answered
    unread: dict[str, Target] = field(default_factory=dict)  # whose commits were asked for and did not come yet

    def settle(self, part: Part, answer: Answer) -> Iterator[Work]:
        """Give the work that follows one part; a part that is not ok was asked alone before it comes here."""
        if answer.ask.facet == PROBE:
            self.settled.add(part.target.subject)
            following = self._after_probe(part, answer.fetched_at)
        else:
            self.unread.pop(part.target.subject, None)
            following = self._after_history(part)
        for work in following:
            if isinstance(work, History):
                self.unread[work.target.subject] = work.target
            yield work

    def close_histories(self) -> Iterator[Work]:
        """What takes the place of commits that GraphQL will not tell any more: GitHub's own statistics."""
        for target in list(self.unread.values()):
            yield self._fall_back(target, frozenset({WEEKS}))
        self.unread.clear()

    def begin(self, target: Target) -> Probe:
        """The first question about a repository: by its node id as long as it is there and bears the name the catalog knows it by.

        Asked by name, a renamed repository is still found, and another one that took its old name, or its place, is noticed.
        """
        repo = self.known.repo(target.subject)
        if repo is None or repo[2].lower() != target.subject.partition(":")[2] or self._was_missing(target):
            return Probe(target)
        return Probe(replace(target, node_id=repo[1]))

    def _after_probe(self, part: Part, at: datetime) -> Iterator[Work]:
        target = part.target
        if part.verdict is not Verdict.OK:
            yield from self._look_into(part)
            return
        try:
            seen = decipher_probe(part.body)
        except InvalidAnswer:
            return  # it becomes a finding where it is loaded
        if seen["is_private"] or seen["head_oid"] is None:
            return
        target = replace(target, node_id=seen["node_id"])
        repo = self.known.repo(target.subject)
        is_another = repo is not None and repo[0] != seen["repo_id"]  # it took the name of the one that is known, perhaps its commits too
        following = choose_next(
            seen["head_oid"],
            self.known.weeks(target.subject),
            self.known.participants(target.subject),
            at=at,
            is_full=self.is_full or is_another,
        )
        if (following.has_list or self._is_owed(target)) and not self._is_refused_lately(target, at):
            yield from self._list(target, seen["repo_id"], Reason.NONE)
        if self._is_open(target, WEEKS):
            yield from self._read_weeks(target, following.weeks, at, seen["repo_id"])

    def _look_into(self, part: Part) -> Iterator[Work]:
        """What GraphQL cannot find may be blocked, private or refused: REST tells them apart. Once told, it is believed."""
        target, repo = part.target, self.known.repo(part.target.subject)
        if part.verdict is not Verdict.MISSING:
            yield self._fall_back(target, ALL, Reason.REFUSED if part.verdict is Verdict.REFUSED else Reason.NONE)
        elif target.node_id is None and repo is not None and repo[1] is not None:
            yield Probe(replace(target, node_id=repo[1]))  # renamed, and nobody bears its old name any more
        elif not self._was_missing(target):
            yield self._fall_back(target, ALL)

    def _was_missing(self, target: Target) -> bool:
        before = self.last.get((target.subject, REPO))
        return before is not None and before.outcome == "missing"

    def _read_weeks(self, target: Target, weeks: Weeks, at: datetime, repo_id: int) -> Iterator[Work]:
        if weeks is Weeks.STATISTICS:
            yield self.converse(target.subject, frozenset({WEEKS}), repo_id, Reason.NONE)
        elif weeks is not Weeks.SHIFTED:
            known = self.known.weeks(target.subject)
            until = known.head_oid if known and weeks is Weeks.SINCE else None
            yield History(replace(target, since=self._since(target.subject, at), until_oid=until))

    def _since(self, subject: str, at: datetime) -> str:
        """The start of the window, or the commit at which the participants are known when that is older: it has to be met.

        A repository that slept for a year has hardly more commits since; one whose past was rewritten has it no more.
        """
        people = self.known.participants(subject)
        committed_at = self.known.committed_at(subject, people.head_oid) if people and people.head_oid else None
        start = window_start(at)
        return min(start, (committed_at - SECOND).strftime(TIMESTAMP)) if committed_at else start

    def _after_history(self, part: Part) -> Iterator[Work]:
        target = part.target
        if part.verdict is not Verdict.OK:
            yield self._fall_back(target, frozenset({WEEKS}))
            return
        try:
            page = decipher_history(part.body)
        except InvalidAnswer:
            return
        reading = self.readings.setdefault(target.subject, _Reading())
        if target.page == 1 and target.until_oid is None and is_too_large(page.total_count):
            yield self._fall_back(target, frozenset({WEEKS}))
            return
        self._note_logins(target.subject, page, reading)
        is_met = any(commit.oid == target.until_oid for commit in page.commits)
        if target.until_oid is not None and not (is_met and _is_line(newer(page.commits, target.until_oid))) and page.has_next:
            # What a merge brings may be older than the head known before and stand behind it, and a rewritten past does not have
            # it any more: only the whole window is exact.
            self.readings[target.subject] = _Reading()
            yield History(replace(target, until_oid=None, after=None, page=1))
        elif page.has_next and target.until_oid is None:
            if target.page >= MOST_PAGES:
                yield self._fall_back(target, frozenset({WEEKS}))
                return
            yield History(replace(target, after=page.end_cursor, page=target.page + 1))
        else:
            yield from self._finish(target, reading)

    def _note_logins(self, subject: str, page: HistoryPage, reading: _Reading) -> None:
        """Who committed since the participants were known."""
        if reading.has_met_list:
            return
        known = self.known.participants(subject)
        fresh = newer(page.commits, known.head_oid if known else None)
        reading.has_met_list = len(fresh) < len(page.commits)
        reading.logins |= {commit.login for commit in fresh if commit.login is not None}

    def _finish(self, target: Target, reading: _Reading) -> Iterator[Work]:
        del self.readings[target.subject]
        known = self.known.participants(target.subject)
        # A list whose head was not met cannot be carried on: the past was rewritten.
        if known is not None and (has_strangers(reading.logins, known) or not reading.has_met_list):
            repo = self.known.repo(target.subject)
            yield from self._list(target, repo[0] if repo else None, Reason.CHANGED)

    def _is_owed(self, target: Target) -> bool:
        """Tell whether the participants were asked for before and did not come, or could not be carried on."""
        before = self.last.get((target.subject, PARTICIPANTS))
        return before is not None and before.outcome not in SETTLED

    def _list(self, target: Target, repo_id: int | None, reason: Reason) -> Iterator[Work]:
        """Ask for the participants, once a run."""
        if target.subject not in self.listed and self._is_open(target, PARTICIPANTS):
            self.listed.add(target.subject)
            yield self.converse(target.subject, frozenset({PARTICIPANTS}), repo_id, reason)

    def _is_refused_lately(self, target: Target, at: datetime) -> bool:
        """GitHub does not list the participants of the largest histories; it is asked again after the age of a list."""
        before = self.last.get((target.subject, PARTICIPANTS))
        return before is not None and before.outcome == "unsupported" and at - before.confirmed_at < LIST_AGE

    def _fall_back(self, target: Target, facets: frozenset[str], reason: Reason = Reason.NONE) -> Conversation:
        self.readings.pop(target.subject, None)
        repo = self.known.repo(target.subject)
        wanted = frozenset(facet for facet in facets if self._is_open(target, facet))
        return self.converse(target.subject, wanted, repo[0] if repo else None, reason)

    def _is_open(self, target: Target, facet: str) -> bool:
        return (target.subject, facet) not in self.answered
