"""A migration changes a column's type, and what the service's connections have prepared is refused afterwards."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from app.core.errors import DatabaseUnavailable
from app.db.session import Database
from tests.support.application import make_settings

READ = text("SELECT 1 AS number, name FROM notes")
WRITE = text("UPDATE notes SET name = name RETURNING name")
OFTEN = 8
"""A driver prepares a statement after a few runs: psycopg after five."""


@pytest.fixture
async def database(live_url: URL) -> AsyncIterator[Database]:
    database = Database(live_url, make_settings(live_url))
    await change(database, "CREATE TABLE notes AS SELECT 'a'::varchar(10) AS name")
    yield database
    await database.close()


async def change(database: Database, sql: str) -> None:
    async with database.transaction() as session:
        await session.execute(text(sql))


async def write(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(WRITE)


async def test_a_read_survives_a_column_that_gets_wider(database: Database) -> None:
    for _ in range(OFTEN):
        await database.reader.all(READ)

    await change(database, "ALTER TABLE notes ALTER COLUMN name TYPE varchar(20)")

    for _ in range(OFTEN):
        assert await database.reader.all(READ) == [(1, "a")]


async def test_a_write_is_refused_once_at_most_and_may_be_tried_again(database: Database) -> None:
    for _ in range(OFTEN):
        await write(database)

    await change(database, "ALTER TABLE notes ALTER COLUMN name TYPE varchar(20)")

    refused = 0
    for _ in range(OFTEN):
        try:
            await write(database)
        except DatabaseUnavailable:
            refused += 1
    assert refused <= 1
