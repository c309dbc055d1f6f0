"""What a caller may ask of an import, what it says in the end, and how it can be refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from transforms.sheets import Mistake
from transforms.source_kinds import Kind

SHOWN = 20


class ImportRefused(Exception):
    """The import cannot be done as asked; nothing was asked or written."""


class ImportStopped(Exception):
    """The import ended before anything was written; what PyPI said so far is kept and the same command goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """The request of one import.

    Attributes:
        sources: paths, ``-`` for stdin, or the address of a v4 API.
        kind: what the sources are; ``None`` tells each by itself.
        into: folder of the catalog.
        style: ``csv`` or ``parquet``; ``None`` keeps what is there, and makes CSV.
        category: slug of the category of new packages.
        is_update: a catalog that is there gets what it lacks; without it there must be none.
        has_urls: ask PyPI for repositories.
        is_lenient: leave out what cannot be read, instead of refusing.
        limit: ask PyPI about so many projects at most; the others come with the next import.
        fixed_now: a clock that stands still; ``None`` means the real one.
    """

    sources: tuple[str, ...]
    into: Path
    kind: Kind | None = None
    style: str | None = None
    category: str | None = None
    is_update: bool = False
    has_urls: bool = True
    is_lenient: bool = False
    limit: int | None = None
    fixed_now: datetime | None = None


@dataclass(slots=True, kw_only=True)
class ImportReport:
    """What an import did.

    Attributes:
        into: folder of the catalog.
        named: distinct projects and records that the sources named.
        present: of these, how many the catalog had.
        added: rows added, by table.
        with_repo: of the packages added from projects, how many have a repository.
        asked: projects PyPI was asked about in this import.
        missing: not on PyPI, and so not in the catalog.
        unusable: whose document cannot be read, likewise.
        ambiguous: in the catalog without a repository, because several were as good.
        unasked: left for the next import.
        ended: why asking ended early.
        skipped: mistakes that were left out as told.
        remarks: what was left out because it is no project of PyPI.
    """

    into: Path
    named: int = 0
    present: int = 0
    added: Mapping[str, int] = field(default_factory=dict)
    with_repo: int = 0
    asked: int = 0
    missing: Sequence[Mistake] = ()
    unusable: Sequence[Mistake] = ()
    ambiguous: Sequence[Mistake] = ()
    unasked: int = 0
    ended: str | None = None
    skipped: Sequence[Mistake] = ()
    remarks: Sequence[Mistake] = ()

    @property
    def exit_code(self) -> int:
        """3 when PyPI did not answer to the end, else 0."""
        return 3 if self.ended else 0

    def as_json(self) -> dict[str, Any]:
        """The report for programs."""
        told = ("missing", "unusable", "ambiguous", "skipped", "remarks")
        lists = {name: [_as_json(mistake) for mistake in getattr(self, name)] for name in told}
        counts = {name: getattr(self, name) for name in ("named", "present", "asked", "with_repo", "unasked", "ended")}
        return {"into": str(self.into), "added": dict(self.added), **counts, **lists}

    def sentence(self) -> str:
        """What became of the catalog."""
        added = ", ".join(f"{count:,} {table.replace('_', ' ')}" for table, count in self.added.items())
        rest = f", {self.with_repo:,} with a repository" if self.added.get("packages") else ""
        return f"{self.into}: added {added}{rest}; {self.named:,} named, {self.present:,} of them there before."

    def notes(self) -> list[str]:
        """What a person should know besides, one per line."""
        lines: list[str] = []
        for what, mistakes in (
            ("left out, as they cannot be read", self.skipped),
            ("left out, as they are no projects of PyPI", self.remarks),
            ("not on PyPI, so not in the catalog", self.missing),
            ("with a document that cannot be read, so not in the catalog", self.unusable),
            ("without a repository, because several are as good", self.ambiguous),
        ):
            lines += _listed(what, mistakes)
        if self.ended:
            lines.append(f"Asking ended early: {self.ended}.")
        if self.unasked:
            lines.append(f"{self.unasked:,} projects are left. Next: run the same command with --update; it asks for those alone.")
        return lines


def _listed(what: str, mistakes: Sequence[Mistake]) -> list[str]:
    if not mistakes:
        return []
    lines = [f"{len(mistakes):,} {what}:"]
    lines += [f"  {place(mistake)}: {mistake.message}" for mistake in mistakes[:SHOWN]]
    return [*lines, f"  ... and {len(mistakes) - SHOWN:,} more (all with --json)"] if len(mistakes) > SHOWN else lines


def place(mistake: Mistake) -> str:
    """Where something stands, as editors write it."""
    return mistake.file if mistake.line is None else f"{mistake.file}:{mistake.line}"


def _as_json(mistake: Mistake) -> dict[str, Any]:
    return {"file": mistake.file, "line": mistake.line, "message": mistake.message}
