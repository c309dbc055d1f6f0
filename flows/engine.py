"""The engine under a flow: the Prefect server that ``PREFECT_API_URL`` names, or one of our own that lives as long as the run.

The embedded server keeps its home under the data folder (``prefect/``; disposable: delete it and the next run makes it
anew), calls nobody, and cannot outlive the run. This module must be used before Prefect is first imported, since Prefect
reads its settings then.
"""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

START_LIMIT_SECONDS = 120  # a first start migrates a database; Prefect's own limit of 20 s is too short on a busy machine

DRAIN_LIMIT_SECONDS = 5

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(START_LIMIT_SECONDS),
}


class EngineUnavailable(Exception):
    """The Prefect engine cannot be started; the message says what to do."""


@contextmanager
def prefect_engine(home: Path) -> Iterator[str]:
    """Make Prefect usable for the duration of a ``with`` block and yield the address of its API.

    With ``PREFECT_API_URL`` in the environment that server is used and nothing is started.
    Raises EngineUnavailable when the embedded server does not come up.
    """
    os.environ.update(QUIET)
    configured = os.environ.get("PREFECT_API_URL")
    if configured:
        _refuse_unreachable(configured)
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "WARNING")  # the log is the server's; a person is told in our words
        yield configured
        return
    with _sole_user(home), _embedded(home) as address:
        yield address


def _refuse_unreachable(url: str) -> None:
    """Say at once, and in words, that a configured server does not answer; what it answers is Prefect's to judge."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=10):
            return
    except urllib.error.HTTPError:
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        message = (
            f"No Prefect server answers at PREFECT_API_URL={url} ({reason}); nothing was started and nothing lost. "
            "Next: start it, unset the variable for the embedded engine, or run with --engine none."
        )
        raise EngineUnavailable(message) from error


@contextmanager
def _sole_user(home: Path) -> Iterator[None]:
    """Keep a second run from starting a server on the same database, which the first may still be migrating."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        handle = (home / ".in-use").open("w")
    except OSError as error:
        message = f"The engine's folder {home} cannot be made ({error.strerror}). Choose another --data, or run with --engine none."
        raise EngineUnavailable(message) from error
    with handle:  # the kernel frees the lock of a process that dies
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = (
                f"Another packhouse is just starting in {home.parent}; nothing was started and nothing lost. Next: wait for it to end."
            )
            raise EngineUnavailable(message) from error
        yield


@contextmanager
def _embedded(home: Path) -> Iterator[str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
    os.environ.update(_environment(home))
    log = (home / "server.log").open("wb")
    server = subprocess.Popen(  # noqa: S603 - our own module, no shell
        [sys.executable, "-m", "flows.embedded_server", str(listener.fileno())],
        pass_fds=[listener.fileno()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        cwd=Path(__file__).resolve().parent.parent,
        start_new_session=True,  # Ctrl-C reaches us alone: the server must outlive the flow's last report
    )
    listener.close()
    overdue = threading.Timer(START_LIMIT_SECONDS, server.kill)
    overdue.start()
    try:
        # Importing Prefect takes as long as the server needs to start; do both at once.
        os.environ["PREFECT_API_URL"] = address
        import prefect.flows  # noqa: F401, PLC0415
        from prefect.events.worker import EventsWorker  # noqa: PLC0415
        from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings  # noqa: PLC0415

        assert server.stdout is not None  # noqa: S101 - a pipe was asked for
        is_ready = server.stdout.readline()
        overdue.cancel()
        if not is_ready:
            message = (
                f"The embedded Prefect server did not start; its log is {home / 'server.log'}. "
                f"Delete {home} and try again, or run with --engine none."
            )
            raise EngineUnavailable(message)
        # A second run in this process finds Prefect imported and its settings read: hand them over explicitly.
        with temporary_settings({PREFECT_API_URL: address, PREFECT_HOME: str(home.resolve())}):
            try:
                yield address
            finally:
                logging.getLogger("EventsWorker").setLevel(logging.ERROR)  # it warns of every item still to be sent
                EventsWorker.drain_all(timeout=DRAIN_LIMIT_SECONDS)  # else it looks for the server for ten seconds at exit
    finally:
        del os.environ["PREFECT_API_URL"]
        overdue.cancel()
        if server.stdin is not None:
            server.stdin.close()
        server.wait(timeout=30)
        log.close()


def _environment(home: Path) -> dict[str, str]:
    return {
        "PREFECT_HOME": str(home.resolve()),
        "PREFECT_PROFILES_PATH": str(home.resolve() / "profiles.toml"),
        "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",
        "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
        "PREFECT_UI_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "CRITICAL",  # what fails is raised to our caller, who says it in words
        "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
        "PACKHOUSE_PREFECT_VERSION": version("prefect"),
    }
