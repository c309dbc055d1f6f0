"""Whom to believe about the address a request was made to: forwarded headers count only from proxies that are configured. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network
Headers = Sequence[tuple[bytes, bytes]]

_SCHEMES = ("http", "https")


def is_trusted(client: str | None, proxies: Sequence[Network]) -> bool:
    """Tell whether a request that came from this address may say where it was made to."""
    if not proxies or client is None:
        return False
    try:
        address: IPv4Address | IPv6Address = ip_address(client)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # how IPv4 arrives at a socket for both
    return any((mapped or address) in network for network in proxies)


def forwarded_origin(headers: Headers, scheme: str, host: str) -> tuple[str, str]:
    """Read scheme and host from ``X-Forwarded-Proto`` and ``X-Forwarded-Host``, the last of each: the nearest proxy wrote it."""
    told = {name: value.decode("latin-1").rpartition(",")[2].strip() for name, value in headers if name.startswith(b"x-forwarded-")}
    given = told.get(b"x-forwarded-proto", "").lower()
    return given if given in _SCHEMES else scheme, told.get(b"x-forwarded-host") or host
