"""How many rows PostgreSQL reads for a query."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

type Query = tuple[str, Any]
"""A statement that reads, with its parameters."""


@contextmanager
def queries(engine: AsyncEngine) -> Iterator[list[Query]]:
    """What the engine's connections read in the block."""
    seen: list[Query] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            seen.append((statement, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)


def rows_read(node: dict[str, Any], table: str) -> int:
    """How many rows of the table were touched below this node of an analysed plan, those thrown away included."""
    touched = 0
    if node.get("Relation Name") == table:
        thrown_away = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        touched = round((node["Actual Rows"] + thrown_away) * node["Actual Loops"])
    return touched + sum(rows_read(child, table) for child in node.get("Plans", []))


async def cost(connection: AsyncConnection, query: Query, table: str) -> int:
    statement, parameters = query
    explain = f"EXPLAIN (ANALYZE, BUFFERS OFF, FORMAT JSON) {statement}"
    plan = (await connection.exec_driver_sql(explain, parameters)).scalar_one()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return rows_read(plan[0]["Plan"], table)
