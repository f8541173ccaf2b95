"""Waiting until the database says that something is so."""

import asyncio

from sqlalchemy.engine import URL

from tests.support.database import ask

_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

_BUSY = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
"""


async def until_blocked(url: URL, sessions: int) -> None:
    """Returns once this many sessions of the database wait for a lock; after 30 seconds without, TimeoutError."""
    await _until(url, _BLOCKED, sessions)


async def until_idle(url: URL) -> None:
    """Returns once no session of the database is in a statement or a transaction."""
    await _until(url, _BUSY, 0)


async def _until(url: URL, statement: str, number: int) -> None:
    async with asyncio.timeout(30):
        while ask(url, statement) != [(number,)]:  # noqa: ASYNC110 - PostgreSQL has no event for it
            await asyncio.sleep(0.01)
