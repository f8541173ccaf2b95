"""Changes of data, and what writes a table anew."""

from collections.abc import Iterator
from typing import Any

from postgast.pg_query_pb2 import A_Expr_Kind, BoolExprType, SubLinkType

from app.db.lint.locks import is_concurrent, is_full_vacuum, targets
from app.db.lint.reading import Reading, Step
from app.db.lint.rules.rule import Hit, names, of_kind, rule
from app.db.lint.sql import CHANGES, columns_in, dotted, find, full_name, texts

LISTS = (SubLinkType.ANY_SUBLINK, SubLinkType.ARRAY_SUBLINK)
EQUALITIES = (A_Expr_Kind.AEXPR_OP, A_Expr_Kind.AEXPR_IN)


@rule("unbatched-change")
def unbatched_change(reading: Reading) -> Iterator[Hit]:
    for step in reading.steps:
        named = {f"public.{part.ctename}" for part in find(step.node, "CommonTableExpr")}
        for change in _changes(step):
            tables = step.hot({full_name(relation) for relation in find(change, "RangeVar")} - named)
            if tables and _reads_rows(change) and not _bounded(change):
                what = type(change).__name__.removesuffix("Stmt").upper()
                yield step, f"One {what} over all rows of {names(tables)} keeps them locked until it is done."


@rule("data-with-schema")
def data_with_schema(reading: Reading) -> Iterator[Hit]:
    for step in reading.steps:
        written = {full_name(change.relation) for change in _changes(step)}
        if step.statement.transaction is None or not step.hot(written):
            continue
        together = [other for other in reading.steps if other.statement.transaction == step.statement.transaction]
        if locking := [other for other in together if other.blocked]:
            line, tables = locking[0].statement.line, names(locking[0].blocked)
            yield step, f"It runs in the transaction that locks {tables} in line {line}, and keeps that lock waiting."


@rule("enum-value-used-early")
def enum_value_used_early(reading: Reading) -> Iterator[Hit]:
    added: dict[str, int | None] = {}
    new = {dotted(step.node.type_name) for step in of_kind(reading, "CreateEnumStmt")}
    for step in reading.steps:
        if step.statement.kind == "AlterEnumStmt" and not step.node.old_val:
            if dotted(step.node.type_name) not in new:
                added[step.node.new_val] = step.statement.transaction
        elif step.statement.transaction is not None:
            for value in texts(step.node) & added.keys():
                if added[value] == step.statement.transaction:
                    yield step, f"'{value}' can't be used before the transaction that adds it is committed."


@rule("truncate")
def truncate(reading: Reading) -> Iterator[Hit]:
    for step in of_kind(reading, "TruncateStmt"):
        if tables := step.hot(targets(step.statement, step.before)):
            yield step, f"Every row of {names(tables)} goes, also for those who still read an older snapshot."


@rule("refresh-blocks-reads")
def refresh_blocks_reads(reading: Reading) -> Iterator[Hit]:
    for step in of_kind(reading, "RefreshMatViewStmt"):
        name = full_name(step.node.relation)
        if not is_concurrent(step.statement) and not step.node.skip_data and step.hot([name]):
            yield step, f"Nobody reads {names([name])} until its query is done."


@rule("vacuum-full")
def vacuum_full(reading: Reading) -> Iterator[Hit]:
    for step in of_kind(reading, "VacuumStmt"):
        if is_full_vacuum(step.statement):
            yield step, "VACUUM FULL writes the whole table anew; nobody reads it meanwhile."


@rule("cluster")
def cluster(reading: Reading) -> Iterator[Hit]:
    for step in of_kind(reading, "ClusterStmt"):
        yield step, "CLUSTER writes the whole table anew; nobody reads it meanwhile."


def _changes(step: Step) -> Iterator[Any]:
    """What a statement writes, WITH included; a function's body isn't run by creating it."""
    return find(step.node, *CHANGES) if step.statement.kind in (*CHANGES, "SelectStmt") else iter(())


def _bounded(change: Any) -> bool:
    """Whether it is one batch, or one row: keys out of a query with a LIMIT, or an id that is given."""
    if type(change).__name__ == "InsertStmt":
        return _limited(change.select_stmt.select_stmt)
    inside = [link.subselect.select_stmt for link in find(change, "SubLink") if link.sub_link_type in LISTS]
    inside += [part.ctequery.select_stmt for part in find(change, "CommonTableExpr")]
    inside += [part.subquery.select_stmt for part in find(change, "RangeSubselect")]
    return any(map(_limited, inside)) or any(map(_gives_id, _conditions(getattr(change, "where_clause", None))))


def _reads_rows(change: Any) -> bool:
    """Not an INSERT of rows that are written out."""
    return type(change).__name__ != "InsertStmt" or any(find(change.select_stmt, "RangeVar"))


def _limited(query: Any) -> bool:
    return bool(query.HasField("limit_count"))


def _conditions(where: Any) -> list[Any]:
    """What all has to hold."""
    if where is None:
        return []
    if where.HasField("bool_expr") and where.bool_expr.boolop == BoolExprType.AND_EXPR:
        return [condition for part in where.bool_expr.args for condition in _conditions(part)]
    return [where.a_expr] if where.HasField("a_expr") else []


def _gives_id(condition: Any) -> bool:
    """`id = …` or `id IN (…)`, with constants."""
    is_equality = condition.kind in EQUALITIES and condition.name[-1].string.sval == "="
    left = condition.lexpr.column_ref.fields
    return bool(is_equality and left and left[-1].string.sval == "id" and not columns_in(condition.rexpr))
