"""The migration's statements to the millisecond, as the server's own log tells them.

Only for a server that we started ourselves: its log is in JSON, the migration has a role of its own whose every
statement is logged, and an event trigger adds which locks each change of the schema had at its end.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.db.rehearsal.watch import ROLE, TABLES, strength

NOTE = "postern-rehearsal "

NOTE_LOCKS = """
    CREATE FUNCTION postern_rehearsal.note() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE LOG 'postern-rehearsal %', (
            SELECT json_agg(json_build_array(relation::bigint, mode)) FROM pg_locks
            WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted
        );
    END $$
"""
# In a schema of its own, where neither the models nor the fill look.
PREPARE = (
    f"CREATE ROLE {ROLE} SUPERUSER LOGIN",
    f"ALTER ROLE {ROLE} SET log_min_duration_statement = 0",
    "CREATE SCHEMA postern_rehearsal",
    NOTE_LOCKS,
    "CREATE EVENT TRIGGER postern_rehearsal ON ddl_command_end EXECUTE FUNCTION postern_rehearsal.note()",
)
FILE = "pg_current_logfile('jsonlog')"
SIZE = text(f"SELECT (pg_stat_file({FILE})).size")
READ = text(f"SELECT pg_read_file({FILE}, :start, 1000000000)")

_DURATION = re.compile(r"duration: ([\d.]+) ms  (?:(parse|bind|execute) .*?|statement): (.*)", re.DOTALL)
_BEGINS = re.compile(r"BEGIN|START TRANSACTION", re.IGNORECASE)
_ENDS = re.compile(r"COMMIT|ROLLBACK(?! TO)|ABORT|END", re.IGNORECASE)


@dataclass
class Statement:
    """`locks` are those of existing tables that it added to what its transaction had; kept until `released`."""

    pid: int
    sql: str
    began: float
    ended: float
    released: float
    locks: dict[str, str] = field(default_factory=dict)
    fault: str | None = None


class Journal:
    """Reads what was logged since it was opened."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._start = 0
        self._tables: dict[int, str] = {}

    async def open(self) -> None:
        engine = create_async_engine(self._url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            self._start = (await connection.execute(SIZE)).scalar_one()
            self._tables = {row.oid: row.name for row in await connection.execute(TABLES)}
        await engine.dispose()

    async def statements(self, offset: float) -> list[Statement]:
        """`offset` is what has to be added to the server's clock."""
        engine = create_async_engine(self._url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            log: str = (await connection.execute(READ, {"start": self._start})).scalar_one()
        await engine.dispose()
        return read(log.splitlines(), self._tables, offset)


async def prepare(url: URL) -> None:
    """The role, and the trigger that notes locks."""
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for statement in PREPARE:
            await connection.execute(text(statement))
    await engine.dispose()


def read(lines: Iterable[str], tables: dict[int, str], offset: float) -> list[Statement]:
    """The statements of the migration's role, in the order in which they ended."""
    sessions: dict[int, _Session] = {}
    found: list[Statement] = []
    for line in lines:
        entry = json.loads(line)
        if entry.get("user") == ROLE:
            session = sessions.setdefault(entry["pid"], _Session(entry["pid"], tables, found))
            session.note(entry, _seconds(entry["timestamp"]) + offset)
    return found


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp.replace(" UTC", "+00:00")).timestamp()


class _Session:
    """One backend's entries, in order."""

    def __init__(self, pid: int, tables: dict[int, str], found: list[Statement]) -> None:
        self._pid = pid
        self._tables = tables
        self._found = found
        self._began: float | None = None
        self._last = 0.0
        self._noted: dict[str, str] = {}
        self._held: dict[str, str] = {}
        self._transaction: list[Statement] = []
        self._is_open = False

    def note(self, entry: dict[str, Any], at: float) -> None:
        message: str = entry.get("message", "")
        if message.startswith(NOTE):
            self._note_locks(json.loads(message.removeprefix(NOTE)) or [])
        elif duration := _DURATION.match(message):
            seconds = float(duration[1]) / 1000
            self._began = min(self._began or at, at - seconds)
            if duration[2] not in ("parse", "bind"):
                self._end(duration[3], at, None)
        elif entry.get("error_severity") in ("ERROR", "FATAL"):
            self._end(entry.get("statement", "(the session)"), at, message)
        self._last = at

    def _note_locks(self, locks: list[tuple[int, str]]) -> None:
        for relation, mode in locks:
            table = self._tables.get(relation)
            if table and strength(mode) > strength(self._held.get(table, "AccessShareLock")):
                self._held[table] = self._noted[table] = mode

    def _end(self, sql: str, at: float, fault: str | None) -> None:
        began = self._last if self._began is None else self._began
        statement = Statement(self._pid, sql.strip(), began, at, at, self._noted, fault)
        self._found.append(statement)
        self._began, self._noted = None, {}
        if _BEGINS.match(statement.sql):
            self._is_open = True
        elif _ENDS.match(statement.sql):
            self._release(at)
        elif self._is_open:
            self._transaction.append(statement)
        else:
            self._held = {}

    def _release(self, at: float) -> None:
        for statement in self._transaction:
            statement.released = at
        self._transaction, self._held, self._is_open = [], {}, False
