"""What goes over the wire and what comes back, against a real server on the loopback."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extractors.client import Client, Service, Timeouts, fingerprint
from extractors.conversation import ANONYMOUS, GITHUB, REPO, Answer, Ask, Validator
from extractors.verdict import Verdict, judge_answer
from tests.extractors.loopback import START, Handler, Loopback, Reply, Request, VirtualClock, answering

SECRET = "ghp_" + "notARealTokenJustForTheTests0123456789"
AGENT = "packhouse/0.1 (+https://example.org/contact)"
PATH = "/repos/a/b"


def question(url: str = PATH, **more: object) -> Ask:
    """Ask about one repository."""
    return replace(Ask(source=GITHUB, subject="github:a/b", facet=REPO, url=url, accept="application/vnd.github+json"), **more)


def talk(handler: Handler, conversation: Callable[[Loopback, Client], Awaitable[None]], **service: object) -> Loopback:
    """Run a conversation between a client and a server; the server's own records are returned."""

    async def run() -> Loopback:
        async with Loopback(handler) as server:
            settings = {"base_url": f"{server.url}/api", "token": SECRET, "api_version": "2026-03-10", **service}
            timeouts = settings.pop("timeouts", None)
            async with Client({GITHUB: Service(**settings)}, user_agent=AGENT, clock=VirtualClock(), timeouts=timeouts) as client:
                await conversation(server, client)
            return server

    return asyncio.run(run())


def one(handler: Handler, ask: Ask | None = None, **service: object) -> tuple[Answer, Loopback]:
    """Send one ask."""
    answers: list[Answer] = []

    async def conversation(_: Loopback, client: Client) -> None:
        answers.append(await client.send(ask or question(), 1))

    server = talk(handler, conversation, **service)
    return answers[0], server


def test_a_request_says_who_asks_for_what():
    """User agent, version, kind of answer and token are sent; the path goes below the base address."""
    answer, server = one(answering(Reply(body=b'{"id": 1}', headers={"ETag": '"x"', "X-RateLimit-Remaining": "59"})))
    request = server.requests[0]
    assert request.target == "/api/repos/a/b"
    assert request.headers["user-agent"] == AGENT
    assert request.headers["accept"] == "application/vnd.github+json"
    assert request.headers["x-github-api-version"] == "2026-03-10"
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert "gzip" in request.headers["accept-encoding"]
    assert (answer.status, answer.body, answer.error, answer.attempt) == (200, b'{"id": 1}', None, 1)
    assert (answer.headers["etag"], answer.headers["x-ratelimit-remaining"]) == ('"x"', "59")
    assert (answer.fetched_at, answer.duration_ms) == (START, 0)


def test_the_identity_is_a_fingerprint():
    """An answer tells under whom it was asked, and neither it nor the service's text tells the token."""
    answer, _ = one(answering(Reply()))
    assert answer.identity == fingerprint(SECRET) != fingerprint(SECRET + "x")
    assert SECRET not in repr(answer)
    assert SECRET not in repr(Service(base_url="http://127.0.0.1", token=SECRET))


@pytest.mark.parametrize(("ask", "token"), [(question(is_anonymous=True), SECRET), (question(), None)], ids=["asked to", "has none"])
def test_an_anonymous_request_carries_no_credentials(ask, token):
    """Neither a token that is not to be used nor one that is not there is sent."""
    answer, server = one(answering(Reply()), ask, token=token)
    assert "authorization" not in server.requests[0].headers
    assert answer.identity == ANONYMOUS


def test_no_version_no_header():
    """A service without versions is not sent one."""
    _, server = one(answering(Reply()), api_version=None)
    assert "x-github-api-version" not in server.requests[0].headers


