"""A migration changes a column's type, and what the service's connections have prepared is refused afterwards."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.engine import URL

from app.core.errors import DatabaseUnavailable
from app.db.session import Database
from tests.support.accounts import USERS
from tests.support.application import make_settings
from tests.support.database import ask, count

READ = text("SELECT 1 AS number, name FROM notes")
WRITE = text("INSERT INTO notes VALUES ('b') RETURNING name")
NOTHING = text("SELECT 1")
OFTEN = 8
"""A driver prepares a statement after a few runs: psycopg after five."""
CONNECTIONS = 4


@pytest.fixture
async def database(live_url: URL) -> AsyncIterator[Database]:
    database = Database(live_url, make_settings(live_url))
    ask(live_url, "CREATE TABLE notes AS SELECT 'a'::varchar(10) AS name")
    yield database
    await database.close()


def widen(url: URL) -> None:
    ask(url, "ALTER TABLE notes ALTER COLUMN name TYPE varchar(20)")


async def write(database: Database, *statements: TextClause) -> None:
    async with database.transaction() as session:
        for statement in statements:
            await session.execute(statement)


async def prepare(database: Database, *statements: TextClause) -> None:
    """Runs the statements on several connections, so often that each of them has them prepared."""
    everybody = asyncio.Barrier(CONNECTIONS)

    async def on_one_connection() -> None:
        for _ in range(OFTEN):
            async with database.transaction() as session:
                for statement in statements:
                    await session.execute(statement)
                await everybody.wait()

    await asyncio.gather(*(on_one_connection() for _ in range(CONNECTIONS)))


async def test_a_read_survives_a_column_that_gets_wider(database: Database, live_url: URL) -> None:
    for _ in range(OFTEN):
        await database.reader.all(READ)

    widen(live_url)

    for _ in range(OFTEN):
        assert await database.reader.all(READ) == [(1, "a")]


async def test_a_write_that_is_the_first_statement_of_its_transaction_survives(
    database: Database, live_url: URL
) -> None:
    await prepare(database, WRITE)
    before = count(live_url, "notes")

    widen(live_url)
    await asyncio.gather(*(write(database, WRITE) for _ in range(CONNECTIONS)))

    assert count(live_url, "notes") == before + CONNECTIONS
    assert database.write_engine.pool.checkedout() == 0


async def test_a_later_write_is_refused_once_on_all_connections_together(database: Database, live_url: URL) -> None:
    await prepare(database, NOTHING, WRITE)
    before = count(live_url, "notes")

    widen(live_url)
    refused = 0
    for _ in range(2 * CONNECTIONS):
        try:
            await write(database, NOTHING, WRITE)
        except DatabaseUnavailable:
            refused += 1

    assert refused == 1
    assert count(live_url, "notes") == before + 2 * CONNECTIONS - refused


async def test_a_later_write_survives_when_a_first_one_was_refused_elsewhere(database: Database, live_url: URL) -> None:
    await prepare(database, NOTHING, WRITE)

    widen(live_url)
    await write(database, WRITE)

    for _ in range(2 * CONNECTIONS):
        await write(database, NOTHING, WRITE)


async def test_the_audit_log_names_the_request_of_a_change_that_ran_again(
    live_client: httpx2.AsyncClient, live_url: URL
) -> None:
    user = (await live_client.post(USERS, json={"email": "ada@example.com"})).json()
    path = f"{USERS}/{user['id']}"
    for number in range(OFTEN):
        assert (await live_client.patch(path, json={"name": f"Ada {number}"})).status_code == 200

    ask(live_url, "ALTER TABLE users ALTER COLUMN name TYPE varchar(500)")

    changed = await live_client.patch(path, json={"name": "Byron"})

    assert changed.status_code == 200
    recorded = "SELECT action, request_id FROM audit_events ORDER BY id DESC LIMIT 1"
    assert ask(live_url, recorded) == [("user.updated", changed.headers["X-Request-ID"])]
