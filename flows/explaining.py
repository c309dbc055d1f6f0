"""``packhouse status SLUG``: every field of one record explained: value, when and from what it was observed, state, next due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from extractors.conversation import HEAD, PARTICIPANTS, PROJECT, REPO, STATUS, WEEKS
from flows.asking import has_probe
from flows.choice import HISTORY, LIST_AGE
from flows.planning import BLOCKED_AGE, STATUS_AGE
from settings import Settings
from warehouse.provenance import provenance
from warehouse.readers import Publication

CATALOG = "catalog"
RUN = "run"

# Field of the payload -> facet it comes from, column of ``packages``.
FIELDS: Mapping[str, tuple[str, str]] = {
    "category": (CATALOG, "category"),
    "grids": (CATALOG, "grids"),
    "id": (CATALOG, "id"),
    "title": (CATALOG, "title"),
    "slug": (CATALOG, "slug"),
    "last_updated": (HEAD, "last_commit_at"),
    "last_fetched": (RUN, "fetched_at"),
    "repo_url": (CATALOG, "repo_url"),
    "pypi_version": (PROJECT, "latest_version"),
    "created": (CATALOG, "created_at"),
    "modified": (CATALOG, "modified_at"),
    "repo_forks": (REPO, "forks_count"),
    "repo_description": (REPO, "repo_description"),
    "pypi_url": (CATALOG, "pypi_url"),
    "documentation_url": (CATALOG, "documentation_url"),
    "repo_watchers": (REPO, "stars_count"),
    "commits_over_52": (WEEKS, "weeks"),
    "participants": (PARTICIPANTS, "participants"),
    "project_status": (STATUS, "project_status"),
}
SHOWN = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One field: its value, and why it is to be believed.

    Attributes:
        field: name in the payload; ``project_status`` is ours.
        value: as in ``packages``.
        state: how true it is; ``None`` for what is curated.
        observed_at: when it was last confirmed (UTC).
        endpoint: what was asked, ``catalog`` for what is curated.
        answer: run and number of the answer that confirmed it, ``run_id/sequence``.
        note: what was heard since, or how the value was made.
        next_due: when, or on what, it is asked for again.
    """

    field: str
    value: Any
    state: str | None
    observed_at: datetime | None
    endpoint: str
    answer: str | None
    note: str | None
    next_due: str | None


def explain(publication: Publication, package: Mapping[str, Any], settings: Settings) -> list[Explained]:
    """Explain every field of a row of ``packages``; asks nobody."""
    known = provenance(publication, package)
    return [_explained(name, facet, package[column], package, known, settings) for name, (facet, column) in FIELDS.items()]


def _explained(
    name: str, facet: str, value: Any, package: Mapping[str, Any], known: Mapping[str, dict[str, Any]], settings: Settings
) -> Explained:
    if facet == CATALOG:
        return Explained(field=name, value=value, state=None, observed_at=None, endpoint=CATALOG, answer=None, note=None, next_due=None)
    if facet == RUN:
        note = "the oldest of the times below: when every source was last confirmed"
        return Explained(field=name, value=value, state=None, observed_at=value, endpoint=RUN, answer=None, note=note, next_due=None)
    told = known.get(facet)
    if told is None:
        state = package.get(f"{facet}_state")
        note = "its forge is not harvested" if state == "unsupported" else "no such source"
        return Explained(field=name, value=value, state=state, observed_at=None, endpoint="none", answer=None, note=note, next_due=None)
    answer, good, newest = told["answer"], told["good"], told["newest"]
    observed_at = package.get(f"{facet}_observed_at") or (good and good["last_said_at"])
    return Explained(
        field=name,
        value=value,
        state=package.get(f"{facet}_state", "ok" if good else "pending"),
        observed_at=observed_at,
        endpoint=_endpoint(answer, good),
        answer=f"{answer['run_id']}/{answer['sequence']}" if answer else None,
        note=_note(facet, package, newest, good),
        next_due=_next_due(facet, package, observed_at or (newest and newest["last_said_at"]), good, settings),
    )


def _endpoint(answer: Mapping[str, Any] | None, good: Mapping[str, Any] | None) -> str:
    if answer is None:
        return good["source_url"] if good else "never answered"
    return f"{answer['url']} ({answer['facet']}, HTTP {answer['status']})"


def _note(facet: str, package: Mapping[str, Any], newest: Mapping[str, Any] | None, good: Mapping[str, Any] | None) -> str | None:
    if newest is not None and good is None:
        return f"asked {_time(newest['last_said_at'])}: {newest['outcome']} ({newest['detail'] or 'no reason given'})"
    if newest is not None and newest is not good:
        return f"asked again {_time(newest['last_said_at'])}: {newest['outcome']} ({newest['detail'] or 'no reason given'})"
    if facet == WEEKS and package["weeks_state"] == "shifted":
        return f"from commits by day up to {package['weeks_end_on']}; the newest commit has not changed"
    if facet == PARTICIPANTS and package["participants_state"] == "shifted":
        return "the list of GitHub, carried on with the commits since"
    return (
        f"first said {_time(good['first_said_at'])}, in {good['sighting_count']} {'run' if good['sighting_count'] == 1 else 'runs'}"
        if good
        else None
    )


def _next_due(
    facet: str, package: Mapping[str, Any], observed_at: datetime | None, good: Mapping[str, Any] | None, settings: Settings
) -> str:
    if observed_at is None:
        return "next run"
    if facet == STATUS:
        return f"from {_time(observed_at + STATUS_AGE)} on"
    if package["repo_state"] == "blocked" and facet != PROJECT:
        return f"{_time(observed_at + BLOCKED_AGE)}, with the repository"
    if has_probe(settings) and facet == PARTICIPANTS:
        listed_at = (good or {}).get("listed_at") or observed_at
        return f"when somebody new has committed, or from {_time(listed_at + LIST_AGE)} on"
    if has_probe(settings) and facet == WEEKS and package["weeks_source"] == HISTORY:
        return "when the newest commit has changed"
    return _time(observed_at + settings.max_age)


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def as_json(explained: Explained) -> dict[str, Any]:
    """One field for programs; times as ISO 8601."""
    row = {name: getattr(explained, name) for name in Explained.__slots__}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


def describe(fields: list[Explained]) -> list[str]:
    """The fields for a person, three lines each at most."""
    lines: list[str] = []
    for item in fields:
        shown = str(item.value.isoformat() if hasattr(item.value, "isoformat") else item.value)
        shown = shown if len(shown) <= SHOWN else shown[: SHOWN - 3] + "..."
        state = item.state or ""
        lines.append(f"{item.field:<18} {shown:<{SHOWN}} {state:<9} {_time(item.observed_at) if item.observed_at else ''}".rstrip())
        if item.endpoint not in (CATALOG, RUN):
            lines.append(f"{'':<18} {item.endpoint}" + (f", answer {item.answer}" if item.answer else ""))
        if item.note or item.next_due:
            due = f"next due: {item.next_due}" if item.next_due else None
            lines.append(f"{'':<18} " + "; ".join(part for part in (item.note, due) if part))
    return lines
