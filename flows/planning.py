"""Which facets of which subjects are due, and in what order. Pure: no clock, no files. What it costs stands in ``forecast.py``.

A facet is due when it was never answered, when its last answer was no good, or when that answer is older than the
greatest age allowed. Subjects never seen come first, then the stalest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zlib import crc32

from extractors.conversation import FACETS, GITHUB, PARTICIPANTS, PYPI, REPO, STATUS, WEEKS

# Outcomes that settle a facet for its greatest age. The others (pending, failed, limited, refused, invalid) are asked again next run.
SETTLED = frozenset({"ok", "capped", "empty", "missing", "blocked", "unsupported"})
CLOSED = frozenset({"missing", "blocked"})
NEVER = datetime.min.replace(tzinfo=UTC)
# A repository that the forge withholds stays so for long.
BLOCKED_AGE = timedelta(days=7)
# An archived project does not move PyPI's serial: its status is swept slowly, spread over ten days.
STATUS_AGE = timedelta(days=30)
STATUS_SPREAD_DAYS = 10
# Where a probe tells whether the head moved, these follow it, and are due by themselves only when they have no answer.
FOLLOWING = frozenset({WEEKS, PARTICIPANTS})


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAnswer:
    """The newest answer to one facet of one subject: its outcome and when it was last confirmed (aware UTC)."""

    outcome: str
    confirmed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One subject, the facets to ask of it, and when its stalest facet was last answered.

    With ``is_probed`` it is asked by GraphQL together with others, and the weeks and participants follow from what that tells.
    """

    subject: str
    facets: frozenset[str]
    stalest_at: datetime
    is_probed: bool = False

    @property
    def source(self) -> str:
        """``github`` or ``pypi``."""
        return self.subject.partition(":")[0]


def find_due(
    subjects: Iterable[str],
    last: Mapping[tuple[str, str], LastAnswer],
    *,
    as_of: datetime,
    max_age: timedelta,
    has_probe: bool,
    landed: Mapping[tuple[str, str], LastAnswer] | None = None,
) -> tuple[list[Due], int]:
    """Give what is due at ``as_of``, stalest first, and how many facets are young enough to be left alone.

    ``has_probe`` tells whether GitHub can be asked by GraphQL. ``landed`` is what the run already heard: that is settled
    however old it is by now, unless it was no answer.
    """
    landed = landed or {}
    due: list[Due] = []
    fresh = 0
    sets: dict[frozenset[str], frozenset[str]] = {}  # a million subjects are due for a dozen different sets of facets
    for subject in subjects:
        # What GraphQL does not show (blocked, private) is asked by REST, and so is every project.
        is_probed = has_probe and subject.startswith(GITHUB) and _outcome(subject, REPO, last) != "blocked"
        wanted = _wanted(subject, last, landed, as_of, max_age, is_probed=is_probed)
        fresh += len(FACETS[subject.partition(":")[0]]) - len(wanted)
        if wanted:
            times = [answer.confirmed_at if (answer := last.get((subject, facet))) else NEVER for facet in wanted]
            wanted = sets.setdefault(wanted, wanted)
            due.append(Due(subject=subject, facets=wanted, stalest_at=min(times), is_probed=is_probed))
    due.sort(key=lambda item: (item.stalest_at, item.subject))
    return due, fresh


def _outcome(subject: str, facet: str, last: Mapping[tuple[str, str], LastAnswer]) -> str | None:
    answer = last.get((subject, facet))
    return answer.outcome if answer else None


def _wanted(
    subject: str,
    last: Mapping[tuple[str, str], LastAnswer],
    landed: Mapping[tuple[str, str], LastAnswer],
    as_of: datetime,
    max_age: timedelta,
    *,
    is_probed: bool,
) -> frozenset[str]:
    facets = FACETS[subject.partition(":")[0]]
    due = {facet for facet in facets if _is_due(subject, facet, last.get((subject, facet)), as_of, max_age, is_probed=is_probed)}
    if REPO in facets and REPO not in due:  # what was spared because nothing was pushed waits for the repository, but not until it is stale
        late = max_age * 3 / 2
        due = {facet for facet in due if _is_due(subject, facet, last.get((subject, facet)), as_of, late, is_probed=is_probed)}
    answers = {facet: answer for facet in facets if (answer := landed.get((subject, facet)))}
    if is_probed and REPO in answers:  # what followed from its probe may not have been asked yet
        due |= FOLLOWING
    wanted = frozenset(due - {facet for facet, answer in answers.items() if answer.outcome in SETTLED | {"unchanged"}})
    repo = answers.get(REPO) or last.get((subject, REPO))
    # A repository that is missing or closed to us answers no other question either; it is asked for itself when that is due.
    return frozenset() if repo and REPO not in wanted and repo.outcome in CLOSED else wanted


def _is_due(subject: str, facet: str, answer: LastAnswer | None, as_of: datetime, max_age: timedelta, *, is_probed: bool) -> bool:
    if answer is None or answer.outcome not in SETTLED or max_age == timedelta(0):
        return True
    if is_probed and facet in FOLLOWING:
        return False
    if facet == STATUS:
        max_age = STATUS_AGE + timedelta(days=crc32(subject.encode()) % STATUS_SPREAD_DAYS)
    elif facet == REPO and answer.outcome == "blocked":
        max_age = max(max_age, BLOCKED_AGE)
    return as_of - answer.confirmed_at >= max_age


def batches(due: tuple[Due, ...], size: int) -> list[tuple[Due, ...]]:
    """Cut the plan into batches of ``size`` subjects, order kept, both sources mixed in proportion so they run side by side."""
    by_source = {source: [item for item in due if item.source == source] for source in (GITHUB, PYPI)}
    count = -(-len(due) // size)
    cut: list[tuple[Due, ...]] = []
    for index in range(count):
        parts = [items[index * len(items) // count : (index + 1) * len(items) // count] for items in by_source.values()]
        cut.append(tuple(item for part in parts for item in part))
    return cut
