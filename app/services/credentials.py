"""Passwords and confirmed addresses: changing them, and proving who may by a link in a mail."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pydantic import SecretStr

from app.core.config import Settings
from app.core.context import Actor, act_as
from app.core.errors import PasswordTooCommon, PasswordWrong, TokenRefused
from app.core.identity import Caller, Client
from app.core.mail import Mail, Mailer
from app.core.security import Passwords, common_passwords, digest, new_secret
from app.db.models import OneTimeToken, User
from app.db.models.one_time_token import Purpose
from app.repos.accounts import Accounts
from app.repos.audit_events import AuditEventRepo
from app.repos.one_time_tokens import OneTimeTokenReadRepo, OneTimeTokenRepo
from app.repos.users import UserReadRepo
from app.schemas.auth import EmailConfirmation, MailPromise, PasswordChange, PasswordSet
from app.services.rate_limits import RateLimits

type Later = Callable[..., None]
"""Runs a function with arguments once the request is answered and its transaction committed."""

_LIFETIME: dict[Purpose, timedelta] = {"verify_email": timedelta(days=3), "set_password": timedelta(hours=1)}
_MAILS: dict[Purpose, tuple[str, str]] = {
    "verify_email": (
        "Confirm your e-mail address",
        """Somebody, probably you, gave this address to Postern. To confirm it, open

{url}/verify-email#token={token}

or send {{"token": "{token}"}} to {url}/api/v1/auth/email/verify/confirm.

The link works once, for three days. If it wasn't you, do nothing.
""",
    ),
    "set_password": (
        "Set your password",
        """Somebody, probably you, asked to set the password of your account. To do it, open

{url}/set-password#token={token}

or send {{"token": "{token}", "password": "…"}} to {url}/api/v1/auth/password/reset/confirm.

The link works once, for an hour. If it wasn't you, do nothing.
""",
    ),
}


def acceptable(password: SecretStr) -> str:
    """The password's text; raises PasswordTooCommon."""
    text = password.get_secret_value()
    if text.lower() in common_passwords():
        raise PasswordTooCommon
    return text


class PasswordProof:
    """Proves that it is the owner who asks, and not somebody with a token of theirs."""

    def __init__(self, reads: UserReadRepo, audit: AuditEventRepo, passwords: Passwords, limits: RateLimits) -> None:
        self._reads = reads
        self._audit = audit
        self._passwords = passwords
        self._limits = limits

    async def demand(self, password: SecretStr | None, caller: Caller, client: Client) -> str | None:
        """The stored hash that the caller's password fits, which may have changed until the account is locked.

        Raises PasswordWrong, which is on record, or RateLimited: this mustn't be the way to guess the password.
        """
        await self._limits.check("sign_in", address=client.address, account=str(caller.user_id))
        stored = await self._reads.password_hash(caller.user_id)
        if password is None or not await self._passwords.verify(password.get_secret_value(), stored):
            await self._audit.record("user.password_refused", entity="user", entity_id=caller.user_id)
            raise PasswordWrong
        return stored


class Links:
    """Makes one-time tokens and the mails that carry them."""

    def __init__(self, mailer: Mailer, later: Later, settings: Settings) -> None:
        self._mailer = mailer
        self._later = later
        self._url = settings.public_url.rstrip("/")

    async def send(self, tokens: OneTimeTokenRepo, user: User, purpose: Purpose) -> None:
        """Stores a new token and mails it, after the commit, to the address that the account has now."""
        if user.email is None:
            return
        secret = new_secret()
        await tokens.replace(
            OneTimeToken(
                token_hash=digest(secret),
                user_id=user.id,
                purpose=purpose,
                email=user.email,
                expires_at=datetime.now(UTC) + _LIFETIME[purpose],
            )
        )
        subject, text = _MAILS[purpose]
        self._later(self._mailer.send, Mail(user.email, subject, text.format(url=self._url, token=secret)))

    def notify(self, address: str, subject: str, text: str) -> None:
        self._later(self._mailer.send, Mail(address, subject, text))


