"""Callers of every kind, without going through sign-in."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from fastapi import FastAPI

from app.core.identity import Scope
from app.core.security import digest, new_api_key
from app.db.models.api_key import ApiKey
from app.db.models.auth_session import AuthSession
from app.db.models.user import User


def header(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


ADMIN_CREDENTIAL = "the administrator of tests"
ADMIN = header(ADMIN_CREDENTIAL)


async def signed_in(app: FastAPI, save: Callable[..., Awaitable[None]], user: User) -> dict[str, str]:
    """Stores the user, if new, and a session of theirs; the headers that open it."""
    await save(user)
    session = AuthSession(user_id=user.id, expires_at=datetime.now(UTC) + timedelta(days=1))
    await save(session)
    return header(app.state.process_context.keyring.access_token(user_id=user.id, session_id=session.id))


async def with_key(save: Callable[..., Awaitable[None]], user: User, *scopes: Scope) -> dict[str, str]:
    """Stores the user, if new, and an API key of theirs; the headers that carry it."""
    await save(user)
    secret, prefix = new_api_key()
    await save(ApiKey(user_id=user.id, name="test", prefix=prefix, key_hash=digest(secret), scopes=list(scopes)))
    return header(secret)
