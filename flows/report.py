"""The report every run ends with: what it asked, what that cost, what is true now, what a human should see.

One value, shown three ways: sentences for a terminal, Markdown for Prefect's artifact, a mapping for programs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flows.progress import describe_seconds

DONE = "done"
STOPPED = "stopped"  # by its budget, a refused token or a wait too long; what landed is loaded and published
REFUSED = "refused"  # by the checks; loaded, not published
FAILED = "failed"

# What the first sentence calls a report; replay and publish speak of the run whose state they published.
TITLES = {"harvest": "Harvest", "backfill": "Backfill", "replay": "Replayed up to run", "publish": "Published again run"}
ASKING = ("harvest", "backfill")
UNFRESH_STATES = ("stale", "pending")
SHOWN_FINDINGS = 10
SHOWN_SLOWEST = 3
SHOWN_CHARACTERS = 80


@dataclass(slots=True, kw_only=True)
class RunReport:
    """What one run did.

    Attributes:
        run: the row of ``runs``.
        plan: the plan as JSON, with its forecast.
        spent: by facet, ``requests``, ``units`` and ``recalled`` (answers found in the landing of an interrupted run).
        saved: by mechanism, what asking for everything one by one would have cost more: GitHub quota units, or requests to PyPI.
        states: by state column of ``packages``, how many packages are in each state.
        findings: rows of ``findings`` of this run.
        slowest: the slowest answers, ``url`` and ``duration_ms``.
        checks: the expectations evaluated, with their figures, and ten examples of what is amiss where they are not met.
        publication: the row of ``publications``, when it became the current one.
        published: path of the publication's DuckDB file; ``None`` when nothing was published.
    """

    run: dict[str, Any]
    plan: dict[str, Any] = field(default_factory=dict)
    spent: dict[str, dict[str, int]] = field(default_factory=dict)
    saved: dict[str, int] = field(default_factory=dict)
    states: dict[str, dict[str, int]] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    slowest: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    published: str | None = None
    publication: dict[str, Any] | None = None

    @property
    def exit_code(self) -> int:
        """0 done; 1 failed; 3 finished, but something is stale or was refused publication."""
        if self.run["outcome"] == FAILED and self.run["kind"] in ASKING:  # replay and publish show what another run left
            return 1
        if self.run["kind"] == "backfill":  # how old the values of today are is the harvest's matter
            return 3 if self.run["outcome"] in (STOPPED, REFUSED) else 0
        unfresh = sum(counts.get(state, 0) for counts in self.states.values() for state in UNFRESH_STATES)
        return 3 if unfresh or self.run["outcome"] in (STOPPED, REFUSED) else 0

    def unmet(self) -> list[dict[str, Any]]:
        """The checks that are not met, those that refuse first."""
        return sorted((check for check in self.checks if not check["is_met"]), key=lambda check: not check["stops"])

    def as_json(self) -> dict[str, Any]:
        """The report for programs; times as ISO 8601 text in UTC."""
        return {
            "run": _plain(self.run),
            "plan": self.plan,
            "spent": self.spent,
            "saved": self.saved,
            "states": self.states,
            "findings": [_plain(finding) for finding in self.findings],
            "slowest": self.slowest,
            "checks": self.checks,
            "published": self.published,
            "exit_code": self.exit_code,
        }

    def sentences(self) -> list[str]:
        """The report for a person, one sentence per line."""
        run = self.run
        why = "by the checks" if run["outcome"] == REFUSED else run["detail"]
        lines = [f"{TITLES[run['kind']]} {run['run_id']}: {run['outcome']}{_because(why)}."]
        if run["kind"] in ASKING:
            lines.append(self._spending())
            lines.extend(self._accounts())
        lines.extend(_state_sentences(self.states))
        lines.extend(line for check in self.unmet() for line in (f"Check {check['message']}", _examples(check)) if line)
        lines.extend(f"{finding['level'].capitalize()}: {finding['message']}" for finding in self.findings[:SHOWN_FINDINGS])
        if len(self.findings) > SHOWN_FINDINGS:
            lines.append(f"And {len(self.findings) - SHOWN_FINDINGS:,} more: packhouse sql 'from findings order by found_at desc'")
        lines.append(f"Published: {self.published}" if self.published else "Nothing was published; the last good publication stands.")
        return lines

    def _spending(self) -> str:
        run = self.run
        seconds = (run["ended_at"] - run["started_at"]).total_seconds()
        per_package = run["requests_count"] / max(1, run["packages_count"])
        text = (
            f"{run['packages_count']:,} packages, {run['planned_count']:,} questions due, {run['answered_count']:,} answered: "
            f"{run['requests_count']:,} requests ({per_package:.2f} per package), {run['github_units_count']:,} GitHub quota units, "
            f"{run['graphql_points_count']:,} GraphQL points, {run['pypi_requests_count']:,} to PyPI"
        )
        if seconds >= 1:
            text += f", in {describe_seconds(seconds)}"
        if run["waited_seconds"] >= 1:
            text += f", {describe_seconds(run['waited_seconds'])} of them waiting for a quota"
        recalled = sum(counts.get("recalled", 0) for counts in self.spent.values())
        return text + (f"; {recalled:,} answers were already landed." if recalled else ".")

    def _accounts(self) -> list[str]:
        """What was foreseen, what each mechanism saved, and what took longest."""
        run, lines = self.run, []
        if run.get("forecast_units_count") is not None:
            lines.append(
                f"Foreseen were {run['forecast_units_count']:,} units, {run['forecast_points_count']:,} points and "
                f"{run['forecast_pypi_requests_count']:,} requests to PyPI."
            )
        if saved := [f"{count:,} by {name}" for name, count in self.saved.items() if count > 0]:
            lines.append("Saved, beside asking for everything one by one: " + ", ".join(saved) + ".")
        if self.slowest:
            lines.append(
                "Slowest answers: " + ", ".join(f"{row['url']} ({row['duration_ms']:,} ms)" for row in self.slowest[:SHOWN_SLOWEST]) + "."
            )
        return lines

    def markdown(self) -> str:
        """The report as an artifact."""
        lines = [f"# {TITLES[self.run['kind']]} {self.run['run_id']}", "", *(f"- {sentence}" for sentence in self.sentences()), ""]
        foreseen = self.plan.get("requests", {})
        lines += _markdown_table(
            ("question", "requests foreseen", "requests", "quota units"),
            [
                (kind, foreseen.get(kind, 0), counts.get("requests", 0), counts.get("units", 0))
                for kind in dict.fromkeys([*foreseen, *self.spent])
                if (counts := self.spent.get(kind, {})) or foreseen.get(kind)
            ],
        )
        lines += _markdown_table(
            ("value", "state", "packages"), [(column, s, n) for column, counts in self.states.items() for s, n in counts.items()]
        )
        for check in self.unmet():
            lines += _markdown_table(
                (check["name"], "before", "now"), [(row["slug"] or "", *map(_shown, _pair(row))) for row in check["examples"]]
            )
        lines += _markdown_table(("slowest answer", "ms"), [(row["url"], row["duration_ms"]) for row in self.slowest])
        return "\n".join(lines)


def _because(detail: str | None) -> str:
    return f" ({detail})" if detail else ""


def _examples(check: Mapping[str, Any]) -> str:
    """What is amiss, one after the other: a name with the old and the new value."""
    told = []
    for row in check["examples"]:
        before, after = map(_shown, _pair(row))
        change = f"{before} -> {after}" if row["before"] is not None else after
        told.append(f"{row['slug']}: {change}" if row["slug"] else change)
    return f"  {'; '.join(told)}." if told else ""


def _pair(row: Mapping[str, Any]) -> tuple[str | None, str | None]:
    return row["before"], row["after"]


def _shown(text: str | None) -> str:
    """A value of an example, short enough for a line."""
    text = " ".join((text or "unknown").split())
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


def _state_sentences(states: Mapping[str, Mapping[str, int]]) -> list[str]:
    lines: list[str] = []
    for column, counts in states.items():
        odd = {state: count for state, count in counts.items() if state != "ok" and count}
        if odd:
            lines.append(
                f"{column}: {counts.get('ok', 0):,} ok, " + ", ".join(f"{count:,} {state}" for state, count in sorted(odd.items())) + "."
            )
    return lines


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    if not rows:
        return []
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return [*lines, *("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows), ""]


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
