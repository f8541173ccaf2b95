"""Everything that is stored, as JSON."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx2
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.base import Base

type EventsOf = Callable[[httpx2.Response], Awaitable[Sequence[Row[Any]]]]
type Rows = dict[str, dict[str, Any]]
"""What identifies a row -> its columns; an identity starts with the table's name."""


def _every_row(*, without: tuple[str, ...]) -> str:
    identities = {
        table.name: " || ',' || ".join(f"t.{column.name}::text" for column in table.primary_key)
        for table in Base.metadata.tables.values()
        if table.name not in without
    }
    return " UNION ALL ".join(
        f"SELECT '{table} ' || {identity}, to_jsonb(t) FROM {table} t" for table, identity in identities.items()
    )


async def every_row(connection: AsyncConnection, *, without: tuple[str, ...] = ()) -> Rows:
    """Every row of every table but `without`."""
    found = await connection.execute(text(_every_row(without=without)))
    return {identity: json.loads(row) if isinstance(row, str) else row for identity, row in found}


def new_or_changed(before: Rows, after: Rows) -> list[dict[str, Any]]:
    return [row for identity, row in after.items() if before.get(identity) != row]
