"""Queries of API keys."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models.api_key import ApiKey
from app.db.session import Reader

USE_RESOLUTION = timedelta(minutes=1)
"""The last use is written at most this often, so that it is known to the minute."""

_OF_USER = (
    select(
        ApiKey.id, ApiKey.name, ApiKey.prefix, ApiKey.scopes, ApiKey.created_at, ApiKey.expires_at, ApiKey.last_used_at
    )
    .where(ApiKey.user_id == bindparam("user_id"), ApiKey.revoked_at.is_(None))
    .order_by(ApiKey.id.desc())
    .limit(100)
)


class ApiKeyRow(Protocol):
    """The columns of a key as its owner may see them."""

    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class ApiKeyReadRepo:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def of_user(self, user_id: UUID) -> Sequence[ApiKeyRow]:
        """The keys that aren't revoked, newest first, at most 100."""
        return await self._reader.all(_OF_USER, {"user_id": user_id})


class ApiKeyRepo:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def create(
        self,
        *,
        user_id: UUID,
        name: str,
        prefix: str,
        key_hash: bytes,
        scopes: list[str],
        expires_at: datetime | None,
    ) -> ApiKey:
        key = ApiKey(user_id=user_id, name=name, prefix=prefix, key_hash=key_hash, scopes=scopes, expires_at=expires_at)
        self._session.add(key)
        await self._session.flush()
        return key

    async def revoke(self, key: ApiKey, at: datetime) -> None:
        key.revoked_at = at
        await self._session.flush()

    async def count(self, user_id: UUID) -> int:
        """The keys that aren't revoked. Lock the owner first, so that the number stays true."""
        statement = select(func.count()).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
        return await self._session.scalar(statement) or 0

    async def get_of_user(self, key_id: UUID, user_id: UUID) -> ApiKey | None:
        statement = select(ApiKey).where(ApiKey.id == key_id, ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
        return (await self._session.scalars(statement.with_for_update())).one_or_none()

    async def revoke_all(self, user_id: UUID, at: datetime) -> None:
        """Revokes every key of the user that isn't revoked yet."""
        statement = select(ApiKey).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
        for key in await self._session.scalars(statement.with_for_update()):
            key.revoked_at = at
        await self._session.flush()

    async def touch(self, key_id: UUID, now: datetime) -> None:
        """Writes the last use, unless that was done within the resolution; many requests at once write once."""
        stale = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= now - USE_RESOLUTION)
        await self._session.execute(
            update(ApiKey)
            .where(ApiKey.id == key_id, stale)
            .values(last_used_at=now, updated_at=ApiKey.updated_at)
            .execution_options(synchronize_session=False)
        )
