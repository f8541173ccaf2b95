"""Constraints that are added."""

from collections.abc import Iterator

from postgast.pg_query_pb2 import ConstrType

from safestep.lint.linted_revision import LintedRevision
from safestep.lint.rules.rule import Violation, altering, rule
from safestep.lint.sql import alter_commands, relation_name


@rule("exclusion-constraint")
def exclusion_constraint(revision: LintedRevision) -> Iterator[Violation]:
    for statement in altering(revision, "AddConstraint"):
        kinds = [part.contype for what, _, part in alter_commands(statement.node) if what == "AddConstraint"]
        if ConstrType.CONSTR_EXCLUSION in kinds:
            yield statement, "Its index is built under the lock; PostgreSQL can't build it concurrently."


@rule("primary-key-unproven")
def primary_key_unproven(revision: LintedRevision) -> Iterator[Violation]:
    for statement in altering(revision, "AddConstraint"):
        table = statement.before.table(relation_name(statement.node.relation))
        parts = [part for what, _, part in alter_commands(statement.node) if what == "AddConstraint"]
        for part in [part for part in parts if part.contype == ConstrType.CONSTR_PRIMARY and part.indexname]:
            if nulls := {*table.indexes.get(part.indexname, ())} - table.never_null:
                yield statement, f"Every row is read, because {', '.join(sorted(nulls))} may be null."


@rule("dropping-unique-constraint")
def dropping_unique_constraint(revision: LintedRevision) -> Iterator[Violation]:
    for statement in altering(revision, "DropConstraint"):
        table = statement.before.table(relation_name(statement.node.relation))
        dropped = [command.name for what, command, _ in alter_commands(statement.node) if what == "DropConstraint"]
        if unique := sorted(table.unique & table.indexes.keys() & set(dropped)):
            yield statement, f"Code that relies on {', '.join(unique)} goes on, and writes what it would have refused."
