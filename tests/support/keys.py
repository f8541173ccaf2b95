"""API keys, as their owner makes them through HTTP."""

from typing import Any

import httpx2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.support.accounts import AUTH, PASSWORD
from tests.support.callers import Headers

KEYS = f"{AUTH}/api-keys"


async def made(client: httpx2.AsyncClient, owner: Headers, *scopes: str, **fields: Any) -> dict[str, Any]:
    """A key that its owner made."""
    new = {"name": "deploy script", "scopes": scopes or ("users:read",), "current_password": PASSWORD, **fields}
    response = await client.post(KEYS, json=new, headers=owner)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def set_key(connection: AsyncConnection, assignment: str) -> None:
    await connection.execute(text(f"UPDATE api_keys SET {assignment}"))
