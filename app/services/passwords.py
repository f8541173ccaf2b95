"""Passwords: which are accepted, and changing one's own."""

from datetime import UTC, datetime

from pydantic import SecretStr

from app.core.errors import PasswordTooCommon, PasswordWrong
from app.core.identity import Caller, ClientInfo
from app.core.security import Passwords, common_passwords
from app.repos.accounts import AccountRepos
from app.schemas.auth import PasswordChange
from app.services.reauthentication import Reauthentication


def validate_new_password(password: SecretStr) -> str:
    """The password's text; raises PasswordTooCommon."""
    text = password.get_secret_value()
    if text.lower() in common_passwords():
        raise PasswordTooCommon
    return text


class PasswordService:
    """Hashing waits its turn before the transaction takes a connection (see SignInService)."""

    def __init__(self, accounts: AccountRepos, passwords: Passwords, reauthentication: Reauthentication) -> None:
        self._accounts = accounts
        self._passwords = passwords
        self._reauthentication = reauthentication

    async def change_password(self, change: PasswordChange, caller: Caller, client: ClientInfo) -> None:
        """Raises PasswordWrong, PasswordTooCommon or RateLimited. Every session ends, this one too; API keys stay."""
        new = validate_new_password(change.new_password)
        current_hash = await self._reauthentication.require_password(change.current_password, caller, client)
        new_hash = await self._passwords.hash(new)
        user = await self._accounts.users.get_for_update(caller.user_id)
        if user is None or user.password_hash != current_hash:
            raise PasswordWrong
        await self._accounts.users.update(user, {"password_hash": new_hash})
        await self._accounts.tokens.delete(user.id, "set_password")
        await self._accounts.sessions.end_all(user.id, datetime.now(UTC))
