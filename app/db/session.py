"""The database as the application sees it: read connections in autocommit, and the write transaction.

This is the only module that commits or rolls back.
"""

from asyncio import CancelledError
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from time import perf_counter
from typing import Any

import asyncpg
import structlog
from sqlalchemy import Executable
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from app.core.config import Settings
from app.core.errors import DomainError
from app.core.product import COMMAND
from app.core.tracing import Tracing
from app.db.audit import hand_over_actor
from app.db.breaker import Breaker
from app.db.commit import WriteSession, known_outcome
from app.db.errors import is_stale_plan, translated_errors
from app.db.pool import NotifyingQueuePool, WritePool, begin_at_checkout, leave_standbys
from app.db.shared_reads import SharedReads
from app.db.stale_plans import give_up_stale_plans, repeat_first_statements
from app.db.statement_spans import trace_statements

log = structlog.get_logger()

type SessionMaker = async_sessionmaker[AsyncSession]


class Database:
    """The engines of one process. Two pools, so that a flood of reads can't keep a write from its connection."""

    def __init__(self, url: URL, settings: Settings, tracing: Tracing | None = None) -> None:
        options = _engine_options(url, settings)
        self.write_engine = create_async_engine(url, poolclass=WritePool, pool_pre_ping=True, **options)
        begin_at_checkout(self.write_engine)
        leave_standbys(self.write_engine)
        hand_over_actor(self.write_engine)
        # Nothing to reset on return: in autocommit a read connection never holds a transaction.
        self.read_engine = create_async_engine(
            url, poolclass=NotifyingQueuePool, isolation_level="AUTOCOMMIT", pool_reset_on_return=None, **options
        )
        for engine in self.engines:
            give_up_stale_plans(engine)
            if tracing:
                trace_statements(engine, tracing)
        repeat_first_statements(self.write_engine)
        self.session_maker: SessionMaker = async_sessionmaker(
            self.write_engine, expire_on_commit=False, sync_session_class=WriteSession
        )
        self.reader = Reader(self.read_engine.connect)
        # Whether the database is there has to be known when every other connection is busy, too.
        self.probe_engine = create_async_engine(
            url, isolation_level="AUTOCOMMIT", **options | {"pool_size": 1, "max_overflow": 0}
        )
        self.probe = Reader(self.probe_engine.connect)

    @property
    def engines(self) -> tuple[AsyncEngine, AsyncEngine]:
        """Those that requests use."""
        return self.read_engine, self.write_engine

    @staticmethod
    def most_connections(settings: Settings) -> int:
        """How many connections one process may have open."""
        return 2 * (settings.db_pool_size + settings.db_max_overflow) + 1

    def transaction(self) -> AbstractAsyncContextManager[AsyncSession]:
        return write_transaction(self.session_maker)

    async def close(self) -> None:
        await self.reader.close()
        for engine in (*self.engines, self.probe_engine):
            await engine.dispose()


@asynccontextmanager
async def write_transaction(session_maker: SessionMaker) -> AsyncIterator[AsyncSession]:
    """One session in one transaction: committed when the block ends, rolled back when anything is raised in it.

    An error with `DomainError.keeps_changes` commits what was written before it, and is raised afterwards.
    """
    began, outcome = perf_counter(), "rolled back"
    try:
        with translated_errors():
            refusal: DomainError | None = None
            async with known_outcome(session_maker) as watch, _droppable(session_maker) as session:
                try:
                    yield session
                except DomainError as error:
                    if not error.keeps_changes:
                        raise
                    refusal = error
                await watch(session)
                # Not `session_maker.begin()`: its COMMIT can't be cancelled.
                await session.commit()
            outcome = "committed"
            if refusal:
                raise refusal
    finally:
        log.debug("write_transaction", outcome=outcome, duration_ms=round((perf_counter() - began) * 1000, 2))


