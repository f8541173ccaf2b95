"""Databases of a test's own, and another session's view of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import psycopg
from pgfolder import binary
from safestep.connections import connect_args, engine
from safestep.connections import execute as execute_alone
from safestep.drift.schema import DatabaseSchema, schema_of
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

DRIVERS = ("asyncpg", "psycopg")


class Clone:
    """A copy of another database for the length of an `async with` block; nobody may be connected to that one."""

    def __init__(self, template: URL, *, driver: str = "asyncpg") -> None:
        self._server = template.set(database="postgres")
        self._template = template.database
        self.url = template.set(database=f"clone_{uuid4().hex[:12]}", drivername=f"postgresql+{driver}")

    async def __aenter__(self) -> URL:
        await execute_alone(self._server, f'CREATE DATABASE "{self.url.database}" TEMPLATE "{self._template}"')
        return self.url

    async def __aexit__(self, *_: object) -> None:
        await execute_alone(self._server, f'DROP DATABASE "{self.url.database}" WITH (FORCE)')


def plain(url: URL) -> str:
    """The address as PostgreSQL's own programs take it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def ask(url: URL, statement: str) -> Sequence[tuple[Any, ...]]:
    """Runs statements in a session of its own, which blocks the event loop: nothing else happens meanwhile."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


async def execute(url: URL, statement: str) -> Any:
    """The one row of the statement's answer, if it has any; other sessions and the event loop go on meanwhile."""
    async with engine(url) as opened, opened.begin() as connection:
        result = await connection.execute(text(statement))
        return tuple(result.one()) if result.returns_rows else None


async def until(url: URL, question: str) -> None:
    """Returns when the question's answer is true; for what another process or connection is about to do."""
    async with asyncio.timeout(20):
        while True:
            if (await execute(url, question))[0]:
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def open_transaction(url: URL, statement: str) -> AsyncIterator[int]:
    """A transaction that has run this and stays open for the length of the block; yields its backend's pid."""
    arguments = connect_args(url, {"application_name": "forgotten"})
    async with engine(url, arguments) as opened, opened.connect() as connection:
        await connection.execute(text(statement))
        yield (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()


@asynccontextmanager
async def autocommit(url: URL) -> AsyncIterator[AsyncConnection]:
    """A connection whose statements commit one by one."""
    async with engine(url, isolation_level="AUTOCOMMIT") as opened, opened.connect() as connection:
        yield connection


def dumped(url: URL) -> DatabaseSchema:
    """The database's schema, by the embedded server's own pg_dump."""
    return schema_of(url, binary)
