"""Whether the server is alive and what it serves, for those who watch it. Pure."""

from __future__ import annotations

from datetime import UTC

from api.replies import Reply, refuse_writing
from api.snapshot import Snapshot
from transforms.payload import render

LIVE = "/health/live"
READY = "/health/ready"


def health(path: str, method: str, snapshot: Snapshot, complaint: str | None) -> Reply | None:
    """Answer ``/health/live`` and ``/health/ready``; None for any other question.

    Ready is always 200, since nothing is listened to before a publication is loaded; ``complaint`` says why a newer one could not be.
    """
    if path not in (LIVE, READY):
        return None
    refusal = refuse_writing(method)
    if refusal is not None:
        return refusal
    if path == LIVE:
        return _plain({"status": "live"})
    as_of = snapshot.as_of_at.astimezone(UTC).isoformat() if snapshot.as_of_at is not None else None
    return _plain({"status": "ready", "run_id": snapshot.run_id, "as_of_at": as_of, "complaint": complaint})


def _plain(told: dict[str, str | None]) -> Reply:
    body = render(told)
    headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Content-Length", str(len(body))))
    return Reply(status=200, headers=headers, body=body)
