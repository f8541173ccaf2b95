"""Making administrators: only from the command line, where whoever may is already trusted with the database."""

from datetime import UTC, datetime

from pydantic import SecretStr

from app.core.security import Passwords
from app.db.models import User
from app.repos.auth_sessions import AuthSessionRepo
from app.repos.users import UserRepo
from app.services.credentials import acceptable


class AdminService:
    def __init__(self, users: UserRepo, sessions: AuthSessionRepo, passwords: Passwords) -> None:
        self._users = users
        self._sessions = sessions
        self._passwords = passwords

    async def create_admin(self, email: str, password: str) -> bool:
        """An active administrator with this password and a confirmed address; whether the account is new.

        An existing account is signed out everywhere. Raises PasswordTooCommon.
        """
        hashed = await self._passwords.hash(acceptable(SecretStr(password)))
        known = await self._users.get_by_email(email)
        user = known or User(email=email)
        user.password_hash = hashed
        user.is_admin = user.is_active = True
        user.email_verified_at = datetime.now(UTC)
        await self._users.save(user)
        await self._sessions.end_all(user.id, datetime.now(UTC))
        return known is None
