"""Waiting until something is so; after 30 seconds without, TimeoutError."""

import asyncio
from collections.abc import Callable

from sqlalchemy.engine import URL

from tests.support.database import ask

_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

_BUSY = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
"""


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - neither PostgreSQL nor another process has an event for it
            await asyncio.sleep(0.01)


async def until_blocked(url: URL, sessions: int) -> None:
    """Returns once this many sessions of the database wait for a lock."""
    await until(lambda: ask(url, _BLOCKED) == [(sessions,)])


async def until_idle(url: URL) -> None:
    """Returns once no session of the database is in a statement or a transaction."""
    await until(lambda: ask(url, _BUSY) == [(0,)])
