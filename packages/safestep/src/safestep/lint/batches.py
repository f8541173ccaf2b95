"""Whether a statement changes one batch of rows, whose number is bounded, or may go over a whole table."""

from collections.abc import Iterator
from typing import Any

from postgast.pg_query_pb2 import A_Expr_Kind, DeleteStmt, LimitOption, SetOperation, SubLinkType
from postgast.walk import unwrap_node

from safestep.lint.known_schema import KnownSchema
from safestep.lint.sql import (
    DATA_CHANGES,
    conjuncts,
    constant_text,
    expression_text,
    find_nodes,
    relation_name,
    without_casts,
)

EQUALITIES = (A_Expr_Kind.AEXPR_OP, A_Expr_Kind.AEXPR_IN, A_Expr_Kind.AEXPR_OP_ANY)
LARGEST_BATCH = 100_000
"""In rows. A query with a larger LIMIT counts as one without a bound."""
# `id` is the key by convention, also of a table that no revision creates; `ctid` is a row's physical place.
ASSUMED_KEYS = ({"id"}, {"ctid"})


class BatchAnalysis:
    """Looks at the changes of one statement, whose parts may refer to the queries of its WITH."""

    def __init__(self, statement: Any, schema: KnownSchema) -> None:
        self._schema = schema
        parts = find_nodes(statement, "CommonTableExpr")
        self._with_queries = {part.ctename: unwrap_node(part.ctequery) for part in parts}

    def is_batch(self, change: Any) -> bool:
        """Whether the change inserts few rows, or its condition compares a key of the table with few values."""
        if type(change).__name__ == "InsertStmt":
            return not change.HasField("select_stmt") or self._returns_few_rows(unwrap_node(change.select_stmt))
        condition = change.join_condition if type(change).__name__ == "MergeStmt" else change.where_clause
        compared = {column for part in conjuncts(condition) for column in self._compared_columns(change, part)}
        table = self._schema.table(relation_name(change.relation))
        by_expression = any(
            self._compares(part, set(table.unique_expressions.values())) for part in conjuncts(condition)
        )
        return by_expression or any(key <= compared for key in [*table.keys, *ASSUMED_KEYS])

    def reads_few_rows(self, query: Any) -> bool:
        """Whether a SELECT has a LIMIT that counts, or finds its rows by a key: it isn't sorted, locked or counted."""
        if query.HasField("limit_count"):
            return self._returns_few_rows(query)
        if len(query.from_clause) != 1 or not query.from_clause[0].HasField("range_var"):
            return False
        return self.is_batch(DeleteStmt(relation=query.from_clause[0].range_var, where_clause=query.where_clause))

    def _compares(self, condition: Any, expressions: set[str]) -> bool:
        """Whether the condition compares one of these unique expressions with few values."""
        equality = condition.a_expr
        if equality.kind not in EQUALITIES or not equality.name or not _is_equality(equality.name):
            return False
        few = not any(find_nodes(equality.rexpr, "ColumnRef", "SubLink"))
        return few and expression_text(equality.lexpr) in expressions

    def _compared_columns(self, change: Any, condition: Any) -> set[str]:
        """The columns of the changed table that the condition compares with few values."""
        link = condition.sub_link
        if link.sub_link_type == SubLinkType.ANY_SUBLINK and _is_equality(link.oper_name):
            few = self._returns_few_rows(unwrap_node(link.subselect))
            columns = {self._column(change, part) for part in [*link.testexpr.row_expr.args, link.testexpr]}
            return {column for column in columns if column and few}
        equality = condition.a_expr
        if equality.kind not in EQUALITIES or not equality.name or not _is_equality(equality.name):
            return set()
        sides = ((equality.lexpr, equality.rexpr), (equality.rexpr, equality.lexpr))
        columns = {self._column(change, left) for left, right in sides if self._has_few_values(change, right)}
        return {column for column in columns if column}

    def _column(self, change: Any, expression: Any) -> str | None:
        """The name, when the expression is a column of the changed table."""
        names = [part.string.sval for part in without_casts(expression).column_ref.fields]
        relation = change.relation
        known = self._schema.table(relation_name(relation)).columns
        is_qualified = names[-2:-1] == [relation.alias.aliasname or relation.relname]
        is_unambiguous = len(names) == 1 and (names[0] in known or not _joined_items(change))
        return names[-1] if is_qualified or is_unambiguous else None

    def _has_few_values(self, change: Any, value: Any) -> bool:
        """Whether the value is a constant, a list of constants, or comes from a query that returns few rows."""
        link = without_casts(value).sub_link
        if link.sub_link_type == SubLinkType.ARRAY_SUBLINK:
            return self._returns_few_rows(unwrap_node(link.subselect))
        names = [part.string.sval for part in without_casts(value).column_ref.fields]
        if not names:
            return not any(find_nodes(value, "ColumnRef", "SubLink"))
        others = [item for item in _joined_items(change) if len(names) == 1 or _name(item) == names[-2]]
        return bool(others) and all(map(self._has_few_rows, others)) and not self._column(change, value)

    def _returns_few_rows(self, query: Any, expanded: frozenset[str] = frozenset()) -> bool:
        """Whether a query returns few rows; `expanded` are the queries of WITH that it is part of."""
        if type(query).__name__ in DATA_CHANGES:
            return self.is_batch(query)
        if query.HasField("limit_count"):
            count = constant_text(query.limit_count)
            with_ties = query.limit_option == LimitOption.LIMIT_OPTION_WITH_TIES
            return not with_ties and count is not None and count.isdigit() and int(count) <= LARGEST_BATCH
        if query.op != SetOperation.SETOP_NONE:
            return self._returns_few_rows(query.larg, expanded) and self._returns_few_rows(query.rarg, expanded)
        # Without a FROM that is one row, unless a function makes rows of an array that was read from a table.
        links = [link for part in query.target_list for link in find_nodes(part, "SubLink")]
        expands_array = any(link.sub_link_type == SubLinkType.ARRAY_SUBLINK for link in links)
        makes_rows = any(map(_makes_many_rows, query.target_list))
        items = [item for part in query.from_clause for item in _flat_items(part)]
        return not (expands_array or makes_rows) and all(self._has_few_rows(item, expanded) for item in items)

    def _has_few_rows(self, item: Any, expanded: frozenset[str] = frozenset()) -> bool:
        """Whether an item of a FROM has few rows."""
        if item.HasField("range_subselect"):
            return self._returns_few_rows(unwrap_node(item.range_subselect.subquery), expanded)
        name = item.range_var.relname
        if name in self._with_queries.keys() - expanded:
            return self._returns_few_rows(self._with_queries[name], expanded | {name})
        return not any(find_nodes(item, "RangeVar")) and not _makes_many_rows(item) and not self._calls_known(item)

    def _calls_known(self, item: Any) -> bool:
        """Whether it calls a function that a revision defines, which may return any number of rows."""
        names = [tuple(part.string.sval for part in call.funcname) for call in find_nodes(item, "FuncCall")]
        return any(found for name in names for found in self._schema.functions_called(name))


