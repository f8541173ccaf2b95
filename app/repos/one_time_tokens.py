"""Queries of the tokens that are sent by mail."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models.one_time_token import OneTimeToken, Purpose
from app.db.models.user import User
from app.db.session import Reader

_OWNER = (
    select(OneTimeToken.user_id, OneTimeToken.email, User.name)
    .join(User, User.id == OneTimeToken.user_id)
    .where(
        OneTimeToken.token_hash == bindparam("token_hash", type_=OneTimeToken.token_hash.type),
        OneTimeToken.purpose == bindparam("purpose"),
        OneTimeToken.expires_at > func.now(),
    )
)


class OwnerRow(Protocol):
    """Whose the token is, and the address that it was sent to."""

    user_id: UUID
    email: str
    name: str | None


class OneTimeTokenReadRepo:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def owner(self, token_hash: bytes, purpose: Purpose) -> OwnerRow | None:
        """None when the token isn't valid."""
        return await self._reader.first(_OWNER, {"token_hash": token_hash, "purpose": purpose})


class OneTimeTokenRepo:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def replace(
        self, *, user_id: UUID, purpose: Purpose, token_hash: bytes, email: str, expires_at: datetime
    ) -> None:
        """Stores a token; an older one of the same user and purpose is no longer valid."""
        await self.delete(user_id, purpose)
        self._session.add(
            OneTimeToken(token_hash=token_hash, user_id=user_id, purpose=purpose, email=email, expires_at=expires_at)
        )
        await self._session.flush()

    async def delete(self, user_id: UUID, purpose: Purpose) -> None:
        await self._session.execute(
            delete(OneTimeToken).where(OneTimeToken.user_id == user_id, OneTimeToken.purpose == purpose)
        )

    async def delete_all(self, user_id: UUID) -> None:
        await self._session.execute(delete(OneTimeToken).where(OneTimeToken.user_id == user_id))

    async def take(self, token_hash: bytes, purpose: Purpose) -> OneTimeToken | None:
        """Returns the token if it is valid, and deletes it: of two concurrent calls, one gets it.

        Lock its user first, as whoever replaces it does: in the other order the two could wait for each other.
        """
        statement = select(OneTimeToken).where(
            OneTimeToken.token_hash == token_hash,
            OneTimeToken.purpose == purpose,
            OneTimeToken.expires_at > func.now(),
        )
        token = (await self._session.scalars(statement.with_for_update())).one_or_none()
        if token:
            await self._session.delete(token)
            await self._session.flush()
        return token
