"""Queries that recognise a caller; they run on every request that carries a credential."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import func, or_, select

from app.db.models.api_key import ApiKey
from app.db.models.auth_session import AuthSession
from app.db.models.user import User
from app.db.session import Reader
from app.db.shared_reads import KeyedQuery

_ACCOUNT = (User.id.label("user_id"), User.is_admin, User.email_verified_at)
_BY_SESSION = KeyedQuery(
    select(*_ACCOUNT)
    .join(AuthSession, AuthSession.user_id == User.id)
    .where(
        AuthSession.ended_at.is_(None),
        AuthSession.expires_at > func.now(),
        User.is_active,
    ),
    AuthSession.id,
)
_BY_KEY = KeyedQuery(
    select(*_ACCOUNT, ApiKey.id.label("key_id"), ApiKey.scopes, ApiKey.last_used_at)
    .join(ApiKey, ApiKey.user_id == User.id)
    .where(
        ApiKey.revoked_at.is_(None),
        or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()),
        User.is_active,
    ),
    ApiKey.key_hash,
)


class AccountRow(Protocol):
    user_id: UUID
    is_admin: bool
    email_verified_at: datetime | None


class KeyHolderRow(AccountRow, Protocol):
    """The account behind a key, and the key."""

    key_id: UUID
    scopes: list[str]
    last_used_at: datetime | None


class IdentityRepo:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def by_session(self, session_id: UUID) -> AccountRow | None:
        """The active account behind an active session."""
        return await self._reader.by_key(_BY_SESSION, session_id)

    async def by_key(self, key_hash: bytes) -> KeyHolderRow | None:
        """The active account behind a key that is valid, with the key's scopes."""
        return await self._reader.by_key(_BY_KEY, key_hash)