class LinkRequestService:
    """Asking for a link by mail. The answer says nothing about whether there is such an account: everything that
    depends on it happens after the answer.
    """

    def __init__(
        self,
        transaction: Callable[[], AbstractAsyncContextManager[Accounts]],
        limits: RateLimits,
        links: Links,
        later: Later,
    ) -> None:
        self._transaction = transaction
        self._limits = limits
        self._links = links
        self._later = later

    async def request(self, email: str, purpose: Purpose, client: Client) -> MailPromise:
        """Raises RateLimited."""
        await self._limits.check("reset", address=client.address, account=email)
        self._later(self._send, email, purpose)
        return MailPromise()

    async def _send(self, email: str, purpose: Purpose) -> None:
        async with self._transaction() as accounts:
            user = await accounts.users.get_by_email(email)
            if user and user.is_active and not (purpose == "verify_email" and user.email_verified_at):
                await self._links.send(accounts.tokens, user, purpose)


class CredentialService:
    """Hashing waits its turn before the transaction takes a connection (see SignInService)."""

    def __init__(
        self,
        *,
        token_reads: OneTimeTokenReadRepo,
        accounts: Accounts,
        passwords: Passwords,
        proof: PasswordProof,
    ) -> None:
        self._token_reads = token_reads
        self._accounts = accounts
        self._passwords = passwords
        self._proof = proof

    async def change_password(self, change: PasswordChange, caller: Caller, client: Client) -> None:
        """Raises PasswordWrong, PasswordTooCommon or RateLimited. Every session ends, this one too; keys stay."""
        new = acceptable(change.new_password)
        stored = await self._proof.demand(change.current_password, caller, client)
        hashed = await self._passwords.hash(new)
        user = await self._accounts.users.get_for_update(caller.user_id)
        if user is None or user.password_hash != stored:
            raise PasswordWrong
        user.password_hash = hashed
        await self._accounts.users.save(user)
        await self._accounts.tokens.forget(user.id, "set_password")
        await self._accounts.sessions.end_all(user.id, datetime.now(UTC))

    async def set_password(self, change: PasswordSet) -> None:
        """By a link. It proves the address too, which counts as confirmed. Raises TokenRefused, PasswordTooCommon.

        Whoever had the account before, or made it with an address that isn't theirs, is out: API keys end as well.
        """
        password = acceptable(change.password)
        # Nobody may have passwords hashed, which is what sign-ins wait for, by sending tokens that aren't valid.
        await self._owner(change.token, "set_password")
        hashed = await self._passwords.hash(password)
        user = await self._open(change.token, "set_password")
        user.email_verified_at = user.email_verified_at or datetime.now(UTC)
        user.password_hash = hashed
        await self._accounts.users.save(user)
        await self._accounts.end_access(user.id, datetime.now(UTC))

    async def confirm_email(self, confirmation: EmailConfirmation) -> None:
        """By a link. Raises TokenRefused."""
        user = await self._open(confirmation.token, "verify_email")
        user.email_verified_at = datetime.now(UTC)
        await self._accounts.users.save(user)

    async def _open(self, secret: SecretStr, purpose: Purpose) -> User:
        """The account that a link opens, unless its address has changed since."""
        user = await self._accounts.users.get_for_update(await self._owner(secret, purpose))
        token = await self._accounts.tokens.take(digest(secret.get_secret_value()), purpose)
        if token is None or user is None or not user.is_active or user.email != token.email:
            raise TokenRefused
        act_as(Actor("user", user.id))
        return user

    async def _owner(self, secret: SecretStr, purpose: Purpose) -> UUID:
        owner = await self._token_reads.owner(digest(secret.get_secret_value()), purpose)
        if owner is None:
            raise TokenRefused
        return owner
