"""The answer to a COMMIT gets lost on the way: the client is told what became of the change."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy.engine import URL

from tests.support.accounts import API
from tests.support.answers import assert_problem
from tests.support.application import client_of, make_settings, running
from tests.support.database import count
from tests.support.loglines import logged

USERS = f"{API}/users"
NEW = {"email": "ada@example.com", "name": "Ada", "password": "a quiet green harbour"}

type Fault = Literal["before", "after", "for good", "silence"]
"""When the connection is cut: before the server sees COMMIT, after it has answered, or so that nobody can ask again.

With silence nothing is cut, and the answer never arrives.
"""


class Wire:
    """Stands between the service and PostgreSQL's socket, and cuts the first connection that commits."""

    def __init__(self, server: Path, fault: Fault) -> None:
        self._server = server
        self._fault = fault
        self.has_cut = False
        self._silent: asyncio.StreamWriter | None = None

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.has_cut and self._fault == "for good":
            writer.close()
            return
        theirs, ours = await asyncio.open_unix_connection(self._server)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._forward_requests(reader, ours, writer))
            group.create_task(self._forward_answers(theirs, writer))

    async def _forward_requests(
        self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, client: asyncio.StreamWriter
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                cuts = b"COMMIT" in data and not self.has_cut
                self.has_cut = self.has_cut or cuts
                if cuts and self._fault == "silence":
                    self._silent = client
                elif cuts:
                    client.transport.abort()
                    if self._fault == "before":
                        break
                server.write(data)
                await server.drain()
        server.close()

    async def _forward_answers(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if client is not self._silent:
                    client.write(data)
                    await client.drain()
        client.close()


@asynccontextmanager
async def through_a_wire(url: URL, folder: Path, fault: Fault) -> AsyncIterator[URL]:
    wire = Wire(Path(str(url.query["host"])) / ".s.PGSQL.5432", fault)
    server = await asyncio.start_unix_server(wire.connect, folder / ".s.PGSQL.5432")
    try:
        yield url.update_query_dict({"host": str(folder)})
        assert wire.has_cut
    finally:
        server.close()


@pytest.mark.parametrize(
    ("fault", "status", "code", "stored"),
    [
        ("after", 201, None, 1),
        ("before", 503, "database_unavailable", 0),
        ("for good", 503, "commit_unknown", 1),
        ("silence", 201, None, 1),
    ],
)
async def test_the_answer_is_the_truth(
    live_url: URL, tmp_path: Path, fault: Fault, status: int, code: str | None, stored: int
) -> None:
    time = {"request_timeout": 3} if fault == "silence" else {}
    async with (
        through_a_wire(live_url, tmp_path, fault) as url,
        running(url, **time) as app,
        client_of(app, headers={}) as client,
    ):
        answer = await client.post(USERS, json=NEW)

    if code:
        assert_problem(answer, status, code)
    assert answer.status_code == status
    assert count(live_url, "users") == stored


async def test_a_lookup_that_fails_is_told_to_the_operator(live_url: URL, tmp_path: Path) -> None:
    async with (
        through_a_wire(live_url, tmp_path, "for good") as url,
        running(url) as app,
        client_of(app, headers={}) as client,
    ):
        with logged(make_settings()) as lines:
            await client.post(USERS, json=NEW)

    failed = lines.named("commit_lookup_failed")
    assert failed
    assert all(event["level"] == "warning" and event["error_type"] for event in failed)
