"""Our own rules, for what squawk leaves out: each yields the statements it objects to, and why."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from postgast.pg_query_pb2 import A_Expr_Kind, BoolExprType, ConstrType, SubLinkType

from app.db.lint.locks import attached, is_concurrent, is_full_vacuum, targets
from app.db.lint.reading import Reading, Step, sets_zero
from app.db.lint.schema import constraints_of, foreign_keys
from app.db.lint.sql import Unreadable, columns_in, commands, dotted, find, full_name, inner, texts, type_of

type Hit = tuple[Step, str]
type Rule = Callable[[Reading], Iterator[Hit]]

RULES: dict[str, Rule] = {}

CHANGES = ("UpdateStmt", "DeleteStmt", "InsertStmt", "MergeStmt")
LISTS = (SubLinkType.ANY_SUBLINK, SubLinkType.ARRAY_SUBLINK)
EQUALITIES = (A_Expr_Kind.AEXPR_OP, A_Expr_Kind.AEXPR_IN)


def rule(name: str) -> Callable[[Rule], Rule]:
    def register(check: Rule) -> Rule:
        RULES[name] = check
        return check

    return register


@rule("lock-without-timeout")
def lock_without_timeout(reading: Reading) -> Iterator[Hit]:
    for step in reading.steps:
        if step.patient and step.blocked:
            tables = _names(step.blocked)
            yield step, f"It waits for its lock on {tables} without end, and everybody queues behind it."


@rule("lock-timeout-off")
def lock_timeout_off(reading: Reading) -> Iterator[Hit]:
    for step in reading.steps:
        if sets_zero(step.statement):
            yield step, "0 means to wait for a lock without end."


@rule("lock-table")
def lock_table(reading: Reading) -> Iterator[Hit]:
    for step in _of_kind(reading, "LockStmt"):
        if tables := step.hot(targets(step.statement, step.before)):
            yield step, f"{_names(tables)} stays locked until the transaction ends."


@rule("vacuum-full")
def vacuum_full(reading: Reading) -> Iterator[Hit]:
    for step in _of_kind(reading, "VacuumStmt"):
        if is_full_vacuum(step.statement):
            yield step, "VACUUM FULL writes the whole table anew; nobody reads it meanwhile."


@rule("cluster")
def cluster(reading: Reading) -> Iterator[Hit]:
    for step in _of_kind(reading, "ClusterStmt"):
        yield step, "CLUSTER writes the whole table anew; nobody reads it meanwhile."


@rule("refresh-blocks-reads")
def refresh_blocks_reads(reading: Reading) -> Iterator[Hit]:
    for step in _of_kind(reading, "RefreshMatViewStmt"):
        name = full_name(step.node.relation)
        if not is_concurrent(step.statement) and not step.node.skip_data and step.hot([name]):
            yield step, f"Nobody reads {_names([name])} until its query is done."


@rule("set-tablespace")
def set_tablespace(reading: Reading) -> Iterator[Hit]:
    for step in _altering(reading, "SetTableSpace"):
        yield step, "The files are copied to the other tablespace under the strongest lock."
    for step in _of_kind(reading, "AlterTableMoveAllStmt"):
        yield step, "Every table of the tablespace is locked and copied."


@rule("set-logged")
def set_logged(reading: Reading) -> Iterator[Hit]:
    for step in _altering(reading, "SetLogged", "SetUnLogged"):
        yield step, "The table is written anew under the strongest lock, and an unlogged one is empty after a crash."


@rule("truncate")
def truncate(reading: Reading) -> Iterator[Hit]:
    for step in _of_kind(reading, "TruncateStmt"):
        if tables := step.hot(targets(step.statement, step.before)):
            yield step, f"Every row of {_names(tables)} goes, also for those who still read an older snapshot."


@rule("attach-partition-scans")
def attach_partition_scans(reading: Reading) -> Iterator[Hit]:
    for step in _altering(reading, "AttachPartition"):
        key = step.before.table(full_name(step.node.relation)).partition_key
        for name in step.hot(attached(step.statement)):
            checks = step.before.table(name).checks.values()
            if not any(check.valid and check.columns and check.columns >= key for check in checks):
                yield step, f"No valid check of {_names([name])} shows that its rows belong there, so all are read."


@rule("exclusion-constraint")
def exclusion_constraint(reading: Reading) -> Iterator[Hit]:
    for step in _altering(reading, "AddConstraint"):
        kinds = [part.contype for what, _, part in commands(step.node) if what == "AddConstraint"]
        if ConstrType.CONSTR_EXCLUSION in kinds:
            yield step, "Its index is built under the lock; PostgreSQL has no concurrent way."


@rule("check-with-new-column")
def check_with_new_column(reading: Reading) -> Iterator[Hit]:
    for step in _altering(reading, "AddColumn"):
        columns = [part for what, _, part in commands(step.node) if what == "AddColumn"]
        kinds = {constraint.contype for column in columns for constraint in constraints_of(column)}
        if ConstrType.CONSTR_CHECK in kinds:
            yield step, "Every row is read to check the new column, though it is the same in all of them."


@rule("concurrent-index-if-not-exists")
def concurrent_index_if_not_exists(reading: Reading) -> Iterator[Hit]:
    cleared: set[str] = set()
    for step in _of_kind(reading, "DropStmt", "IndexStmt"):
        if not is_concurrent(step.statement):
            continue
        if step.statement.kind == "DropStmt":
            cleared |= {part.list.items[-1].string.sval for part in step.node.objects}
        elif step.node.if_not_exists and step.node.idxname not in cleared:
            yield step, f"An invalid {step.node.idxname} that an earlier attempt left behind would be kept."


@rule("foreign-key-without-index")
def foreign_key_without_index(reading: Reading) -> Iterator[Hit]:
    for step in reading.steps:
        for table, columns, referred in foreign_keys(step.statement):
            # At the end: the index may follow the key, or the table be gone again.
            if table in reading.after.tables and not reading.after.indexed(table, columns):
                what = f"{_names([table])} ({', '.join(columns)})"
                yield step, f"No index on {what}: each delete in {_names([referred])} reads the whole table."


@rule("json-column")
def json_column(reading: Reading) -> Iterator[Hit]:
    for step in _of_kind(reading, "CreateStmt", "AlterTableStmt"):
        for column in find(step.node, "ColumnDef"):
            if type_of(column)[0] == "json":
                yield step, f"{column.colname or 'The column'} is json, which has no equality and no index."


@rule("unbatched-change")
def unbatched_change(reading: Reading) -> Iterator[Hit]:
    for step in reading.steps:
        named = {f"public.{part.ctename}" for part in find(step.node, "CommonTableExpr")}
        for change in _changes(step):
            tables = step.hot({full_name(relation) for relation in find(change, "RangeVar")} - named)
            if tables and _reads_rows(change) and not _bounded(change):
                what = type(change).__name__.removesuffix("Stmt").upper()
                yield step, f"One {what} over all rows of {_names(tables)} keeps them locked until it is done."


@rule("data-with-schema")
def data_with_schema(reading: Reading) -> Iterator[Hit]:
    for step in reading.steps:
        written = {full_name(change.relation) for change in _changes(step)}
        if step.statement.transaction is None or not step.hot(written):
            continue
        together = [other for other in reading.steps if other.statement.transaction == step.statement.transaction]
        if locking := [other for other in together if other.blocked]:
            line, tables = locking[0].statement.line, _names(locking[0].blocked)
            yield step, f"It runs in the transaction that locks {tables} in line {line}, and keeps that lock waiting."


@rule("enum-value-used-early")
def enum_value_used_early(reading: Reading) -> Iterator[Hit]:
    added: dict[str, int | None] = {}
    new = {dotted(step.node.type_name) for step in _of_kind(reading, "CreateEnumStmt")}
    for step in reading.steps:
        if step.statement.kind == "AlterEnumStmt" and not step.node.old_val:
            if dotted(step.node.type_name) not in new:
                added[step.node.new_val] = step.statement.transaction
        elif step.statement.transaction is not None:
            for value in texts(step.node) & added.keys():
                if added[value] == step.statement.transaction:
                    yield step, f"'{value}' can't be used before the transaction that adds it is committed."


@rule("hidden-ddl")
def hidden_ddl(reading: Reading) -> Iterator[Hit]:
    for step in _of_kind(reading, "DoStmt"):
        try:
            parts = inner(step.node)
        except Unreadable as error:
            yield step, f"Its body can't be read: {error}"
            continue
        for text, node in parts:
            if node is None:
                yield step, f"What {text} runs can't be seen before it runs."
            elif type(node).__name__ not in (*CHANGES, "SelectStmt"):
                yield step, f"{text} hides in a block."


def _names(tables: list[str]) -> str:
    return ", ".join(re.sub(r"^public\.", "", name) for name in sorted(tables))


def _of_kind(reading: Reading, *kinds: str) -> Iterator[Step]:
    return (step for step in reading.steps if step.statement.kind in kinds)


def _altering(reading: Reading, *parts: str) -> Iterator[Step]:
    """ALTER TABLE on a table in use with one of these parts."""
    for step in _of_kind(reading, "AlterTableStmt"):
        about = [*targets(step.statement, step.before), *attached(step.statement)]
        if step.hot(about) and any(what in parts for what, _, _ in commands(step.node)):
            yield step


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
