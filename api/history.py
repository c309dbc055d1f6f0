"""``/api/v4/packages/<slug or id>/history/``: stars by observation, versions, commits by week. Pure; v4 has no such address."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from transforms.payload import Payload, Row, print_time
from warehouse.past_readers import PackageHistory

_PATH = re.compile(r"/api/v4/packages/([^/.]+)/history(/?)")


def history_lookup(path: str) -> tuple[str, bool] | None:
    """Read which package's history a decoded path asks for, and whether its slash is there; None for another path."""
    found = _PATH.fullmatch(path)
    return None if found is None else (found[1], bool(found[2]))


def history_payload(row: Row, history: PackageHistory, zone: ZoneInfo) -> Payload:
    """Spell what is kept of one package. Times are printed in ``zone``; a week that is not told is unknown, not quiet."""
    return {
        "id": row["id"],
        "slug": row["slug"],
        "title": row["title"],
        "stars": [
            {
                "from": print_time(figure["observed_at"], zone),
                "until": print_time(figure["confirmed_at"], zone),
                "repo_watchers": figure["stars_count"],
                "repo_forks": figure["forks_count"],
            }
            for figure in merge_figures(history.figures)
        ],
        "versions": [
            {
                "version": version["version"],
                "released": _time(version["released_at"], zone),
                "is_prerelease": version["is_prerelease"],
                "is_yanked": version["is_yanked"],
            }
            for version in history.versions
        ],
        "commits_by_week": [{"week": week["week_on"].isoformat(), "commits": week["commits_count"]} for week in history.weeks],
    }


def merge_figures(figures: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Join neighbours that say the same stars and forks: a row begins when anything changed that the forge says."""
    merged: list[dict[str, Any]] = []
    for figure in figures:
        last = merged[-1] if merged else None
        if last is not None and (last["stars_count"], last["forks_count"]) == (figure["stars_count"], figure["forks_count"]):
            last["confirmed_at"] = figure["confirmed_at"]
        else:
            merged.append(dict(figure))
    return merged


def _time(instant: datetime | None, zone: ZoneInfo) -> str | None:
    return None if instant is None else print_time(instant, zone)
