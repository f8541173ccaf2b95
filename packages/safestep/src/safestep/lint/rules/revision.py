"""What a revision hides: DDL in code that it executes, and the loss of data."""

from collections.abc import Iterator

from postgast.pg_query_pb2 import DropBehavior, ObjectType

from safestep.lint.executed_code import executed_bodies
from safestep.lint.linted_revision import LintedRevision, LintedStatement
from safestep.lint.rules.rule import Violation, names, of_kind, rule
from safestep.lint.sql import DATA_CHANGES, Unreadable, alter_commands, find_nodes

# Functions of the extension dblink that run the SQL which they are given.
ELSEWHERE = {"dblink", "dblink_exec", "dblink_open", "dblink_send_query"}
USED_BY_COLUMNS = (
    ObjectType.OBJECT_TYPE,
    ObjectType.OBJECT_DOMAIN,
    ObjectType.OBJECT_EXTENSION,
    ObjectType.OBJECT_SCHEMA,
)


@rule("hidden-ddl")
def hidden_ddl(revision: LintedRevision) -> Iterator[Violation]:
    for statement in revision.statements:
        for body in executed_bodies(statement, statement.before):
            try:
                inner = body.statements()
            except Unreadable as error:
                yield statement, f"What {body.name} does can't be read: {error}"
                continue
            for text, node in inner:
                if node is None:
                    yield statement, f"The SQL that {text} makes can't be known before it runs."
                elif type(node).__name__ not in (*DATA_CHANGES, "SelectStmt", "CallStmt"):
                    yield statement, f"{text} is hidden in {body.name}."
        for call in find_nodes(statement.node, "FuncCall"):
            if call.funcname[-1].string.sval in ELSEWHERE:
                yield statement, "What it runs in another session can't be read."


@rule("destructive-not-marked")
def destructive_not_marked(revision: LintedRevision) -> Iterator[Violation]:
    for statement in of_kind(revision, "DropStmt", "AlterTableStmt"):
        if what := _destroyed(statement):
            yield statement, f"What was in {what} is lost, and nobody is asked before."


def _destroyed(statement: LintedStatement) -> str:
    """What the statement drops with its data. Objects other than tables take columns with them only with CASCADE."""
    if statement.kind == "AlterTableStmt":
        return ", ".join(command.name for what, command, _ in alter_commands(statement.node) if what == "DropColumn")
    if statement.node.remove_type == ObjectType.OBJECT_TABLE:
        return names(statement.in_use(statement.target_tables))
    cascades = statement.node.behavior == DropBehavior.DROP_CASCADE
    return "the columns that depend on it" if cascades and statement.node.remove_type in USED_BY_COLUMNS else ""
