"""What a table lacks to become a partition without a look at its rows."""

from typing import Any

from postgast.pg_query_pb2 import A_Expr_Kind

from safestep.lint.schema import Table
from safestep.lint.sql import bare, columns_in, constant

LIST = "l"
RANGE = "r"
# Bounds that are no value: nothing has to be shown for them.
OPEN = {"minvalue", "maxvalue"}
EQUALITIES = (A_Expr_Kind.AEXPR_OP, A_Expr_Kind.AEXPR_IN, A_Expr_Kind.AEXPR_OP_ANY)


def lacks(table: Table, parent: Table, bound: Any) -> str | None:
    """What PostgreSQL would read every row for, since the table's valid constraints don't say it.

    Bounds are compared where they are constants of a key of one column; of others it is only known that a check
    speaks of the key.
    """
    key = parent.partition_key
    is_bounded = bound.strategy == RANGE or _is_plain_list(bound)
    if is_bounded and (nulls := key - table.never_null):
        return f"{', '.join(sorted(nulls))} may be null"
    if is_bounded and len(key) == 1:
        return None if _within(table.proven, min(key), bound) else "no valid check has its bounds"
    columns = [check.columns for check in table.checks.values() if check.valid]
    return None if any(known and known >= key for known in columns) else "no valid check is about its key"


def _is_plain_list(bound: Any) -> bool:
    """One without NULL, which a nullable key fits."""
    return bound.strategy == LIST and None not in map(constant, bound.listdatums)


def _within(proven: list[Any], column: str, bound: Any) -> bool:
    if bound.strategy == LIST:
        allowed = {*map(constant, bound.listdatums)}
        return any(_values(part, column) <= allowed for part in proven if _values(part, column))
    sides = [((">=", ">"), bound.lowerdatums[0]), (("<",), bound.upperdatums[0])]
    return all(
        columns_in(datum) & OPEN or any(_says(part, column, signs, datum) for part in proven) for signs, datum in sides
    )


def _says(part: Any, column: str, signs: tuple[str, ...], datum: Any) -> bool:
    """`column sign datum`"""
    known = part.a_expr
    is_comparison = known.kind == A_Expr_Kind.AEXPR_OP and known.name and known.name[-1].string.sval in signs
    about = columns_in(known.lexpr) == {column} and bare(known.lexpr).HasField("column_ref")
    return bool(is_comparison and about and constant(known.rexpr) == constant(datum) is not None)


def _values(part: Any, column: str) -> set[str | None]:
    """Those that `column = …`, `column IN (…)` or `column = ANY (ARRAY[…])` allows; none for another condition."""
    known = part.a_expr
    if known.kind not in EQUALITIES or not known.name or known.name[-1].string.sval != "=":
        return set()
    if not bare(known.lexpr).HasField("column_ref") or columns_in(known.lexpr) != {column}:
        return set()
    right = bare(known.rexpr)
    listed = [*right.list.items, *right.a_array_expr.elements]
    return {*map(constant, listed or [right])}
