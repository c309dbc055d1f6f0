"""How things stand: freshness against its promise, settings, runs, quota, disk, what is due next; without asking anyone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from extractors.client import fingerprint
from flows.report import UNFRESH_STATES
from settings import CONFIG_FILE, EXPECTATIONS, FIELDS, Settings
from warehouse.errors import NothingPublished, WarehouseError
from warehouse.expectations import load_expectations
from warehouse.folder import DataFolder
from warehouse.freshness import oldest_packages, promise_by_source, published_states
from warehouse.ledger import meters_left
from warehouse.locking import holder_of
from warehouse.occupancy import free_bytes, sizes
from warehouse.publication import DATABASE
from warehouse.readers import Publication, open_current
from warehouse.reports import read_run_reports
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
        "promise": {"max_age_seconds": round(settings.max_age.total_seconds()), "is_kept": False, "sources": [], "next_due_at": None},
        "quota": {},
        "disk": {"bytes": sizes(folder.root), "free_bytes": free_bytes(folder.root)},
        "at_work": _at_work(folder),
        "unfinished": [_plain(report) for report in _unfinished(folder)],
    }
    try:
        with open_store(folder, is_read_only=True) as store:
            state["runs"] = [_plain(run) for run in store.runs()[-RUNS_SHOWN:]]
            left = meters_left(store, identity=fingerprint(settings.github_token), as_of=now)
            state["quota"] = {meter: {"left": count, "resets_at": at.isoformat()} for meter, (count, at) in left.items()}
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
            state["promise"] |= _promise(publication, settings, now)
    except NothingPublished as error:
        state["problems"].append(str(error))
    return state


def describe_standing(state: dict[str, Any]) -> list[str]:
    """The same for a person, one line each."""
    lines = [*_promise_lines(state["promise"]), "Settings:"]
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
        lines.append("Packages longest without a complete confirmation:")
        lines += [f"  {row['slug']:<40} {row['fetched_at'] or 'never complete'}" for row in state["oldest"]]
    return [*lines, *_surroundings(state), *state["problems"]]


def _promise(publication: Publication, settings: Settings, now: datetime) -> dict[str, Any]:
    sources = promise_by_source(publication, now=now, max_age=settings.max_age)
    oldest = min((row["oldest_at"] for row in sources if row["oldest_at"]), default=None)
    return {
        "is_kept": not any(row["unfresh_count"] or row["overdue_count"] for row in sources),
        "sources": [_plain(row) | {"oldest": [_plain(value) for value in row["oldest"]]} for row in sources],
        "next_due_at": now.isoformat() if any(row["due_count"] for row in sources) else _later(oldest, settings.max_age),
    }


def _later(at: datetime | None, age: timedelta) -> str | None:
    return (at + age).isoformat() if at else None


def _promise_lines(promise: dict[str, Any]) -> list[str]:
    hours = 2 * promise["max_age_seconds"] / 3600
    lines = [f"Promise: no value older than {hours:g} h (twice PACKHOUSE_MAX_AGE): {'kept' if promise['is_kept'] else 'BROKEN'}"]
    for row in promise["sources"]:
        lines.append(
            f"  {row['source']:<8} {row['values_count']:,} values, {row['unfresh_count']:,} stale or pending as published, "
            f"{row['overdue_count']:,} later than promised by now, {row['due_count']:,} due; oldest {row['oldest_at'] or 'never confirmed'}"
        )
        lines += [f"    {value['package']:<40} {value['facet']:<13} {value['observed_at'] or 'never'}" for value in row["oldest"]]
    if promise["next_due_at"]:
        lines.append(f"Next due: {promise['next_due_at']}")
    return lines


def _surroundings(state: dict[str, Any]) -> list[str]:
    """What is at work, what quota and disk have left."""
    lines = [f"At work: {state['at_work']}"] if state["at_work"] else []
    lines += [
        f"Unfinished: run {run['run_id']}, begun {run['started_at']}; the next one goes on with it or loads it."
        for run in state["unfinished"]
    ]
    lines += [f"Quota {meter}: {row['left']:,} left until {row['resets_at']}" for meter, row in state["quota"].items()]
    disk = state["disk"]
    free = "unknown" if disk["free_bytes"] is None else f"{disk['free_bytes'] / 1e6:,.0f} MB"
    parts = ", ".join(f"{part} {size / 1e6:,.1f} MB" for part, size in disk["bytes"].items() if size)
    return [*lines, f"Disk: {parts or 'nothing yet'}; {free} free"]


def _at_work(folder: DataFolder) -> str | None:
    holders = (holder_of(folder.lock_file), holder_of(folder.backfill_lock_file))
    return "; ".join(holder.described() for holder in holders if holder) or None


def _unfinished(folder: DataFolder) -> list[dict[str, Any]]:
    """Runs without an end that nobody is working on, as far as the locks tell."""
    if holder_of(folder.lock_file):
        return []
    is_backfilling = holder_of(folder.backfill_lock_file) is not None
    reports = [report for report in read_run_reports(folder, on_damaged=lambda _file: None) if report.get("ended_at") is None]
    return [
        {"run_id": report["run_id"], "kind": report.get("kind"), "started_at": report["started_at"]}
        for report in reports
        if not (is_backfilling and report.get("kind") == "backfill")
    ]


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
