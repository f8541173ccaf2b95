"""One-time links in mails: sending them, asking for one, and what they open."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from app.core.config import Settings
from app.core.context import Actor, act_as
from app.core.errors import TokenRefused
from app.core.identity import ClientInfo
from app.core.mail import Mailer
from app.core.security import Passwords, digest, new_secret
from app.db.models.one_time_token import Purpose
from app.db.models.user import User
from app.repos.accounts import AccountRepos
from app.repos.one_time_tokens import OneTimeTokenReadRepo, OneTimeTokenRepo, OwnerRow
from app.schemas.auth import EmailConfirmation, MailPromise, PasswordSet
from app.services.mail_texts import address_changed_mail, link_mail
from app.services.passwords import hash_new_password
from app.services.rate_limits import Action, RateLimits

type AfterResponse = Callable[..., None]
"""Runs a coroutine function with arguments once the request is answered and its transaction committed."""

_LIFETIME: dict[Purpose, timedelta] = {"verify_email": timedelta(days=3), "set_password": timedelta(hours=1)}
# Counted apart: asking for confirmations of a confirmed address, which sends nothing, must not use up its resets.
_LIMITED_AS: dict[Purpose, Action] = {"verify_email": "confirmation", "set_password": "reset"}


class LinkMailer:
    """Makes one-time tokens and mails them."""

    def __init__(self, mailer: Mailer, after_response: AfterResponse, settings: Settings) -> None:
        self._mailer = mailer
        self._after_response = after_response
        self._url = settings.public_url.rstrip("/")

    async def send(self, tokens: OneTimeTokenRepo, user: User, purpose: Purpose) -> None:
        """Stores a new token and mails it, after the commit, to the address that the account has now."""
        if user.email is None:
            return
        secret = new_secret()
        await tokens.replace(
            user_id=user.id,
            purpose=purpose,
            token_hash=digest(secret),
            email=user.email,
            expires_at=datetime.now(UTC) + _LIFETIME[purpose],
        )
        self._after_response(self._mailer.send, link_mail(user.email, purpose, url=self._url, token=secret))

    def tell_of_change(self, old_email: str) -> None:
        """Mails the old address of an account that has a new one, after the commit."""
        self._after_response(self._mailer.send, address_changed_mail(old_email))


class LinkRequestService:
    """Asking for a link by mail. The answer is the same whether or not there is such an account: everything that
    depends on it happens after the answer.
    """

    def __init__(
        self,
        transaction: Callable[[], AbstractAsyncContextManager[AccountRepos]],
        limits: RateLimits,
        links: LinkMailer,
        after_response: AfterResponse,
    ) -> None:
        self._transaction = transaction
        self._limits = limits
        self._links = links
        self._after_response = after_response

    async def request(self, email: str, purpose: Purpose, client: ClientInfo) -> MailPromise:
        """Raises RateLimited."""
        await self._limits.check(_LIMITED_AS[purpose], address=client.address, account=email)
        self._after_response(self._send, email, purpose)
        return MailPromise()

    async def _send(self, email: str, purpose: Purpose) -> None:
        async with self._transaction() as accounts:
            user = await accounts.users.get_by_email(email)
            if user and user.is_active and not (purpose == "verify_email" and user.email_verified_at):
                await self._links.send(accounts.tokens, user, purpose)


class LinkService:
    """What a link opens: setting a password, confirming an address.

    Hashing waits its turn before the transaction takes a connection (see SignInService).
    """

    def __init__(
        self, token_reads: OneTimeTokenReadRepo, accounts: AccountRepos, passwords: Passwords, limits: RateLimits
    ) -> None:
        self._token_reads = token_reads
        self._accounts = accounts
        self._passwords = passwords
        self._limits = limits

    async def set_password(self, change: PasswordSet, client: ClientInfo) -> None:
        """The link proves the address too, which counts as confirmed. Raises TokenRefused, PasswordTooWeak.

        Sessions, API keys and other links end: somebody else may have made the account with this address.
        """
        # Look the token up first, so that an invalid one can't occupy the hashing queue, where sign-ins wait.
        owner = await self._owner(change.token, "set_password")
        hashed = await hash_new_password(self._passwords, change.password, (owner.email, owner.name))
        user = await self._open(change.token, "set_password")
        now = datetime.now(UTC)
        values = {"email_verified_at": user.email_verified_at or now, "password_hash": hashed}
        await self._accounts.users.update(user, values)
        await self._accounts.end_access(user.id, now)
        await self._limits.remember(address=client.address, account=owner.email)

    async def confirm_email(self, confirmation: EmailConfirmation) -> None:
        """Raises TokenRefused."""
        user = await self._open(confirmation.token, "verify_email")
        await self._accounts.users.update(user, {"email_verified_at": datetime.now(UTC)})

    async def _open(self, secret: SecretStr, purpose: Purpose) -> User:
        """Spends the token; returns its account, locked. An account whose address changed since is refused."""
        user = await self._accounts.users.get_for_update((await self._owner(secret, purpose)).user_id)
        token = await self._accounts.tokens.take(digest(secret.get_secret_value()), purpose)
        if token is None or user is None or not user.is_active or user.email != token.email:
            raise TokenRefused
        act_as(Actor("user", user.id))
        return user

    async def _owner(self, secret: SecretStr, purpose: Purpose) -> OwnerRow:
        owner = await self._token_reads.owner(digest(secret.get_secret_value()), purpose)
        if owner is None:
            raise TokenRefused
        return owner
