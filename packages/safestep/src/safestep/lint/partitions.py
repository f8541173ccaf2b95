"""Whether a table's constraints allow it to become a partition without a scan of its rows."""

from typing import Any

from postgast.pg_query_pb2 import A_Expr_Kind

from safestep.lint.known_tables import KnownTable
from safestep.lint.sql import column_names, constant_text, not_null_column, without_casts

LIST = "l"
RANGE = "r"
# Bounds that leave a side open, so that no check has to imply them.
UNBOUNDED = {"minvalue", "maxvalue"}
EQUALITIES = (A_Expr_Kind.AEXPR_OP, A_Expr_Kind.AEXPR_IN, A_Expr_Kind.AEXPR_OP_ANY)


def scan_reason(table: KnownTable, parent: KnownTable, bound: Any) -> str | None:
    """Why PostgreSQL would read every row; None when the table's valid constraints imply the bounds.

    Bounds are compared when they are constants and the key has one column. Otherwise any valid check of the key's
    columns is taken to imply them.
    """
    key = parent.partition_key
    is_bounded = bound.strategy == RANGE or _is_plain_list(bound)
    if is_bounded and (nulls := key - table.never_null):
        return f"{', '.join(sorted(nulls))} may be null"
    if is_bounded and len(key) == 1:
        return None if _implies_bound(table.proven_conditions, min(key), bound) else "no valid check has its bounds"
    columns = [check.columns for check in table.checks.values() if check.valid]
    return None if any(known and known >= key for known in columns) else "no valid check names its key"


def excludes(default: KnownTable, parent: KnownTable) -> bool:
    """Whether a valid check of the default partition may prove that no row of it belongs into a new one.

    Not whether it does, which depends on the bounds: any check of the key, other than that it isn't null.
    """
    key = parent.partition_key
    conditions = [part for part in default.proven_conditions if not not_null_column(part)]
    return bool(key) and any(column_names(part) >= key for part in conditions)


def _is_plain_list(bound: Any) -> bool:
    """A list without NULL; with NULL in it, the key may be null."""
    return bound.strategy == LIST and None not in map(constant_text, bound.listdatums)


def _implies_bound(conditions: list[Any], column: str, bound: Any) -> bool:
    if bound.strategy == LIST:
        allowed = {*map(constant_text, bound.listdatums)}
        found = [_allowed_values(part, column) for part in conditions]
        return any(values and values <= allowed for values in found)
    sides = [((">=", ">"), bound.lowerdatums[0]), (("<",), bound.upperdatums[0])]
    return all(
        column_names(datum) & UNBOUNDED or any(_is_comparison(part, column, operators, datum) for part in conditions)
        for operators, datum in sides
    )


def _is_comparison(part: Any, column: str, operators: tuple[str, ...], datum: Any) -> bool:
    """Whether the condition is `column operator datum`."""
    known = part.a_expr
    is_operator = known.kind == A_Expr_Kind.AEXPR_OP and known.name and known.name[-1].string.sval in operators
    is_on_column = column_names(known.lexpr) == {column} and without_casts(known.lexpr).HasField("column_ref")
    return bool(is_operator and is_on_column and constant_text(known.rexpr) == constant_text(datum) is not None)


def _allowed_values(part: Any, column: str) -> set[str | None]:
    """The values that `column = …`, `column IN (…)` or `column = ANY (ARRAY[…])` allows; none for another condition."""
    known = part.a_expr
    if known.kind not in EQUALITIES or not known.name or known.name[-1].string.sval != "=":
        return set()
    if not without_casts(known.lexpr).HasField("column_ref") or column_names(known.lexpr) != {column}:
        return set()
    right = without_casts(known.rexpr)
    listed = [*right.list.items, *right.a_array_expr.elements]
    return {*map(constant_text, listed or [right])}
