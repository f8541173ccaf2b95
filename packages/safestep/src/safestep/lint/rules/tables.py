"""Whole tables and their partitions."""

from collections.abc import Iterator

from safestep.lint.linted_revision import LintedRevision
from safestep.lint.partitions import scan_reason
from safestep.lint.rules.rule import Violation, altering, names, of_kind, rule
from safestep.lint.sql import alter_commands, relation_name


@rule("attach-partition-scans")
def attach_partition_scans(revision: LintedRevision) -> Iterator[Violation]:
    for statement in altering(revision, "AttachPartition"):
        parent = statement.before.table(relation_name(statement.node.relation))
        # ALTER INDEX … ATTACH PARTITION has no bounds, and reads no rows.
        for part in [part for _, _, part in alter_commands(statement.node) if part.HasField("bound")]:
            name = relation_name(part.name)
            reason = scan_reason(statement.before.table(name), parent, part.bound)
            if reason and statement.in_use([name]):
                yield statement, f"Every row of {names([name])} is read, because {reason}."


@rule("set-tablespace")
def set_tablespace(revision: LintedRevision) -> Iterator[Violation]:
    for statement in altering(revision, "SetTableSpace"):
        yield statement, "The files are copied to the other tablespace under the strongest lock."
    for statement in of_kind(revision, "AlterTableMoveAllStmt"):
        yield statement, "Every table of the tablespace is locked and copied."


@rule("set-logged")
def set_logged(revision: LintedRevision) -> Iterator[Violation]:
    for statement in altering(revision, "SetLogged", "SetUnLogged"):
        yield statement, "The table is rewritten under the strongest lock, and an unlogged one is empty after a crash."


@rule("set-access-method")
def set_access_method(revision: LintedRevision) -> Iterator[Violation]:
    for statement in altering(revision, "SetAccessMethod"):
        yield statement, "The table is rewritten in the other form under the strongest lock."
