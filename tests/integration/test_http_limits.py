"""What a client may send on a socket, and how long it may take: each limit, and what is within it."""

import http.client
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import psutil
import pytest
from sqlalchemy.engine import URL

from tests.support.application import make_settings
from tests.support.process import PATIENCE, POSTERN, Service, environment, started
from tests.support.server import Clone

ESTABLISHED = psutil.CONN_ESTABLISHED
USERS = b"/api/v1/users"
HOST = b"Host: a\r\n"
GET = b"GET " + USERS + b" HTTP/1.1\r\n" + HOST
POST = b"POST " + USERS + b" HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
SIZES = {"HTTP_HEAD_BYTES": "4096", "HTTP_HEADER_LINES": "20"}
TIMES = {
    "HTTP_HEAD_TIMEOUT": "1",
    "HTTP_BODY_TIMEOUT": "1",
    "HTTP_WRITE_TIMEOUT": "1",
    "HTTP_KEEP_ALIVE": "1",
}


@pytest.fixture(scope="module")
async def url(template: URL) -> AsyncIterator[URL]:
    async with Clone(template) as url:
        yield url


@pytest.fixture(scope="module")
def small(url: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Takes heads of 4 KiB and 20 lines."""
    with started(POSTERN, tmp_path_factory.mktemp("small"), environment(url, **SIZES)) as service:
        yield service


@pytest.fixture(scope="module")
def quick(url: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Waits a second for each part of an exchange."""
    with started(POSTERN, tmp_path_factory.mktemp("quick"), environment(url, **TIMES)) as service:
        yield service


def connect(service: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), PATIENCE)


def answer(client: socket.socket, method: str = "GET") -> tuple[int, dict[str, str]]:
    """Status and body of the next answer. It reads no byte of the one after it."""
    response = http.client.HTTPResponse(client, method=method)
    response.fp = client.makefile("rb", buffering=0)  # type: ignore[assignment]  # it is read like a buffered one
    response.begin()
    return response.status, json.loads(response.read())


def code(client: socket.socket) -> tuple[int, str | None]:
    status, body = answer(client)
    return status, body.get("code")


def is_closed(client: socket.socket) -> bool:
    """Waits until the server says more, or nothing ever."""
    with suppress(ConnectionResetError):
        return client.recv(1) == b""
    return True


