"""The code that a statement executes: DO blocks, and the bodies of functions that it calls."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import postgast
from postgast.walk import unwrap_node

from safestep.lint.known_schema import KnownSchema
from safestep.lint.sql import DATA_CHANGES, Statement, Unreadable, find_nodes, split_statements

# Statements of these kinds call the functions in them. Others only store the call: a default, an index, a trigger.
CALLING = (*DATA_CHANGES, "SelectStmt", "CallStmt", "CreateTableAsStmt")
# Statements of these kinds contain another one that is executed with them, or prepared for it.
WRAPPING = ("PrepareStmt", "ExplainStmt", "CopyStmt", "DeclareCursorStmt")
# PL/pgSQL's mode of parsing a text as a whole statement; the other modes are for expressions and assignments.
STATEMENT = 0
DYNAMIC = "dynquery"
LOOPS = {f"PLpgSQL_stmt_{kind}" for kind in ("loop", "while", "fori", "fors", "forc", "foreach_a", "dynfors")}


@dataclass(frozen=True)
class CodeBody:
    name: str
    """`a block`, or `f()`"""
    definition: Statement
    """The DO or CREATE FUNCTION that the code stands in."""

    def statements(self) -> list[tuple[str, Any | None]]:
        """The text and the node of each; no node when the text is an expression that makes the SQL at run time.

        Raises Unreadable, also for a language other than SQL and PL/pgSQL.
        """
        node = self.definition.node
        if self._is_atomic:
            return [(self.name, part) for part in find_nodes(node.sql_body, *DATA_CHANGES, "SelectStmt")]
        if self._language == "sql":
            return [*split_statements(self._options["as"].list.items[0].string.sval)]
        if self._language != "plpgsql":
            raise Unreadable(f"it is written in {self._language}")
        return _plpgsql_statements(self.definition.text)

    def tree(self) -> Any:
        """What PL/pgSQL's parser makes of it; nothing for code in another language, on which that parser crashes."""
        if self._is_atomic or self._language != "plpgsql":
            return []
        try:
            return postgast.parse_plpgsql(self.definition.text)
        except postgast.PgQueryError:
            return []

    @property
    def _is_atomic(self) -> bool:
        return self.definition.kind != "DoStmt" and bool(self.definition.node.HasField("sql_body"))

    @property
    def _language(self) -> str:
        options = self._options
        return options["language"].string.sval.lower() if "language" in options else "plpgsql"

    @property
    def _options(self) -> dict[str, Any]:
        node = self.definition.node
        parts = node.args if self.definition.kind == "DoStmt" else node.options
        return {part.def_elem.defname: part.def_elem.arg for part in parts}


def executed_bodies(statement: Statement, schema: KnownSchema) -> list[CodeBody]:
    """The block, or the functions that are called and that a revision defines."""
    if statement.kind == "DoStmt":
        return [CodeBody("a block", statement)]
    if statement.kind not in CALLING:
        return []
    calls = find_nodes(statement.node, "FuncCall")
    called = dict.fromkeys(tuple(part.string.sval for part in call.funcname) for call in calls)
    return [CodeBody(*found) for name in called for found in schema.functions_called(name)]


def inner_statements(
    statement: Statement, schema: KnownSchema, callers: frozenset[str] = frozenset()
) -> Iterator[Statement]:
    """Every statement that is executed inside of this one, with the line and transaction of this one."""
    if statement.kind in WRAPPING and statement.node.HasField("query"):
        wrapped = replace(statement, node=unwrap_node(statement.node.query))
        yield wrapped
        yield from inner_statements(wrapped, schema, callers)
    if statement.kind == "CreateSchemaStmt":
        yield from (replace(statement, node=unwrap_node(part)) for part in statement.node.schema_elts)
    for body in executed_bodies(statement, schema):
        if body.name not in callers:
            for text, node in _readable_statements(body):
                found = replace(statement, text=text, node=node)
                yield found
                yield from inner_statements(found, schema, callers | {body.name})


def _readable_statements(body: CodeBody) -> list[tuple[str, Any]]:
    try:
        return [(text, node) for text, node in body.statements() if node is not None]
    except Unreadable:
        return []


def _plpgsql_statements(text: str) -> list[tuple[str, Any | None]]:
    try:
        tree = postgast.parse_plpgsql(text)
    except postgast.PgQueryError as error:
        raise Unreadable(error.message) from error
    found: list[tuple[str, Any | None]] = []
    for query, is_dynamic in _queries(tree):
        found += [(query, None)] if is_dynamic else split_statements(query)
    return found


def _queries(tree: Any, parent: str = "") -> Iterator[tuple[str, bool]]:
    """Each SQL text of a PL/pgSQL tree, and whether it is an expression that makes the SQL at run time."""
    if isinstance(tree, list):
        for item in tree:
            yield from _queries(item, parent)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            if key == "PLpgSQL_expr":
                yield _as_statement(value), parent == DYNAMIC
            else:
                is_dynamic = key == DYNAMIC or (key == "query" and "_dyn" in parent)
                yield from _queries(value, DYNAMIC if is_dynamic else key)


def _as_statement(expression: dict[str, Any]) -> str:
    """An expression becomes a SELECT of it, so that the functions it calls are found."""
    text = str(expression["query"])
    if expression["parseMode"] == STATEMENT:
        return text
    return f"SELECT {text.partition(':=')[2] or text}"


def loops_over_changes(statement: Statement, schema: KnownSchema) -> bool:
    """Whether a block or a function that the statement executes changes data in a loop that doesn't commit."""
    loops = [loop for body in executed_bodies(statement, schema) for loop in _loops(body.tree())]
    return any(_changes_data(loop) and "PLpgSQL_stmt_commit" not in json.dumps(loop) for loop in loops)


def _loops(tree: Any) -> Iterator[Any]:
    """The loops of a PL/pgSQL tree that aren't inside of another."""
    if isinstance(tree, list):
        for item in tree:
            yield from _loops(item)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            if key in LOOPS:
                yield value.get("body", [])
            else:
                yield from _loops(value)


def _changes_data(loop: Any) -> bool:
    for query, is_dynamic in _queries(loop):
        try:
            if not is_dynamic and any(type(node).__name__ in DATA_CHANGES for _, node in split_statements(query)):
                return True
        except Unreadable:
            continue
    return False
