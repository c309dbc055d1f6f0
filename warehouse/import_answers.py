"""What PyPI said of projects that are not in the catalog yet, so that an import of days can be killed and goes on.

``<catalog>/.import/answers/<nnnnnn>.parquet``: sealed pieces, one row for a project, a later one counts. The pieces become one when an
import ends; a project that came into the catalog is dropped, one that PyPI did not have is kept with the time it was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.durable import remove_tree, seal
from warehouse.errors import CatalogUnwritable

SEAL_ANSWERS = 2_000
SEAL_SECONDS = 1.0
MOST_PIECES = 100
FOUND, MISSING, UNUSABLE = "found", "missing", "unusable"
_PIECE = re.compile(r"[0-9]{6}\.parquet")
_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("title", pa.string()),
        pa.field("repo_url", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("asked_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """What PyPI said of one project.

    Attributes:
        outcome: ``found``; ``missing`` when it has no document; ``unusable`` when its document cannot be read.
        title: its display name; ``None`` unless found.
        repo_url: by the rule of ``transforms/repositories.py``; ``None`` where that gave none.
        detail: the label that named it; or the rivals; or what was wrong.
        asked_at: aware UTC.
    """

    outcome: str
    asked_at: datetime
    title: str | None = None
    repo_url: str | None = None
    detail: str | None = None


@dataclass(slots=True)
class AnswerBook:
    """The answers kept in a folder, and those of this import that are not sealed yet."""

    folder: Path
    known: dict[str, KeptAnswer] = field(default_factory=dict)
    _fresh: dict[str, KeptAnswer] = field(default_factory=dict)
    _sealed_at: float = 0.0

    def load(self) -> None:
        """Read every piece; one that cannot be read is as if its projects had not been asked for."""
        self.known = {}
        for path in self._pieces():
            with suppress(OSError, pa.ArrowException):
                for row in pq.read_table(path, schema=_SCHEMA).to_pylist():
                    name = row.pop("name")
                    self.known[name] = KeptAnswer(**row)

    def keep(self, name: str, answer: KeptAnswer) -> None:
        """Note an answer."""
        self.known[name] = self._fresh[name] = answer

    def seal_if_due(self, at: float) -> None:
        """Seal what was noted when it is much or old; ``at`` is a monotonic counter in seconds. Raises CatalogUnwritable."""
        if len(self._fresh) >= SEAL_ANSWERS or (self._fresh and at - self._sealed_at >= SEAL_SECONDS):
            self.seal()
            self._sealed_at = at

    def seal(self) -> None:
        """Seal what was noted; raises CatalogUnwritable."""
        if not self._fresh:
            return
        pieces = self._pieces()
        if len(pieces) >= MOST_PIECES:
            self.settle(())
            return
        self._write(int(pieces[-1].stem) + 1 if pieces else 1, self._fresh)
        self._fresh = {}

    def settle(self, forget: Iterable[str]) -> None:
        """Make one piece of all, without the projects to be forgotten; raises CatalogUnwritable."""
        for name in forget:
            self.known.pop(name, None)
        pieces = self._pieces()
        if self.known:
            self._write(int(pieces[-1].stem) + 1 if pieces else 1, self.known)
            for path in pieces:
                path.unlink(missing_ok=True)
        else:
            remove_tree(self.folder)
        self._fresh = {}

    def _pieces(self) -> list[Path]:
        with suppress(OSError):
            return sorted(path for path in self.folder.iterdir() if _PIECE.fullmatch(path.name))
        return []

    def _write(self, number: int, answers: Mapping[str, KeptAnswer]) -> None:
        kept = list(answers.values())
        columns = {"name": list(answers)} | {name: [getattr(answer, name) for answer in kept] for name in _SCHEMA.names[1:]}
        table = pa.table(columns, schema=_SCHEMA)
        path = self.folder / f"{number:06d}.parquet"
        try:
            seal(path, aside=self.folder / f".{path.name}", write=lambda aside: pq.write_table(table, aside, compression="zstd"))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise CatalogUnwritable(
                f"cannot keep PyPI's answers in {self.folder}: {reason}; the catalog is as it was, and what was sealed before is kept. "
                "Next: free some space or make the folder writable, then run the same command again"
            ) from error
