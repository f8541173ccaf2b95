"""What each statement of the migration did: the server's log and the observed activity put together."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from safestep.rehearsal.activity import INTERVAL, WEAKEST, Activity, ObservedLock, ObservedStatement, strength
from safestep.rehearsal.server_log import ExecutedStatement

NOTICEABLE = 0.1  # seconds that make a statement worth a line even without a lock


@dataclass(frozen=True)
class TableLock:
    """The strongest lock that a statement took on a table, and the longest wait of a query for it, in seconds."""

    table: str
    mode: str
    seconds: float
    longest_wait: float


@dataclass(frozen=True)
class StatementReport:
    """`at` counts from the start of the migration."""

    sql: str
    at: float
    seconds: float
    locks: list[TableLock] = field(default_factory=list)
    rewrote: list[str] = field(default_factory=list)
    fault: str | None = None

    @property
    def longest_wait(self) -> float:
        return max((lock.longest_wait for lock in self.locks), default=0.0)


def from_activity(observed: Iterable[ObservedStatement]) -> list[ExecutedStatement]:
    """Statements as they were observed, where there is no log of the server; what was too short is missing."""
    return [ExecutedStatement(each.pid, each.sql, each.began, each.ended, each.released) for each in observed]


def statement_reports(
    statements: Sequence[ExecutedStatement], activity: Activity, started: float
) -> list[StatementReport]:
    """The statements that took a lock worth mentioning on an existing table, rewrote one, lasted, or failed."""
    granted: dict[tuple[int, str], float] = {}
    for lock in activity.locks:
        if statement := _taker(lock, statements):
            statement.locks[lock.table] = lock.mode
        if owner := _owner(lock, statements):
            granted[id(owner), lock.table] = lock.granted or lock.last
    _attribute_rewrites(statements, activity.rewritten)
    waits = _longest_waits(statements, activity)
    found = []
    for statement in statements:
        locks = [_held(statement, table, granted, waits) for table in statement.locks]
        seconds = statement.ended - statement.began
        if _is_noticeable(statement):
            locks.sort(key=lambda lock: (-strength(lock.mode), lock.table))
            at = statement.began - started
            found.append(StatementReport(statement.sql, at, seconds, locks, statement.rewrote, statement.fault))
    return sorted(found, key=lambda report: report.at)


def _is_noticeable(statement: ExecutedStatement) -> bool:
    lasted = statement.ended - statement.began >= NOTICEABLE
    locks = any(mode != WEAKEST for mode in statement.locks.values())
    return bool(statement.rewrote or statement.fault or lasted or locks)


def _taker(lock: ObservedLock, statements: Sequence[ExecutedStatement]) -> ExecutedStatement | None:
    """The statement that took a lock of which the log doesn't tell: the one that ran when it was first seen."""
    running = [each for each in statements if each.pid == lock.pid and each.began <= lock.first]
    if not running:
        return None
    last = running[-1]
    known = [each.locks.get(lock.table) for each in running if each.released == last.released]
    return None if any(mode and strength(mode) >= strength(lock.mode) for mode in known) else last


def _owner(lock: ObservedLock, statements: Sequence[ExecutedStatement]) -> ExecutedStatement | None:
    """The statement that had to wait for this lock."""
    if lock.granted == lock.first:
        return None
    running = [each for each in statements if each.pid == lock.pid and each.began <= lock.first]
    return running[-1] if running and running[-1].locks.get(lock.table) == lock.mode else None


def _held(
    statement: ExecutedStatement, table: str, granted: dict[tuple[int, str], float], waits: dict[tuple[int, str], float]
) -> TableLock:
    key = (id(statement), table)
    since = granted.get(key, statement.began)
    return TableLock(table, statement.locks[table], max(0.0, statement.released - since), waits.get(key, 0.0))


def _longest_waits(statements: Sequence[ExecutedStatement], activity: Activity) -> dict[tuple[int, str], float]:
    """By statement and table. Of several locks on a table, the strongest is what others wait for."""
    longest: dict[tuple[int, str], float] = {}
    for wait in activity.waits:
        holding = [
            (strength(mode), each.began, id(each), table)
            for each in statements
            for table, mode in each.locks.items()
            if wait.table in (table, None) and each.began <= wait.at <= each.released + 2 * INTERVAL
        ]
        if holding:
            *_, statement, table = max(holding)
            longest[statement, table] = max(wait.seconds, longest.get((statement, table), 0.0))
    return longest


def _attribute_rewrites(statements: Sequence[ExecutedStatement], rewritten: Iterable[tuple[float, str]]) -> None:
    """What the log doesn't tell: TRUNCATE, VACUUM FULL and the like, or everything where there is no log.

    Of the last transaction before the new file was seen, the longest statement that names the table.
    """
    known = {table for statement in statements for table in statement.rewrote}
    for at, table in rewritten:
        word = re.compile(rf"\b{re.escape(table)}\b")
        naming = [each for each in statements if each.began <= at and word.search(each.sql) and not each.fault]
        if naming and table not in known:
            last = max(each.released for each in naming)
            in_last_transaction = [each for each in naming if each.released == last]
            longest = max(in_last_transaction, key=lambda each: each.ended - each.began)
            longest.rewrote.append(table)
