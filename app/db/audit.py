"""Tells the database who acts, in every transaction of an engine; the triggers on its tables write the audit log.

Through asyncpg the actor goes with BEGIN, so that it costs no round trip. The settings end with the transaction:
whoever gets the pooled connection next is never taken for somebody else.
"""

from typing import Any

import asyncpg
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.context import Actor, actor, request_id

_FIELDS = ("actor_kind", "actor_id", "actor_key_id", "request_id")
_SET = text("SELECT " + ", ".join(f"set_config('audit.{field}', :{field}, true)" for field in _FIELDS))

SAYS_WHO_ACTS = "SELECT set_config('audit."
"""How a statement of this module begins. It counts as part of BEGIN."""

_ACTING = "acting"
"""In a connection's `info`: what was said in the transaction at hand."""

type Acting = tuple[Actor, str]
"""Who acts, in which request."""


def hand_over_actor(engine: AsyncEngine) -> None:
    """Makes every transaction of the engine say who acts (app/core/context.py)."""
    event.listen(engine.sync_engine, "begin", _begin)
    event.listen(engine.sync_engine, "before_cursor_execute", _say_what_is_new)
    event.listen(engine.sync_engine, "rollback_savepoint", _forget)
    if engine.dialect.driver == "asyncpg":
        event.listen(engine.sync_engine, "do_connect", _use_naming_connection)


class _NamingConnection(asyncpg.Connection):
    """Says with BEGIN who acts, in the same round trip."""

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        if query.startswith("BEGIN"):  # it ends with a semicolon
            said = {field: value.replace("'", "''") for field, value in _values(_acting()).items() if value}
            query += ";".join(f"SET LOCAL audit.{field} = '{value}'" for field, value in said.items())
        return await super().execute(query, *args, **options)


def _use_naming_connection(_dialect: Dialect, _record: Any, _arguments: Any, options: dict[str, Any]) -> None:
    options["connection_class"] = _NamingConnection


def _begin(connection: Connection) -> None:
    """psycopg takes one statement at a time, so there the first one is preceded by a round trip."""
    connection.info[_ACTING] = _acting() if connection.dialect.driver == "asyncpg" else None


def _say_what_is_new(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
    """Before each statement, because it may become known late who acts, as at sign-in."""
    acting = _acting()
    # A transaction that failed takes nothing but its end.
    if connection.in_transaction() and connection.info[_ACTING] != acting and not statement.startswith("ROLLBACK"):
        connection.info[_ACTING] = acting
        connection.execute(_SET, _values(acting))


def say_again(connection: Connection) -> None:
    """After a ROLLBACK that the engine doesn't know of: psycopg begins anew without a word."""
    if connection.dialect.driver != "asyncpg":
        _forget(connection)
        _say_what_is_new(connection, None, "")


def _forget(connection: Connection, *_: Any) -> None:
    """What was said since the savepoint, the database forgets."""
    connection.info[_ACTING] = None


def _acting() -> Acting:
    return actor(), request_id()


def _values(acting: Acting) -> dict[str, str]:
    who, request = acting
    return dict(zip(_FIELDS, (who.kind, str(who.id or ""), str(who.key_id or ""), request), strict=True))
