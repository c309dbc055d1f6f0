"""Prefect's own API server as a child of one packhouse run: ``python -m flows.embedded_server FILE_DESCRIPTOR``.

It migrates its database when there is none yet, serves on the loopback socket its parent bound and passed on, prints a
line once it does, and ends when its standard input closes. The kernel closes that pipe however the parent dies, so no
server outlives a killed run.
Only ``engine.py`` starts it, with the environment it prepared.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from pathlib import Path


def main() -> None:
    """Serve until standard input closes."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _migrate_once()

    import uvicorn  # noqa: PLC0415 - after the watch on the parent began, since these imports take seconds
    from prefect.server.api.server import create_app  # noqa: PLC0415

    listener = socket.socket(fileno=int(sys.argv[1]))
    config = uvicorn.Config(create_app(ephemeral=True, final=True), log_level="error", lifespan="on", timeout_graceful_shutdown=1)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[listener])


def _end_with_parent() -> None:
    while os.read(0, 4096):  # unbuffered: a lock held here would break an orderly exit
        pass
    os._exit(0)


def _migrate_once() -> None:
    """Build the database afresh unless a marker says a migration for this very version was finished."""
    home = Path(os.environ["PREFECT_HOME"])
    marker = home / f"migrated-{os.environ['PACKHOUSE_PREFECT_VERSION']}"
    if marker.exists():
        return
    for leftover in home.glob("prefect.db*"):
        leftover.unlink()

    from prefect.server.database.alembic_commands import alembic_upgrade  # noqa: PLC0415 - as above
    from prefect.utilities.asyncutils import run_sync_in_worker_thread  # noqa: PLC0415

    asyncio.run(run_sync_in_worker_thread(alembic_upgrade))
    marker.touch()


if __name__ == "__main__":
    main()
