"""An administrator's API key in the database, for the requests that write; their rows are from before any version."""

import json

from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from uuid_utils.compat import uuid7

from app.core.identity import Scope
from app.core.security import digest, new_api_key

SCOPES = [Scope.POSTS_READ, Scope.POSTS_WRITE, Scope.USERS_READ, Scope.ADMIN]
HAS_KEYS = text("SELECT to_regclass('api_keys') IS NOT NULL")
ADMIN = text("""
    INSERT INTO users (id, email, name, is_admin, email_verified_at)
    VALUES (:id, :email, 'Rehearsal', true, now())
""")
KEY = text("""
    INSERT INTO api_keys (id, user_id, name, prefix, key_hash, scopes)
    SELECT :id, :user, 'rehearsal', :prefix, :hash, array_agg(scope)
    FROM json_array_elements_text(CAST(:scopes AS json)) AS scopes (scope)
""")


async def admit(url: URL) -> str | None:
    """The key; None when the deployed schema knows no such keys, or others than today's."""
    secret, prefix = new_api_key()
    admin = uuid7()
    engine = create_async_engine(url, poolclass=NullPool, hide_parameters=True)
    try:
        async with engine.begin() as connection:
            if not await connection.scalar(HAS_KEYS):
                return None
            await connection.execute(ADMIN, {"id": admin, "email": f"rehearsal-{admin}@example.com"})
            values = {"id": uuid7(), "user": admin, "prefix": prefix, "hash": digest(secret)}
            await connection.execute(KEY, values | {"scopes": json.dumps(SCOPES)})
    except DBAPIError:
        return None
    finally:
        await engine.dispose()
    return secret
