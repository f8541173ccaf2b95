"""Locks, and how long a statement waits for them."""

from collections.abc import Iterator

from safestep.lint.linted_revision import LintedRevision
from safestep.lint.rules.rule import Violation, by_hand, names, of_kind, rule
from safestep.lint.timeouts import session_settings, stored_settings


@rule("lock-without-timeout")
def lock_without_timeout(revision: LintedRevision) -> Iterator[Violation]:
    for statement in revision.statements:
        if statement.blocked_tables and not statement.has_lock_timeout:
            tables = names(statement.blocked_tables)
            yield statement, f"It waits for its lock on {tables} without end, and later queries queue behind it."


@rule("lock-timeout-off")
def lock_timeout_off(revision: LintedRevision) -> Iterator[Violation]:
    for statement in by_hand(revision):
        for setting in [*session_settings(statement), *stored_settings(statement)]:
            if setting.objection:
                yield statement, setting.objection


@rule("lock-table")
def lock_table(revision: LintedRevision) -> Iterator[Violation]:
    for statement in of_kind(revision, "LockStmt"):
        if tables := statement.in_use(statement.target_tables):
            yield statement, f"{names(tables)} stays locked until the transaction ends."
