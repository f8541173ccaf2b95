"""New columns, and expressions of generated ones."""

from collections.abc import Iterator

from postgast.pg_query_pb2 import ConstrType

from safestep.lint.column_types import retyped_columns
from safestep.lint.known_tables import constraints_of
from safestep.lint.linted_revision import LintedRevision
from safestep.lint.new_columns import added_columns, rewrite_reason
from safestep.lint.rules.rule import Violation, altering, of_kind, rule
from safestep.lint.sql import alter_commands, find_nodes, relation_name, type_of


@rule("adding-field-rewrites")
def adding_field_rewrites(revision: LintedRevision) -> Iterator[Violation]:
    for statement in altering(revision, "AddColumn"):
        for column in added_columns(statement.node):
            if reason := rewrite_reason(column, statement.before):
                yield statement, reason


@rule("index-rebuilt-with-column")
def index_rebuilt_with_column(revision: LintedRevision) -> Iterator[Violation]:
    for statement in altering(revision, "AlterColumnType"):
        table = statement.before.table(relation_name(statement.node.relation))
        columns = {name for name, _ in retyped_columns(statement.node)}
        if rebuilt := sorted(name for name, named in table.conditional.items() if named & columns):
            yield (
                statement,
                f"{', '.join(rebuilt)} has a condition or an expression, so it is built anew under the lock.",
            )


@rule("set-expression")
def set_expression(revision: LintedRevision) -> Iterator[Violation]:
    for statement in altering(revision, "SetExpression"):
        virtual = statement.before.table(relation_name(statement.node.relation)).virtual
        columns = [command.name for what, command, _ in alter_commands(statement.node) if what == "SetExpression"]
        if stored := [name for name in columns if name not in virtual]:
            yield statement, f"{', '.join(stored)} is computed for every row, and the table rewritten."


@rule("check-with-new-column")
def check_with_new_column(revision: LintedRevision) -> Iterator[Violation]:
    for statement in altering(revision, "AddColumn"):
        constraints = [part for column in added_columns(statement.node) for part in constraints_of(column)]
        if any(constraint.contype == ConstrType.CONSTR_CHECK for constraint in constraints):
            yield statement, "Every row is read to check the new column, though all rows have the same value."


@rule("json-column")
def json_column(revision: LintedRevision) -> Iterator[Violation]:
    for statement in of_kind(revision, "CreateStmt", "AlterTableStmt"):
        for column in find_nodes(statement.node, "ColumnDef"):
            if type_of(column)[0] == "json":
                yield statement, f"{column.colname or 'The column'} is json, which has no equality and no index."
