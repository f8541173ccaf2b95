"""Constraints."""

from collections.abc import Iterator

from postgast.pg_query_pb2 import ConstrType

from safestep.lint.reading import Reading
from safestep.lint.rules.rule import Hit, altering, rule
from safestep.lint.sql import commands, full_name


@rule("exclusion-constraint")
def exclusion_constraint(reading: Reading) -> Iterator[Hit]:
    for step in altering(reading, "AddConstraint"):
        kinds = [part.contype for what, _, part in commands(step.node) if what == "AddConstraint"]
        if ConstrType.CONSTR_EXCLUSION in kinds:
            yield step, "Its index is built under the lock; PostgreSQL has no concurrent way."


@rule("primary-key-unproven")
def primary_key_unproven(reading: Reading) -> Iterator[Hit]:
    for step in altering(reading, "AddConstraint"):
        table = step.before.table(full_name(step.node.relation))
        parts = [part for what, _, part in commands(step.node) if what == "AddConstraint"]
        for part in [part for part in parts if part.contype == ConstrType.CONSTR_PRIMARY and part.indexname]:
            if nulls := {*table.indexes.get(part.indexname, ())} - table.never_null:
                yield step, f"Every row is read, for {', '.join(sorted(nulls))} may be null."
