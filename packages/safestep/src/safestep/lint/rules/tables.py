"""Whole tables and their partitions."""

from collections.abc import Iterator

from safestep.lint.partitions import lacks
from safestep.lint.reading import Reading
from safestep.lint.rules.rule import Hit, altering, names, of_kind, rule
from safestep.lint.sql import commands, full_name


@rule("attach-partition-scans")
def attach_partition_scans(reading: Reading) -> Iterator[Hit]:
    for step in altering(reading, "AttachPartition"):
        parent = step.before.table(full_name(step.node.relation))
        # An index that becomes part of another has no bounds, and nothing to read.
        for part in [part for _, _, part in commands(step.node) if part.HasField("bound")]:
            name = full_name(part.name)
            missing = lacks(step.before.table(name), parent, part.bound)
            if missing and step.hot([name]):
                yield step, f"Every row of {names([name])} is read, for {missing}."


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


@rule("set-access-method")
def set_access_method(reading: Reading) -> Iterator[Hit]:
    for step in altering(reading, "SetAccessMethod"):
        yield step, "The table is written anew in the other form under the strongest lock."
