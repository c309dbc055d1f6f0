"""Servers as processes of their own for the benchmarks of serving: ours, the incumbent's stack, nginx over the static export."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ORACLE = ROOT / ".cache" / "oracle" / "bin"
BASE = "http://127.0.0.1"

# Serves the incumbent's application with its rows in a database in memory, filled once.
_GUNICORN = """
import json, sys
sys.path.insert(0, {folder!r})
import incumbent
incumbent.load(json.loads(open({records!r}, encoding="utf-8").read()))
application = incumbent.get_wsgi_application()
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers: its process and its port."""

    pid: int
    port: int

    def processor_seconds(self) -> float:
        """User and system time of the process and its children, from Linux's /proc."""
        return sum(_seconds(pid) for pid in (self.pid, *_children(self.pid)))

    def memory(self, what: str = "VmRSS") -> int:
        """Resident bytes of the process, now or (``VmHWM``) at most."""
        found = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8"))
        return int(found[1]) * 1024 if found else 0

    def get(self, path: str) -> bytes:
        """Ask once."""
        with urllib.request.urlopen(f"{BASE}:{self.port}{path}", timeout=300) as answer:
            body: bytes = answer.read()
        return body


def on_core(number: int) -> list[str]:
    """Begin a command that stays on one core, where that can be said."""
    return ["taskset", "-c", str(number)] if shutil.which("taskset") and (os.cpu_count() or 1) > number else []


@contextmanager
def packhouse(data: Path, *options: str) -> Iterator[Server]:
    """``packhouse serve`` over a data folder, with one worker unless told otherwise."""
    environ = os.environ | {"PACKHOUSE_DATA": str(data)}
    command = [*on_core(0), sys.executable, "-m", "packhouse", "serve", "--port", "0", *options]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            found = re.search(r":(\d+)/api", line)
            assert found is not None, line
            yield Server(process.pid, int(found[1]))
        finally:
            process.terminate()
            sys.stderr.write(process.stderr.read() if process.stderr else "")


@contextmanager
def incumbent(records: object, folder: Path, port: int) -> Iterator[Server]:
    """Django REST framework on gunicorn with one worker, over the records that ``tests/oracle`` makes of rows."""
    (folder / "records.json").write_text(json.dumps(records), encoding="utf-8")
    text = _GUNICORN.format(folder=str(ROOT / "tests" / "oracle"), records=str(folder / "records.json"))
    (folder / "served_incumbent.py").write_text(text, encoding="utf-8")
    command = [*on_core(0), str(ORACLE / "python"), "-m", "gunicorn", "--workers", "1", "--bind", f"127.0.0.1:{port}"]
    with _running([*command, "--keep-alive", "60", "served_incumbent:application"], folder, port) as server:
        yield server


@contextmanager
def nginx(tree: Path, folder: Path, port: int) -> Iterator[Server]:
    """Nginx with one worker over a static export, configured as ``deploy/nginx-static.conf`` says."""
    site = (ROOT / "deploy" / "nginx-static.conf").read_text(encoding="utf-8")
    site = site.replace("127.0.0.1:8080", f"127.0.0.1:{port}").replace("/srv/packhouse/public", str(tree))
    temporary = "".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    text = f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; events {{ worker_connections 1024; }}\n"
    if os.geteuid() == 0:
        text = "user root;\n" + text  # the tree lies in a private folder
    (folder / "nginx.conf").write_text(
        f"{text}http {{ access_log off; {temporary}\nkeepalive_requests 1000000;\n{site} }}", encoding="utf-8"
    )
    with _running([*on_core(0), "nginx", "-e", f"{folder}/error.log", "-c", str(folder / "nginx.conf")], folder, port) as server:
        yield server


@contextmanager
def _running(command: Sequence[str], folder: Path, port: int) -> Iterator[Server]:
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)  # noqa: S603 - named above
    try:
        server = Server(process.pid, port)
        for _ in range(600):
            if process.poll() is not None:
                break
            try:
                server.get("/api/v4/")
            except OSError:
                time.sleep(0.2)
            else:
                yield server
                return
        sys.exit(f"{command[0]} does not answer:\n{(folder / 'server.log').read_text(encoding='utf-8')}")
    finally:
        process.terminate()
        process.wait()


def _seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]
