"""The only module that talks to the network: an :class:`Ask` goes out, an :class:`Answer` comes back, whatever happens.

Promises, kept here and nowhere else:
- a token goes to its service's own origin (scheme, host and port) only; any other address is not even connected to;
- redirects are answers, never followed; cookies are neither kept nor sent; ``.netrc`` is not read;
- a body is read up to a cap, a request takes no longer than a deadline;
- neither token nor cookies are part of an answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.cookiejar
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import httpx

from extractors.clock import Clock
from extractors.conversation import ANONYMOUS, Answer, Ask
from extractors.verdict import INVALID_ADDRESS, REFUSED_HOST, TOKEN_REPEATED, TOO_LARGE_BODY

MEBIBYTE = 1024 * 1024
CONNECTIONS_PER_POOL = 4  # the pool of httpx looks at every connection on every event: small pools cost a good deal less CPU than one large
SECRET_HEADERS = frozenset({"set-cookie", "set-cookie2", "authorization", "proxy-authorization"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Where a source is asked and as whom.

    Attributes:
        base_url: address of the API without a trailing slash; asks' paths are appended to it.
        token: sent as a bearer token to this origin only; ``None`` asks anonymously.
        api_version: ``X-GitHub-Api-Version``; an unknown one is answered with 400.
        max_connections: most connections at once.
        max_body_bytes: larger answers (after content decoding) are refused.
    """

    base_url: str
    token: str | None = None
    api_version: str | None = None
    max_connections: int = 16
    max_body_bytes: int = 32 * MEBIBYTE

    def __repr__(self) -> str:
        """Never shows the token."""
        return f"Service({self.base_url!r}, {fingerprint(self.token)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds: to connect, between two pieces of an answer, and for a whole request."""

    connect: float = 10.0
    read: float = 30.0
    total: float = 120.0


def fingerprint(token: str | None) -> str:
    """Name an identity without telling the token: ``anonymous`` or ``token:`` and 12 hex digits of its SHA-256."""
    return ANONYMOUS if token is None else "token:" + hashlib.sha256(token.encode()).hexdigest()[:12]


class Client:
    """Sends asks to the configured services; an async context manager that owns the connections."""

    def __init__(self, services: Mapping[str, Service], *, user_agent: str, clock: Clock, timeouts: Timeouts | None = None) -> None:
        """Take the services by source; ``user_agent`` names us and a contact, as GitHub and PyPI require."""
        self._lines = {source: _Line(service, user_agent, timeouts or Timeouts()) for source, service in services.items()}
        self._clock = clock

    async def __aenter__(self) -> Self:
        for line in self._lines.values():
            line.open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for line in self._lines.values():
            await line.close()

    def identity(self, source: str, *, is_anonymous: bool = False) -> str:
        """Return the identity an ask is sent under; never the token."""
        return ANONYMOUS if is_anonymous else self._lines[source].identity

    def localise(self, ask: Ask) -> Ask:
        """Return the ask with an absolute address below the service's base made relative, so that one question has one address."""
        base = self._lines[ask.source].service.base_url
        return replace(ask, url=ask.url[len(base) :]) if ask.url.startswith(base + "/") else ask

    def validator_key(self, ask: Ask) -> tuple[str, str, str]:
        """Return under what an answer's validators hold: who asked, by which version of the API (empty for none), what address.

        GitHub's ETags differ by token, so one that was given to another identity is of no use.
        """
        service = self._lines[ask.source].service
        return self.identity(ask.source, is_anonymous=ask.is_anonymous), service.api_version or "", ask.url

    async def send(self, ask: Ask, attempt: int) -> Answer:
        """Send one ask and return what came of it; raises nothing but cancellation."""
        line = self._lines[ask.source]
        started = self._clock.monotonic()
        received = await line.receive(ask)
        return Answer(
            ask=ask,
            status=received.status,
            headers=received.headers,
            body=received.body,
            error=received.error,
            fetched_at=self._clock.now(),
            duration_ms=round((self._clock.monotonic() - started) * 1000),
            attempt=attempt,
            identity=self.identity(ask.source, is_anonymous=ask.is_anonymous),
        )


@dataclass(frozen=True, slots=True)
class _Received:
    status: int | None
    headers: Mapping[str, str]
    body: bytes
    error: str | None = None


class _NoCookies(http.cookiejar.CookieJar):
    """Keeps no cookie and sends none."""

    def extract_cookies(self, response: object, request: object) -> None:
        """Look away."""

    def add_cookie_header(self, request: object) -> None:
        """Add nothing."""


