"""How things stand: the settings in force, the last runs, and the freshness of the publication, without asking anyone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flows.report import UNFRESH_STATES
from settings import CONFIG_FILE, EXPECTATIONS, FIELDS, Settings
from warehouse.errors import NothingPublished, WarehouseError
from warehouse.expectations import load_expectations
from warehouse.folder import DataFolder
from warehouse.freshness import oldest_packages, published_states
from warehouse.publication import DATABASE
from warehouse.readers import open_current
from warehouse.store import open_store

RUNS_SHOWN = 5


def standing(settings: Settings, now: datetime) -> dict[str, Any]:
    """Everything ``packhouse status`` shows, ready for JSON; a store or publication that cannot be read is told, not raised."""
    folder = DataFolder(settings.data)
    state: dict[str, Any] = {
        "settings": _settings(settings),
        "expectations": _tuned(settings),
        "problems": [],
        "publication": None,
        "states": {},
        "oldest": [],
        "unfresh": 0,
    }
    try:
        with open_store(folder, is_read_only=True) as store:
            state["runs"] = [_plain(run) for run in store.runs()[-RUNS_SHOWN:]]
    except WarehouseError as error:
        state["runs"] = []
        state["problems"].append(str(error))
    try:
        with open_current(folder) as publication:
            states = published_states(publication)
            state |= {
                "publication": {
                    "database": str(publication.path / DATABASE),
                    "as_of_at": publication.as_of_at.isoformat(),
                    "age_seconds": round((now - publication.as_of_at).total_seconds()),
                    "packages": publication.manifest["counts"]["packages"],
                },
                "states": states,
                "oldest": [_plain(row) for row in oldest_packages(publication)],
                "unfresh": sum(counts.get(name, 0) for counts in states.values() for name in UNFRESH_STATES),
            }
    except NothingPublished as error:
        state["problems"].append(str(error))
    return state


def describe_standing(state: dict[str, Any]) -> list[str]:
    """The same for a person, one line each."""
    lines = ["Settings:"]
    lines += [f"  {name:<26} {row['value'] or '-':<36} {row['origin']}" for name, row in state["settings"].items()]
    if state["expectations"]:
        lines.append("Expectations changed by the configuration (docs/expectations.md):")
        lines += [
            f"  {name:<26} {'off' if row['is_off'] else _limits(row):<36} {row['origin']}" for name, row in state["expectations"].items()
        ]
    lines.append("Last runs:" if state["runs"] else "No run yet.")
    lines += [
        f"  {run['run_id']}  {run['kind']:<8} {run['outcome'] or 'unfinished':<11} {run['requests_count'] or 0:>7,} requests"
        for run in state["runs"]
    ]
    publication = state["publication"]
    if publication:
        lines.append(f"Publication: {publication['packages']:,} packages as of {publication['as_of_at']}, {publication['database']}")
        for column, counts in state["states"].items():
            lines.append(f"  {column:<26} " + ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())))
        lines.append("Longest without a confirmation:")
        lines += [f"  {row['slug']:<40} {row['fetched_at'] or 'never complete'}" for row in state["oldest"]]
    lines.extend(state["problems"])
    return lines


def _settings(settings: Settings) -> dict[str, dict[str, str | None]]:
    shown: dict[str, dict[str, str | None]] = {}
    for field in FIELDS:
        value = getattr(settings, field.name)
        text = None if value is None else "set (not shown)" if field.is_secret else _spelt(value)
        shown[field.name] = {"value": text, "origin": settings.origins[field.name]}
    return shown


def _tuned(settings: Settings) -> dict[str, dict[str, Any]]:
    """The expectations the configuration changes: what holds now, and what would without it."""
    defaults = {expectation.name: expectation for expectation in load_expectations()}
    return {
        name: {
            "is_off": tuning.is_off,
            "bound": defaults[name].bound if tuning.bound is None else tuning.bound,
            "fewest": defaults[name].fewest if tuning.fewest is None else tuning.fewest,
            "default_bound": defaults[name].bound,
            "default_fewest": defaults[name].fewest,
            "origin": f"{CONFIG_FILE}: {EXPECTATIONS}.{name}",
        }
        for name, tuning in settings.expectations.items()
    }


def _limits(row: dict[str, Any]) -> str:
    return f"{row['bound']:.1%}, {row['fewest']} (default {row['default_bound']:.1%}, {row['default_fewest']})"


def _spelt(value: Any) -> str:
    """A value as it is written in a setting."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, timedelta):
        hours, rest = divmod(value, timedelta(hours=1))
        return f"{hours}h" if not rest else f"{value // timedelta(seconds=1)}s"
    return str(value)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
