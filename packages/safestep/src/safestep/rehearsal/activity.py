"""What the migration's sessions do to tables and to other sessions, sampled on a connection of its own.

Times are on this process's monotonic clock, wherever the server's clock stands.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from safestep.migrations.lock import RUNNER

INTERVAL = 0.01
PROBES = 10
ROLE = "safestep_rehearsal"

STRENGTHS = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
WEAKEST = STRENGTHS[0]

# Our own database has a role for the migration; elsewhere the runner's application name tells its sessions apart.
SAMPLE = text(f"""
    WITH session AS (
        SELECT *, usename = '{ROLE}' OR application_name LIKE '{RUNNER}%' AS migrates FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
    )
    SELECT pid, migrates, state, CASE WHEN migrates THEN query END AS query,
           extract(epoch FROM query_start)::float8 AS began, extract(epoch FROM state_change)::float8 AS changed,
           extract(epoch FROM xact_start)::float8 AS xact, relation, mode, granted, transactionid::text AS xid,
           extract(epoch FROM clock_timestamp() - waitstart)::float8 AS waited,
           extract(epoch FROM clock_timestamp())::float8 AS at
    FROM session LEFT JOIN (
        SELECT * FROM pg_locks WHERE locktype IN ('relation', 'transactionid')
    ) AS locks USING (pid)
    WHERE migrates OR NOT granted
""")  # noqa: S608 - only our own constants
CLOCK = text("SELECT extract(epoch FROM clock_timestamp())::float8")
TABLES = text("""
    SELECT oid, relname AS name, relfilenode AS file FROM pg_class
    WHERE relkind IN ('r', 'p', 'm') AND relname <> 'alembic_version'
      AND relnamespace = ANY (current_schemas(false)::regnamespace[])
""")
FILES = text("SELECT oid, relfilenode FROM pg_class WHERE oid = ANY (:tables)")


def strength(mode: str) -> int:
    return STRENGTHS.index(mode)


@dataclass
class ObservedLock:
    """A lock that a session of the migration was seen to have, or to wait for until `granted`."""

    pid: int
    table: str
    mode: str
    first: float
    last: float
    granted: float | None = None


@dataclass
class ObservedStatement:
    """A statement of the migration, as pg_stat_activity showed it."""

    pid: int
    sql: str
    began: float
    ended: float
    xact: float | None
    released: float


@dataclass
class ObservedWait:
    """A query that was seen to wait for the migration; `table` is None when it waits for a row."""

    at: float
    table: str | None
    seconds: float


@dataclass
class Activity:
    locks: list[ObservedLock] = field(default_factory=list)
    statements: list[ObservedStatement] = field(default_factory=list)
    waits: list[ObservedWait] = field(default_factory=list)
    rewritten: list[tuple[float, str]] = field(default_factory=list)
    offset: float = 0.0
    """What has to be added to the server's clock for the monotonic one."""


class _Sampler:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._open: dict[tuple[int, int, str], ObservedLock] = {}
        self._running: dict[int, ObservedStatement] = {}
        self.activity = Activity()
        self.stop = False

    async def prepare(self) -> None:
        self._tables: dict[int, str] = {row.oid: row.name for row in await self._connection.execute(TABLES)}
        self._files = await self._read_files()
        self.activity.offset = min([await self._offset() for _ in range(PROBES)])[1]

    async def _offset(self) -> tuple[float, float]:
        """How long the server took to tell its time, and its offset: the quickest answer knows it best."""
        asked = monotonic()
        clock = (await self._connection.execute(CLOCK)).scalar_one()
        answered = monotonic()
        return answered - asked, (asked + answered) / 2 - clock

    async def follow(self) -> None:
        """Samples until `stop` is set."""
        while not self.stop:
            for _ in range(5):
                rows = (await self._connection.execute(SAMPLE)).all()
                # When it was so, and not when a busy machine got to reading it.
                self._note(rows[0].at + self.activity.offset if rows else monotonic(), rows)
                await asyncio.sleep(INTERVAL)
            await self.look_at_files()

    async def look_at_files(self) -> None:
        files = await self._read_files()
        now = monotonic()
        self.activity.rewritten += [(now, self._tables[oid]) for oid in files if files[oid] != self._files.get(oid)]
        self._files = files

    async def _read_files(self) -> dict[int, int]:
        rows = await self._connection.execute(FILES, {"tables": list(self._tables)})
        return {row.oid: row.relfilenode for row in rows}

    def _note(self, now: float, rows: Sequence[Row[Any]]) -> None:
        locked: dict[int, bool] = defaultdict(bool)
        xids = {row.xid for row in rows if row.migrates and row.granted and row.xid}
        present = set()
        for row in rows:
            if row.migrates:
                self._note_statement(now, row)
                if row.relation in self._tables:
                    locked[row.relation] = True
                    present.add(self._note_lock(now, row))
        for key in self._open.keys() - present:
            del self._open[key]
        for row in rows:
            if not row.migrates and row.waited is not None and (locked[row.relation] or row.xid in xids):
                self.activity.waits.append(ObservedWait(now, self._tables.get(row.relation), row.waited))

    def _note_lock(self, now: float, row: Row[Any]) -> tuple[int, int, str]:
        key = (row.pid, row.relation, row.mode)
        lock = self._open.get(key)
        if lock is None:
            lock = self._open[key] = ObservedLock(row.pid, self._tables[row.relation], row.mode, now, now)
            self.activity.locks.append(lock)
        lock.last = now
        if row.granted and lock.granted is None:
            lock.granted = now
        return key

    def _note_statement(self, now: float, row: Row[Any]) -> None:
        if row.began is None:
            return
        began, changed = row.began + self.activity.offset, row.changed + self.activity.offset
        running = self._running.get(row.pid)
        if running is None or running.began != began:
            running = self._running[row.pid] = ObservedStatement(row.pid, row.query, began, now, row.xact, now)
            self.activity.statements.append(running)
        running.ended = now if row.state == "active" else changed
        for statement in self.activity.statements[-50:]:
            if statement.pid == row.pid and row.xact is not None and statement.xact == row.xact:
                statement.released = now


@asynccontextmanager
async def sampled_activity(url: URL) -> AsyncIterator[Activity]:
    """What is seen while the block runs; complete when it has ended."""
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            sampler = _Sampler(connection)
            await sampler.prepare()
            following = asyncio.create_task(sampler.follow())
            try:
                yield sampler.activity
            finally:
                sampler.stop = True
                await following
    finally:
        await engine.dispose()
