"""Asks the server what became of a COMMIT whose answer was lost, so that nobody repeats a change that was stored."""

import asyncio
from asyncio import CancelledError
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from sqlalchemy import Text, cast, event, func, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from app.core.errors import CommitUnknown, DatabaseUnavailable
from app.core.logs import describe_error
from app.db.errors import sqlstate

TRANSACTION = text("SELECT pg_current_xact_id_if_assigned()::text")
TRANSACTION_ID = cast(func.pg_current_xact_id(), Text).label("transaction_id")
"""For a statement that writes: when its repo hands the value on by `note_transaction`, nobody has to ask for it."""
STATUS = text("SELECT pg_xact_status(CAST(CAST(:transaction AS text) AS xid8))")
PATIENCE, INTERVAL = 2.0, 0.2  # seconds
CONNECTED = "connected"
"""In a session's `info`: it has taken a connection. One that hasn't has nothing to commit."""
NOTED = "transaction_id"
"""In a session's `info`: the id of its transaction."""

log = structlog.get_logger()

type Watch = Callable[[AsyncSession], Awaitable[None]]


class WriteSession(Session):
    """The session behind every AsyncSession of the application; it notes when it takes a connection."""


@event.listens_for(WriteSession, "after_begin")
def _note_connection(session: WriteSession, *_: object) -> None:
    session.info[CONNECTED] = True
    session.info.pop(NOTED, None)


def note_transaction(session: AsyncSession, transaction_id: str) -> None:
    session.info[NOTED] = transaction_id


@asynccontextmanager
async def known_outcome(session_maker: async_sessionmaker[AsyncSession]) -> AsyncIterator[Watch]:
    """Around a transaction. What it yields is called last in it, with its session.

    When the answer to COMMIT is lost or not waited for any longer, the block ends normally if the transaction was
    committed. Otherwise it raises CommitUnknown if the server can't tell, and DatabaseUnavailable or the cancellation
    if it was rolled back.
    """
    transaction: str | None = None

    async def watch(session: AsyncSession) -> None:
        nonlocal transaction
        await session.flush()
        transaction = session.info.get(NOTED)
        if transaction is None and session.info.get(CONNECTED):
            transaction = await (await session.connection()).scalar(TRANSACTION)

    try:
        yield watch
    except (DBAPIError, DatabaseUnavailable, TimeoutError, CancelledError) as error:
        if transaction is None or not _is_lost(error):
            raise
        status = await _status(session_maker, transaction)
        if status == "aborted":
            if isinstance(error, CancelledError):
                raise
            raise DatabaseUnavailable from error
        if status != "committed":
            raise CommitUnknown from error


def _is_lost(error: BaseException) -> bool:
    """Whether the server has not answered; an error that it sent, such as a violated constraint, is an answer."""
    return not isinstance(error, DBAPIError) or error.connection_invalidated or sqlstate(error) is None


async def _status(session_maker: async_sessionmaker[AsyncSession], transaction: str) -> str | None:
    """`committed` or `aborted`; None when that isn't known within PATIENCE, or nobody waits for it any longer."""
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                status = await _ask(session_maker, transaction)
                if status in ("committed", "aborted"):
                    return status
                await asyncio.sleep(INTERVAL)
    except (TimeoutError, CancelledError):
        return None


async def _ask(session_maker: async_sessionmaker[AsyncSession], transaction: str) -> str | None:
    try:
        async with session_maker() as session:
            status: str | None = await session.scalar(STATUS, {"transaction": transaction})
            return status
    except (DBAPIError, PoolTimeoutError, DatabaseUnavailable, TimeoutError) as error:
        log.warning("commit_lookup_failed", **describe_error(error))
        return None