class _Line:
    """The connections to one service."""

    def __init__(self, service: Service, user_agent: str, timeouts: Timeouts) -> None:
        self.service = service
        self.identity = fingerprint(service.token)
        self._timeouts = timeouts
        self._origin = _origin(httpx.URL(service.base_url))
        self._headers = {"User-Agent": user_agent}
        if service.api_version is not None:
            self._headers["X-GitHub-Api-Version"] = service.api_version
        self._pools: list[httpx.AsyncClient] = []
        self._busy: list[int] = []

    def open(self) -> None:
        total = self.service.max_connections
        count = -(-total // CONNECTIONS_PER_POOL)
        timeout = httpx.Timeout(self._timeouts.read, connect=self._timeouts.connect, pool=None)
        verify = httpx.create_ssl_context()
        for index in range(count):
            size = total // count + (index < total % count)
            limits = httpx.Limits(max_connections=size, max_keepalive_connections=size, keepalive_expiry=30)
            pool = httpx.AsyncClient(limits=limits, timeout=timeout, verify=verify, headers=self._headers, cookies=_NoCookies())
            self._pools.append(pool)
        self._busy = [0] * count

    async def close(self) -> None:
        for pool in self._pools:
            await pool.aclose()
        self._pools = []

    async def receive(self, ask: Ask) -> _Received:
        try:
            url = httpx.URL(self.service.base_url + ask.url if ask.url.startswith("/") else ask.url)
        except (httpx.InvalidURL, ValueError) as fault:
            return _failure(f"{INVALID_ADDRESS}: {fault}")
        if _origin(url) != self._origin or url.userinfo:
            return _failure(f"{REFUSED_HOST} {url.host or ask.url[:100]!r}: only {self.service.base_url} is asked")
        lane = self._busy.index(min(self._busy))
        self._busy[lane] += 1
        try:
            async with asyncio.timeout(self._timeouts.total):
                return await self._exchange(self._pools[lane], url, ask)
        except (TimeoutError, httpx.TimeoutException) as fault:
            return _failure(f"timeout: {type(fault).__name__}")
        except httpx.ConnectError as fault:
            return _failure(f"connect: {fault}")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as fault:  # the latter two: a location httpx cannot even read
            return _failure(f"transport: {type(fault).__name__} {fault}".rstrip())
        finally:
            self._busy[lane] -= 1

    async def _exchange(self, pool: httpx.AsyncClient, url: httpx.URL, ask: Ask) -> _Received:
        headers = {"Accept": ask.accept, **_conditions(ask)}
        token = None if ask.is_anonymous else self.service.token
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if ask.payload is not None:
            headers["Content-Type"] = "application/json"
        request = pool.build_request("GET" if ask.payload is None else "POST", url, headers=headers, content=ask.payload)
        response = await pool.send(request, auth=None, stream=True, follow_redirects=False)
        try:
            body = await self._read(response)
        finally:
            await response.aclose()
        kept = _kept(response, url)
        if token is not None and _repeats(token, kept, body):
            return _Received(response.status_code, {}, b"", TOKEN_REPEATED)
        if body is None:
            return _Received(response.status_code, kept, b"", f"{TOO_LARGE_BODY} {self.service.max_body_bytes / MEBIBYTE:g} MiB")
        return _Received(response.status_code, kept, body)

    async def _read(self, response: httpx.Response) -> bytes | None:
        """Read the body; ``None`` as soon as it is larger than the cap."""
        cap = self.service.max_body_bytes
        announced = response.headers.get("content-length", "")
        if "content-encoding" not in response.headers and announced.isascii() and announced.isdigit() and int(announced) > cap:
            return None
        pieces: list[bytes] = []
        size = 0
        async for piece in response.aiter_bytes():
            size += len(piece)
            if size > cap:
                return None
            pieces.append(piece)
        return b"".join(pieces)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _conditions(ask: Ask) -> dict[str, str]:
    """Return the headers by which an unchanged answer is a 304 (RFC 9110, 13.1)."""
    told = ask.validator
    pairs = {"If-None-Match": told.etag, "If-Modified-Since": told.last_modified} if told else {}
    return {name: value for name, value in pairs.items() if value is not None and value.isascii() and value.isprintable()}


def _kept(response: httpx.Response, url: httpx.URL) -> dict[str, str]:
    """Return the headers worth keeping, a relative ``Location`` made absolute: it is relative to the address, not to the base."""
    kept = {name: value for name, value in response.headers.items() if name not in SECRET_HEADERS}
    if "location" in kept:
        try:
            kept["location"] = str(url.join(kept["location"]))
        except (httpx.InvalidURL, ValueError):
            del kept["location"]
    return kept


def _repeats(token: str, headers: Mapping[str, str], body: bytes | None) -> bool:
    return token.encode() in (body or b"") or any(token in value for value in headers.values())


def _failure(error: str) -> _Received:
    return _Received(None, {}, b"", error)
