"""A process that has everything imported and forks one packhouse command after another, each with the plug armed.

It is started with the plug preloaded, reads one JSON object a line on stdin and answers each with the exit status; see ``plug.py``.
A command runs in a process of its own that is really killed; only its imports are spared, which take longer than the command.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

ROOMS = (
    "flows.running",
    "flows.publishing",
    "flows.past",
    "api.static_files",
    "api.snapshot",
    "warehouse.rows",
    "warehouse.copies",
    "pandas",
)


def main() -> None:
    """Fork for each line until stdin ends."""
    plug = ctypes.CDLL(None)
    for room in ROOMS:
        importlib.import_module(room)
    importlib.import_module("packhouse")
    _refuse_threads()
    print("ready", flush=True)  # noqa: T201 - read by plug.py
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _command(plug, order)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201 - likewise


def _refuse_threads() -> None:
    """A fork takes no thread along; nothing that was imported may need one."""
    threads = list(Path("/proc/self/task").iterdir())
    if len(threads) != 1:
        message = f"{len(threads)} threads run after the imports: a fork would lose them"
        raise RuntimeError(message)


def _command(plug: ctypes.CDLL, order: dict[str, Any]) -> None:
    """Be the command until it ends; never returns."""
    code = 70
    try:
        for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
            flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            os.dup2(os.open(order[name], flags, 0o644), number)
        os.environ.clear()
        os.environ.update(order["environ"])
        sys.argv = ["packhouse", *order["arguments"]]
        plug.plug_arm(*(order[name].encode() for name in ("root", "other")), order["mode"], order["at"], order["log"].encode())
        importlib.import_module("packhouse").main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:  # noqa: BLE001 - told as Python would tell it, and the process ends
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