def _makes_many_rows(expression: Any) -> bool:
    """Whether it calls generate_series with other bounds than two numbers near to each other."""
    series = [call for call in find_nodes(expression, "FuncCall") if call.funcname[-1].string.sval == "generate_series"]
    bounds = [[constant_text(argument) or "" for argument in call.args[:2]] for call in series]
    return any(not all(map(str.isdigit, pair)) or int(pair[-1]) - int(pair[0]) > LARGEST_BATCH for pair in bounds)


def _is_equality(name: Any) -> bool:
    """Whether an operator is `=`. IN (SELECT …) has no operator, and compares by `=`."""
    return not name or name[-1].string.sval == "="


def _joined_items(change: Any) -> list[Any]:
    """The items of FROM or USING that the change joins its table with."""
    match type(change).__name__:
        case "UpdateStmt":
            parts = change.from_clause
        case "DeleteStmt":
            parts = change.using_clause
        case _:
            parts = [change.source_relation]
    return [item for part in parts for item in _flat_items(part)]


def _flat_items(part: Any) -> Iterator[Any]:
    if part.HasField("join_expr"):
        yield from _flat_items(part.join_expr.larg)
        yield from _flat_items(part.join_expr.rarg)
    else:
        yield part


def _name(item: Any) -> str:
    kind = unwrap_node(item)
    alias = getattr(kind, "alias", None)
    return str((alias and alias.aliasname) or getattr(kind, "relname", ""))
