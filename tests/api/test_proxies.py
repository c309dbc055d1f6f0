"""Whose word on scheme and host is taken."""

from __future__ import annotations

import json
from ipaddress import ip_network

import pytest

from api.proxies import forwarded_origin, is_trusted
from tests.api.running import app_over, running, send
from tests.api.sample_rows import SAMPLE

HOME = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@pytest.mark.parametrize(
    ("client", "proxies", "is_believed"),
    [
        ("127.0.0.1", HOME, True),
        ("::1", HOME, True),
        ("::ffff:127.0.0.1", HOME, True),
        ("10.0.0.1", HOME, False),
        ("127.0.0.1", (), False),
        (None, HOME, False),
        ("not an address", HOME, False),
    ],
)
def test_only_configured_proxies_are_believed(client, proxies, is_believed):
    """An address counts when a configured network holds it, IPv4 within IPv6 too."""
    assert is_trusted(client, proxies) is is_believed


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ([], ("http", "inner")),
        ([(b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"outer.org")], ("https", "outer.org")),
        ([(b"x-forwarded-proto", b"http, HTTPS"), (b"x-forwarded-host", b"evil, outer.org:8443")], ("https", "outer.org:8443")),
        ([(b"x-forwarded-proto", b"gopher"), (b"x-forwarded-host", b"")], ("http", "inner")),
    ],
)
def test_the_nearest_proxy_is_heard(headers, origin):
    """Of several values the last counts: the others may be the asker's own; a scheme that is none is ignored."""
    assert forwarded_origin(headers, "http", "inner") == origin


def test_links_follow_a_trusted_proxy(tmp_path):
    """Behind a configured proxy links have the outer scheme and host; an illegal one is 400 all the same."""
    asked = b"GET /api/v4/ HTTP/1.1\r\nHost: inner\r\nConnection: close\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: "
    with running(app_over(SAMPLE, tmp_path, trusted_proxies=HOME)) as port:
        said = send(port, asked + b"outer.org\r\n\r\n")
        refused = send(port, asked + b"a b\r\n\r\n")
    assert json.loads(said.partition(b"\r\n\r\n")[2])["grids"] == "https://outer.org/api/v4/grids/"
    assert refused.startswith(b"HTTP/1.1 400 ")
