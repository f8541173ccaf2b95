"""What each statement of the migration did: the log and the samples put together."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from safestep.rehearsal.journal import Statement
from safestep.rehearsal.watch import INTERVAL, WEAKEST, Seen, Sightings, Span, strength

NOTICEABLE = 0.1  # seconds that make a statement worth a line even without a lock


@dataclass(frozen=True)
class Held:
    """The strongest lock that a statement took on a table, and the longest wait of a query for it, in seconds."""

    table: str
    mode: str
    seconds: float
    longest_wait: float


@dataclass(frozen=True)
class Finding:
    """`at` counts from the start of the migration."""

    sql: str
    at: float
    seconds: float
    locks: list[Held] = field(default_factory=list)
    rewrote: list[str] = field(default_factory=list)
    fault: str | None = None

    @property
    def longest_wait(self) -> float:
        return max((lock.longest_wait for lock in self.locks), default=0.0)


def from_sightings(seen: Iterable[Seen]) -> list[Statement]:
    """Statements as they were sampled, for want of the server's log; what was too short to be seen is missing."""
    return [Statement(each.pid, each.sql, each.began, each.ended, each.released) for each in seen]


def findings(statements: Sequence[Statement], seen: Sightings, started: float) -> list[Finding]:
    """The statements that took a lock worth mentioning on an existing table, rewrote one, lasted, or failed."""
    granted: dict[tuple[int, str], float] = {}
    for span in seen.spans:
        if statement := _taker(span, statements):
            statement.locks[span.table] = span.mode
        if owner := _owner(span, statements):
            granted[id(owner), span.table] = span.granted or span.last
    _attribute_rewrites(statements, seen.rewritten)
    waits = _longest_waits(statements, seen)
    found = []
    for statement in statements:
        locks = [_held(statement, table, granted, waits) for table in statement.locks]
        seconds = statement.ended - statement.began
        if _is_noticeable(statement):
            locks.sort(key=lambda lock: (-strength(lock.mode), lock.table))
            at = statement.began - started
            found.append(Finding(statement.sql, at, seconds, locks, statement.rewrote, statement.fault))
    return sorted(found, key=lambda finding: finding.at)


def _is_noticeable(statement: Statement) -> bool:
    lasted = statement.ended - statement.began >= NOTICEABLE
    locks = any(mode != WEAKEST for mode in statement.locks.values())
    return bool(statement.rewrote or statement.fault or lasted or locks)


def _taker(span: Span, statements: Sequence[Statement]) -> Statement | None:
    """The statement that took a lock of which the log doesn't tell: the one that ran when it was first seen."""
    running = [each for each in statements if each.pid == span.pid and each.began <= span.first]
    if not running:
        return None
    last = running[-1]
    known = [each.locks.get(span.table) for each in running if each.released == last.released]
    return None if any(mode and strength(mode) >= strength(span.mode) for mode in known) else last


def _owner(span: Span, statements: Sequence[Statement]) -> Statement | None:
    """The statement that had to wait for this lock."""
    if span.granted == span.first:
        return None
    running = [each for each in statements if each.pid == span.pid and each.began <= span.first]
    return running[-1] if running and running[-1].locks.get(span.table) == span.mode else None


def _held(
    statement: Statement, table: str, granted: dict[tuple[int, str], float], waits: dict[tuple[int, str], float]
) -> Held:
    key = (id(statement), table)
    since = granted.get(key, statement.began)
    return Held(table, statement.locks[table], max(0.0, statement.released - since), waits.get(key, 0.0))


def _longest_waits(statements: Sequence[Statement], seen: Sightings) -> dict[tuple[int, str], float]:
    """By statement and table. Of several locks on a table, the strongest is what others wait for."""
    longest: dict[tuple[int, str], float] = {}
    for wait in seen.waits:
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


def _attribute_rewrites(statements: Sequence[Statement], rewritten: Iterable[tuple[float, str]]) -> None:
    """What the log doesn't tell: TRUNCATE, VACUUM FULL and the like, or everything where there is no log.

    Of the last transaction before the new file was seen, the longest statement that names the table.
    """
    known = {table for statement in statements for table in statement.rewrote}
    for at, table in rewritten:
        word = re.compile(rf"\b{re.escape(table)}\b")
        naming = [each for each in statements if each.began <= at and word.search(each.sql) and not each.fault]
        if naming and table not in known:
            last = max(each.released for each in naming)
            max(
                (each for each in naming if each.released == last), key=lambda each: each.ended - each.began
            ).rewrote.append(table)
