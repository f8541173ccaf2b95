"""Signing in, staying signed in, and signing out."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.core.config import Settings
from app.core.context import Actor, act_as
from app.core.errors import EmailUnverified, RefreshRefused, SessionNotFound, SignInRefused
from app.core.identity import Caller, ClientInfo
from app.core.metrics import SIGN_INS
from app.core.security import Keyring, Passwords, digest, new_secret
from app.db.models.auth_session import AuthSession
from app.db.models.refresh_token import RefreshToken
from app.db.models.user import EMAIL_LENGTH, User
from app.repos.audit_events import AuditEventRepo
from app.repos.auth_sessions import AuthSessionReadRepo, AuthSessionRepo
from app.repos.users import UserReadRepo, UserRepo
from app.schemas.auth import SessionRead, TokenPair
from app.services.rate_limits import RateLimits

REPEAT_WITHIN = timedelta(seconds=10)
"""How long a client that lost the answer to a refresh may ask again."""


class AuthSessionReadService:
    def __init__(self, sessions: AuthSessionReadRepo) -> None:
        self._sessions = sessions

    async def list_sessions(self, caller: Caller) -> list[SessionRead]:
        rows = await self._sessions.of_user(caller.user_id, current_id=caller.session_id)
        return [SessionRead.model_validate(row) for row in rows]


class SignInService:
    """The password is verified before the transaction takes a connection: hashing waits its turn, and a hundred
    waiting sign-ins must not hold a hundred connections.
    """

    def __init__(
        self,
        *,
        reads: UserReadRepo,
        users: UserRepo,
        sessions: AuthSessionRepo,
        audit: AuditEventRepo,
        passwords: Passwords,
        keyring: Keyring,
        limits: RateLimits,
        settings: Settings,
    ) -> None:
        self._reads = reads
        self._users = users
        self._sessions = sessions
        self._audit = audit
        self._passwords = passwords
        self._keyring = keyring
        self._limits = limits
        self._settings = settings

    async def sign_in(self, email: str, password: str, client: ClientInfo) -> TokenPair:
        """Returns the tokens of a new session. Raises SignInRefused, EmailUnverified or RateLimited."""
        await self._limits.check("sign_in", address=client.address, account=email)
        known = await self._reads.credentials(email) if len(email) <= EMAIL_LENGTH else None
        verified = await self._passwords.verify(password, known.password_hash if known else None)
        if not (known and known.password_hash and verified):
            raise await self._refusal(known.id if known else None)
        rehashed = await self._passwords.hash(password) if self._passwords.needs_rehash(known.password_hash) else None
        user = await self._locked(known.id)
        if user.password_hash != known.password_hash:
            await self._verify_again(user, password, may_be_a_rehash=rehashed is not None)
        elif rehashed:
            await self._users.update(user, {"password_hash": rehashed})
        await self._limits.remember(address=client.address, account=email)
        SIGN_INS.labels("accepted").inc()
        return await self._open(user, client)

    async def _refusal(self, user_id: UUID | None) -> SignInRefused:
        """Records the refusal; returns the one error that stands for every reason."""
        SIGN_INS.labels("refused").inc()
        await self._audit.record("user.sign_in_refused", entity="user", entity_id=user_id)
        return SignInRefused()

    async def _verify_again(self, user: User, password: str, *, may_be_a_rehash: bool) -> None:
        """The hash changed since it was read. By another sign-in that raised its parameters, if this one was about to
        do the same; otherwise the password did.
        """
        if not (may_be_a_rehash and await self._passwords.verify(password, user.password_hash)):
            raise await self._refusal(user.id)

    async def _locked(self, user_id: UUID) -> User:
        """Locks the account and checks that it may sign in."""
        user = await self._users.get_for_update(user_id)
        if user is None or not user.is_active:
            raise await self._refusal(user_id)
        if user.email_verified_at is None and self._settings.unverified_accounts_may == "nothing":
            raise EmailUnverified
        return user

    async def _open(self, user: User, client: ClientInfo) -> TokenPair:
        act_as(Actor("user", user.id))
        refresh_token = new_secret()
        expires_at = datetime.now(UTC) + timedelta(seconds=self._settings.refresh_token_lifetime)
        await self._sessions.delete_expired(user.id)
        auth_session = await self._sessions.create(
            user_id=user.id, user_agent=client.user_agent, expires_at=expires_at, token_hash=digest(refresh_token)
        )
        return token_pair(self._keyring, auth_session, refresh_token)


class AuthSessionService:
    def __init__(self, sessions: AuthSessionRepo, audit: AuditEventRepo, keyring: Keyring) -> None:
        self._sessions = sessions
        self._audit = audit
        self._keyring = keyring

    async def refresh(self, refresh_token: str) -> TokenPair:
        """Spends the refresh token and returns the session's next tokens.

        A spent token that comes back means that two hold it, so the session ends. One exception: the immediate
        predecessor, once, within 10 seconds, gets the same successor again; the answer may have been lost. So of
        two refreshes at once both succeed with the same token, and a third ends the session.
        """
        found = await self._sessions.lock_by_token(digest(refresh_token))
        if found is None:
            raise RefreshRefused
        auth_session, token = found
        now = datetime.now(UTC)
        successor = await (self._spend if token.spent_at is None else self._repeat)(refresh_token, token, now)
        if successor is None:  # recorded without an actor: the owner and a thief look the same here
            await self._audit.record("auth_session.token_reused", entity="auth_session", entity_id=auth_session.id)
            await self._sessions.end(auth_session, now)
            raise RefreshRefused
        return token_pair(self._keyring, auth_session, successor)

    async def _spend(self, refresh_token: str, token: RefreshToken, now: datetime) -> str:
        successor = self._keyring.successors(refresh_token)[0]
        await self._sessions.spend(token, now)
        await self._sessions.create_token(token.session_id, digest(successor))
        return successor

    async def _repeat(self, refresh_token: str, token: RefreshToken, now: datetime) -> str | None:
        if token.repeated_at or token.spent_at is None or now - token.spent_at > REPEAT_WITHIN:
            return None
        for successor in self._keyring.successors(refresh_token):
            following = await self._sessions.get_token(digest(successor))
            if following and following.spent_at is None:
                await self._sessions.mark_repeated(token, now)
                return successor
        return None

    async def end_session(self, session_id: UUID | None, caller: Caller) -> None:
        """Signs the caller out of one of their sessions, at once."""
        found = await self._sessions.get_of_user(session_id, caller.user_id) if session_id else None
        if found is None:
            raise SessionNotFound
        await self._sessions.end(found, datetime.now(UTC))


def token_pair(keyring: Keyring, auth_session: AuthSession, refresh_token: str) -> TokenPair:
    return TokenPair(
        access_token=keyring.access_token(user_id=auth_session.user_id, session_id=auth_session.id),
        expires_in=int(keyring.lifetime),
        refresh_token=refresh_token,
    )
