"""Queries of sessions and their refresh tokens."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models.auth_session import AuthSession
from app.db.models.refresh_token import RefreshToken
from app.db.models.user import User
from app.db.session import Reader

_OF_USER = (
    select(
        AuthSession.id,
        AuthSession.user_agent,
        AuthSession.created_at,
        AuthSession.expires_at,
        (AuthSession.id == bindparam("current_id", type_=AuthSession.id.type)).label("is_current"),
    )
    .where(
        AuthSession.user_id == bindparam("user_id"), AuthSession.ended_at.is_(None), AuthSession.expires_at > func.now()
    )
    .order_by(AuthSession.id.desc())
    .limit(100)
)


class AuthSessionRow(Protocol):
    id: UUID
    user_agent: str | None
    created_at: datetime
    expires_at: datetime
    is_current: bool


class AuthSessionReadRepo:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def of_user(self, user_id: UUID, *, current_id: UUID | None) -> Sequence[AuthSessionRow]:
        """The active sessions, newest first, at most 100; the one with `current_id` is marked."""
        return await self._reader.all(_OF_USER, {"user_id": user_id, "current_id": current_id})


class AuthSessionRepo:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def create(
        self, *, user_id: UUID, user_agent: str | None, expires_at: datetime, token_hash: bytes
    ) -> AuthSession:
        """A session with its first refresh token."""
        auth_session = AuthSession(user_id=user_id, user_agent=user_agent, expires_at=expires_at)
        self._session.add(auth_session)
        await self._session.flush()
        await self.create_token(auth_session.id, token_hash)
        return auth_session

    async def create_token(self, session_id: UUID, token_hash: bytes) -> None:
        self._session.add(RefreshToken(token_hash=token_hash, session_id=session_id))
        await self._session.flush()

    async def lock_by_token(self, token_hash: bytes) -> tuple[AuthSession, RefreshToken] | None:
        """A refresh token and its session, locked: two refreshes of one session come one after the other.

        None when the token is unknown, the session has ended or expired, or the account isn't active.
        """
        session_id = select(RefreshToken.session_id).where(RefreshToken.token_hash == token_hash).scalar_subquery()
        statement = (
            select(AuthSession)
            .join(User, User.id == AuthSession.user_id)
            .where(
                AuthSession.id == session_id,
                AuthSession.ended_at.is_(None),
                AuthSession.expires_at > func.now(),
                User.is_active,
            )
            .with_for_update(of=AuthSession)
        )
        auth_session = await self._session.scalar(statement)
        token = await self._session.get(RefreshToken, token_hash) if auth_session else None
        return (auth_session, token) if auth_session and token else None

    async def get_token(self, token_hash: bytes) -> RefreshToken | None:
        return await self._session.get(RefreshToken, token_hash)

    async def get_of_user(self, session_id: UUID, user_id: UUID) -> AuthSession | None:
        statement = select(AuthSession).where(
            AuthSession.id == session_id, AuthSession.user_id == user_id, AuthSession.ended_at.is_(None)
        )
        return (await self._session.scalars(statement.with_for_update())).one_or_none()

    async def end(self, auth_session: AuthSession, at: datetime) -> None:
        auth_session.ended_at = at
        await self._session.flush()

    async def end_all(self, user_id: UUID, at: datetime) -> None:
        """Ends every active session of the user."""
        statement = select(AuthSession).where(AuthSession.user_id == user_id, AuthSession.ended_at.is_(None))
        for auth_session in await self._session.scalars(statement.with_for_update()):
            auth_session.ended_at = at
        await self._session.flush()

    async def spend(self, token: RefreshToken, at: datetime) -> None:
        token.spent_at = at
        await self._session.flush()

    async def mark_repeated(self, token: RefreshToken, at: datetime) -> None:
        """The token came back, and its successor was given once more."""
        token.repeated_at = at
        await self._session.flush()

    async def delete_expired(self, user_id: UUID) -> None:
        """Deletes the user's expired sessions with their tokens."""
        await self._session.execute(
            delete(AuthSession).where(AuthSession.user_id == user_id, AuthSession.expires_at <= func.now())
        )
