"""Requests as a rehearsal sends them: what counts as a failure, and what a stall does to the rate."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from safestep.rehearsal.http_client import HttpClient, HttpResponse
from safestep.rehearsal.load import LoadGenerator, RequestResult, attempt
from safestep.rehearsal.requests import parse
from safestep.rehearsal.workload import Request, Workload, drawn

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
READ = Request(parse("GET /x", 1))


@asynccontextmanager
async def answering(answer: Callable[[bytes], bytes]) -> AsyncIterator[HttpClient]:
    """A client of a server that answers a request's head so, and ends the connection then."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(await reader.readuntil(b"\r\n\r\n")))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        client = HttpClient(server.sockets[0].getsockname()[1], 2, timeout=5)
        yield client
        client.close()


async def sent(request: Request, answer: Callable[[bytes], bytes]) -> RequestResult:
    async with answering(answer) as client:
        return await attempt(request, Workload(client, {"Authorization": "Bearer secret"}, [request]))


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", None),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", None),
        (b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n", None),
        (b'HTTP/1.1 503 Gone\r\ncontent-length: 16\r\n\r\n{"code": "away"}', "503 away"),
        (b"HTTP/1.1 500 Oh\r\ncontent-length: 4\r\n\r\noops", "500 oops"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", "IncompleteReadError"),
        (b"", "IncompleteReadError"),
    ],
)
async def test_every_answer_but_a_whole_success_is_a_fault(answer: bytes, fault: str | None) -> None:
    found = await sent(READ, lambda head: answer if b"Bearer secret" in head else b"")

    assert (found.fault or "").startswith(fault or "")
    assert (found.fault is None) == (fault is None)


async def test_an_anonymous_request_carries_no_credential() -> None:
    anonymous = Request(parse("GET /x", 1, is_anonymous=True))

    found = await sent(anonymous, lambda head: b"" if b"Bearer" in head else NO_CONTENT)

    assert found.fault is None


async def test_a_connection_that_the_server_has_closed_is_not_used_again() -> None:
    async with answering(lambda _head: NO_CONTENT) as client:
        await client.send("GET", "/")
        [(reader, _)] = client._free
        await reader.read()  # until its end has arrived

        assert (await client.send("GET", "/")).status == 204


class StalledClient(HttpClient):
    """Answers when its gate opens; `sent` is set when twenty requests wait at it."""

    def __init__(self) -> None:
        super().__init__(0, 1, timeout=0)
        self.gate, self.sent, self.number = asyncio.Event(), asyncio.Event(), 0

    async def send(self, *_: object, **__: object) -> HttpResponse:
        self.number += 1
        if self.number == 20:
            self.sent.set()
        await self.gate.wait()
        return HttpResponse(200, {}, b"")


async def test_a_stall_makes_requests_late_and_never_fewer() -> None:
    """The answers stop; what was due meanwhile is counted from when it was due."""
    client = StalledClient()
    load = LoadGenerator(Workload(client, {}, [READ]), drawn([READ]), rate=1000)

    await load.start()
    await client.sent.wait()
    assert load.results == []
    client.gate.set()
    await load.stop()

    assert len(load.results) >= 20
    ordered = sorted(load.results, key=lambda each: each.due)
    assert [after.due - before.due for before, after in pairwise(ordered)] == pytest.approx(
        [0.001] * (len(ordered) - 1)
    )
    assert ordered[0].seconds > ordered[19].seconds
