"""What a caller may ask of a harvest, as one value that survives JSON: the command line and Prefect hand over the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from settings import parse_age


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestOptions:
    """The request of one harvest.

    Attributes:
        slugs: harvest only the subjects of these packages; empty means the whole catalog.
        full: ask for everything, however young the values are.
        max_age: what is due in this harvest, as text such as ``2d``; when a value counts as stale stays with the setting.
        budget: stop asking GitHub after this many quota units; ``None`` means no limit of our own.
        fixed_now: a clock that stands still, for demonstrations and tests; ``None`` means the real one.
        settings: settings by name that override the environment, as text; never a token.
    """

    slugs: tuple[str, ...] = ()
    full: bool = False
    max_age: str | None = None
    budget: int | None = None
    fixed_now: datetime | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    def age(self, setting: timedelta) -> timedelta:
        """How old a value may be in this harvest: nothing when ``full``, else ``max_age``, else the setting."""
        return timedelta(0) if self.full else parse_age(self.max_age) if self.max_age else setting

    def fingerprint(self) -> dict[str, Any]:
        """What makes two requests the same one, so that the second may resume the first."""
        request = asdict(self)
        request["slugs"] = sorted(self.slugs)
        request["fixed_now"] = self.fixed_now.isoformat() if self.fixed_now else None
        request["settings"] = {name: text for name, text in sorted(self.settings.items()) if name in ("data", "catalog")}
        return request
