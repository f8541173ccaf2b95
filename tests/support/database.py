"""The database as seen from outside of the application: another session's view, and its interference."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any

import psycopg
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from app.db.base import Base

_DEPENDENCIES_FIRST = {table.name: number for number, table in enumerate(Base.metadata.sorted_tables)}


def plain(url: URL) -> str:
    """The address as PostgreSQL's own programs take it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def ask(url: URL, statement: str, *parameters: Any) -> Sequence[tuple[Any, ...]]:
    """Runs a statement in a session of its own, which blocks the event loop: nothing else happens meanwhile."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        cursor = connection.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


async def store(session: AsyncSession, rows: Sequence[Base]) -> None:
    """Stores new and changed rows, each table after those that it refers to: few of them have a relationship."""
    ordered = sorted(rows, key=lambda row: _DEPENDENCIES_FIRST[row.__tablename__])
    for _, of_table in groupby(ordered, key=lambda row: row.__tablename__):
        session.add_all(of_table)
        await session.flush()


@asynccontextmanager
async def undone(connection: AsyncConnection) -> AsyncIterator[None]:
    """Whatever the block writes through this connection is undone at its end."""
    savepoint = await connection.begin_nested()
    try:
        yield
    finally:
        await savepoint.rollback()


def count(url: URL, table: str) -> int:
    return int(ask(url, f"SELECT count(*) FROM {table}")[0][0])


def open_writes(url: URL) -> int:
    """Transactions of this database that have written something and aren't at their end."""
    return len(ask(url, f"SELECT 1 {_OTHERS} AND backend_xid IS NOT NULL"))


def idle_transactions(url: URL) -> int:
    return len(ask(url, f"SELECT 1 {_OTHERS} AND state LIKE 'idle in transaction%'"))


def terminate_transactions(url: URL) -> int:
    """Ends every session that waits inside a transaction; returns how many, once they are gone."""
    ended = ask(url, f"SELECT pg_terminate_backend(pid, 10000) {_OTHERS} AND state = 'idle in transaction'")
    return len(ended)


_OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


type Record = tuple[str, str, str, dict[str, Any]]
"""Kind of the actor, action, id of the entity, changes."""


def audit_log_of(url: URL) -> list[Record]:
    """Everything on record, oldest first."""
    rows = ask(url, "SELECT actor_kind, action, entity_id, changes FROM audit_events ORDER BY id")
    return [(kind, action, str(entity_id), changes) for kind, action, entity_id, changes in rows]
