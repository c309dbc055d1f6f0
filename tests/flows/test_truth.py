"""Zero wrong values: whatever happens in the world and on the wire, what is published was true when it was observed, or says why not.

A synthetic world is harvested, changed, and harvested again for five days. After every harvest each field of each package is
compared with the world as it was at the moment the field says it was observed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sandbox.faults import Fault, Mishap
from tests.flows.eventful import Scene, live_through

STALE_AFTER = timedelta(hours=40)  # twice the greatest age
FRESH = {"ok", "shifted", "capped"}
KEPT = {"stale", "pending", "gone", "blocked", "unsupported"}
FACETS = ("repo", "head", "weeks", "participants", "project")


VALUES = {
    "repo": ("stars_count", "forks_count", "watchers_count", "repo_description", "is_archived", "repo_id", "repo_full_name"),
    "head": ("last_commit_at",),
    "weeks": ("weeks",),
    "participants": ("participants",),
    "project": ("latest_version", "releases_count", "summary"),
}


def wrong_values(scene: Scene) -> list[str]:
    """Every published value that was not true at the moment it says it was observed, and every fresh state that is not."""
    wrong: list[str] = []
    for row in scene.bench.rows("from packages"):
        for facet in FACETS:
            subject = f"pypi:{row['project']}" if facet == "project" else row["repo_subject"]
            state, observed_at = row[f"{facet}_state"], row[f"{facet}_observed_at"]
            if subject is None or subject == "pypi:None" or state is None:
                continue
            where = f"{row['slug']} {facet} ({state}, observed {observed_at})"
            if state in FRESH and scene.bench.now - observed_at > STALE_AFTER:
                wrong.append(f"{where}: fresh, and older than a value may be")
            if state not in FRESH | KEPT:
                wrong.append(f"{where}: no such state")
            if observed_at is None:
                wrong += [f"{where}: {name} has a value from nowhere" for name in VALUES[facet] if row[name] not in (None, [])]
                continue
            truth = scene.moments[observed_at].get(subject)
            if truth is None:
                wrong.append(f"{where}: was not there then")
                continue
            wrong += [f"{where}: {name} {_differ(row[name], truth[name])}" for name in VALUES[facet] if row[name] != truth[name]]
            if facet == "weeks" and row["weeks_end_on"] != observed_at.date():
                wrong.append(f"{where}: the weeks end on {row['weeks_end_on']}")
    return wrong


def _differ(value: Any, truth: Any) -> str:
    if isinstance(value, list) and isinstance(truth, list):
        first = next(
            (index for index, (one, other) in enumerate(zip(value, truth, strict=False)) if one != other), min(len(value), len(truth))
        )
        return f"has {len(value)} entries, was {len(truth)}; from {first} on {value[first : first + 6]}, was {truth[first : first + 6]}"
    return f"is {value!r}, was {truth!r}"


def assert_true(scene: Scene) -> None:
    """No value is wrong."""
    wrong = wrong_values(scene)
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize("graphql", ["on", "off"])
def test_every_value_was_true_when_it_was_observed(scene: Scene, graphql: str) -> None:
    """Cold and on each of five eventful days no published value is wrong, by GraphQL as by REST, and a replay says the same."""
    scene.bench.overrides["github_graphql"] = graphql
    scene.harvest()
    assert_true(scene)
    for day in range(1, 6):
        live_through(scene, day, scene.next_day())
        scene.harvest()
        assert_true(scene)
    before = scene.bench.rows("from packages order by id")
    scene.bench.replay()
    assert scene.bench.rows("from packages order by id") == before


WORST = {
    "limits of resources": [Fault(pattern="/github/graphql*", mishap=Mishap.ALIAS_LIMITS, probability=0.4)],
    "nulls without a reason": [Fault(pattern="/github/graphql*", mishap=Mishap.ALIAS_NULL, probability=0.4)],
    "pieces missing": [Fault(pattern="/github/graphql*", mishap=Mishap.ALIAS_HOLLOW, probability=0.4)],
    "something went wrong": [
        Fault(pattern="/github/graphql*", mishap=Mishap.WRONG, probability=0.3),
        Fault(pattern="/github/graphql*", mishap=Mishap.ALIAS_WRONG, probability=0.3),
    ],
    "no GraphQL at all": [Fault(pattern="/github/graphql*", mishap=Mishap.STATUS, status=502)],
    "everything at once": [
        Fault(mishap=Mishap.STATUS, status=502, probability=0.05),
        Fault(mishap=Mishap.STATUS, status=503, is_json=True, probability=0.03),
        Fault(mishap=Mishap.HTML, probability=0.03),
        Fault(mishap=Mishap.TRUNCATED, probability=0.03),
        Fault(mishap=Mishap.CUT_OFF, probability=0.03),
        Fault(mishap=Mishap.DROPPED, probability=0.03),
        Fault(pattern="/github/graphql*", mishap=Mishap.ALIAS_NULL, probability=0.2),
        Fault(pattern="/github/graphql*", mishap=Mishap.ALIAS_LIMITS, probability=0.2),
    ],
}


@pytest.mark.parametrize("faults", WORST.values(), ids=WORST)
def test_no_fault_makes_a_value_wrong(small_scene: Scene, faults: list[Fault]) -> None:
    """Under faults from the first request on, a value is true or keeps its date and says why; once they end, all is fresh again."""
    scene = small_scene
    scene.bench.services.faults.add(*faults)
    scene.harvest()
    assert_true(scene)
    live_through(scene, 1, scene.next_day())
    scene.harvest()
    assert_true(scene)
    scene.bench.services.faults.clear()
    scene.next_day()
    scene.harvest()
    assert_true(scene)
    left = scene.bench.rows("select count(*) as n from packages where repo_state in ('pending', 'stale') and repo_id is not null")
    gone = [name for name in scene.subjects("repo_subject") if name not in scene.repositories()]
    assert left[0]["n"] <= len(gone) + 2
