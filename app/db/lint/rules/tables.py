"""Whole tables and their partitions."""

from collections.abc import Iterator

from app.db.lint.locks import attached
from app.db.lint.reading import Reading
from app.db.lint.rules.rule import Hit, altering, names, of_kind, rule
from app.db.lint.sql import full_name


@rule("attach-partition-scans")
def attach_partition_scans(reading: Reading) -> Iterator[Hit]:
    for step in altering(reading, "AttachPartition"):
        key = step.before.table(full_name(step.node.relation)).partition_key
        for name in step.hot(attached(step.statement)):
            checks = step.before.table(name).checks.values()
            if not any(check.valid and check.columns and check.columns >= key for check in checks):
                yield step, f"No valid check of {names([name])} shows that its rows belong there, so all are read."


@rule("set-tablespace")
def set_tablespace(reading: Reading) -> Iterator[Hit]:
    for step in altering(reading, "SetTableSpace"):
        yield step, "The files are copied to the other tablespace under the strongest lock."
    for step in of_kind(reading, "AlterTableMoveAllStmt"):
        yield step, "Every table of the tablespace is locked and copied."


@rule("set-logged")
def set_logged(reading: Reading) -> Iterator[Hit]:
    for step in altering(reading, "SetLogged", "SetUnLogged"):
        yield step, "The table is written anew under the strongest lock, and an unlogged one is empty after a crash."
