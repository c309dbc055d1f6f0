"""What a caller may ask of a backfill, and which windows cannot be answered: every mistake of a request is told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

# GitHub's first repository was created on this day (GET /repositories/1: created_at).
GITHUB_BEGAN_ON = date(2007, 10, 29)
DAY = timedelta(days=1)


class InvalidWindow(Exception):
    """A window that cannot be answered, or not so; ``mistakes`` are all that is wrong with the request, one sentence or two each."""

    def __init__(self, mistakes: list[str]) -> None:
        lines = "\n".join(f"- {mistake}" for mistake in mistakes)
        super().__init__(f"This backfill cannot be answered, and nothing was asked:\n{lines}")
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillOptions:
    """The request of one backfill.

    Attributes:
        since: first UTC day wanted.
        until: last UTC day wanted; it must be over.
        slugs: only the subjects of these packages; empty means the whole catalog.
        full: ask for days that are known already, too.
        every: ``day``, ``week`` or ``month``: publications get ``period_records`` for the whole ones in the window; ``None`` for none.
        budget: stop asking GitHub after this many quota units; ``None`` means no limit of our own.
        fixed_now: a clock that stands still, for tests; ``None`` means the real one.
        settings: settings by name that override the environment, as text; never a token.
    """

    since: date
    until: date
    slugs: tuple[str, ...] = ()
    full: bool = False
    every: str | None = None
    budget: int | None = None
    fixed_now: datetime | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    def fingerprint(self) -> dict[str, Any]:
        """What makes two requests the same one, so that the second may resume the first."""
        request = asdict(self)
        request |= {"kind": "backfill", "since": self.since.isoformat(), "until": self.until.isoformat(), "slugs": sorted(self.slugs)}
        request["fixed_now"] = self.fixed_now.isoformat() if self.fixed_now else None
        request["settings"] = {name: text for name, text in sorted(self.settings.items()) if name in ("data", "catalog")}
        return request


def refuse_window(options: BackfillOptions, *, today: date, has_probe: bool, has_repositories: bool) -> list[str]:
    """Every mistake of a request that shows without looking at the store; empty when there is none.

    ``has_probe`` tells whether GitHub's GraphQL API can be asked, ``has_repositories`` whether anything is wanted of GitHub.
    """
    mistakes = []
    if options.since > options.until:
        mistakes.append(f"--since {options.since} is after --until {options.until}: exchange them, or leave out --until.")
    if options.until >= today:
        over = "is not over yet" if options.until == today else "is in the future"
        mistakes.append(f"--until {options.until} {over}: the last day that can be answered is {today - DAY} (days are UTC's).")
    if options.since < GITHUB_BEGAN_ON:
        mistakes.append(f"--since {options.since} is before GitHub existed: the first day that can be answered is {GITHUB_BEGAN_ON}.")
    if has_repositories and not has_probe:
        mistakes.append(
            "GitHub tells the commits of the past by its GraphQL API only, which answers nobody without a token: "
            "set GITHUB_TOKEN (any token that reads public repositories), and leave PACKHOUSE_GITHUB_GRAPHQL on."
        )
    return mistakes


def refuse_unborn(options: BackfillOptions, born: Iterable[tuple[str, date]]) -> list[str]:
    """A mistake for each package named whose repository was created after the window ended; ``born`` are slugs and days of creation."""
    return [
        f"{slug}: its repository was created on {day}, after --until {options.until}; it can be answered from {day} on."
        for slug, day in born
        if day > options.until
    ]
