"""Which facets of which subjects are due, in what order, and what asking them will cost. Pure: no clock, no files.

A facet is due when it was never answered, when its last answer was no good, or when that answer is older than the
greatest age allowed. Subjects never seen come first, then the stalest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from extractors.conversation import FACETS, GITHUB, PARTICIPANTS, PROJECT, PYPI, REPO, WEEKS
from flows.progress import describe_seconds

# Outcomes that settle a facet for its greatest age. The others (pending, failed, limited, refused, invalid) are asked again next run.
SETTLED = frozenset({"ok", "capped", "empty", "missing", "blocked", "unsupported"})
CLOSED = frozenset({"missing", "blocked"})
NEVER = datetime.min.replace(tzinfo=UTC)
PAGE_SIZE = 100  # logins on one page of /contributors


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAnswer:
    """The newest answer to one facet of one subject: its outcome and when it was last confirmed (aware UTC)."""

    outcome: str
    confirmed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One subject, the facets to ask of it, and when its stalest facet was last answered."""

    subject: str
    facets: frozenset[str]
    stalest_at: datetime

    @property
    def source(self) -> str:
        """``github`` or ``pypi``."""
        return self.subject.partition(":")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestPlan:
    """What a harvest will ask, stalest first.

    Attributes:
        due: the subjects with something to ask.
        fresh_count: facets young enough to be left alone.
        requests: expected requests by facet; a first sight of participants counts one page, statistics one repetition in two.
        github_units: expected quota units.
        left_out: subjects beyond the caller's budget, which keep their values and come first next time.
    """

    due: tuple[Due, ...]
    fresh_count: int
    requests: Mapping[str, int]
    github_units: int
    left_out: tuple[str, ...]

    @property
    def facet_count(self) -> int:
        """How many facets are due."""
        return sum(len(item.facets) for item in self.due)

    def as_json(self) -> dict[str, Any]:
        """The plan for programs."""
        return {
            "subjects": len(self.due),
            "facets": self.facet_count,
            "fresh": self.fresh_count,
            "requests": dict(self.requests),
            "github_units": self.github_units,
            "left_out": list(self.left_out),
        }


def plan_harvest(
    subjects: Iterable[str],
    last: Mapping[tuple[str, str], LastAnswer],
    *,
    as_of: datetime,
    max_age: timedelta,
    pages: Mapping[str, int],
    budget: int | None,
    landed: Mapping[tuple[str, str], LastAnswer] | None = None,
) -> HarvestPlan:
    """Decide what is due at ``as_of``.

    ``pages`` tells how many pages of participants each subject had, ``landed`` what the run already heard: that is settled
    however old it is by now, unless it was no answer.
    """
    landed = landed or {}
    due: list[Due] = []
    fresh = 0
    for subject in subjects:
        facets = FACETS[subject.partition(":")[0]]
        wanted = _wanted(subject, last, landed, as_of, max_age)
        fresh += len(facets) - len(wanted)
        if wanted:
            times = [answer.confirmed_at if (answer := last.get((subject, facet))) else NEVER for facet in wanted]
            due.append(Due(subject=subject, facets=wanted, stalest_at=min(times)))
    due.sort(key=lambda item: (item.stalest_at, item.subject))
    requests = Counter[str]()
    units = 0
    left_out: list[str] = []
    for item in due:
        expected = {facet: _requests(facet, pages.get(item.subject, 1)) for facet in item.facets}
        requests.update(expected)
        if item.source == GITHUB:
            units += sum(expected.values())
            if budget is not None and units > budget:
                left_out.append(item.subject)
    return HarvestPlan(due=tuple(due), fresh_count=fresh, requests=requests, github_units=units, left_out=tuple(left_out))


def _wanted(
    subject: str,
    last: Mapping[tuple[str, str], LastAnswer],
    landed: Mapping[tuple[str, str], LastAnswer],
    as_of: datetime,
    max_age: timedelta,
) -> frozenset[str]:
    due = {facet for facet in FACETS[subject.partition(":")[0]] if _is_due(last.get((subject, facet)), as_of, max_age)}
    answers = {facet: answer for facet in FACETS[subject.partition(":")[0]] if (answer := landed.get((subject, facet)))}
    wanted = frozenset(due - {facet for facet, answer in answers.items() if answer.outcome in SETTLED})
    repo = answers.get(REPO) or last.get((subject, REPO))
    # A repository that is missing or closed to us answers no other question either; it is asked for itself when that is due.
    return frozenset() if repo and REPO not in wanted and repo.outcome in CLOSED else wanted


def _is_due(answer: LastAnswer | None, as_of: datetime, max_age: timedelta) -> bool:
    return answer is None or answer.outcome not in SETTLED or as_of - answer.confirmed_at >= max_age


def _requests(facet: str, pages: int) -> int:
    if facet == PARTICIPANTS:
        return max(1, pages)
    # GitHub computes statistics on demand: the first answer is often a 202, so plan for a second one.
    return 2 if facet == WEEKS else 1


def describe_plan(plan: HarvestPlan, *, has_token: bool) -> list[str]:
    """The plan in sentences, one per line."""
    projects = plan.requests.get(PROJECT, 0)
    lines = [
        f"{len(plan.due):,} subjects are due with {plan.facet_count:,} questions; {plan.fresh_count:,} answers are young enough.",
        f"GitHub: about {plan.github_units:,} quota units. PyPI: {projects:,} requests.",
    ]
    if any(item.source == GITHUB for item in plan.due):
        hourly = 5000 if has_token else 60
        hours = plan.github_units / hourly
        if not has_token:
            lines.append(
                f"No GITHUB_TOKEN: GitHub answers 60 requests an hour to your address, so this takes about {hours:,.1f} hours; "
                f"with a token of your own, 5,000 an hour, about {describe_seconds(max(60.0, hours * 60 / 5000 * 3600))}."
            )
        elif hours > 1:
            lines.append(f"That is more than one hour's quota: about {hours:,.1f} hours.")
    if plan.left_out:
        lines.append(f"The budget leaves out {len(plan.left_out):,} subjects; they keep their values and are first next time.")
    return lines


def batches(due: tuple[Due, ...], size: int) -> list[tuple[Due, ...]]:
    """Cut the plan into batches of ``size`` subjects, order kept, both sources mixed in proportion so they run side by side."""
    by_source = {source: [item for item in due if item.source == source] for source in (GITHUB, PYPI)}
    count = -(-len(due) // size)
    cut: list[tuple[Due, ...]] = []
    for index in range(count):
        parts = [items[index * len(items) // count : (index + 1) * len(items) // count] for items in by_source.values()]
        cut.append(tuple(item for part in parts for item in part))
    return cut
