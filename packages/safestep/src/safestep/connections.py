"""Connections to PostgreSQL through asyncpg or psycopg, and what their errors mean."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

CONNECT_TIMEOUT = 10  # seconds

# By the beginning of the SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
UNAVAILABLE = "The database can't be reached at the moment."
TIMED_OUT = "The database took too long; nothing was changed."
SENTENCES = {
    TIMED_OUT: ("57014", "55P03", "25P03"),
    "A concurrent change got in the way; nothing was changed, try again.": ("40001", "40P01"),
    "The change contradicts what is stored; nothing was changed.": ("23503", "23505", "23P01"),
    UNAVAILABLE: ("08", "28", "3D", "53", "57P01", "57P02", "57P03", "57P05"),
}


class DatabaseFailure(CommandError):
    """The database or the network kept a migration from its work; the text says how, in one line without a password."""


def connect_args(url: URL, parameters: Mapping[str, str]) -> dict[str, Any]:
    """The `connect_args` of an engine for the URL's driver; `parameters` are server parameters of each session."""
    if url.get_driver_name() == "psycopg":
        options = " ".join(f"-c {name}={value}" for name, value in parameters.items())
        return {"connect_timeout": CONNECT_TIMEOUT, "options": options}
    # The server ends statements that take too long; the driver must not end a long one before.
    return {"timeout": CONNECT_TIMEOUT, "command_timeout": None, "server_settings": dict(parameters)}


@asynccontextmanager
async def engine(url: URL, arguments: Mapping[str, Any] | None = None, **options: Any) -> AsyncIterator[AsyncEngine]:
    """An engine for the length of the block: each connection is opened when it is asked for, and closed after it.

    `arguments` are the driver's `connect_args`, `options` those of `create_async_engine`.
    """
    chosen = dict(connect_args(url, {}) if arguments is None else arguments)
    if url.get_driver_name() == "asyncpg":
        chosen["async_creator_fn"] = _connect_asyncpg
    made = create_async_engine(url, poolclass=NullPool, connect_args=chosen, **options)
    try:
        yield made
    finally:
        await made.dispose()


async def execute(url: URL, statement: str) -> None:
    """Runs one statement outside of any transaction."""
    async with engine(url, isolation_level="AUTOCOMMIT") as opened, opened.connect() as connection:
        await connection.execute(text(statement))


def sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def first_line(error: BaseException | None) -> str:
    """What the server said, without its DETAIL, which quotes data, and without the statement."""
    if isinstance(error, DBAPIError):
        error = error.orig
    if error is not None and error.__cause__ is not None:  # asyncpg's own, behind SQLAlchemy's adapter
        error = error.__cause__
    return next(iter(str(error).splitlines()), type(error).__name__)


@contextmanager
def one_line_errors(url: URL) -> Iterator[None]:
    """Turns what the database does to a migration into a DatabaseFailure; a fault of its SQL passes as it is."""
    try:
        yield
    except _NoConnection as error:
        raise _failure(url, UNAVAILABLE, error.__cause__) from error
    except TimeoutError as error:
        raise _failure(url, TIMED_OUT, error) from error
    except PendingRollbackError as error:
        # Alembic ends an autocommit block on the connection that was lost in it: that loss is the reason.
        lost = error.__context__
        if not (isinstance(lost, DBAPIError) and (sentence := _sentence(lost))):
            raise
        raise _failure(url, sentence, lost) from lost
    except DBAPIError as error:
        if not (sentence := _sentence(error)):
            raise
        raise _failure(url, sentence, error) from error


def _failure(url: URL, sentence: str, reason: BaseException | None) -> DatabaseFailure:
    return DatabaseFailure(f"{sentence} ({url.render_as_string(hide_password=True)}: {first_line(reason)})")


def _sentence(error: DBAPIError) -> str | None:
    """None for a fault of the SQL."""
    state = sqlstate(error)
    if error.connection_invalidated or state is None:  # psycopg gives no state for a server that isn't there
        return UNAVAILABLE
    return next((sentence for sentence, states in SENTENCES.items() if state.startswith(states)), None)


class _NoConnection(Exception):
    pass


async def _connect_asyncpg(*args: Any, **options: Any) -> Any:
    """asyncpg lets the socket's own errors through, which SQLAlchemy doesn't wrap."""
    import asyncpg

    try:
        return await asyncpg.connect(*args, **options)
    except OSError as error:  # TimeoutError is one
        raise _NoConnection from error
