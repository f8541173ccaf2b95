"""Asking for the password again, before a change that whoever holds a stolen token must not make."""

from pydantic import SecretStr

from app.core.errors import PasswordWrong
from app.core.identity import Caller, ClientInfo
from app.core.security import Passwords
from app.repos.audit_events import AuditEventRepo
from app.repos.users import UserReadRepo
from app.services.rate_limits import RateLimits


class Reauthentication:
    def __init__(self, reads: UserReadRepo, audit: AuditEventRepo, passwords: Passwords, limits: RateLimits) -> None:
        self._reads = reads
        self._audit = audit
        self._passwords = passwords
        self._limits = limits

    async def require_password(self, password: SecretStr | None, caller: Caller, client: ClientInfo) -> str | None:
        """Returns the stored hash that the password fits. Compare it once the account is locked: it may have changed.

        Raises PasswordWrong, which the audit log records, or RateLimited, so that nobody can guess a password here.
        """
        await self._limits.check("sign_in", address=client.address, account=str(caller.user_id))
        stored = await self._reads.password_hash(caller.user_id)
        if password is None or not await self._passwords.verify(password.get_secret_value(), stored):
            await self._audit.record("user.password_refused", entity="user", entity_id=caller.user_id)
            raise PasswordWrong
        return stored
