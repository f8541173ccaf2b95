"""Locks, and how long a statement waits for them."""

from collections.abc import Iterator

from safestep.lint.locks import targets
from safestep.lint.reading import Reading
from safestep.lint.rules.rule import Hit, by_hand, names, of_kind, rule
from safestep.lint.timeouts import settings, stored


@rule("lock-without-timeout")
def lock_without_timeout(reading: Reading) -> Iterator[Hit]:
    for step in reading.steps:
        if step.patient and step.blocked:
            tables = names(step.blocked)
            yield step, f"It waits for its lock on {tables} without end, and everybody queues behind it."


@rule("lock-timeout-off")
def lock_timeout_off(reading: Reading) -> Iterator[Hit]:
    for step in by_hand(reading):
        for setting in [*settings(step.statement), *stored(step.statement)]:
            if setting.fault:
                yield step, setting.fault


@rule("lock-table")
def lock_table(reading: Reading) -> Iterator[Hit]:
    for step in of_kind(reading, "LockStmt"):
        if tables := step.hot(targets(step.statement, step.before)):
            yield step, f"{names(tables)} stays locked until the transaction ends."