def test_no_other_host_is_even_connected_to():
    """A link to another port, scheme, host or to a host with credentials is refused before a connection is made."""

    async def conversation(server: Loopback, client: Client) -> None:
        async with Loopback(answering(Reply())) as other:
            addresses = [
                f"{other.url}/api/repos/a/b",
                f"https://127.0.0.1:{server.port}/api/repos/a/b",
                f"http://localhost:{server.port}/api/repos/a/b",
                f"http://user:secret@127.0.0.1:{server.port}/api/repos/a/b",
                f"http://127.0.0.1:{server.port}@{other.url.removeprefix('http://')}/",
                "ftp://127.0.0.1/x",
                "repos/a/b",
            ]
            for address in addresses:
                answer = await client.send(question(address), 1)
                assert (answer.status, answer.body, dict(answer.headers)) == (None, b"", {}), address
                assert answer.error is not None
                assert answer.error.startswith("refused host"), address
                assert not judge_answer(answer).is_retryable
            assert other.connections == 0
        assert server.connections == 0

    talk(answering(Reply()), conversation)


def test_the_services_own_host_is_asked_by_absolute_address_too():
    """A link GitHub sent is followed with the token, below the base or not."""

    async def conversation(server: Loopback, client: Client) -> None:
        for path in ("/api/repositories/1", "/elsewhere"):
            assert (await client.send(question(server.url + path), 1)).status == 200

    server = talk(answering(Reply()), conversation)
    assert [request.headers["authorization"] for request in server.requests] == [f"Bearer {SECRET}"] * 2


def test_addresses_below_the_base_have_one_spelling():
    """An absolute address below the base is the same question as the relative one; others stay as they are."""

    async def conversation(server: Loopback, client: Client) -> None:
        assert client.localise(question(f"{server.url}/api/repos/a/b?page=2")).url == "/repos/a/b?page=2"
        for other in (f"{server.url}/apis/repos", f"{server.url}/api", "https://evil.example/api/x", PATH):
            assert client.localise(question(other)).url == other

    talk(answering(Reply()), conversation)


@pytest.mark.parametrize("address", ["/\x00", "http://[::1", "http://127.0.0.1:99999999/", "http://\udcff/", "/\udcff"])
def test_an_address_nobody_can_read_is_an_error(address):
    """Nonsense in a ``Location`` is an answer without status, not a crash."""
    answer, server = one(answering(Reply()), question(address))
    assert answer.error is not None
    assert answer.error.startswith(("invalid address", "refused host"))
    assert server.connections == 0


def test_redirects_are_answers():
    """A redirect is handed back, not followed, and a relative location is made whole."""

    async def conversation(server: Loopback, client: Client) -> None:
        answer = await client.send(question(), 1)
        assert (answer.status, answer.headers["location"]) == (301, f"{server.url}/repositories/1")

    server = talk(answering(Reply(status=301, headers={"Location": "/repositories/1"})), conversation)
    assert len(server.requests) == 1


@pytest.mark.parametrize("location", ["http://[", "http://\xff:x/", "//evil.example", "javascript:alert(1)"])
def test_a_location_nobody_should_follow_leads_nowhere(location):
    """A redirect to nonsense or to another host ends in an error, not in a crash or a request."""

    async def conversation(_: Loopback, client: Client) -> None:
        answer = await client.send(question(), 1)
        if "location" in answer.headers:
            answer = await client.send(question(answer.headers["location"]), 2)
        assert judge_answer(answer).verdict is Verdict.FAILED

    server = talk(answering(Reply(status=302, headers={"Location": location})), conversation)
    assert len(server.requests) == 1


def test_cookies_are_neither_kept_nor_sent_nor_landed():
    """A service that sets cookies gets none back, and its answer does not tell of them."""

    async def conversation(_: Loopback, client: Client) -> None:
        for _ in range(2):
            assert "set-cookie" not in (await client.send(question(), 1)).headers

    server = talk(answering(Reply(headers={"Set-Cookie": "logged_in=no; Path=/"})), conversation)
    assert ["cookie" in request.headers for request in server.requests] == [False, False]


