"""What each way of asking less has saved in a run, beside asking for every value of every package one by one.

The yardstick is a harvest over REST alone: repository, newest commit and statistics are one unit each, participants one a page,
and a project is one request to PyPI.
"""

from __future__ import annotations

from extractors.conversation import ANONYMOUS, GITHUB, PROBE, PYPI
from flows.forecast import HarvestPlan
from flows.loading import Gathered
from flows.runs import HarvestRun
from transforms.schemas import FACET_TABLES

ASKED_SINGLY = 2  # repository and newest commit


def saved_by(run: HarvestRun, plan: HarvestPlan, gathered: Gathered) -> dict[str, int]:
    """Units of GitHub's quota (requests, for PyPI) that each mechanism saved, by its name."""
    probed = {item.subject for item in plan.due if item.is_probed}
    seen = _subjects(gathered, "repo", ("ok",)) & probed
    weeks, lists = _subjects(gathered, "weeks"), _subjects(gathered, "participants")
    ledger = gathered.fetches.select(["source", "facet", "verdict", "units_count", "identity"]).to_pylist()
    points = sum(row["units_count"] for row in ledger if row["facet"] == PROBE)
    free = sum(row["verdict"] == "unchanged" and row["source"] == GITHUB and row["identity"] != ANONYMOUS for row in ledger)
    confirmed = _subjects(gathered, "project", ("unchanged",))
    asked = sum(row["source"] == PYPI and row["verdict"] == "unchanged" for row in ledger)
    return {
        "asking about many repositories at once": max(0, ASKED_SINGLY * len(seen) - points),
        "unchanged newest commits": sum(_confirmed(run, subject, weeks, lists) for subject in seen),
        "answers of 304": free,
        "PyPI's index": max(0, len(confirmed) - asked),
    }


def _confirmed(run: HarvestRun, subject: str, weeks: set[str], lists: set[str]) -> int:
    """Units that asking again for what was known before and not asked for would have cost."""
    known = run.known
    if known is None:
        return 0
    has_weeks, has_list = known.weeks(subject) is not None, known.participants(subject) is not None
    return (has_weeks and subject not in weeks) + (has_list and subject not in lists) * run.pages_of(subject)


def _subjects(gathered: Gathered, facet: str, outcomes: tuple[str, ...] = ()) -> set[str]:
    rows = gathered.tables[FACET_TABLES[facet].name].select(["subject", "outcome"]).to_pylist()
    return {row["subject"] for row in rows if not outcomes or row["outcome"] in outcomes}
