"""Locks, and how long a statement waits for them."""

from collections.abc import Iterator

from app.db.lint.locks import targets
from app.db.lint.reading import Reading, sets_zero
from app.db.lint.rules.rule import Hit, names, of_kind, rule


@rule("lock-without-timeout")
def lock_without_timeout(reading: Reading) -> Iterator[Hit]:
    for step in reading.steps:
        if step.patient and step.blocked:
            tables = names(step.blocked)
            yield step, f"It waits for its lock on {tables} without end, and everybody queues behind it."


@rule("lock-timeout-off")
def lock_timeout_off(reading: Reading) -> Iterator[Hit]:
    for step in reading.steps:
        if sets_zero(step.statement):
            yield step, "0 means to wait for a lock without end."


@rule("lock-table")
def lock_table(reading: Reading) -> Iterator[Hit]:
    for step in of_kind(reading, "LockStmt"):
        if tables := step.hot(targets(step.statement, step.before)):
            yield step, f"{names(tables)} stays locked until the transaction ends."
