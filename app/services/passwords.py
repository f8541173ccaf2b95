"""Passwords: which are accepted, and changing one's own."""

from collections.abc import Iterable
from datetime import UTC, datetime

from pydantic import SecretStr

from app.core.errors import PasswordTooWeak
from app.core.identity import Caller, ClientInfo
from app.core.security import Passwords
from app.repos.accounts import AccountRepos
from app.schemas.auth import PasswordChange
from app.services.reauthentication import Reauthentication


async def hash_new_password(passwords: Passwords, password: SecretStr, about: Iterable[str | None]) -> str:
    """The hash to store. Raises PasswordTooWeak, also when the password is made of what `about` names: the account's
    address and name.
    """
    text = password.get_secret_value()
    if await passwords.is_guessable(text, about):
        raise PasswordTooWeak
    return await passwords.hash(text)


class PasswordService:
    """Hashing waits its turn before the transaction takes a connection (see SignInService)."""

    def __init__(self, accounts: AccountRepos, passwords: Passwords, reauthentication: Reauthentication) -> None:
        self._accounts = accounts
        self._passwords = passwords
        self._reauthentication = reauthentication

    async def change_password(self, change: PasswordChange, caller: Caller, client: ClientInfo) -> None:
        """Raises PasswordWrong, PasswordTooWeak or RateLimited. Every session ends, this one too; API keys stay."""
        verified = await self._reauthentication.require_password(change.current_password, caller, client)
        new_hash = await hash_new_password(self._passwords, change.new_password, (verified.email, verified.name))
        user = verified.require_unchanged(await self._accounts.users.get_for_update(caller.user_id))
        await self._accounts.users.update(user, {"password_hash": new_hash})
        await self._accounts.tokens.delete(user.id, "set_password")
        await self._accounts.sessions.end_all(user.id, datetime.now(UTC))
