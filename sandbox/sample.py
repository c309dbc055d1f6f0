"""The sample world: the repositories and projects of the sample catalog, as recorded or as marked.

PyPI's documents are recordings of the real service (see ``record.py``). GitHub's figures are made up, save those of
django-scheduler, which are the figures of its published Django Packages record; ``sample/github.json`` says so entry by entry.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sandbox.subjects import WEEKS, Project, Repository, balanced, spread_weeks
from sandbox.world import World

SAMPLE = Path(__file__).with_name("sample")
# The moment the sample speaks of: when Django Packages fetched django-scheduler.
SAMPLE_MOMENT = datetime(2026, 2, 15, 22, 19, 55, 437989, tzinfo=UTC)


def sample_world() -> World:
    """The world of the sample catalog on the day of ``SAMPLE_MOMENT``; it stands still unless a caller sets ``today``."""
    described = json.loads((SAMPLE / "github.json").read_text(encoding="utf-8"))["repositories"]
    today = SAMPLE_MOMENT.date()
    repositories = [_repository(entry, today) for entry in described]
    former_names = {name: entry["id"] for entry in described for name in entry.get("former_names", ())}
    return World(repositories, recorded_projects(), former_names=former_names, today=lambda: today)


def sample_note() -> str:
    """One paragraph for people: which figures of the sample are real and which are not."""
    return str(json.loads((SAMPLE / "github.json").read_text(encoding="utf-8"))["note"])


def recorded_at() -> datetime:
    """When PyPI was asked for the recorded documents."""
    return datetime.fromisoformat(next(_recording())["recorded_at"])


def recorded_projects() -> Iterator[Project]:
    """The recorded projects, in the order of the catalog."""
    lines = _recording()
    next(lines)
    for line in lines:
        yield Project(name=line["name"], document=line["document"])


def _recording() -> Iterator[dict[str, Any]]:
    with gzip.open(SAMPLE / "pypi.jsonl.gz", "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def _repository(entry: dict[str, Any], today: date) -> Repository:
    owner, _, name = entry["full_name"].partition("/")
    rng = random.Random(entry["id"])  # noqa: S311 - sample figures, no secret
    head_at = datetime.fromisoformat(entry["newest_commit_at"])
    commit_days = _commit_days(entry, rng, head_at.date(), today)
    participants = tuple(zip(_logins(entry), _contributions(entry, rng), strict=True))
    repo = Repository(
        id=entry["id"],
        owner=owner,
        name=name,
        description=entry["description"],
        license=entry["license"],
        topics=tuple(entry.get("topics", ())),
        default_branch=entry.get("default_branch", "main"),
        stars=entry["stars"],
        forks=entry["forks"],
        watchers=entry["watchers"],
        open_issues=entry["open_issues"],
        created_at=datetime.fromisoformat(entry["created_at"]),
        updated_at=max(head_at, SAMPLE_MOMENT.replace(microsecond=0) - timedelta(hours=rng.randrange(72))),
        pushed_at=head_at,
        head_at=head_at,
        commit_days=commit_days,
        participants=participants,
        anonymous_count=entry.get("anonymous_count", 0),
        is_archived=entry.get("is_archived", False),
        is_organisation=entry.get("is_organisation", False),
        is_sample_figure=entry["is_sample_figure"],
    )
    return balanced(repo)


def _commit_days(entry: dict[str, Any], rng: random.Random, head_on: date, today: date) -> dict[date, int]:
    """Days from the given weeks, else scattered around ``weekly_mean``; the day of the newest commit always has one."""
    if "weeks" in entry:
        days = spread_weeks(entry["weeks"], today)
    else:
        count = round(entry["weekly_mean"] * WEEKS)
        scattered = [today - timedelta(days=1 + rng.randrange(WEEKS * 7)) for _ in range(count)]
        days = {day: scattered.count(day) for day in sorted(set(scattered)) if day < head_on}
    days.setdefault(head_on, 1)
    return days


def _logins(entry: dict[str, Any]) -> list[str]:
    if "participants" in entry:
        return list(entry["participants"])
    return [f"sample-contributor-{number:03d}" for number in range(1, entry["participants_count"] + 1)]


def _contributions(entry: dict[str, Any], rng: random.Random) -> list[int]:
    """Commits per login, most first: a long tail of ones, as repositories have."""
    count = len(_logins(entry))
    return sorted((1 + int(rng.paretovariate(0.8)) % 900 for _ in range(count)), reverse=True)
