"""The files in ``deploy/`` for nginx, tried with a real one on loopback: in front of the server, and over the static export.

Where there is no nginx these tests are skipped and say so.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from ipaddress import ip_network
from pathlib import Path

import pytest

from api.bodies import Bodies
from api.snapshot import take_snapshot
from api.static_files import static_files
from tests.api.running import app_over, running
from tests.api.sample_rows import BASE, NEW_YORK, SAMPLE, Rows, many

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
ROWS = Rows(package_rows=[*SAMPLE.packages(), *many(60)[5:]])
pytestmark = pytest.mark.skipif(
    shutil.which("nginx") is None, reason="no nginx: deploy/*.conf were not tried (Debian: apt-get install nginx-light)"
)


def free_port() -> int:
    """A port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def nginx(folder: Path, name: str, *changes: tuple[str, str]):
    """Run nginx with one of the files, in which only addresses are changed; yields its port."""
    port = free_port()
    site = (DEPLOY / name).read_text()
    for before, after in changes:
        assert before in site
        site = site.replace(before, after)
    site = site.replace("127.0.0.1:8080", f"127.0.0.1:{port}").replace("listen 80;", f"listen 127.0.0.1:{port};")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    who = "user root;" if os.geteuid() == 0 else ""
    log = folder / "error.log"
    text = f"{who} daemon off; pid {folder}/pid; error_log {log}; events {{ }} http {{ access_log off; {temporary}\n{site} }}"
    (folder / "nginx.conf").write_text(text)
    process = subprocess.Popen(["nginx", "-e", str(log), "-c", str(folder / "nginx.conf")])
    try:
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def fetch(port: int, target: str, **headers: str):
    """Ask once, for the host ``packages.example.org``; returns the answer, with its body read."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
    for name, value in {"Host": "packages.example.org", **headers}.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    answer.content = answer.read()
    connection.close()
    return answer


def test_in_front_of_the_server(tmp_path):
    """Links lead where the asker came to, tags and encodings pass, /metrics does not."""
    loopback = (ip_network("127.0.0.1/32"),)
    with (
        running(app_over(ROWS, tmp_path, None, trusted_proxies=loopback)) as behind,
        nginx(tmp_path, "nginx.conf", ("127.0.0.1:8000", f"127.0.0.1:{behind}")) as port,
    ):
        for _ in range(2):
            record = fetch(port, "/api/v4/packages/1776/")
            assert record.status == 200
            assert json.loads(record.content)["category"] == "http://packages.example.org/api/v4/categories/1/"
        assert fetch(port, "/api/v4/packages/1776/", If_None_Match=record.headers["etag"]).status == 304
        packed = fetch(port, "/api/v4/packages/1776/", Accept_Encoding="gzip")
        assert (packed.headers["vary"], gzip.decompress(packed.content)) == ("Accept, Accept-Encoding", record.content)
        page = json.loads(fetch(port, "/api/v4/packages/?limit=20&ordering=-id").content)
        assert page["next"] == "http://packages.example.org/api/v4/packages/?limit=20&offset=20&ordering=-id"
        assert fetch(port, "/api/v4/packages/%00/").status in (400, 404)
        assert fetch(port, "/metrics").status == 403


def test_over_the_static_export(tmp_path):
    """Every file is found by its address, each page of a list by its query, with the bytes the server answers."""
    bodies = Bodies(take_snapshot(ROWS), NEW_YORK)
    for name, body in static_files(bodies, BASE):
        path = tmp_path / "public" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    with (
        running(app_over(ROWS, tmp_path, BASE)) as server,
        nginx(tmp_path, "nginx-static.conf", ("/srv/packhouse/public", str(tmp_path / "public"))) as port,
    ):
        targets = ["packages/", "packages/?limit=20", "packages/?limit=20&offset=20", "packages/?limit=20&offset=40", "packages/1776/"]
        for target in [*targets, "packages/django-scheduler/", "grids/62/", "categories/1/", "grids/", ""]:
            ours, theirs = fetch(server, f"/api/v4/{target}"), fetch(port, f"/api/v4/{target}")
            assert (theirs.status, theirs.content) == (200, ours.content), target
            assert (theirs.headers["content-type"], theirs.headers["vary"]) == ("application/json", "Accept")
        assert fetch(port, "/api/v4/packages/?limit=7").status == 404
        assert fetch(port, "/api/v4/packages/999/").status == 404
        assert fetch(port, "/api/v4/packages/1776").headers["location"].endswith("/api/v4/packages/1776/")
        assert gzip.decompress(fetch(port, "/api/v4/packages/", Accept_Encoding="gzip").content) == fetch(port, "/api/v4/packages/").content
