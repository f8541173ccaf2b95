"""A migration changes what a prepared statement returns, and PostgreSQL refuses the statement on every connection."""

from typing import Any, cast

from sqlalchemy import Connection, event
from sqlalchemy.engine import ExceptionContext, ExecutionContext
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.errors import is_stale_plan
from app.db.pool import NotifyingQueuePool

STATEMENTS = "statements"
"""In a connection's `info`: how many the transaction at hand has run, the one that runs included."""


def give_up_stale_plans(engine: AsyncEngine) -> None:
    """Whatever the pool's connections have prepared is given up with the first refusal.

    psycopg would send the same prepared statement for as long as the connection lives, so the connections go. With
    asyncpg SQLAlchemy has statements prepared anew on every connection, so none has to.
    """
    if engine.dialect.driver == "psycopg":
        event.listen(engine.sync_engine, "handle_error", _drop_connections)


def repeat_first_statements(engine: AsyncEngine) -> None:
    """When the first statement of a transaction is refused, it runs again in a new one: nothing is lost by that.

    A later statement fails, because what the transaction has read, locked and written before would be lost.
    """
    event.listen(engine.sync_engine, "begin", _begin)
    event.listen(engine.sync_engine, "before_cursor_execute", _count)
    event.listen(engine.sync_engine, "do_execute", _execute)


def _drop_connections(context: ExceptionContext) -> None:
    context.is_disconnect = context.is_disconnect or is_stale_plan(context.original_exception)


def _begin(connection: Connection) -> None:
    connection.info[STATEMENTS] = 0


def _count(connection: Connection, *_: Any) -> None:
    connection.info[STATEMENTS] += 1


def _execute(cursor: Any, statement: str, parameters: Any, context: ExecutionContext) -> bool:
    connection, dialect = context.root_connection, context.dialect
    try:
        dialect.do_execute(cursor, statement, parameters, context)
    except dialect.loaded_dbapi.Error as error:
        if connection.info[STATEMENTS] > 1 or not is_stale_plan(error):
            raise
        # asyncpg's connections learn of it here. psycopg's are replaced, but for this one, which forgets with ROLLBACK:
        # of a transaction in which nothing has happened, so that it is no end of one as session.py means it.
        context.handle_dbapi_exception(error)
        context.pre_exec()
        if dialect.driver == "psycopg":
            cast("NotifyingQueuePool", context.engine.pool).drop_connections()
        dialect.do_rollback(connection.connection)
        dialect.do_execute(cursor, statement, parameters, context)
    return True
