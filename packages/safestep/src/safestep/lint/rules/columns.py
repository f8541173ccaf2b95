"""Columns that are added."""

from collections.abc import Iterator

from postgast.pg_query_pb2 import ConstrType

from safestep.lint.columns import added, rewrites
from safestep.lint.reading import Reading
from safestep.lint.rules.rule import Hit, altering, of_kind, rule
from safestep.lint.schema import constraints_of
from safestep.lint.sql import commands, find, full_name, type_of


@rule("adding-field-rewrites")
def adding_field_rewrites(reading: Reading) -> Iterator[Hit]:
    for step in altering(reading, "AddColumn"):
        for column in added(step.node):
            if why := rewrites(column, step.before):
                yield step, why


@rule("set-expression")
def set_expression(reading: Reading) -> Iterator[Hit]:
    for step in altering(reading, "SetExpression"):
        virtual = step.before.table(full_name(step.node.relation)).virtual
        columns = [command.name for what, command, _ in commands(step.node) if what == "SetExpression"]
        if stored := [name for name in columns if name not in virtual]:
            yield step, f"{', '.join(stored)} is computed and written anew in every row."


@rule("check-with-new-column")
def check_with_new_column(reading: Reading) -> Iterator[Hit]:
    for step in altering(reading, "AddColumn"):
        kinds = {constraint.contype for column in added(step.node) for constraint in constraints_of(column)}
        if ConstrType.CONSTR_CHECK in kinds:
            yield step, "Every row is read to check the new column, though it is the same in all of them."


@rule("json-column")
def json_column(reading: Reading) -> Iterator[Hit]:
    for step in of_kind(reading, "CreateStmt", "AlterTableStmt"):
        for column in find(step.node, "ColumnDef"):
            if type_of(column)[0] == "json":
                yield step, f"{column.colname or 'The column'} is json, which has no equality and no index."
