"""What the safe steps share: statements that are each a transaction of their own, with the right timeouts."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from alembic import op
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, Row, text
from sqlalchemy.util.concurrency import await_

from safestep.project import Limits

MIGRATION_RUN = "migration_run"
"""Under this name the MigrationRun is in the migration context's `opts`."""

HAS_CHANGED_SOMETHING = text("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")


@dataclass
class MigrationRun:
    """What the runner and the safe steps tell each other."""

    limits: Limits = field(default_factory=Limits)
    announce: Callable[[str], None] = lambda _line: None
    """Takes one line for whoever watches the run."""
    completed: int = 0
    """Revisions and batches that are finished for good.

    Single statements don't count: a safe step may repeat some on each attempt, and attempts would have no bound.
    """


def timeouts(limits: Limits) -> dict[str, str]:
    """The server parameters, in milliseconds, of statements that may hold strong locks."""
    return {
        "lock_timeout": milliseconds(limits.lock_timeout),
        "statement_timeout": milliseconds(limits.statement_timeout),
    }


@contextmanager
def own_transactions() -> Iterator["SafeStep"]:
    """Statements in this block commit one by one.

    Raises CommandError when the revision has already changed something: that would be committed without its line
    in `alembic_version`, and run a second time after a failure.
    """
    migration = op.get_context()
    if not migration.as_sql and _connection(migration).scalar(HAS_CHANGED_SOMETHING):
        raise CommandError(
            "a safe step follows an ordinary change in one revision: put it first, or in a revision of its own"
        )
    with migration.autocommit_block():
        yield SafeStep(migration)


class SafeStep:
    """Asks and changes the database for one safe step of a revision, or prints the changes (`--sql`)."""

    def __init__(self, migration: MigrationContext) -> None:
        self._migration = migration
        self.migration_run: MigrationRun = migration.opts.get(MIGRATION_RUN) or MigrationRun()
        self.limits = self.migration_run.limits
        self.is_offline = migration.as_sql

    def first_row(self, query: str, **parameters: object) -> Row[Any] | None:
        """The first row of the answer; offline None, as if nothing were there."""
        if self.is_offline:
            return None
        return _connection(self._migration).execute(text(query), parameters).first()

    def one_row(self, query: str, **parameters: object) -> Row[Any]:
        """The one row of the answer; not for offline use."""
        return _connection(self._migration).execute(text(query), parameters).one()

    def run(self, change: str | Callable[[], object]) -> None:
        """A change that holds its lock for a moment and mustn't wait for it long."""
        if callable(change):
            change()
        else:
            op.execute(text(verbatim(change)))

    def run_long(self, change: str | Callable[[], object]) -> None:
        """A change that reads the whole table or waits for old transactions, under locks that let traffic pass."""
        timeout = milliseconds(self.limits.concurrent_timeout)
        self.set(lock_timeout=timeout, statement_timeout=timeout)
        self.run(change)
        # Not after a failure: then the connection may be gone, and the runner sets them for each attempt.
        self.reset_timeouts()

    def set(self, **parameters: str) -> None:
        """Server parameters in milliseconds, until the next revision."""
        for name, value in parameters.items():
            op.execute(f"SET {name} = '{value}ms'")

    def reset_timeouts(self) -> None:
        """Back to those that every revision begins with."""
        self.set(**timeouts(self.limits))

    def comment(self, line: str) -> None:
        """A remark in the output of `--sql`."""
        if self.is_offline:
            self._migration.impl.static_output(f"-- {line}")

    def sleep(self, seconds: float) -> None:
        """Without stopping the loop, on which the migration lock is watched."""
        await_(asyncio.sleep(seconds))

    def quote(self, name: str, schema: str | None = None) -> str:
        parts = [name] if schema is None else [schema, name]
        return ".".join(self._migration.dialect.identifier_preparer.quote(part) for part in parts)

    def count(self, topic: str, what: str) -> int:
        """How often it was called with `what` in this attempt, until the topic is removed from Alembic's memo."""
        counts: Counter[str] = self._migration.impl.memo.setdefault(topic, Counter())
        counts[what] += 1
        return counts[what]


def verbatim(sql: str) -> str:
    """For `text()`, which would take a colon for a parameter's, and write NULL in its place."""
    return sql.replace(":", "\\:")


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"


def _connection(migration: MigrationContext) -> Connection:
    if migration.connection is None:
        raise CommandError("this step needs a database to look at")
    return migration.connection
