"""Changes of data, and what writes a table anew."""

from collections.abc import Iterator
from typing import Any

from safestep.lint.batches import Batches
from safestep.lint.locks import is_concurrent, is_full_vacuum, targets
from safestep.lint.reading import Reading, Step
from safestep.lint.rules.rule import Hit, by_hand, names, of_kind, rule
from safestep.lint.sql import CHANGES, dotted, find, full_name, texts


@rule("unbatched-change")
def unbatched_change(reading: Reading) -> Iterator[Hit]:
    for step in by_hand(reading):
        batches = Batches(step.node, step.before)
        named = {f"public.{part.ctename}" for part in find(step.node, "CommonTableExpr")}
        for change in _changes(step):
            tables = step.hot({full_name(relation) for relation in find(change, "RangeVar")} - named)
            if tables and not batches.has(change):
                what = type(change).__name__.removesuffix("Stmt").upper()
                yield step, f"One {what} over all rows of {names(tables)} keeps them locked until it is done."


@rule("data-with-schema")
def data_with_schema(reading: Reading) -> Iterator[Hit]:
    for step in reading.steps:
        written = {full_name(change.relation) for change in _changes(step)}
        if step.statement.transaction is None or not step.hot(written):
            continue
        together = [other for other in reading.steps if other.statement.transaction == step.statement.transaction]
        if locking := [other for other in together if other.blocked]:
            line, tables = locking[0].statement.line, names(locking[0].blocked)
            yield step, f"It runs in the transaction that locks {tables} in line {line}, and keeps that lock waiting."


@rule("enum-value-used-early")
def enum_value_used_early(reading: Reading) -> Iterator[Hit]:
    added: dict[str, int | None] = {}
    new = {dotted(step.node.type_name) for step in of_kind(reading, "CreateEnumStmt")}
    for step in reading.steps:
        if step.statement.kind == "AlterEnumStmt" and not step.node.old_val:
            if dotted(step.node.type_name) not in new:
                added[step.node.new_val] = step.statement.transaction
        elif step.statement.transaction is not None:
            for value in texts(step.node) & added.keys():
                if added[value] == step.statement.transaction:
                    yield step, f"'{value}' can't be used before the transaction that adds it is committed."


@rule("truncate")
def truncate(reading: Reading) -> Iterator[Hit]:
    for step in of_kind(reading, "TruncateStmt"):
        if tables := step.hot(targets(step.statement, step.before)):
            yield step, f"Every row of {names(tables)} goes, also for those who still read an older snapshot."


@rule("refresh-blocks-reads")
def refresh_blocks_reads(reading: Reading) -> Iterator[Hit]:
    for step in of_kind(reading, "RefreshMatViewStmt"):
        name = full_name(step.node.relation)
        if not is_concurrent(step.statement) and not step.node.skip_data and step.hot([name]):
            yield step, f"Nobody reads {names([name])} until its query is done."


@rule("vacuum-full")
def vacuum_full(reading: Reading) -> Iterator[Hit]:
    for step in of_kind(reading, "VacuumStmt"):
        if is_full_vacuum(step.statement):
            yield step, "VACUUM FULL writes the whole table anew; nobody reads it meanwhile."


@rule("cluster")
def cluster(reading: Reading) -> Iterator[Hit]:
    for step in of_kind(reading, "ClusterStmt"):
        yield step, "CLUSTER writes the whole table anew; nobody reads it meanwhile."


def _changes(step: Step) -> Iterator[Any]:
    """What a statement writes, WITH included; a function's body isn't run by creating it."""
    return find(step.node, *CHANGES) if step.statement.kind in (*CHANGES, "SelectStmt") else iter(())
