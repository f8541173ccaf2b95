"""Recognising who asks."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Literal

from app.core.context import Actor, act_as
from app.core.errors import EmailUnverified, NotAuthenticated
from app.core.identity import Caller, Scope
from app.core.product import API_KEY_PREFIX
from app.core.security import Keyring, digest
from app.repos.api_keys import USE_RESOLUTION, ApiKeyRepo
from app.repos.identities import IdentityRepo

type KeyTransaction = Callable[[], AbstractAsyncContextManager[ApiKeyRepo]]


class IdentityService:
    def __init__(
        self,
        identities: IdentityRepo,
        keyring: Keyring,
        key_transaction: KeyTransaction,
        *,
        unverified_may: Literal["write", "read", "nothing"],
    ) -> None:
        self._identities = identities
        self._keyring = keyring
        self._key_transaction = key_transaction
        self._unverified_may = unverified_may

    async def recognise(self, credential: str) -> Caller:
        """Whoever holds this access token or API key; from here on, changes are recorded for them.

        Raises NotAuthenticated for every credential that isn't valid now, and EmailUnverified where such accounts
        may do nothing.
        """
        by = self._by_key if credential.startswith(API_KEY_PREFIX) else self._by_token
        caller = await by(credential)
        if not caller.is_verified and self._unverified_may == "nothing":
            raise EmailUnverified
        act_as(Actor("api_key" if caller.key_id else "user", caller.user_id, caller.key_id))
        return caller

    def may_write(self, caller: Caller) -> bool:
        return caller.is_verified or self._unverified_may == "write"

    async def _by_token(self, token: str) -> Caller:
        verified = self._keyring.verify_access_token(token)
        if verified is None:
            raise NotAuthenticated
        user_id, session_id = verified
        row = await self._identities.by_session(session_id)
        if row is None or row.user_id != user_id:
            raise NotAuthenticated
        return Caller(
            user_id=row.user_id,
            is_admin=row.is_admin,
            is_verified=row.email_verified_at is not None,
            session_id=session_id,
        )

    async def _by_key(self, key: str) -> Caller:
        row = await self._identities.by_key(digest(key))
        if row is None:
            raise NotAuthenticated
        now = datetime.now(UTC)
        if row.last_used_at is None or row.last_used_at <= now - USE_RESOLUTION:
            async with self._key_transaction() as keys:
                await keys.touch(row.key_id, now)
        scopes = frozenset(map(Scope, row.scopes))
        return Caller(
            user_id=row.user_id,
            is_admin=row.is_admin and Scope.ADMIN in scopes,
            is_verified=row.email_verified_at is not None,
            key_id=row.key_id,
            scopes=scopes,
        )
