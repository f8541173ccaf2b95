"""What runs inside of a statement: the bodies of blocks, and of functions that it calls."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import postgast
from postgast.walk import unwrap_node

from safestep.lint.schema import Schema
from safestep.lint.sql import CHANGES, Statement, Unreadable, dotted, find, split

# Kinds that run the functions which they name; others only mention them: a default, an index, a trigger.
RUNNING = (*CHANGES, "SelectStmt", "CallStmt", "CreateTableAsStmt")
# Kinds with a statement inside that is run with them, or prepared for that.
WRAPPING = ("PrepareStmt", "ExplainStmt", "CopyStmt")
# How PL/pgSQL reads a text of its own: as a statement, or otherwise as an expression or an assignment.
STATEMENT = 0
DYNAMIC = "dynquery"


@dataclass(frozen=True)
class Body:
    name: str
    """`a block`, or `f()`"""
    statement: Statement
    """The DO or CREATE FUNCTION that it stands in."""

    def parts(self) -> list[tuple[str, Any | None]]:
        """The statements in it; None for what only exists at run time.

        Raises Unreadable, also for another language than SQL and PL/pgSQL.
        """
        node = self.statement.node
        options = node.args if self.statement.kind == "DoStmt" else node.options
        given = {part.def_elem.defname: part.def_elem.arg for part in options}
        language = given["language"].string.sval.lower() if "language" in given else "plpgsql"
        if self.statement.kind != "DoStmt" and node.HasField("sql_body"):
            return [(self.name, part) for part in find(node.sql_body, *CHANGES, "SelectStmt")]
        if language == "sql":
            return [*split(given["as"].list.items[0].string.sval)]
        if language != "plpgsql":
            raise Unreadable(f"it is written in {language}")
        return _parts(self.statement.text)


def bodies(statement: Statement, schema: Schema) -> list[Body]:
    """Those that run with the statement, as far as the revisions show them."""
    if statement.kind == "DoStmt":
        return [Body("a block", statement)]
    if statement.kind not in RUNNING:
        return []
    called = dict.fromkeys(dotted(call.funcname) for call in find(statement.node, "FuncCall"))
    known = [(name, schema.functions[name]) for name in called if name in schema.functions]
    return [Body(f"{name.removeprefix('public.')}()", function) for name, function in known]


def opened(statement: Statement, schema: Schema, within: frozenset[str] = frozenset()) -> Iterator[Statement]:
    """Every statement that runs inside of this one, as if it stood in its place."""
    if statement.kind in WRAPPING and statement.node.HasField("query"):
        yield replace(statement, node=unwrap_node(statement.node.query))
    for body in bodies(statement, schema):
        if body.name not in within:
            for part in _readable(body):
                found = replace(statement, text=part[0], node=part[1])
                yield found
                yield from opened(found, schema, within | {body.name})


def _readable(body: Body) -> list[tuple[str, Any]]:
    try:
        return [(text, node) for text, node in body.parts() if node is not None]
    except Unreadable:
        return []


def _parts(text: str) -> list[tuple[str, Any | None]]:
    try:
        tree = postgast.parse_plpgsql(text)
    except postgast.PgQueryError as error:
        raise Unreadable(error.message) from error
    return [part for query, dynamic in _queries(tree) for part in ([(query, None)] if dynamic else split(query))]


def _queries(tree: Any, parent: str = "") -> Iterator[tuple[str, bool]]:
    """Text, and whether it is an expression that makes the SQL at run time."""
    if isinstance(tree, list):
        for item in tree:
            yield from _queries(item, parent)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            if key == "PLpgSQL_expr":
                yield _query(value), parent == DYNAMIC
            else:
                is_dynamic = key == DYNAMIC or (key == "query" and "_dyn" in parent)
                yield from _queries(value, DYNAMIC if is_dynamic else key)


def _query(expression: dict[str, Any]) -> str:
    """An expression as a SELECT of it, for the functions that it calls."""
    text = str(expression["query"])
    if expression["parseMode"] == STATEMENT:
        return text
    return f"SELECT {text.partition(':=')[2] or text}"
