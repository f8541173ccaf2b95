"""The database as seen from outside of the application: another session's view, and its interference."""

from collections.abc import Sequence
from typing import Any

import psycopg
from sqlalchemy.engine import URL


def plain(url: URL) -> str:
    """The address as PostgreSQL's own programs take it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def ask(url: URL, statement: str, *parameters: Any) -> Sequence[tuple[Any, ...]]:
    """Runs a statement in a session of its own, which blocks the event loop: nothing else happens meanwhile."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        cursor = connection.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


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
