"""What the helpers share: statements that are each a transaction of their own, with the right timeouts."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from alembic import op
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, Row, text
from sqlalchemy.util.concurrency import await_

from app.core.config import Settings, load_settings

CHANGED = text("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")


@dataclass
class Pace:
    """What the runner tells the helpers, and they tell it: `done` counts revisions and batches finished for good.

    Single statements don't count: a helper may repeat some on each attempt, and attempts would have no bound.
    """

    settings: Settings
    report: Callable[[str], None] = lambda _line: None
    done: int = 0


def timeouts(settings: Settings) -> dict[str, str]:
    """The server parameters, in milliseconds, of statements that may hold strong locks."""
    return {
        "lock_timeout": milliseconds(settings.migration_lock_timeout),
        "statement_timeout": milliseconds(settings.migration_statement_timeout),
    }


@contextmanager
def own_transactions() -> Iterator["Steps"]:
    """Statements in this block commit one by one.

    Raises CommandError when the revision has already changed something: that would be committed without its line
    in `alembic_version`, and run a second time after a failure.
    """
    migration = op.get_context()
    if not migration.as_sql and _connection(migration).scalar(CHANGED):
        raise CommandError(
            "a safe step follows an ordinary change in one revision: put it first, or in a revision of its own"
        )
    with migration.autocommit_block():
        yield Steps(migration)


class Steps:
    """Runs the statements of a helper."""

    def __init__(self, migration: MigrationContext) -> None:
        self._migration = migration
        self.pace: Pace = migration.opts.get("pace") or Pace(load_settings())
        self.offline = migration.as_sql

    def ask(self, question: str, **parameters: object) -> Row[Any] | None:
        """The first row of the answer; offline None, as if nothing were there."""
        if self.offline:
            return None
        return _connection(self._migration).execute(text(question), parameters).first()

    def require(self, question: str, **parameters: object) -> Row[Any]:
        """The one row of the answer; not for offline use."""
        return _connection(self._migration).execute(text(question), parameters).one()

    def run(self, change: str | Callable[[], object]) -> None:
        """A change that holds its lock for a moment and mustn't wait for it long."""
        if callable(change):
            change()
        else:
            op.execute(text(verbatim(change)))

    def run_patiently(self, change: str | Callable[[], object]) -> None:
        """A change that reads the whole table or waits for old transactions, under locks that let traffic pass."""
        patience = milliseconds(self.pace.settings.migration_concurrent_timeout)
        self.set(lock_timeout=patience, statement_timeout=patience)
        self.run(change)
        # Not after a failure: then the connection may be gone, and the runner sets them for each attempt.
        self.set(**timeouts(self.pace.settings))

    def set(self, **parameters: str) -> None:
        """Server parameters in milliseconds, until the next revision."""
        for name, value in parameters.items():
            op.execute(f"SET {name} = '{value}ms'")

    def comment(self, line: str) -> None:
        """A remark in the output of `--sql`."""
        if self.offline:
            self._migration.impl.static_output(f"-- {line}")

    def sleep(self, seconds: float) -> None:
        """Without stopping the loop, on which the migration lock is watched."""
        await_(asyncio.sleep(seconds))

    def quote(self, name: str, schema: str | None = None) -> str:
        parts = [name] if schema is None else [schema, name]
        return ".".join(self._migration.dialect.identifier_preparer.quote(part) for part in parts)

    def count(self, topic: str, what: str) -> int:
        """How often that was asked in this attempt, until somebody removes the topic from Alembic's memo."""
        met: Counter[str] = self._migration.impl.memo.setdefault(topic, Counter())
        met[what] += 1
        return met[what]


def verbatim(sql: str) -> str:
    """For `text()`, which would take a colon for a parameter's, and write NULL in its place."""
    return sql.replace(":", "\\:")


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"


def _connection(migration: MigrationContext) -> Connection:
    if migration.connection is None:
        raise CommandError("this step needs a database to look at")
    return migration.connection
