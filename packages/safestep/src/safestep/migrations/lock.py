"""One runner at a time: an advisory lock on a connection of its own, which also watches who blocks the migration."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

from alembic.util import CommandError
from sqlalchemy import Row, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from app.core.config import Settings
from app.db.errors import sqlstate
from app.db.session import connect_args

KEY = 0x706F737465726E  # "postern"; a lock of one database, so that two on a server don't wait for each other
RUNNER = "postern-migration"
LOCK_HOLDER = "postern-migration-lock"
# No timeout may end these connections while they wait, and no firewall between may forget them.
ENDURING = {"idle_session_timeout": "0", "tcp_keepalives_idle": "30"}

MENTION_AGAIN = 30.0
LONG_WAIT = 5.0

HOLDER = text("""
    SELECT pid, extract(epoch FROM clock_timestamp() - backend_start)::float8 AS age
    FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (classid::bigint << 32) + objid::bigint = :key
""")
# The backend of a runner that was killed works on until its statement ends; whoever has the lock ends it.
END_LEFTOVERS = text("""
    SELECT pid, pg_terminate_backend(pid, 5000) AS ended FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = :runner
""")
# Everybody may see all of pg_locks; of others' sessions, pg_stat_activity tells most roles nothing but the pid.
# Prepared transactions have no session, and all of them the pid 0: those that hold the table are meant.
BLOCKERS = text("""
    SELECT DISTINCT blocking.pid, application_name, state, backend_type, held.virtualtransaction AS transaction,
           extract(epoch FROM clock_timestamp() - xact_start)::float8 AS age
    FROM unnest(pg_blocking_pids(CAST(:pid AS integer))) AS blocking (pid)
    LEFT JOIN pg_stat_activity USING (pid)
    LEFT JOIN pg_locks AS held ON held.granted AND coalesce(held.pid, 0) = blocking.pid AND (
        blocking.pid <> 0 OR held.relation IN (SELECT relation FROM pg_locks WHERE pid = :pid AND NOT granted)
    )
    ORDER BY blocking.pid
""")
STILL_OPEN = text("SELECT EXISTS (SELECT FROM pg_locks WHERE virtualtransaction = :transaction)")

TOO_SLOW = "57014"  # a busy server's answer came too late; the connection is as good as before

type Report = Callable[[str], None]


@dataclass(frozen=True)
class Blocker:
    """A session in the way, described; never with its query, which may hold data. While its transaction is open, it
    keeps its locks.
    """

    pid: int
    transaction: str | None
    description: str

    def __str__(self) -> str:
        return self.description

    @property
    def name(self) -> str:
        return f"the transaction of pid {self.pid}" if self.pid else self.description

    async def is_open(self, connection: AsyncConnection) -> bool:
        return bool(await connection.scalar(STILL_OPEN, {"transaction": self.transaction}))


class Watch:
    """Who blocks the migration's connection, sampled on the lock's own connection."""

    def __init__(self, connection: AsyncConnection, report: Report) -> None:
        self._connection = connection
        self._report = report
        self._waiting_since: float | None = None
        self._mentioned: set[int] = set()
        self.blockers: list[Blocker] = []
        """Those of the last sample that had any."""

    async def follow(self, pid: int, interval: float) -> None:
        """Samples until it is cancelled. Raises CommandError when its connection is lost, and with it the lock."""
        while True:
            try:
                rows = (await self._connection.execute(BLOCKERS, {"pid": pid})).all()
            except DBAPIError as error:
                if sqlstate(error) == TOO_SLOW:
                    continue
                raise CommandError(
                    "the connection that holds the migration lock was lost, so this run stopped: run it again"
                ) from error
            if rows:
                self.blockers = [Blocker(row.pid, row.transaction, _describe(row)) for row in rows]
            self._mention_long_wait({row.pid for row in rows})
            await asyncio.sleep(interval)

    def _mention_long_wait(self, pids: set[int]) -> None:
        if not pids:
            self._waiting_since, self._mentioned = None, set()
            return
        self._waiting_since = self._waiting_since or monotonic()
        if monotonic() - self._waiting_since >= LONG_WAIT and pids != self._mentioned:
            self._mentioned = pids
            self._report(f"waiting for {'; '.join(map(str, self.blockers))}")


@asynccontextmanager
async def migration_lock(url: URL, settings: Settings, report: Report) -> AsyncIterator[Watch]:
    """Holds the database's migration lock while the block runs; waits for whoever has it, however long that takes.

    It is a session's lock: the server frees it when this process dies. Through PgBouncer that needs session mode.
    """
    arguments = connect_args(url, settings, {"application_name": LOCK_HOLDER} | ENDURING)
    # In autocommit an idle connection holds no snapshot, for which CREATE INDEX CONCURRENTLY would wait.
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=arguments)
    try:
        async with engine.connect() as connection:
            await _acquire(connection, report)
            await _end_leftovers(connection, report)
            yield Watch(connection, report)
    finally:
        await engine.dispose()


async def _acquire(connection: AsyncConnection, report: Report) -> None:
    """Asks again and again: a blocked pg_advisory_lock() holds a snapshot, and with the other runner's
    CREATE INDEX CONCURRENTLY, which waits for all snapshots, that is a deadlock."""
    mentioned = None
    while not await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": KEY}):
        if mentioned is None or monotonic() - mentioned >= MENTION_AGAIN:
            mentioned = monotonic()
            holder = (await connection.execute(HOLDER, {"key": KEY})).first()
            who = f" (pid {holder.pid}, for {holder.age or 0:.0f} s)" if holder else ""
            report(f"another migration is running{who}; waiting for it to end")
        await asyncio.sleep(random.uniform(0.1, 0.4))  # noqa: S311 - jitter guards no secret


async def _end_leftovers(connection: AsyncConnection, report: Report) -> None:
    for pid, ended in (await connection.execute(END_LEFTOVERS, {"runner": RUNNER})).all():
        if not ended:
            raise CommandError(f"the backend of an earlier migration (pid {pid}) doesn't end: see what it does")
        report(f"ended the backend of an earlier migration whose process is gone (pid {pid})")


def _describe(row: Row[Any]) -> str:
    if row.pid == 0:
        return "a prepared transaction"
    if row.backend_type not in (None, "client backend"):
        return f"pid {row.pid} ({row.backend_type})"
    details = [row.application_name or "no application name", row.state or "state hidden: grant pg_read_all_stats"]
    if row.age is not None:
        details.append(f"transaction open for {row.age:.0f} s")
    return f"pid {row.pid} ({', '.join(details)})"
