"""The audit of the locks, against an advisory service on loopback: it sees what is known, and says so when nobody knows anything."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.conftest import ROOT

PYTHON = ROOT / ".cache" / "release" / "bin" / "python"
pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="pip-audit is not installed: `make check` does")
HOLE = {"id": "PYSEC-2019-217", "modified": "2021-01-01T00:00:00Z", "affected": [], "summary": "sandbox escape"}


def _hole(name: str) -> dict[str, Any]:
    return {**HOLE, "affected": [{"package": {"name": name, "ecosystem": "PyPI"}, "ranges": [], "versions": []}]}


@contextmanager
def advisories(known: Mapping[str, str]) -> Iterator[str]:
    """An OSV service that knows these versions to be vulnerable."""

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = asked["package"]["name"]
            body = json.dumps({"vulns": [_hole(name)]} if known.get(name) == asked["version"] else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


def audit(url: str, lock: Path) -> subprocess.CompletedProcess[str]:
    """Audit one lock."""
    return subprocess.run([PYTHON, "release/audit.py", "--osv-url", url, lock], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock of two packages."""
    path = tmp_path / "some.lock"
    path.write_text(f"httpx==0.28.1 \\\n    --hash=sha256:{'0' * 64}\njinja2==3.1.6 \\\n    --hash=sha256:{'1' * 64}\n")
    return path


def test_a_vulnerable_pin_is_red(lock: Path) -> None:
    """A package of the lock that the service knows to be vulnerable is named, with exit code 1."""
    with advisories({"jinja2": "2.4.1", "httpx": "0.28.1"}) as url:
        done = audit(url, lock)
    assert done.returncode == 1, done.stderr
    assert "httpx 0.28.1: PYSEC-2019-217" in done.stderr
    assert "Next:" in done.stderr


def test_a_clean_lock_is_green(lock: Path) -> None:
    """With the canary known and nothing else, the packages are counted."""
    with advisories({"jinja2": "2.4.1"}) as url:
        done = audit(url, lock)
    assert done.returncode == 0, done.stderr
    assert "2 packages audited" in done.stdout


def test_a_service_that_knows_nothing_is_not_green(lock: Path) -> None:
    """A mirror without advisories, or nobody at all, is told: nothing was judged."""
    with advisories({}) as url:
        done = audit(url, lock)
    for said in (done, audit("http://127.0.0.1:9/v1/query", lock)):
        assert said.returncode == 0
        assert "cannot audit" in said.stderr
        assert "audited (" not in said.stdout
