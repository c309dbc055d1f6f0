"""The rules of the history once more, slowly and in plain Python, to hold the SQL against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

GOOD = ("ok", "capped", "empty")


@dataclass(frozen=True)
class Row:
    """One row of one series; times are hours."""

    observed: int
    confirmed: int
    sightings: int
    outcome: str
    value: int | None
    mark: str | None = None

    @property
    def said(self):
        """What is compared."""
        return self.outcome, self.value


def mark_of(at: int, outcome: str) -> str | None:
    """What an answer of that hour brings beside its value; one that says nothing has changed brings it half of the time."""
    return f"mark {at}" if outcome in GOOD or (outcome == "unchanged" and at % 2) else None


def join(history: list[Row], heard: Iterable[tuple[int, str, int | None]]) -> list[Row]:
    """Let (hour, outcome, value) join one series, one after the other in order of time; each brings a mark, which is no change."""
    history = list(history)
    for at, outcome, value in sorted(heard):
        mark = mark_of(at, outcome)
        if outcome == "unchanged":
            good = [row for row in history if row.outcome in GOOD and row.observed <= at]
            if not good:
                continue
            confirmed = max(good, key=lambda row: row.observed)
            outcome, value = confirmed.said  # noqa: PLW2901 - what was said is what it confirms
            mark = mark or confirmed.mark
        if any(row.observed == at or (row.observed <= at <= row.confirmed and row.said == (outcome, value)) for row in history):
            continue
        new = Row(at, at, 1, outcome, value, mark)
        tip = max(history, key=lambda row: (row.confirmed, row.observed), default=None)
        if tip and at > tip.confirmed and tip.said == new.said:
            history[history.index(tip)] = replace(tip, confirmed=at, sightings=tip.sightings + 1, mark=mark or tip.mark)
        else:
            history.append(new)
    return sorted(history, key=lambda row: row.observed)
