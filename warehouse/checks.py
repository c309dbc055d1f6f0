"""Expectations of a publication, kept as data in ``expectations.toml``: minimums stop a publication, maximums warn."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb

EXPECTATIONS_FILE = Path(__file__).with_name("expectations.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One expectation; the fields are described at the head of ``expectations.toml``."""

    name: str
    kind: Literal["minimum", "maximum"]
    bound: float
    compares: bool
    measure: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One expectation held against a publication.

    Attributes:
        name: the expectation's.
        kind: ``minimum`` or ``maximum``.
        bound: what was expected.
        measure: what was found; ``None`` when there was too little to judge by.
        is_met: true also when there was too little to judge by.
        message: for one that is not met, what was found, what it means and what to do next.
    """

    name: str
    kind: str
    bound: float
    measure: float | None
    is_met: bool
    message: str

    @property
    def stops(self) -> bool:
        """It keeps the publication from becoming the current one."""
        return not self.is_met and self.kind == "minimum"

    def as_dict(self) -> dict[str, Any]:
        """For a manifest or a report."""
        return asdict(self)


def load_expectations(path: Path = EXPECTATIONS_FILE) -> tuple[Expectation, ...]:
    """Read the expectations; a field missing, unknown or of a wrong kind is a TypeError or ValueError, for the file is ours."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["expectation"]
    expectations = tuple(Expectation(**entry) for entry in entries)
    for expectation in expectations:
        if expectation.kind not in ("minimum", "maximum"):
            message = f"{path.name}: {expectation.name} has the kind {expectation.kind!r}; it is minimum or maximum"
            raise ValueError(message)
    return expectations


def evaluate_checks(
    connection: duckdb.DuckDBPyConnection, expectations: Iterable[Expectation], *, run_id: str, has_previous: bool
) -> tuple[CheckResult, ...]:
    """Measure the publication attached as ``staged``, where ``has_previous`` against the one attached as ``previous``."""
    connection.execute("SET VARIABLE run_id = ?", [run_id])
    return tuple(_evaluate(connection, expectation) for expectation in expectations if has_previous or not expectation.compares)


def _evaluate(connection: duckdb.DuckDBPyConnection, expectation: Expectation) -> CheckResult:
    value = connection.execute(expectation.measure).fetchall()[0][0]
    measure = None if value is None else float(value)
    is_minimum = expectation.kind == "minimum"
    is_met = measure is None or (measure >= expectation.bound if is_minimum else measure <= expectation.bound)
    side = "least" if is_minimum else "most"
    message = "" if is_met else f"{expectation.name}: {measure:.3f}, expected at {side} {expectation.bound:g}; {expectation.message}"
    return CheckResult(
        name=expectation.name, kind=expectation.kind, bound=expectation.bound, measure=measure, is_met=is_met, message=message
    )
