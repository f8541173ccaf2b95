"""Making administrators: only from the command line, where whoever may is already trusted with the database."""

from datetime import UTC, datetime

from pydantic import SecretStr

from app.core.errors import AdminNotFound
from app.core.security import Passwords
from app.db.models import User
from app.repos.accounts import Accounts
from app.services.credentials import acceptable


class AdminService:
    def __init__(self, accounts: Accounts, passwords: Passwords) -> None:
        self._accounts = accounts
        self._passwords = passwords

    async def create_admin(self, email: str, password: str) -> bool:
        """An active administrator with this password and a confirmed address; whether the account is new.

        Whoever had an existing account until now is out: its sessions, API keys and links end.
        Raises PasswordTooCommon.
        """
        hashed = await self._passwords.hash(acceptable(SecretStr(password)))
        known = await self._accounts.users.get_by_email(email)
        user = known or User(email=email)
        user.password_hash = hashed
        user.is_admin = user.is_active = True
        user.email_verified_at = datetime.now(UTC)
        await self._accounts.users.save(user)
        await self._accounts.end_access(user.id, datetime.now(UTC))
        return known is None

    async def revoke_admin(self, email: str) -> None:
        """An ordinary account from now on. Raises AdminNotFound when there is no administrator with this address."""
        user = await self._accounts.users.get_by_email(email)
        if user is None or not user.is_admin:
            raise AdminNotFound
        user.is_admin = False
        await self._accounts.users.save(user)
