"""What a look at an installation found: one value for each thing looked at, and what the person who asked should do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

OK = "ok"
WARNING = "warning"
ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One thing looked at: its name, ``ok``, ``warning`` or ``error``, what was found, and the remedy where one is needed."""

    name: str
    level: str
    found: str
    remedy: str = ""

    def line(self) -> str:
        """It as one line."""
        return f"{self.level:<8}{self.name:<15}{self.found}" + (f" Next: {self.remedy}" if self.remedy else "")


def fine(name: str, found: str) -> Diagnosis:
    """Nothing to do."""
    return Diagnosis(name=name, level=OK, found=found)


def doubtful(name: str, found: str, remedy: str) -> Diagnosis:
    """Work goes on, but somebody should know."""
    return Diagnosis(name=name, level=WARNING, found=found, remedy=remedy)


def wrong(name: str, found: str, remedy: str) -> Diagnosis:
    """Work cannot go on, or data is at stake."""
    return Diagnosis(name=name, level=ERROR, found=found, remedy=remedy)


def exit_code(diagnoses: Iterable[Diagnosis]) -> int:
    """1 with an error, 3 with a warning, else 0."""
    levels = {diagnosis.level for diagnosis in diagnoses}
    return 1 if ERROR in levels else 3 if WARNING in levels else 0


def some(names: Iterable[str], *, shown: int = 5) -> str:
    """A list of names that fits in a line."""
    listed = list(names)
    return ", ".join(listed[:shown]) + (f" and {len(listed) - shown:,} more" if len(listed) > shown else "")
