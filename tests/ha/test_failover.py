"""The primary is killed under load and its standby promoted: writes go on there, and nothing acknowledged is lost."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from itertools import count

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from tests.conftest import DRIVERS
from tests.ha.pair import Pair, pair
from tests.support import database
from tests.support.accounts import USERS
from tests.support.application import client_of, running

pytestmark = pytest.mark.ha

AWAY = "database_unavailable"


@pytest.fixture
def servers() -> Iterator[Pair]:
    with pair() as servers:
        yield servers


class Writer:
    """Creates users and keeps account of what it was told."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self._numbers = count()
        self.acknowledged: set[str] = set()
        self.codes = Counter[str]()

    async def write(self) -> bool:
        email = f"user{next(self._numbers)}@example.com"
        response = await self._client.post(USERS, json={"email": email})
        self.codes[response.json().get("code", "created")] += 1
        if response.status_code == 201:
            self.acknowledged.add(email)
        return response.status_code == 201

    async def many(self, number: int) -> bool:
        return all(await asyncio.gather(*(self.write() for _ in range(number))))

    async def always(self) -> None:
        while True:
            await self.many(5)

    async def until_it_works(self) -> float:
        """The loop's time then."""
        async with asyncio.timeout(60):
            while not await self.write():  # noqa: ASYNC110 - as a client would try again
                await asyncio.sleep(0.02)
        return asyncio.get_running_loop().time()


async def until_ready(client: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while (await client.get("/health/ready")).status_code != 200:  # noqa: ASYNC110 - as a balancer asks
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("driver", DRIVERS)
async def test_writes_go_on_at_the_promoted_standby_and_nothing_acknowledged_is_lost(
    servers: Pair, driver: str
) -> None:
    now = asyncio.get_running_loop().time
    async with running(servers.url(driver)) as app, client_of(app) as client:
        writer = Writer(client)
        assert await writer.many(20)
        load = asyncio.create_task(writer.always())
        await asyncio.sleep(0.2)
        killed = now()
        await asyncio.to_thread(servers.primary.kill)
        away = await client.get("/health/ready")
        await asyncio.to_thread(servers.standby.promote)
        promoted = now()
        resumed = await writer.until_it_works()
        load.cancel()
        await asyncio.wait([load])
        assert await writer.many(20)
        await until_ready(client)

    stored = {email for (email,) in database.ask(servers.standby.url, "SELECT email FROM users")}
    assert away.json()["reasons"] == ["database_unreachable"]
    assert writer.acknowledged <= stored
    assert set(writer.codes) <= {"created", AWAY, "commit_unknown"}
    print(f"{driver}: {resumed - killed:.1f} s after the kill, {resumed - promoted:.1f} s after the promotion")  # noqa: T201 - the figure of the run
    print(writer.codes)  # noqa: T201 - the same


@pytest.mark.parametrize("driver", DRIVERS)
async def test_without_a_server_that_takes_writes_everything_waits_for_one(servers: Pair, driver: str) -> None:
    async with running(servers.url(driver, servers.standby)) as app, client_of(app) as client:
        refused = await client.post(USERS, json={"email": "nobody@example.com"})
        ready = await client.get("/health/ready")

    assert (refused.status_code, refused.json()["code"]) == (503, AWAY)
    assert ready.json()["reasons"] == ["database_unreachable"]


@pytest.mark.parametrize("driver", DRIVERS)
async def test_connections_to_a_standby_are_replaced_with_the_first_write(servers: Pair, driver: str) -> None:
    """As behind an address that moves: after a failover the pool may be full of connections to the old primary."""
    standby = servers.standby.url.set(drivername=f"postgresql+{driver}")
    async with running(standby) as app, client_of(app) as client:
        before = await backend(app)
        ready = await client.get("/health/ready")
        read = await client.get(USERS)
        refused = await client.post(USERS, json={"email": "nobody@example.com"})
        after = await backend(app)

    assert ready.json()["reasons"] == ["database_read_only"]
    assert read.status_code == 200
    assert (refused.status_code, refused.json()["code"]) == (503, AWAY)
    assert before != after


async def backend(app: FastAPI) -> int:
    """The server's process behind the pool's connection for writes."""
    async with app.state.database.write_engine.connect() as connection:
        pid: int = await connection.scalar(text("SELECT pg_backend_pid()"))
        return pid