TOO_LARGE = {
    "one header": GET + b"X: " + b"a" * 4096 + b"\r\n\r\n",
    "a header without an end": GET + b"X: " + b"a" * 4096,
    "a name without an end": GET + b"x" * 4096,
    "headers together": GET + b"".join(b"X-%d: %b\r\n" % (n, b"a" * 500) for n in range(9)) + b"\r\n",
    "lines": GET + b"X: a\r\n" * 20 + b"\r\n",
    "cookies": GET + b"Cookie: " + b"a=b; " * 1000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("kind", TOO_LARGE)
def test_a_head_that_is_too_large_is_a_431(small: Service, kind: str) -> None:
    status, headers, problem = small.answer_to(TOO_LARGE[kind])

    assert (status, problem["code"]) == (431, "request_header_fields_too_large")
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["X-Request-ID"] == problem["request_id"]


def test_a_url_that_is_too_long_is_a_414(small: Service) -> None:
    status, _, problem = small.answer_to(b"GET /" + b"a" * 4096 + b" HTTP/1.1\r\n" + HOST + b"\r\n")

    assert (status, problem["code"]) == (414, "uri_too_long")


def test_a_head_just_within_the_limits_is_read(small: Service) -> None:
    lines = b"X: " + b"a" * 3900 + b"\r\n" + b"X: a\r\n" * 17
    with connect(small) as client:
        for _ in range(2):
            client.sendall(GET + lines + b"\r\n")
            assert answer(client)[0] == 200


def test_whoever_sends_far_too_much_still_gets_the_answer(small: Service) -> None:
    with connect(small) as client:
        client.sendall(GET + b"X: " + b"a" * 4_000_000 + b"\r\n\r\n")
        assert code(client) == (431, "request_header_fields_too_large")


def test_a_body_may_be_larger_than_the_limit_of_heads(small: Service) -> None:
    with connect(small) as client:
        for _ in range(2):
            client.sendall(POST + b"Content-Length: 8192\r\n\r\n" + b" " * 8192)
            assert code(client) == (422, "validation_failed")


def test_requests_in_one_packet_are_answered_in_their_order(small: Service) -> None:
    with connect(small) as client:
        client.sendall((GET + b"\r\n") + (POST + b"Content-Length: 2\r\n\r\n{}") + (GET + b"\r\n") * 50)
        assert [answer(client)[0] for _ in range(52)] == [200, 422, *[200] * 50]


def test_a_client_that_sends_on_and_on_without_waiting_is_left(small: Service) -> None:
    with connect(small) as client:
        client.sendall((GET + b"\r\n") * 2000)
        with client.makefile("rb") as answers, suppress(ConnectionResetError):
            assert answers.read().count(b"HTTP/1.1 ") < 1000
    assert small.get("/api/v1/users") == 200


@pytest.mark.parametrize("before", [b"", GET + b"\r\n"], ids=["first", "after another"])
@pytest.mark.parametrize("line", [b"CONNECT a:443", b"GET a:443", b"GET http://[a", b"GET /\xff"])
def test_a_url_that_is_none_is_a_400(small: Service, before: bytes, line: bytes) -> None:
    with connect(small) as client:
        if before:
            client.sendall(before)
            assert answer(client)[0] == 200
        client.sendall(line + b" HTTP/1.1\r\n" + HOST + b"\r\n")
        assert code(client) == (400, "bad_request")
        assert is_closed(client)


@pytest.mark.parametrize("declared", [b"Content-Length: 100000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
def test_after_a_body_that_is_too_large_the_connection_goes_on(small: Service, declared: bytes) -> None:
    body = b" " * 100_000
    sent = body if b"Length" in declared else b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    with connect(small) as client:
        client.sendall(POST + declared + sent)
        assert code(client) == (413, "content_too_large")
        client.sendall(GET + b"\r\n")
        assert answer(client)[0] == 200


def test_nobody_is_asked_to_go_on_with_a_body_that_is_refused(small: Service) -> None:
    with connect(small) as client:
        client.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n")
        assert code(client) == (413, "content_too_large")


def trickle(client: socket.socket, byte: bytes) -> None:
    """Sends a byte again and again, until the server says something."""
    client.settimeout(0.1)
    with suppress(ConnectionResetError, BrokenPipeError):
        while True:
            client.sendall(byte)
            with suppress(TimeoutError):
                client.recv(1, socket.MSG_PEEK)
                break
    client.settimeout(PATIENCE)


BEGUN = {
    "method": GET[:3],
    "lines": GET,
    "header": GET + b"X: ",
    "body": POST + b"Content-Length: 9999\r\n\r\n",
    "chunked": POST + b"Transfer-Encoding: chunked\r\n\r\n",
}


@pytest.mark.parametrize("part", BEGUN)
def test_a_request_that_never_ends_is_a_408(quick: Service, part: str) -> None:
    with connect(quick) as client:
        client.sendall(BEGUN[part])
        assert code(client) == (408, "request_timeout")
        assert is_closed(client)


@pytest.mark.parametrize("part", ["header", "body"])
def test_a_request_that_goes_on_slowly_is_a_408_too(quick: Service, part: str) -> None:
    with connect(quick) as client:
        client.sendall(BEGUN[part])
        trickle(client, b"1")
        assert code(client) == (408, "request_timeout")
        assert is_closed(client)


def test_a_connection_that_is_never_used_is_closed(quick: Service) -> None:
    with connect(quick) as client:
        assert is_closed(client)


@pytest.mark.parametrize("byte", [b"", b"\r\n"], ids=["silent", "empty lines"])
def test_a_connection_that_is_used_no_more_is_closed(quick: Service, byte: bytes) -> None:
    with connect(quick) as client:
        client.sendall(GET + b"\r\n")
        assert answer(client)[0] == 200
        if byte:
            trickle(client, byte)
            assert code(client) == (408, "request_timeout")
        assert is_closed(client)


def test_an_idle_connection_is_kept_longer_than_by_usual_balancers() -> None:
    """Whoever closes first loses the requests that are under way: those of AWS close after 60 s."""
    assert make_settings().http_keep_alive > 60


def test_an_answer_that_nobody_reads_is_given_up(quick: Service) -> None:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with client:
        client.connect(("127.0.0.1", quick.port))
        port = client.getsockname()[1]
        client.settimeout(1)
        with suppress(OSError):  # the server reads no more of a client who doesn't either, and in the end hangs up
            while True:
                client.sendall(b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n")
        deadline = time.monotonic() + PATIENCE
        while port in {
            each.raddr[1] for each in psutil.Process(quick.pid).net_connections() if each.status == ESTABLISHED
        }:
            assert time.monotonic() < deadline
            time.sleep(0.05)