@asynccontextmanager
async def _droppable(session_maker: SessionMaker) -> AsyncIterator[AsyncSession]:
    """A session. What it didn't commit is undone: by ROLLBACK, or by dropping the connection when it is cancelled.

    A cancelled request is out of time, and a server that doesn't answer would let it wait for its ROLLBACK as well.
    """
    async with session_maker() as session:
        try:
            yield session
        except CancelledError:
            await session.invalidate()
            raise


class Reader:
    """Runs statements that only read, each on a connection of its own in autocommit: no BEGIN, no ROLLBACK."""

    def __init__(self, connect: Callable[[], AbstractAsyncContextManager[AsyncConnection]]) -> None:
        self._connect = connect
        shared = SharedReads(self.all)
        self.by_key, self.all_shared, self.close = shared.one, shared.all, shared.close

    async def all(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Sequence[Any]:
        """Every row. The calling repo declares its columns with a Protocol: mypy can't see them here."""
        with translated_errors():
            try:
                return await self._fetch(statement, parameters)
            except DBAPIError as error:
                # A dead or stale pooled connection invalidates its pool; a read can safely run again.
                if not (error.connection_invalidated or is_stale_plan(error.orig)):
                    raise
                log.debug("read_again", reason="its connection was of no use", error_type=type(error.orig).__qualname__)
                return await self._fetch(statement, parameters)

    async def first(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Any | None:
        rows = await self.all(statement, parameters)
        return rows[0] if rows else None

    async def _fetch(self, statement: Executable, parameters: Mapping[str, Any] | None) -> Sequence[Any]:
        async with self._connect() as connection:
            return (await connection.execute(statement, parameters)).all()


def _engine_options(url: URL, settings: Settings) -> dict[str, Any]:
    breaker, connect = _breaker_of(url)
    arguments = connect_args(url, settings) | {"async_creator_fn": partial(breaker.connect, connect)}
    return {
        "pool_size": settings.db_pool_size,
        "max_overflow": settings.db_max_overflow,
        "pool_timeout": settings.db_pool_timeout,
        "pool_recycle": settings.db_pool_recycle,
        "hide_parameters": True,
        "connect_args": arguments,
    }


def _breaker_of(url: URL) -> tuple[Breaker, Callable[..., Awaitable[Any]]]:
    """With what opens the driver's connections."""
    if url.get_driver_name() == "psycopg":
        import psycopg

        return Breaker(psycopg.OperationalError), psycopg.AsyncConnection.connect
    # The last one: of several hosts none takes writes.
    away = (asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError, asyncpg.TargetServerAttributeNotMatched)
    return Breaker(*away), asyncpg.connect


def connect_args(url: URL, settings: Settings, overrides: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What a new connection needs, in the words of the URL's driver. The timeouts are kept by the server.

    `overrides` replaces server parameters for a connection that isn't the application's: a statement may then
    run for as long as the server lets it.
    """
    parameters = {
        "application_name": COMMAND,
        "timezone": "UTC",
        "jit": "off",  # short queries lose more to compilation than they gain
        "statement_timeout": f"{settings.db_statement_timeout * 1000:.0f}",
        "lock_timeout": f"{settings.db_lock_timeout * 1000:.0f}",
        "idle_in_transaction_session_timeout": f"{settings.db_idle_in_transaction_timeout * 1000:.0f}",
        **(overrides or {}),
    }
    if url.get_driver_name() == "psycopg":
        return {
            "connect_timeout": max(2, round(settings.db_connect_timeout)),  # libpq knows no less than 2
            "options": " ".join(f"-c {name}={value}" for name, value in parameters.items()),
            "prepare_threshold": 5 if settings.db_prepared_statements else None,
            "tcp_user_timeout": round((settings.db_statement_timeout + settings.db_connect_timeout) * 1000),
        }
    caches = {} if settings.db_prepared_statements else {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
    return {
        "timeout": settings.db_connect_timeout,
        # The server ends a statement first; this ends the wait for a server that has gone silent.
        "command_timeout": None if overrides else settings.db_statement_timeout + settings.db_connect_timeout,
        "server_settings": parameters,
        **caches,
    }
