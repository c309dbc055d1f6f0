from __future__ import annotations

import gzip
import json
import socket
import time
from collections import Counter

import httpx
import pytest

from sandbox import Fault, Faults, Mishap
from sandbox.reply import Reply
from sandbox.retelling import retold
from tests.sandbox.asking import PLAIN, TOKEN, asking

DOCUMENT = "/pypi/curious-plain/json"


def test_status_comes_as_page_or_as_json() -> None:
    """GitHub's bad gateways are pages, its server errors JSON."""
    with asking() as (sandbox, client):
        sandbox.faults.add(
            Fault(mishap=Mishap.STATUS, times=1), Fault(mishap=Mishap.STATUS, status=503, is_json=True, retry_after=9, times=1)
        )
        page, told = client.get(f"{sandbox.github_url}{PLAIN}"), client.get(f"{sandbox.github_url}{PLAIN}")
    assert (page.status_code, page.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert (told.status_code, told.headers["retry-after"], told.json()["message"]) == (503, "9", "Server Error")


def test_page_with_status_200_is_no_json() -> None:
    """What a captive portal or a broken proxy sends."""
    with asking() as (sandbox, client):
        sandbox.faults.add(Fault(mishap=Mishap.HTML))
        answer = client.get(f"{sandbox.pypi_url}{DOCUMENT}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()


def test_truncated_json_is_complete_as_http() -> None:
    """Only reading it shows that half is missing."""
    with asking() as (sandbox, client):
        whole = client.get(f"{sandbox.pypi_url}{DOCUMENT}").content
        sandbox.faults.add(Fault(mishap=Mishap.TRUNCATED))
        half = client.get(f"{sandbox.pypi_url}{DOCUMENT}")
    assert half.status_code == 200
    assert half.content == whole[: len(whole) // 2]


@pytest.mark.parametrize("mishap", [Mishap.DROPPED, Mishap.CUT_OFF])
def test_connections_end_early(mishap: Mishap) -> None:
    """Before the first byte or in the middle of the body; the next connection is fine."""
    with asking() as (sandbox, client):
        sandbox.faults.add(Fault(pattern="*/json", mishap=mishap, times=1))
        with pytest.raises(httpx.TransportError):
            client.get(f"{sandbox.pypi_url}{DOCUMENT}")
        assert client.get(f"{sandbox.pypi_url}{DOCUMENT}").status_code == 200
        assert [line.mishap for line in sandbox.ledger.lines()] == [mishap.value, ""]


def test_huge_body_arrives_whole() -> None:
    """Every byte of it, for those who do not stop reading."""
    with asking() as (sandbox, client):
        sandbox.faults.add(Fault(mishap=Mishap.HUGE, size=8 << 20))
        assert len(client.get(f"{sandbox.pypi_url}{DOCUMENT}").content) == (8 << 20) + 2


def test_bomb_is_small_on_the_wire() -> None:
    """A hundred megabytes in a hundred kilobytes."""
    with asking() as (sandbox, client):
        sandbox.faults.add(Fault(mishap=Mishap.BOMB))
        with client.stream("GET", f"{sandbox.pypi_url}{DOCUMENT}") as answer:
            wire = b"".join(answer.iter_raw())
    assert len(wire) < 200_000
    assert len(gzip.decompress(wire)) == 100 << 20


def test_slow_body_trickles() -> None:
    """A caller with a shorter patience than the body takes gives up in the middle."""
    with asking() as (sandbox, client):
        sandbox.faults.add(Fault(mishap=Mishap.SLOW, seconds=30.0, times=1), Fault(mishap=Mishap.SLOW, seconds=0.01))
        with pytest.raises(httpx.ReadTimeout):
            client.get(f"{sandbox.pypi_url}{DOCUMENT}", timeout=0.2)
        assert client.get(f"{sandbox.pypi_url}{DOCUMENT}").json()["info"]["name"] == "curious-plain"


def test_latency_holds_every_answer() -> None:
    """Answers come no sooner than the latency says, and can be turned quick again."""
    with asking(faults=Faults(latency_ms=80)) as (sandbox, client):
        before = time.monotonic()
        client.get(f"{sandbox.github_url}{PLAIN}")
        assert time.monotonic() - before >= 0.08
        sandbox.faults.latency_ms = 0
        assert client.get(f"{sandbox.github_url}{PLAIN}").status_code == 200


def test_faults_meet_the_paths_and_counts_they_name() -> None:
    """Pattern, patience and number are obeyed; the first rule that applies decides."""
    faults = Faults()
    faults.add(
        Fault(pattern="/github/*/contributors*", mishap=Mishap.HTML, after=1, times=2), Fault(pattern="/pypi/*", mishap=Mishap.STATUS)
    )
    path = "/github/repos/a/b/contributors?per_page=100"
    assert [fault and fault.mishap for fault in map(faults.meet, [path] * 4)] == [None, Mishap.HTML, Mishap.HTML, None]
    assert faults.meet("/github/repos/a/b") is None
    assert faults.meet("/pypi/pypi/a/json") is not None
    faults.clear()
    assert faults.meet("/pypi/pypi/a/json") is None


def test_chance_is_seeded() -> None:
    """The same seed harms the same requests; the share is about what was asked for."""

    def harmed(seed: int) -> list[bool]:
        faults = Faults(seed=seed)
        faults.add(Fault(mishap=Mishap.STATUS, probability=0.25))
        return [faults.meet("/github/x") is not None for _ in range(1000)]

    assert harmed(1) == harmed(1) != harmed(2)
    assert 180 < sum(harmed(1)) < 320


def test_ledger_keeps_what_was_asked_but_no_token() -> None:
    """Path, condition, status and a fingerprint, here and over HTTP; nowhere the token."""
    with asking() as (sandbox, client):
        client.get(f"{sandbox.github_url}/repos/curious/crowded/contributors?page=2", headers={**TOKEN, "if-none-match": '"x"'})
        client.get(f"{sandbox.pypi_url}{DOCUMENT}")
        rows = client.get(f"{sandbox.base_url}/sandbox/ledger").json()
        summary = client.get(f"{sandbox.base_url}/sandbox/summary").json()
        lines = sandbox.ledger.lines(service="github")
        assert client.get(f"{sandbox.base_url}/sandbox/ledger?since=1").json() == rows[1:]
        assert client.delete(f"{sandbox.base_url}/sandbox/ledger").status_code == 204
        assert len(sandbox.ledger) == 0
    assert [(line.path, line.status, line.headers["if-none-match"]) for line in lines] == [
        ("/repos/curious/crowded/contributors?page=2", 200, '"x"')
    ]
    assert lines[0].identity not in ("anonymous", "a-token")
    assert rows[1]["identity"] == "anonymous"
    assert "a-token" not in json.dumps(rows)
    assert (summary["requests"], summary["statuses"]) == (2, {"github": {"200": 1}, "pypi": {"200": 1}})


def test_concurrent_requests_are_limited_when_asked() -> None:
    """More requests in flight than GitHub allows meet the secondary limit."""
    with asking(faults=Faults(latency_ms=150)) as (sandbox, _client):
        sandbox.limits.concurrent = 2
        address = ("127.0.0.1", int(sandbox.base_url.rsplit(":", 1)[1]))
        asked = f"GET /github{PLAIN} HTTP/1.1\r\nHost: x\r\nUser-Agent: x\r\nConnection: close\r\n\r\n".encode()
        connections = [socket.create_connection(address) for _ in range(3)]
        for connection in connections:
            connection.sendall(asked)
        statuses = Counter(_status(connection) for connection in connections)
    assert statuses[403] >= 1
    assert sum(statuses.values()) == 3


def _status(connection: socket.socket) -> int:
    with connection, connection.makefile("rb") as answer:
        return int(answer.readline().split()[1])


RETOLD = {
    "without": (Mishap.WITHOUT, ("a", "d"), b'{"b":[{"c":1}],"e":true}'),
    "zeroed": (Mishap.ZEROED, ("a", "b", "e"), b'{"a":0,"b":[],"d":[3,4],"e":false}'),
    "zeroed lists and objects": (Mishap.ZEROED, ("c", "d"), b'{"a":7,"b":[{"c":0}],"d":[0,0],"e":true}'),
    "emptied": (Mishap.EMPTIED, (), b'{"a":7,"b":[{"c":1}],"d":[3,4],"e":true}'),
}


@pytest.mark.parametrize(("mishap", "fields", "expected"), RETOLD.values(), ids=RETOLD)
def test_a_good_answer_is_told_otherwise(mishap: Mishap, fields: tuple[str, ...], expected: bytes) -> None:
    """Fields vanish or read nothing wherever they stand, only lists are emptied, and no validator vouches for it."""
    whole = Reply(status=200, headers=(("etag", '"x"'), ("content-type", "json")), body=b'{"a":7,"b":[{"c":1}],"d":[3,4],"e":true}')
    told = retold(Fault(mishap=mishap, fields=fields), whole)
    assert (told.status, told.body, told.headers) == (200, expected, (("content-type", "json"),))


def test_only_good_json_is_told_otherwise() -> None:
    """A list is emptied; an error, or what is no JSON, stays as it is."""
    fault = Fault(mishap=Mishap.EMPTIED)
    assert retold(fault, Reply(status=200, body=b"[1]")).body == b"[]"
    for whole in (Reply(status=404, body=b"[1]"), Reply(status=200, body=b"<html>"), Reply(status=204)):
        assert retold(fault, whole) == whole