def test_netrc_is_not_read(tmp_path, monkeypatch):
    """Credentials of the machine's user are never sent."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hush\n")
    monkeypatch.setenv("NETRC", str(netrc))
    _, server = one(answering(Reply()), token=None)
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    "reply",
    [Reply(body=f'{{"authorization": "{SECRET}"}}'.encode()), Reply(headers={"x-echo": f"Bearer {SECRET}"})],
    ids=["body", "header"],
)
def test_an_answer_that_repeats_the_token_is_dropped(reply):
    """A server that echoes what it was sent cannot make the token land."""
    answer, _ = one(answering(reply))
    assert SECRET not in repr(answer)
    assert answer.error == "the answer repeats the token"


def test_compressed_answers_are_unpacked():
    """The body is what was compressed."""
    packed = gzip.compress(b'{"id": 1}')
    answer, _ = one(answering(Reply(body=packed, headers={"Content-Encoding": "gzip"})))
    assert answer.body == b'{"id": 1}'


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"800\r\n" + b"x" * 2048 + b"\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"x" * 2048),
        Reply(wire=CHUNKED),
        Reply(body=gzip.compress(b"x" * 2048), headers={"Content-Encoding": "gzip"}),
        Reply(headers={"content-length": str(10**12)}, body=b"x"),
    ],
    ids=["plain", "chunked", "compressed", "announced"],
)
def test_a_body_larger_than_the_cap_is_refused(reply):
    """However it is sent, a body over the cap is dropped and not asked for again."""
    answer, _ = one(answering(reply), max_body_bytes=1024)
    assert (answer.status, answer.body, answer.error) == (200, b"", "body larger than 0.000976562 MiB")
    assert not judge_answer(answer).is_retryable


def test_a_body_of_exactly_the_cap_is_read():
    """The cap itself is allowed."""
    answer, _ = one(answering(Reply(body=b"x" * 1024)), max_body_bytes=1024)
    assert len(answer.body) == 1024


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", "transport: RemoteProtocolError"),
        (b"", "transport: RemoteProtocolError"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "transport: RemoteProtocolError"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope", "transport: DecodingError"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", "transport: RemoteProtocolError"),
    ],
    ids=["cut short", "closed", "not HTTP", "not gzip", "bad length"],
)
def test_garbage_on_the_wire_is_no_answer(wire, words):
    """What is not whole HTTP is an error of the transport, worth another attempt."""
    answer, _ = one(answering(Reply(wire=wire)))
    assert (answer.status, answer.body) == (None, b"")
    assert answer.error is not None
    assert answer.error.startswith(words)
    assert judge_answer(answer).is_retryable


async def never(_: Request) -> Reply:
    """Answer nothing."""
    await asyncio.Event().wait()
    return Reply()


@pytest.mark.parametrize("timeouts", [Timeouts(read=0.05), Timeouts(total=0.05)], ids=["read", "total"])
def test_silence_times_out(timeouts):
    """A server that says nothing is left, by the time between two pieces or by the time for all."""
    answer, _ = one(never, timeouts=timeouts)
    assert answer.error is not None
    assert answer.error.startswith("timeout: ")
    assert judge_answer(answer).is_retryable


def test_nobody_there():
    """A closed port is an error that says so."""

    async def run() -> Answer:
        async with Loopback(answering(Reply())) as server:
            url = server.url
        async with Client({GITHUB: Service(base_url=url)}, user_agent=AGENT, clock=VirtualClock()) as client:
            return await client.send(question(), 3)

    answer = asyncio.run(run())
    assert answer.error is not None
    assert answer.error.startswith("connect: ")
    assert (answer.status, answer.attempt) == (None, 3)


def test_connections_are_pooled_within_bounds():
    """Forty requests at once over twelve connections use twelve, and use them again."""
    arrived = asyncio.Event()

    async def handler(_: Request) -> Reply:
        if server.open_connections >= 12:
            arrived.set()
        await arrived.wait()
        return Reply()

    async def conversation(loopback: Loopback, client: Client) -> None:
        nonlocal server
        server = loopback
        answers = await asyncio.gather(*(client.send(question(), 1) for _ in range(40)))
        assert {answer.status for answer in answers} == {200}

    server: Loopback
    served = talk(handler, conversation, max_connections=12)
    assert served.connections == served.most_at_once == 12


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(st.text(), st.text().map("/".__add__), st.text().map("http://127.0.0.1:1/".__add__)), max_size=20))
def test_any_address_gives_an_answer(addresses):
    """Whatever a service links to, the client answers and sends nothing elsewhere."""

    async def run() -> None:
        service = Service(base_url="http://127.0.0.1:1", token=SECRET)
        async with Client({GITHUB: service}, user_agent=AGENT, clock=VirtualClock()) as client:
            for address in addresses:
                answer = await client.send(client.localise(question(address)), 1)
                assert answer.status is None
                assert answer.error

    asyncio.run(run())


def test_a_question_with_a_payload_is_posted():
    """JSON goes out as such, with token and version, to the address below the base."""
    payload = b'{"query": "query{viewer{login}}"}'
    answer, server = one(answering(Reply(body=b'{"data": {}}')), question("/graphql", payload=payload))
    request = server.requests[0]
    assert (request.method, request.target, request.body) == ("POST", "/api/graphql", payload)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert answer.body == b'{"data": {}}'
    assert SECRET not in repr(answer)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_posted_question_is_not_sent_elsewhere(status):
    """A redirect of a POST is an answer: whatever is at the other place, it does not get the payload."""
    answer, server = one(answering(Reply(status=status, headers={"Location": "/api/elsewhere"})), question("/graphql", payload=b"{}"))
    assert (answer.status, len(server.requests)) == (status, 1)


@pytest.mark.parametrize(
    ("validator", "sent"),
    [
        (None, (None, None)),
        (Validator(), (None, None)),
        (Validator(etag='W/"abc"'), ('W/"abc"', None)),
        (Validator(last_modified="Tue, 24 Nov 2026 13:23:00 GMT"), (None, "Tue, 24 Nov 2026 13:23:00 GMT")),
        (Validator(etag='"a"', last_modified="Tue, 24 Nov 2026 13:23:00 GMT"), ('"a"', "Tue, 24 Nov 2026 13:23:00 GMT")),
        (Validator(etag='"\u00fc"', last_modified="x\r\nAuthorization: y"), (None, None)),
    ],
    ids=["none", "empty", "etag", "date", "both", "unfit"],
)
def test_validators_are_sent_as_they_came(validator, sent):
    """An ask with a validator is conditional; what no header can carry is left out."""
    answer, server = one(answering(Reply(status=304)), question(validator=validator))
    headers = server.requests[0].headers
    assert (headers.get("if-none-match"), headers.get("if-modified-since")) == sent
    assert (answer.status, judge_answer(answer).verdict) == (304, Verdict.UNCHANGED)


def test_a_validator_belongs_to_an_identity_a_version_and_an_address():
    """Another token, no token, another version or another address have validators of their own."""

    async def conversation(server: Loopback, client: Client) -> None:
        other = Client({GITHUB: Service(base_url=server.url, token=SECRET[::-1])}, user_agent=AGENT, clock=VirtualClock())
        keys = [
            client.validator_key(question()),
            client.validator_key(question(is_anonymous=True)),
            client.validator_key(question("/repos/a/c")),
            other.validator_key(question()),
        ]
        assert keys == [
            (fingerprint(SECRET), "2026-03-10", PATH),
            (ANONYMOUS, "2026-03-10", PATH),
            (fingerprint(SECRET), "2026-03-10", "/repos/a/c"),
            (fingerprint(SECRET[::-1]), "", PATH),
        ]

    talk(answering(Reply()), conversation)
