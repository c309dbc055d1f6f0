"""Several workers on one port: processes that each have the publication in memory and take connections from one socket.

The first process only looks after them: one that dies is replaced, and all end when it is told to, or when it dies itself.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import socket
import threading
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

from api.metrics import SIZE, Metrics

PAUSE = 1.0  # seconds before one that died is replaced
LAST_CALL = 10.0  # seconds they may take to end; LINGER in server.py is shorter

_ENDS = (signal.SIGINT, signal.SIGTERM)

Work = Callable[[socket.socket, Metrics], None]

log = logging.getLogger("packhouse.api")


def serve_together(work: Work, listener: socket.socket, count: int) -> None:
    """Run ``work`` in ``count`` processes on one listening socket until SIGINT or SIGTERM; it can be pickled and ends on SIGTERM."""
    context = multiprocessing.get_context("spawn")  # a fork would take DuckDB's threads along, half
    rows = [context.RawArray("d", SIZE) for _ in range(count)]

    def start(own: int) -> SpawnProcess:
        process = context.Process(target=_begin, args=(work, listener, rows, own), name=f"worker {own + 1}")
        with _deaf():
            process.start()
        return process

    with _told_to_end() as (is_told, told):
        crew = [start(own) for own in range(count)]
        try:
            while not is_told():
                wait([told, *(process.sentinel for process in crew)])
                for own, process in enumerate(crew):
                    if not is_told() and not process.is_alive():
                        log.warning("%s ended by itself (exit code %s); another takes its place", process.name, process.exitcode)
                        wait([told], PAUSE)
                        crew[own] = start(own)
        finally:
            listener.close()  # with the workers' own: whoever comes now is told so at once
            _end(crew)


def _end(crew: Sequence[SpawnProcess]) -> None:
    for process in crew:
        process.terminate()
    for process in crew:
        process.join(LAST_CALL)
        if process.is_alive():
            process.kill()
            process.join()


def _begin(work: Work, listener: socket.socket, rows: Sequence[MutableSequence[float]], own: int) -> None:
    """What runs in a worker: Ctrl-C at a terminal reaches it too, and is left to the first process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work(listener, Metrics(rows, own))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        signal.raise_signal(signal.SIGTERM)


@contextmanager
def _deaf() -> Iterator[None]:
    """Put signals off, here and in a process that is started meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _told_to_end() -> Iterator[tuple[Callable[[], bool], socket.socket]]:
    """Hear the signals that end it: whether one came, and a socket that can be read when one does."""
    heard: list[int] = []
    told, tell = socket.socketpair()
    with told, tell:
        tell.settimeout(0)  # as set_wakeup_fd wants it
        former = {number: signal.signal(number, lambda number, _frame: heard.append(number)) for number in _ENDS}
        before = signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)
        try:
            yield lambda: bool(heard), told
        finally:
            signal.set_wakeup_fd(before)
            for number, handler in former.items():
                signal.signal(number, handler)
