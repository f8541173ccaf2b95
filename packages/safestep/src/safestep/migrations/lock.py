"""One runner at a time: an advisory lock on a connection of its own, which also looks who blocks the migration."""

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
from sqlalchemy.ext.asyncio import AsyncConnection

from safestep.connections import engine, sqlstate
from safestep.project import Project

KEY = 0x7361666573746570  # "safestep"; a lock of one database, so that two on a server don't wait for each other
# The application_name of the two connections.
RUNNER = "safestep-migration"
LOCK_HOLDER = "safestep-migration-lock"
# No timeout may end these connections while they wait, and no firewall between may forget them.
STAY_CONNECTED = {"idle_session_timeout": "0", "tcp_keepalives_idle": "30"}

REPEAT_NOTICE = 30.0  # seconds between two lines about the same wait
LONG_WAIT = 5.0  # seconds after which a line says who is waited for

LOCK_OWNER = text("""
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
           -- One moment for all rows: a clock that goes on would make each of a session's locks a row of its own.
           extract(epoch FROM greatest(statement_timestamp() - xact_start, interval '0'))::float8 AS age
    FROM unnest(pg_blocking_pids(CAST(:pid AS integer))) AS blocking (pid)
    LEFT JOIN pg_stat_activity USING (pid)
    LEFT JOIN pg_locks AS held ON held.granted AND coalesce(held.pid, 0) = blocking.pid AND (
        blocking.pid <> 0 OR held.relation IN (SELECT relation FROM pg_locks WHERE pid = :pid AND NOT granted)
    )
    ORDER BY blocking.pid
""")
IS_OPEN = text("SELECT EXISTS (SELECT FROM pg_locks WHERE virtualtransaction = :transaction)")

STATEMENT_TIMED_OUT = "57014"  # a busy server's answer came too late; the connection is as good as before

type Announce = Callable[[str], None]
"""Takes one line for whoever watches the run."""


@dataclass(frozen=True)
class Blocker:
    """A session that holds a lock which the migration needs, and keeps it until its transaction ends.

    It is described without its query, which may hold data.
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
        return bool(await connection.scalar(IS_OPEN, {"transaction": self.transaction}))


class BlockerMonitor:
    """Looks again and again, on the lock's own connection, who blocks the migration's connection."""

    def __init__(self, connection: AsyncConnection, announce: Announce) -> None:
        self._connection = connection
        self._announce = announce
        self._waiting_since: float | None = None
        self._announced: set[int] = set()
        self.blockers: list[Blocker] = []
        """Those of the last look that found any."""

    async def watch(self, pid: int, interval: float) -> None:
        """Looks every `interval` seconds until it is cancelled; `pid` is the backend of the migration's connection.

        Raises CommandError when its own connection is lost, and with it the lock.
        """
        while True:
            try:
                rows = (await self._connection.execute(BLOCKERS, {"pid": pid})).all()
            except DBAPIError as error:
                if sqlstate(error) == STATEMENT_TIMED_OUT:
                    continue
                raise CommandError(
                    "the connection that holds the migration lock was lost, so this run stopped: run it again"
                ) from error
            if rows:
                self.blockers = [Blocker(row.pid, row.transaction, _describe(row)) for row in rows]
            self._announce_long_wait({row.pid for row in rows})
            await asyncio.sleep(interval)

    def _announce_long_wait(self, pids: set[int]) -> None:
        if not pids:
            self._waiting_since, self._announced = None, set()
            return
        self._waiting_since = self._waiting_since or monotonic()
        if monotonic() - self._waiting_since >= LONG_WAIT and pids != self._announced:
            self._announced = pids
            self._announce(f"waiting for {'; '.join(map(str, self.blockers))}")


@asynccontextmanager
async def migration_lock(project: Project, url: URL, announce: Announce) -> AsyncIterator[BlockerMonitor]:
    """Holds the database's migration lock while the block runs; waits for whoever has it, however long that takes.

    It is a session's lock: the server frees it when this process dies. Through PgBouncer that needs session mode.
    """
    arguments = project.connect_args(url, {"application_name": LOCK_HOLDER} | STAY_CONNECTED)
    # In autocommit an idle connection holds no snapshot, for which CREATE INDEX CONCURRENTLY would wait.
    async with engine(url, arguments, isolation_level="AUTOCOMMIT") as opened, opened.connect() as connection:
        await _acquire(connection, announce)
        await _end_leftovers(connection, announce)
        yield BlockerMonitor(connection, announce)


async def _acquire(connection: AsyncConnection, announce: Announce) -> None:
    """Asks again and again instead of waiting in pg_advisory_lock().

    A blocked call of that holds a snapshot; the other runner's CREATE INDEX CONCURRENTLY waits for all snapshots, and
    that is a deadlock.
    """
    announced_at = None
    while not await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": KEY}):
        if announced_at is None or monotonic() - announced_at >= REPEAT_NOTICE:
            announced_at = monotonic()
            owner = (await connection.execute(LOCK_OWNER, {"key": KEY})).first()
            who = f" (pid {owner.pid}, for {owner.age or 0:.0f} s)" if owner else ""
            announce(f"another migration is running{who}; waiting for it to end")
        await asyncio.sleep(random.uniform(0.1, 0.4))  # noqa: S311 - jitter guards no secret


async def _end_leftovers(connection: AsyncConnection, announce: Announce) -> None:
    for pid, ended in (await connection.execute(END_LEFTOVERS, {"runner": RUNNER})).all():
        if not ended:
            raise CommandError(f"the backend of an earlier migration (pid {pid}) doesn't end: see what it does")
        announce(f"ended the backend of an earlier migration whose process is gone (pid {pid})")


def _describe(row: Row[Any]) -> str:
    if row.pid == 0:
        return "a prepared transaction"
    if row.backend_type not in (None, "client backend"):
        return f"pid {row.pid} ({row.backend_type})"
    details = [row.application_name or "no application name", row.state or "state hidden: grant pg_read_all_stats"]
    if row.age is not None:
        details.append(f"transaction open for {row.age:.0f} s")
    return f"pid {row.pid} ({', '.join(details)})"
