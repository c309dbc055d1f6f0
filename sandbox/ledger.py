"""The ledger: one line per request the sandbox received, whatever became of it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

# Request headers worth keeping; a token is kept only as its fingerprint.
KEPT_HEADERS = ("accept", "accept-encoding", "if-modified-since", "if-none-match", "user-agent", "x-github-api-version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One request.

    Attributes:
        at: seconds since the server began, monotonic, when the request arrived.
        service: ``github`` or ``pypi``.
        path: path and query below the service's base address.
        identity: ``anonymous`` or the fingerprint of the token sent.
        headers: those of ``KEPT_HEADERS`` that were sent.
        seconds: from the arrival of the request until its answer began to go out.
        asked_bytes_count: size of what was sent with the request.
        status: the status answered; 0 when the connection was dropped instead.
        meter: ``core``, ``graphql`` or ``pypi``: where it was counted; ``""`` when it was not let in.
        units: what the meter was charged.
        mishap: name of the fault that replaced the answer, or ``""``.
        bytes_count: size of the body before compression.
    """

    at: float
    seconds: float
    service: str
    method: str
    path: str
    identity: str
    headers: Mapping[str, str]
    asked_bytes_count: int
    status: int
    meter: str
    units: int
    mishap: str
    bytes_count: int


class Ledger:
    """Lines in order of completion; safe to read while the server writes."""

    def __init__(self) -> None:
        self._lines: list[Line] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, line: Line) -> None:
        """Write one line."""
        with self._lock:
            self._lines.append(line)

    def lines(self, *, service: str | None = None, path: str | None = None, since: int = 0) -> list[Line]:
        """Lines of one service, whose path begins so, from position ``since`` on."""
        with self._lock:
            chosen = self._lines[since:]
        return [line for line in chosen if service in (None, line.service) and (path is None or line.path.startswith(path))]

    def clear(self) -> None:
        """Forget everything so far."""
        with self._lock:
            self._lines.clear()

    def summary(self, *, since: int = 0) -> dict[str, Any]:
        """Sums for benchmarks over the lines from position ``since`` on.

        ``lines``: the position after the last; ``units``: by identity and meter; ``answers``: by meter; ``seconds``: of answers by
        meter; ``statuses``: by service.
        """
        lines = self.lines(since=since)
        units: dict[str, Counter[str]] = {}
        answers, seconds = Counter[str](), Counter[str]()
        for line in lines:
            units.setdefault(line.identity, Counter())[line.meter] += line.units
            answers[line.meter] += 1
            seconds[line.meter] += line.seconds  # type: ignore[assignment]  # a Counter counts in floats too
        return {
            "lines": since + len(lines),
            "units": {identity: dict(sorted(meters.items())) for identity, meters in sorted(units.items())},
            "answers": dict(sorted(answers.items())),
            "seconds": {meter: round(total, 6) for meter, total in sorted(seconds.items())},
            "requests": len(lines),
            "bytes": sum(line.bytes_count for line in lines),
            "statuses": {
                service: dict(sorted(Counter(str(line.status) for line in lines if line.service == service).items()))
                for service in ("github", "pypi")
            },
            "identities": sorted({line.identity for line in lines}),
            "mishaps": dict(Counter(line.mishap for line in lines if line.mishap)),
        }


def as_row(line: Line) -> dict[str, Any]:
    """The line as JSON can hold it."""
    return asdict(line)
