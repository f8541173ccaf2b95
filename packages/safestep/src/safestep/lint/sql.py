"""SQL as PostgreSQL's own parser reads it: nodes and enumerations have the names of PostgreSQL's source."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import postgast
from postgast.pg_query_pb2 import (
    AlterTableType,
    BoolExprType,
    LimitOption,
    Node,
    NullTestType,
    ParseResult,
    RawStmt,
    ResTarget,
    SelectStmt,
    SetOperation,
    Token,
    TransactionStmtKind,
)
from postgast.walk import unwrap_node, walk

DATA_CHANGES = ("UpdateStmt", "DeleteStmt", "InsertStmt", "MergeStmt")
COMMENTS = (Token.SQL_COMMENT, Token.C_COMMENT)
BEGIN = (TransactionStmtKind.TRANS_STMT_BEGIN, TransactionStmtKind.TRANS_STMT_START)
END = (TransactionStmtKind.TRANS_STMT_COMMIT, TransactionStmtKind.TRANS_STMT_ROLLBACK)


class Unreadable(ValueError):
    """Text that PostgreSQL's grammar refuses; says where."""


@dataclass(frozen=True)
class Statement:
    """One statement of a revision."""

    text: str
    node: Any
    """The parser's node, such as `AlterTableStmt`."""
    line: int | None
    """Of the revision's file; None when Alembic or env.py wrote the statement."""
    transaction: int | None
    """A number for each transaction; None when the statement stands alone, in autocommit."""
    by_safe_step: bool = False
    """A safe step of safestep wrote it: it can be repeated, and has a time limit of its own."""

    @property
    def kind(self) -> str:
        return type(self.node).__name__


def split_statements(text: str) -> list[tuple[str, Any]]:
    """Each statement's text, without comments, and its node; raises Unreadable."""
    try:
        parts = [part.strip() for part in postgast.split(without_comments(text))]
        return [(part, unwrap_node(postgast.parse(part).stmts[0].stmt)) for part in parts if part]
    except postgast.PgQueryError as error:
        raise Unreadable(error.message) from error


def without_comments(text: str) -> str:
    """The same SQL without comments: nothing in one may switch a rule off, and none is worth a finding."""
    raw = text.encode()
    kept, end = [], 0
    for token in postgast.scan(text).tokens:
        if token.token in COMMENTS:
            kept += [raw[end : token.start]]
            end = token.end
    return b" ".join([*kept, raw[end:]]).decode().strip()


def find_nodes(node: Any, *kinds: str) -> Iterator[Any]:
    """Every node of these kinds in the tree, the root included, from the top."""
    return (found for _, found in walk(node) if type(found).__name__ in kinds)


def begins_transaction(node: Any) -> bool:
    """Whether a transaction starts with this statement."""
    return type(node).__name__ == "TransactionStmt" and node.kind in BEGIN


def ends_transaction(node: Any) -> bool:
    """Whether the transaction ends with this statement."""
    return type(node).__name__ == "TransactionStmt" and node.kind in END


def relation_name(relation: Any) -> str:
    """`schema.name`, as everything here names tables."""
    return f"{relation.schemaname or 'public'}.{relation.relname}"


def qualified_name(parts: Any) -> str:
    """`schema.name` of a name that the parser gives as a list of strings, as in DROP."""
    names = [part.string.sval for part in parts]
    return ".".join(names if len(names) > 1 else ["public", *names])


def alter_commands(node: Any) -> Iterator[tuple[str, Any, Any]]:
    """An ALTER TABLE's commands: its subtype (`AddConstraint`, …), the command and what it defines."""
    for part in node.cmds:
        command = part.alter_table_cmd
        definition = getattr(command, "def")  # the field's name is a keyword of Python
        yield AlterTableType.Name(command.subtype).removeprefix("AT_"), command, unwrap_node(definition)


def type_of(column: Any) -> tuple[str, tuple[int, ...]]:
    """A column's type by its last name, such as `varchar`, and its modifiers."""
    name: str = column.type_name.names[-1].string.sval if column.type_name.names else ""
    return name, tuple(modifier.a_const.ival.ival for modifier in column.type_name.typmods)


def string_constants(node: Any) -> set[str]:
    """Every string constant in the statement."""
    return {part.sval.sval for part in find_nodes(node, "A_Const") if part.HasField("sval")}


def without_casts(node: Any) -> Any:
    """An expression without the casts around it."""
    while node.HasField("type_cast"):
        node = node.type_cast.arg
    return node


def constant_text(node: Any) -> str | None:
    """The text of a constant, without its casts; None for NULL and for anything else."""
    value = without_casts(node).a_const
    match value.WhichOneof("val"):
        case None:
            return None
        case "ival":
            return str(value.ival.ival)
        case "boolval":
            return str(value.boolval.boolval).lower()
        case kind:
            return str(getattr(getattr(value, kind), kind))


def conjuncts(condition: Any) -> list[Any]:
    """The conditions that an AND joins, or the one condition."""
    if condition.HasField("bool_expr") and condition.bool_expr.boolop == BoolExprType.AND_EXPR:
        return [found for part in condition.bool_expr.args for found in conjuncts(part)]
    return [condition]


def not_null_column(condition: Any) -> str | None:
    """The column, when the condition is that it isn't null."""
    test = condition.null_test
    if not condition.HasField("null_test") or test.nulltesttype != NullTestType.IS_NOT_NULL:
        return None
    return next(iter(column_names(test)), None)


def column_names(node: Any) -> set[str]:
    """The columns that an expression names."""
    return {reference.fields[-1].string.sval for reference in find_nodes(node, "ColumnRef")}


def expression_text(node: Any) -> str:
    """The expression in PostgreSQL's own spelling, so that two of them can be compared."""
    query = SelectStmt(
        target_list=[Node(res_target=ResTarget(val=node))],
        op=SetOperation.SETOP_NONE,
        limit_option=LimitOption.LIMIT_OPTION_DEFAULT,
    )
    tree = ParseResult(stmts=[RawStmt(stmt=Node(select_stmt=query))])
    text: str = postgast.deparse(tree)
    return text.removeprefix("SELECT ")
