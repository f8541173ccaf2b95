"""Callers of every kind, without going through sign-in."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from fastapi import FastAPI

from app.core.identity import Scope
from app.core.security import digest, new_api_key
from app.db.models.api_key import ApiKey
from app.db.models.auth_session import AuthSession
from app.db.models.user import User

type Headers = dict[str, str]
type Save = Callable[..., Awaitable[None]]


def header(credential: str) -> Headers:
    return {"Authorization": f"Bearer {credential}"}


ADMIN_CREDENTIAL = "the administrator of tests"
ADMIN = header(ADMIN_CREDENTIAL)


class Callers:
    """Makes the headers of somebody with a session or a key, in the database that `save` writes to."""

    def __init__(self, app: FastAPI, save: Save) -> None:
        self._app = app
        self._save = save

    async def signed_in(self, user: User) -> Headers:
        """Stores the user, if new, and a session of theirs; the headers that open it."""
        session = AuthSession(user_id=user.id, expires_at=datetime.now(UTC) + timedelta(days=1))
        await self._save(user, session)
        return header(self._app.state.process_context.keyring.access_token(user_id=user.id, session_id=session.id))

    async def with_key(self, user: User, *scopes: Scope) -> Headers:
        """Stores the user, if new, and an API key of theirs with these scopes; the headers that carry it."""
        secret, prefix = new_api_key()
        key = ApiKey(user_id=user.id, name="test", prefix=prefix, key_hash=digest(secret), scopes=list(scopes))
        await self._save(user, key)
        return header(secret)
