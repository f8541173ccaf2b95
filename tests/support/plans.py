"""How many rows PostgreSQL reads for a statement."""

import json
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection


def rows_read(node: dict[str, Any], table: str) -> int:
    """How many rows of the table were touched below this node of an analysed plan, those thrown away included."""
    touched = 0
    if node.get("Relation Name") == table:
        thrown_away = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        touched = round((node["Actual Rows"] + thrown_away) * node["Actual Loops"])
    return touched + sum(rows_read(child, table) for child in node.get("Plans", []))


async def cost(connection: AsyncConnection, read: tuple[str, Any], table: str) -> int:
    statement, parameters = read
    explain = f"EXPLAIN (ANALYZE, BUFFERS OFF, FORMAT JSON) {statement}"
    plan = (await connection.exec_driver_sql(explain, parameters)).scalar_one()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return rows_read(plan[0]["Plan"], table)
