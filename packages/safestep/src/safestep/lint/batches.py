"""Whether a change of data is one batch, with a number of rows that is known, or goes over a whole table."""

from collections.abc import Iterator
from typing import Any

from postgast.pg_query_pb2 import A_Expr_Kind, SetOperation, SubLinkType

from safestep.lint.schema import Schema
from safestep.lint.sql import CHANGES, bare, conjuncts, constant, find, full_name

EQUALITIES = (A_Expr_Kind.AEXPR_OP, A_Expr_Kind.AEXPR_IN, A_Expr_Kind.AEXPR_OP_ANY)
LARGEST = 100_000
"""A LIMIT above that is no batch any more."""
# By convention the key of a table of which no more is known; and every row's own place.
ALWAYS_KEYS = ({"id"}, {"ctid"})


class Batches:
    """Of one statement, whose parts may refer to its WITH."""

    def __init__(self, statement: Any, schema: Schema) -> None:
        self._schema = schema
        self._named = {part.ctename: _inside(part.ctequery) for part in find(statement, "CommonTableExpr")}

    def has(self, change: Any) -> bool:
        """A change is one when a key of its table has to be equal to a few values, or few rows are inserted."""
        if type(change).__name__ == "InsertStmt":
            return not change.HasField("select_stmt") or self._limits(_inside(change.select_stmt))
        condition = change.join_condition if type(change).__name__ == "MergeStmt" else change.where_clause
        pinned = {column for part in conjuncts(condition) for column in self._pins(change, part)}
        keys = self._schema.table(full_name(change.relation)).keys
        return any(key <= pinned for key in [*keys, *ALWAYS_KEYS])

    def _pins(self, change: Any, condition: Any) -> set[str]:
        """The columns of the changed table for which the condition leaves few values."""
        link = condition.sub_link
        if link.sub_link_type == SubLinkType.ANY_SUBLINK and _equal(link.oper_name):
            few = self._limits(_inside(link.subselect))
            columns = {self._own(change, part) for part in [*link.testexpr.row_expr.args, link.testexpr]}
            return {column for column in columns if column and few}
        equality = condition.a_expr
        if equality.kind not in EQUALITIES or not equality.name or not _equal(equality.name):
            return set()
        sides = ((equality.lexpr, equality.rexpr), (equality.rexpr, equality.lexpr))
        columns = {self._own(change, left) for left, right in sides if self._is_few(change, right)}
        return {column for column in columns if column}

    def _own(self, change: Any, expression: Any) -> str | None:
        """The column, if the expression is one of the changed table."""
        names = [part.string.sval for part in bare(expression).column_ref.fields]
        relation = change.relation
        known = self._schema.table(full_name(relation)).columns
        is_own = names[-2:-1] == [relation.alias.aliasname or relation.relname]
        is_clear = len(names) == 1 and (names[0] in known or not _beside(change))
        return names[-1] if is_own or is_clear else None

    def _is_few(self, change: Any, value: Any) -> bool:
        """Whether it is a constant or a list of them, or comes from a query that has few rows."""
        link = bare(value).sub_link
        if link.sub_link_type == SubLinkType.ARRAY_SUBLINK:
            return self._limits(_inside(link.subselect))
        names = [part.string.sval for part in bare(value).column_ref.fields]
        if not names:
            return not any(find(value, "ColumnRef", "SubLink"))
        others = [item for item in _beside(change) if len(names) == 1 or _name(item) == names[-2]]
        return bool(others) and all(map(self._is_short, others)) and not self._own(change, value)

    def _limits(self, query: Any, within: frozenset[str] = frozenset()) -> bool:
        """Whether a query has few rows."""
        if type(query).__name__ in CHANGES:
            return self.has(query)
        if query.HasField("limit_count"):
            count = constant(query.limit_count)
            return count is not None and count.isdigit() and int(count) <= LARGEST
        if query.op != SetOperation.SETOP_NONE:
            return self._limits(query.larg, within) and self._limits(query.rarg, within)
        # One row, unless it spreads a list of what it has read.
        links = [link for part in query.target_list for link in find(part, "SubLink")]
        spread = any(link.sub_link_type == SubLinkType.ARRAY_SUBLINK for link in links)
        items = [item for part in query.from_clause for item in _items(part)]
        return not spread and all(self._is_short(item, within) for item in items)

    def _is_short(self, item: Any, within: frozenset[str] = frozenset()) -> bool:
        """Whether a part of a FROM has few rows."""
        if item.HasField("range_subselect"):
            return self._limits(_inside(item.range_subselect.subquery), within)
        name = item.range_var.relname
        if name in self._named.keys() - within:
            return self._limits(self._named[name], within | {name})
        return not any(find(item, "RangeVar"))


def _inside(node: Any) -> Any:
    return getattr(node, node.WhichOneof("node"))


def _equal(name: Any) -> bool:
    """Of an operator; IN (SELECT …) has none."""
    return not name or name[-1].string.sval == "="


def _beside(change: Any) -> list[Any]:
    """The relations that a change joins its table with."""
    match type(change).__name__:
        case "UpdateStmt":
            parts = change.from_clause
        case "DeleteStmt":
            parts = change.using_clause
        case _:
            parts = [change.source_relation]
    return [item for part in parts for item in _items(part)]


def _items(part: Any) -> Iterator[Any]:
    if part.HasField("join_expr"):
        yield from _items(part.join_expr.larg)
        yield from _items(part.join_expr.rarg)
    else:
        yield part


def _name(item: Any) -> str:
    kind = _inside(item)
    alias = getattr(kind, "alias", None)
    return str((alias and alias.aliasname) or getattr(kind, "relname", ""))
