"""What a publication is expected to be, as data: ``expectations.toml``, and what ``packhouse.toml`` changes of it.

Knows no database, so that the settings can check names and kinds with it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

EXPECTATIONS_FILE = Path(__file__).with_name("expectations.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One expectation; the fields are described at the head of ``expectations.toml``."""

    name: str
    stops: bool
    bound: float
    fewest: int
    compares: bool
    amiss: str
    why: str
    judged: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What somebody wants of one expectation instead; ``None`` leaves it as it is."""

    bound: float | None = None
    fewest: int | None = None
    is_off: bool = False


def load_expectations(path: Path = EXPECTATIONS_FILE) -> tuple[Expectation, ...]:
    """Read the expectations; a field missing, unknown or of a wrong kind is a TypeError, for the file is ours."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["expectation"]
    expectations = tuple(Expectation(**entry) for entry in entries)
    kinds = {"bool": (bool,), "int": (int,), "float": (float, int), "str": (str,)}
    for expectation in expectations:
        wrong = [field.name for field in fields(Expectation) if type(getattr(expectation, field.name)) not in kinds[str(field.type)]]
        if wrong:
            message = f"{path.name}: {expectation.name}: {', '.join(wrong)} is of a wrong kind"
            raise TypeError(message)
    return expectations


def tune(expectations: Iterable[Expectation], tunings: Mapping[str, Tuning]) -> tuple[Expectation, ...]:
    """Give the expectations in force: with the bounds somebody set, without those that are off."""
    tuned = []
    for expectation in expectations:
        tuning = tunings.get(expectation.name, Tuning())
        if not tuning.is_off:
            bound = expectation.bound if tuning.bound is None else tuning.bound
            fewest = expectation.fewest if tuning.fewest is None else tuning.fewest
            tuned.append(replace(expectation, bound=bound, fewest=fewest))
    return tuple(tuned)


def read_tunings(raw: Any, problems: list[str], place: str) -> dict[str, Tuning]:
    """Read the table ``[expectations]`` of a configuration; every mistake becomes a sentence that begins with ``place`` and the key."""
    if not isinstance(raw, dict):
        problems.append(f"{place}: expectations: write one table for each, such as [expectations.stars_held]")
        return {}
    known = sorted(expectation.name for expectation in load_expectations())
    tunings = {}
    for name, table in raw.items():
        key = f"{place}: expectations.{name}"
        if name not in known:
            problems.append(f"{key}: unknown expectation; known are {', '.join(known)}")
        elif not isinstance(table, dict):
            problems.append(f"{key}: write a table, such as [expectations.{name}] and below it bound = 0.3")
        else:
            values = {field: value for field, value in table.items() if _is_sound(key, field, value, problems)}
            tunings[name] = Tuning(**values)
    return tunings


def _is_sound(key: str, field: str, value: Any, problems: list[str]) -> bool:
    match field:
        case "bound":
            is_sound, remedy = type(value) in (int, float) and 0 <= value <= 1, "write a share from 0 to 1, such as 0.3"
        case "fewest":
            is_sound, remedy = type(value) is int and value >= 1, "write a whole number from 1"
        case "is_off":
            is_sound, remedy = type(value) is bool, "write true or false"
        case _:
            is_sound, remedy = False, "unknown; known are bound, fewest, is_off"
    if not is_sound:
        problems.append(f"{key}.{field}: {remedy}")
    return is_sound
