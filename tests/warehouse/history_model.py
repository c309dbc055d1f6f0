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

    @property
    def said(self):
        """What is compared."""
        return self.outcome, self.value


def join(history: list[Row], heard: Iterable[tuple[int, str, int | None]]) -> list[Row]:
    """Let (hour, outcome, value) join one series, one after the other in order of time."""
    history = list(history)
    for at, outcome, value in sorted(heard):
        if outcome == "unchanged":
            good = [row for row in history if row.outcome in GOOD and row.observed <= at]
            if not good:
                continue
            outcome, value = max(good, key=lambda row: row.observed).said  # noqa: PLW2901 - what was said is what it confirms
        if any(row.observed == at or (row.observed <= at <= row.confirmed and row.said == (outcome, value)) for row in history):
            continue
        new = Row(at, at, 1, outcome, value)
        tip = max(history, key=lambda row: (row.confirmed, row.observed), default=None)
        if tip and at > tip.confirmed and tip.said == new.said:
            history[history.index(tip)] = replace(tip, confirmed=at, sightings=tip.sightings + 1)
        else:
            history.append(new)
    return sorted(history, key=lambda row: row.observed)
