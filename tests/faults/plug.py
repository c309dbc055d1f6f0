"""Commands run with a plug that can be pulled at any of their writes, renames and syncs (``plug.c``)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from tests.conftest import ROOT

SOURCE = Path(__file__).with_name("plug.c")
# Libraries that would start a thread when they are imported, which a fork would lose.
SINGLE = {"ARROW_DEFAULT_MEMORY_POOL": "system", "JE_ARROW_MALLOC_CONF": "background_thread:false", "OPENBLAS_NUM_THREADS": "1"}


class Mode(IntEnum):
    """What happens at the point; ``plug.c`` says it in full."""

    COUNT = 0
    KILL = 1
    TEAR = 2
    FULL = 3
    READ_ONLY = 4
    BROKEN = 5


def missing() -> str | None:
    """Why the plug cannot be used on this machine; ``None`` when it can."""
    if not sys.platform.startswith("linux"):
        return "the plug is for Linux: it is preloaded and reads /proc"
    if shutil.which("cc") is None:
        return "there is no C compiler: apt-get install gcc libc6-dev"
    return None


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended: ``code`` is its exit code, or minus the signal; ``points`` are the calls it made, in order."""

    code: int
    out: str
    err: str
    points: tuple[str, ...]


@dataclass(slots=True)
class Plug:
    """Runs commands; see ``plugged``."""

    process: subprocess.Popen[str]
    folder: Path

    def run(
        self, arguments: list[str], environ: Mapping[str, str], root: Path, other: Path | None = None, mode: Mode = Mode.COUNT, at: int = 0
    ) -> Done:
        """Run one command; what it changes below ``root`` and ``other`` counts."""
        paths = {name: str(self.folder / name) for name in ("stdout", "stderr", "log")}
        order = {
            "arguments": arguments,
            "environ": dict(environ),
            "root": str(root),
            "other": str(other or ""),
            "mode": int(mode),
            "at": at,
            "stdin": os.devnull,
            **paths,
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        told = {name: Path(path).read_text(encoding="utf-8", errors="replace") for name, path in paths.items()}
        return Done(code, told["stdout"], told["stderr"], tuple(told["log"].splitlines()))


@contextmanager
def plugged(folder: Path) -> Iterator[Plug]:
    """Build the plug in ``folder`` and start the process that runs commands."""
    library = folder / "plug.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"], check=True)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    environ = {**kept, **SINGLE, "LD_PRELOAD": str(library)}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.forking"], cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            if process.stdout.readline() != "ready\n":
                message = "the process that runs commands did not start"
                raise RuntimeError(message)
            yield Plug(process, folder)
        finally:
            process.stdin.close()
            process.wait(timeout=60)
