"""Waiting until the database says that something is so."""

import asyncio

from sqlalchemy.engine import URL

from tests.support.database import ask

_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def until_blocked(url: URL, sessions: int) -> None:
    """Returns once this many sessions of the database wait for a lock; after 30 seconds without, TimeoutError."""
    async with asyncio.timeout(30):
        while ask(url, _BLOCKED) != [(sessions,)]:  # noqa: ASYNC110 - PostgreSQL has no event for it
            await asyncio.sleep(0.01)
