"""Asking for the password again, before a change that whoever holds a stolen token must not make."""

from dataclasses import dataclass

from pydantic import SecretStr

from app.core.errors import PasswordWrong
from app.core.identity import Caller, ClientInfo
from app.core.security import Passwords
from app.db.models.user import User
from app.repos.audit_events import AuditEventRepo
from app.repos.users import UserReadRepo
from app.services.rate_limits import RateLimits


@dataclass(frozen=True)
class VerifiedPassword:
    """An account whose password was verified, as it was read before the hashing."""

    email: str | None
    name: str | None
    password_hash: str

    def require_unchanged(self, user: User | None) -> User:
        """Returns the locked account. Raises PasswordWrong when its password changed since it was verified."""
        if user is None or user.password_hash != self.password_hash:
            raise PasswordWrong
        return user


class Reauthentication:
    def __init__(self, reads: UserReadRepo, audit: AuditEventRepo, passwords: Passwords, limits: RateLimits) -> None:
        self._reads = reads
        self._audit = audit
        self._passwords = passwords
        self._limits = limits

    async def require_password(
        self, password: SecretStr | None, caller: Caller, client: ClientInfo
    ) -> VerifiedPassword:
        """Verifies the password. Call `require_unchanged` with the account once it is locked: it may have changed.

        Raises PasswordWrong, which the audit log records, or RateLimited: a guess counts like one at sign-in.
        """
        known = await self._reads.account(caller.user_id)
        account = known.email if known and known.email else str(caller.user_id)
        await self._limits.check("sign_in", address=client.address, account=account)
        stored = known.password_hash if known else None
        is_right = password is not None and await self._passwords.verify(password.get_secret_value(), stored)
        if not (known and stored and is_right):
            await self._audit.record("user.password_refused", entity="user", entity_id=caller.user_id)
            raise PasswordWrong
        return VerifiedPassword(known.email, known.name, stored)
