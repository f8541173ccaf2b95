"""The repos of everything that belongs to an account, on one transaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.repos.api_keys import ApiKeyRepo
from app.repos.auth_sessions import AuthSessionRepo
from app.repos.one_time_tokens import OneTimeTokenRepo
from app.repos.users import UserRepo


@dataclass(frozen=True)
class AccountRepos:
    users: UserRepo
    tokens: OneTimeTokenRepo
    sessions: AuthSessionRepo
    keys: ApiKeyRepo

    @classmethod
    def of(cls, session: AsyncSession) -> Self:
        return cls(UserRepo(session), OneTimeTokenRepo(session), AuthSessionRepo(session), ApiKeyRepo(session))

    async def end_access(self, user_id: UUID, at: datetime) -> None:
        """Ends every way into the account but its password: sessions, API keys and links."""
        await self.sessions.end_all(user_id, at)
        await self.keys.revoke_all(user_id, at)
        await self.tokens.delete_all(user_id)
