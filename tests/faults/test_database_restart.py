"""The database goes away and comes back under a running service, which nobody restarts."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path

import httpx2
import pytest
from pgfolder import EmbeddedPostgres, EmbeddedPostgresError
from safestep.migrations import commands
from sqlalchemy.engine import URL, make_url

from app.db.migrations import project
from tests.conftest import DRIVERS
from tests.support.accounts import USERS
from tests.support.application import client_of, running
from tests.support.database import ask
from tests.support.server import Clone

AWAY = (503, "database_unavailable")


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A server that only these tests use; its database `postern` is migrated and empty."""
    folder = Path(tempfile.mkdtemp(prefix="postern-faults-"))
    folder.chmod(0o755)  # root's server runs as another user, who has to enter
    postgres = EmbeddedPostgres(folder / "postgres", options={"fsync": "off"})
    try:
        postgres.start()
    except EmbeddedPostgresError as error:
        if "TEST_DATABASE_URL" in os.environ:
            pytest.skip(f"only a server of our own can be restarted, and none starts here: {error}")
        raise
    postgres.ensure_database("postern")
    commands.upgrade(project, make_url(postgres.url()))
    yield postgres
    postgres.stop()
    shutil.rmtree(folder)


@pytest.fixture(params=DRIVERS)
async def url(request: pytest.FixtureRequest, server: EmbeddedPostgres) -> AsyncIterator[URL]:
    async with Clone(make_url(server.url()), driver=request.param) as url:
        yield url


@pytest.fixture
async def client(url: URL) -> AsyncIterator[httpx2.AsyncClient]:
    """Speaks to a service whose pools have connections from before whatever happens next."""
    async with running(url) as app, client_of(app) as client:
        assert set(await answers(client)) == {(200, None), (201, None)}
        yield client


numbers = count()


def read(client: httpx2.AsyncClient) -> asyncio.Task[httpx2.Response]:
    return asyncio.create_task(client.get(USERS))


def write(client: httpx2.AsyncClient) -> asyncio.Task[httpx2.Response]:
    return asyncio.create_task(client.post(USERS, json={"email": f"user{next(numbers)}@example.com"}))


def answer(response: httpx2.Response) -> tuple[int, str | None]:
    return response.status_code, response.json().get("code")


async def answers(client: httpx2.AsyncClient) -> list[tuple[int, str | None]]:
    """What ten concurrent reads and ten concurrent writes are answered."""
    tasks = [task for _ in range(10) for task in (read(client), write(client))]
    return [answer(response) for response in await asyncio.gather(*tasks)]


async def answers_during(client: httpx2.AsyncClient, change: Callable[[], None]) -> set[tuple[int, str | None]]:
    """What requests are answered while something happens to the server, without a pause."""
    changing = asyncio.create_task(asyncio.to_thread(change))
    seen: set[tuple[int, str | None]] = set()
    while not changing.done():
        seen.update(await answers(client))
    await changing
    return seen


async def test_after_a_restart_concurrent_reads_succeed(client: httpx2.AsyncClient, server: EmbeddedPostgres) -> None:
    server.restart("immediate")

    responses = await asyncio.gather(*(read(client) for _ in range(10)))

    assert {response.status_code for response in responses} == {200}


async def test_after_a_restart_concurrent_writes_succeed(client: httpx2.AsyncClient, server: EmbeddedPostgres) -> None:
    server.restart("immediate")

    responses = await asyncio.gather(*(write(client) for _ in range(10)))

    assert {response.status_code for response in responses} == {201}


async def test_a_restart_under_load_loses_no_acknowledged_write(
    client: httpx2.AsyncClient, server: EmbeddedPostgres, url: URL
) -> None:
    acknowledged: set[str] = set()

    async def create() -> tuple[int, str | None]:
        response = await write(client)
        if response.status_code == 201:
            acknowledged.add(response.json()["email"])
        return answer(response)

    before = server.pid
    restart = asyncio.create_task(asyncio.to_thread(server.restart, "immediate"))
    seen: set[tuple[int, str | None]] = set()
    while not restart.done():
        seen.update(await asyncio.gather(*(create() for _ in range(10))))
    await restart

    assert server.pid != before
    assert seen <= {(201, None), AWAY}
    assert acknowledged <= {email for (email,) in ask(url, "SELECT email FROM users")}


async def test_a_server_that_stops_and_starts_under_load_is_seen_as_503s_only(
    client: httpx2.AsyncClient, server: EmbeddedPostgres
) -> None:
    usual = {(200, None), (201, None)}

    while_stopping = await answers_during(client, server.stop)
    while_away = set(await answers(client))
    while_starting = await answers_during(client, server.start)
    async with asyncio.timeout(30):
        while (afterwards := set(await answers(client))) == {AWAY}:  # until somebody looks again
            pass

    assert while_stopping <= {*usual, AWAY}
    assert while_away == {AWAY}
    assert while_starting <= {*usual, AWAY}
    assert afterwards <= {*usual, AWAY}
    assert set(await answers(client)) == usual
