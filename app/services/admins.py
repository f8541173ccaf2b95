"""Making administrators: only from the command line, where whoever may is already trusted with the database."""

from datetime import UTC, datetime

from pydantic import SecretStr

from app.core.errors import AdminNotFound
from app.core.security import Passwords
from app.repos.accounts import AccountRepos
from app.services.passwords import hash_new_password


class AdminService:
    def __init__(self, accounts: AccountRepos, passwords: Passwords) -> None:
        self._accounts = accounts
        self._passwords = passwords

    async def create_admin(self, email: str, password: str) -> bool:
        """Makes an active administrator with this password and a confirmed address; returns whether the account is new.

        An existing account's sessions, API keys and links end. Raises PasswordTooWeak.
        """
        now = datetime.now(UTC)
        known = await self._accounts.users.get_by_email(email)
        about = (email, known.name if known else None)
        values = {
            "password_hash": await hash_new_password(self._passwords, SecretStr(password), about),
            "is_admin": True,
            "is_active": True,
            "email_verified_at": now,
        }
        if known:
            user = await self._accounts.users.update(known, values)
        else:
            user = await self._accounts.users.create(email=email, **values)
        await self._accounts.end_access(user.id, now)
        return known is None

    async def revoke_admin(self, email: str) -> None:
        """Makes an administrator an ordinary account. Raises AdminNotFound when no administrator has this address."""
        user = await self._accounts.users.get_by_email(email)
        if user is None or not user.is_admin:
            raise AdminNotFound
        await self._accounts.users.update(user, {"is_admin": False})
