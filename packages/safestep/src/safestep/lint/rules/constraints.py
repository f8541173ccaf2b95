"""Constraints that are added."""

from collections.abc import Iterator

from postgast.pg_query_pb2 import ConstrType

from safestep.lint.linted_revision import LintedRevision
from safestep.lint.rules.rule import Violation, altering, names, of_kind, rule
from safestep.lint.sql import alter_commands, qualified_name, relation_name

# ALTER DOMAIN … SET NOT NULL and VALIDATE CONSTRAINT, as PostgreSQL's source calls them.
SCANS = ("O", "V")


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


@rule("constraint-enforced")
def constraint_enforced(revision: LintedRevision) -> Iterator[Violation]:
    for statement in altering(revision, "AlterConstraint"):
        parts = [part for what, _, part in alter_commands(statement.node) if what == "AlterConstraint"]
        if any(part.alter_enforceability and part.is_enforced for part in parts):
            yield statement, "Every row is read to check the constraint that wasn't enforced."


@rule("domain-constraint-scans")
def domain_constraint_scans(revision: LintedRevision) -> Iterator[Violation]:
    new = {qualified_name(statement.node.domainname) for statement in of_kind(revision, "CreateDomainStmt")}
    for statement in of_kind(revision, "AlterDomainStmt"):
        if statement.node.subtype in SCANS and (name := qualified_name(statement.node.type_name)) not in new:
            yield statement, f"Every row of every table with a column of {names([name])} is read."
