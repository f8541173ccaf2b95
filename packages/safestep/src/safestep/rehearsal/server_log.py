"""The migration's statements to the millisecond, as the server's own log tells them.

Only for a server that we started ourselves: its log is in JSON, the migration has a role of its own whose every
statement is logged, and an event trigger adds which locks and which files each change of the schema ended with.
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

from safestep.rehearsal.activity import ROLE, TABLES, WEAKEST, strength

NOTE = "safestep-rehearsal "
# The least that making an index takes; one made CONCURRENTLY has let go of it when the trigger looks.
CONCURRENT = "ShareUpdateExclusiveLock"

NOTE_LOCKS = """
    CREATE FUNCTION safestep_rehearsal_notes.note() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE LOG 'safestep-rehearsal %', json_build_object(
            'locks', (SELECT json_agg(json_build_array(relation::bigint, mode)) FROM pg_locks
                      WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted),
            'files', (SELECT json_object_agg(oid, relfilenode::bigint) FROM pg_class WHERE relkind IN ('r', 'm')),
            'indexed', (SELECT json_agg(DISTINCT indrelid::bigint) FROM pg_event_trigger_ddl_commands() AS command
                        JOIN pg_index ON indexrelid = objid AND classid = 'pg_class'::regclass),
            'changed', (SELECT json_agg(DISTINCT objid::bigint) FROM pg_event_trigger_ddl_commands()
                        WHERE classid = 'pg_class'::regclass)
        );
    END $$
"""
# In a schema of its own, where neither the models nor the fill look.
PREPARE = (
    f"CREATE ROLE {ROLE} SUPERUSER LOGIN",
    f"ALTER ROLE {ROLE} SET log_min_duration_statement = 0",
    "CREATE SCHEMA safestep_rehearsal_notes",
    NOTE_LOCKS,
    "CREATE EVENT TRIGGER safestep_rehearsal_notes ON ddl_command_end EXECUTE FUNCTION safestep_rehearsal_notes.note()",
)
FILE = "pg_current_logfile('jsonlog')"
SIZE = text(f"SELECT (pg_stat_file({FILE})).size")
READ = text(f"SELECT pg_read_file({FILE}, :start, 1000000000)")

_DURATION = re.compile(r"duration: ([\d.]+) ms  (?:(parse|bind|execute) .*?|statement): (.*)", re.DOTALL)
_BEGINS = re.compile(r"BEGIN|START TRANSACTION", re.IGNORECASE)
_ENDS = re.compile(r"COMMIT|ROLLBACK(?! TO)|ABORT|END", re.IGNORECASE)


@dataclass
class TableFile:
    """One that was there before the migration, and the file it was last known to be in."""

    name: str
    file: int


@dataclass
class ExecutedStatement:
    """`locks` are those of existing tables that it added to what its transaction had; kept until `released`.
    `rewrote` names existing tables whose rows it wrote to a new file.
    """

    pid: int
    sql: str
    began: float
    ended: float
    released: float
    locks: dict[str, str] = field(default_factory=dict)
    rewrote: list[str] = field(default_factory=list)
    fault: str | None = None


class ServerLog:
    """Reads what was logged since it was opened."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._start = 0
        self._tables: dict[int, TableFile] = {}

    async def open(self) -> None:
        engine = create_async_engine(self._url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            self._start = (await connection.execute(SIZE)).scalar_one()
            self._tables = {row.oid: TableFile(row.name, row.file) for row in await connection.execute(TABLES)}
        await engine.dispose()

    async def statements(self, offset: float) -> list[ExecutedStatement]:
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


def read(lines: Iterable[str], tables: dict[int, TableFile], offset: float) -> list[ExecutedStatement]:
    """The statements of the migration's role, in the order in which they ended."""
    backends: dict[int, _BackendEntries] = {}
    found: list[ExecutedStatement] = []
    for line in lines:
        entry = json.loads(line)
        if entry.get("user") == ROLE:
            backend = backends.setdefault(entry["pid"], _BackendEntries(entry["pid"], tables, found))
            backend.note(entry, _seconds(entry["timestamp"]) + offset)
    return found


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp.replace(" UTC", "+00:00")).timestamp()


def redacted(message: str, state: str) -> str:
    """The database's error without values of rows: errors about data quote them, and RAISE says what it likes."""
    if state.startswith("22"):
        return re.sub(r'"[^"]*"', '"…"', message)
    return f"an exception that the SQL raises ({state})" if state.startswith("P0") else message


class _BackendEntries:
    """One backend's entries, in order."""

    def __init__(self, pid: int, tables: dict[int, TableFile], found: list[ExecutedStatement]) -> None:
        self._pid = pid
        self._tables = tables
        self._found = found
        self._began: float | None = None
        self._last = 0.0
        self._noted: dict[str, str] = {}
        self._rewrote: list[str] = []
        self._held: dict[str, str] = {}
        self._transaction: list[ExecutedStatement] = []
        self._is_open = False

    def note(self, entry: dict[str, Any], at: float) -> None:
        message: str = entry.get("message", "")
        if message.startswith(NOTE):
            note = json.loads(message.removeprefix(NOTE))
            self._note_locks(note["locks"] or [])
            self._note_locks([(table, CONCURRENT) for table in note["indexed"] or []])
            self._note_held(note.get("changed") or [])
            self._note_files(note["files"])
        elif duration := _DURATION.match(message):
            seconds = float(duration[1]) / 1000
            self._began = min(self._began or at, at - seconds)
            if duration[2] not in ("parse", "bind"):
                self._end(duration[3], at, None)
        elif entry.get("error_severity") in ("ERROR", "FATAL"):
            self._end(entry.get("statement", "(the session)"), at, redacted(message, entry.get("state_code", "")))
        self._last = at

    def _note_locks(self, locks: Iterable[tuple[int, str]]) -> None:
        for relation, mode in locks:
            table = self._tables.get(relation)
            if table and strength(mode) > strength(self._held.get(table.name, WEAKEST)):
                self._held[table.name] = self._noted[table.name] = mode

    def _note_held(self, changed: Iterable[int]) -> None:
        """A later statement on a table counts as well, though its transaction has had the lock already."""
        for name in (self._tables[relation].name for relation in changed if relation in self._tables):
            if name in self._held:
                self._noted[name] = self._held[name]

    def _note_files(self, files: dict[str, int]) -> None:
        for oid, table in self._tables.items():
            if (file := files.get(str(oid), table.file)) != table.file:
                table.file = file
                self._rewrote.append(table.name)

    def _end(self, sql: str, at: float, fault: str | None) -> None:
        began = self._last if self._began is None else self._began
        statement = ExecutedStatement(self._pid, sql.strip(), began, at, at, self._noted, self._rewrote, fault)
        self._found.append(statement)
        self._began, self._noted, self._rewrote = None, {}, []
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
