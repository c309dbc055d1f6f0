"""The report as one HTML page: an Overview in, text out, by the template ``templates/overview.html`` beside this module.

Everything is escaped (Jinja2's autoescape); only http and https addresses become links; the page loads nothing and runs nothing, which
its own Content-Security-Policy holds. Null is spelt *unknown*, never 0.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined

from transforms.drawings import bars_path, observed_paths, retained_path
from transforms.overview import Overview, Row, Stars

# Controls, halves of surrogates, non-characters; embeddings, overrides and isolates of writing direction (Unicode, UAX #9).
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_BREAKS = re.compile("[\t\n\r\u2028\u2029]+")
SHOWN = 50  # rows of one kind of change
SHORT = 30  # a list of so many packages is shown unfolded
STATES = ("ok", "shifted", "capped", "pending", "stale", "unsupported", "blocked", "gone")
SOUND = frozenset({"ok", "shifted"})
# State column -> what it is the state of.
SOURCES = {
    "repo_state": "stars, forks, description",
    "head_state": "newest commit",
    "weeks_state": "52 weeks",
    "participants_state": "participants",
    "project_state": "PyPI",
}


def render_page(overview: Overview) -> str:
    """The whole page; the same overview gives the same bytes."""
    by_category: dict[str | None, list[Row]] = defaultdict(list)
    by_id = {row["id"]: row for row in overview.packages}
    for row in overview.packages:
        by_category[row["category"]].append(row)
    text: str = _ENVIRONMENT.get_template("overview.html").render(
        overview=overview,
        totals=overview.totals,
        by_category=by_category,
        by_grid={slug: [by_id[number] for number in ids] for slug, ids in overview.memberships.items()},
        charts=[_chart(stars) for stars in overview.stars],
        freshness=[(name, _freshness(overview.states.get(column, {}))) for column, name in SOURCES.items()],
        runs=list(reversed(overview.runs)),
        states=STATES,
        shown=SHOWN,
        short=SHORT,
    )
    return text


def web_address(text: str | None) -> str | None:
    """The address, if a browser may be sent there: http or https, a host, nothing invisible in it."""
    if not text or not text.isprintable() or any(character.isspace() for character in text):
        return None
    try:
        parts = urlsplit(text)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return None
    return text if is_web else None


def project_address(name: str) -> str:
    """The page of a project for people."""
    return f"https://pypi.org/project/{quote(name, safe='')}/"


def plain_text(text: str | None) -> str:
    """The text on one line, with a replacement character for what no page may hold and for what would turn the writing round."""
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", _BREAKS.sub(" ", text or ""))


def spell_count(number: int | None) -> str:
    """The number with separators of thousands, or the word *unknown*."""
    return "unknown" if number is None else f"{number:,}"


def spell_change(number: int) -> str:
    """The number with its sign."""
    return f"+{number:,}" if number > 0 else f"\N{MINUS SIGN}{-number:,}"


def spell_moment(moment: datetime | None) -> str:
    """The minute in UTC, or the word *unknown*."""
    return "unknown" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def spell_day(day: datetime | date | None) -> str:
    """The UTC day, or the word *unknown*."""
    if day is None:
        return "unknown"
    return f"{day.astimezone(UTC) if isinstance(day, datetime) else day:%Y-%m-%d}"


def spell_age(age: timedelta) -> str:
    """Whole days, or whole hours below two days."""
    hours = max(0, age // timedelta(hours=1))
    return f"{hours} h" if hours < 48 else f"{hours // 24:,} d"  # noqa: PLR2004 - two days


def states_of(row: Row) -> tuple[str, list[tuple[str, str]]]:
    """What the states of a package come to: one word when all is sound, else (what, state) of everything that is not."""
    states = {SOURCES[column]: row[column] for column in SOURCES if row[column] is not None}
    if not states:
        return "no source", []
    unsound = [(name, state) for name, state in states.items() if state not in SOUND]
    return ("" if unsound else "shifted" if "shifted" in states.values() else "ok"), unsound


def weeks_of(row: Row) -> str | None:
    """The commits of a package in words; ``None`` while they are unknown."""
    weeks = row["weeks"]
    if not weeks:
        return None
    return f"{sum(weeks):,} in all, at most {max(weeks):,} in a week, {weeks[-1]:,} in the last one, which ends on {row['weeks_end_on']}"


def _freshness(counts: Mapping[str, int]) -> dict[str, Any]:
    total = sum(counts.values())
    left, parts = 0.0, []
    for state in STATES:
        if counts.get(state):
            width = 100 * counts[state] / total
            parts.append((state, f"{left:.2f}", f"{width:.2f}"))
            left += width
    return {"total": total, "counts": [counts.get(state, 0) for state in STATES], "parts": parts}


def _chart(stars: Stars) -> dict[str, Any]:
    known = [span for span in stars.observed if span[2] is not None]
    levels, leaps = observed_paths(stars.observed) if known else ("", "")
    counts = [count for _, _, count in known if count is not None]
    return {
        "package": stars.package,
        "observed": known and {"levels": levels, "leaps": leaps, "low": min(counts), "high": max(counts), "newest": counts[-1]},
        "from": known and known[0][0],
        "until": known and known[-1][1],
        "retained": stars.retained and {"path": retained_path(stars.retained), "total": stars.retained[-1][1]},
        "first_on": stars.retained and stars.retained[0][0],
        "last_on": stars.retained and stars.retained[-1][0],
    }


def _spent(runs: Iterable[Row], column: str) -> dict[str, Any]:
    """What the runs spent of one quota, oldest first: bars, and how many runs do not tell."""
    counts = [run[column] for run in runs]
    known = [count for count in counts if count is not None]
    return {"path": bars_path(counts), "top": max(known, default=None), "unknown": len(counts) - len(known), "runs": len(counts)}


_ENVIRONMENT = Environment(
    loader=PackageLoader("transforms", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_ENVIRONMENT.filters |= {
    "age": spell_age,
    "bars": bars_path,
    "change": spell_change,
    "count": spell_count,
    "day": spell_day,
    "moment": spell_moment,
    "plain": plain_text,
    "project": project_address,
    "spent": _spent,
    "states": states_of,
    "web": web_address,
    "weeks": weeks_of,
}
