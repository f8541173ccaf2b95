"""Rate limits on sign-in, password resets and registration."""

import ipaddress
import unicodedata
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from hashlib import sha256
from time import time
from typing import Literal, Protocol

from limits import RateLimitItem, parse
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError
from limits.storage import storage_from_string

from app.core.config import Settings
from app.core.errors import RateLimited, RateLimitsUnavailable
from app.db.models.user import EMAIL_LENGTH
from app.repos.rate_windows import RateWindowRepo

type Action = Literal["sign_in", "reset", "registration"]
type WindowTransaction = Callable[[], AbstractAsyncContextManager[RateWindowRepo]]

_CLEAN_UP = 20


class Counter(Protocol):
    async def hit(self, key: str, limit: RateLimitItem) -> tuple[bool, int]:
        """Counts an attempt, for all processes together: whether it is allowed, and the seconds to the next window."""


class DatabaseCounter:
    """Counts in PostgreSQL, each attempt in a transaction of its own: a refused request counts too."""

    def __init__(self, transaction: WindowTransaction) -> None:
        self._transaction = transaction

    async def hit(self, key: str, limit: RateLimitItem) -> tuple[bool, int]:
        async with self._transaction() as windows:
            count, reset = await windows.hit(key, timedelta(seconds=limit.get_expiry()))
            if count == 1:
                await windows.delete_ended(_CLEAN_UP)
        return count <= limit.amount, reset


class StorageCounter:
    """Counts in a storage of the `limits` library, such as Redis."""

    def __init__(self, uri: str) -> None:
        self._limiter = FixedWindowRateLimiter(storage_from_string(uri, wrap_exceptions=True))

    async def hit(self, key: str, limit: RateLimitItem) -> tuple[bool, int]:
        try:
            within = await self._limiter.hit(limit, key)
            stats = await self._limiter.get_window_stats(limit, key)
        except StorageError as error:  # an attempt that can't be counted is refused
            raise RateLimitsUnavailable from error
        return within, max(1, round(stats.reset_time - time()))


class RateLimits:
    def __init__(self, counter: Counter, settings: Settings) -> None:
        self._counter = counter
        self._enabled = settings.rate_limits
        self._limits: dict[tuple[Action, str], RateLimitItem] = {
            ("sign_in", "address"): parse(settings.rate_limit_sign_in_address),
            ("sign_in", "account"): parse(settings.rate_limit_sign_in_account),
            ("reset", "address"): parse(settings.rate_limit_reset_address),
            ("reset", "account"): parse(settings.rate_limit_reset_account),
            ("registration", "address"): parse(settings.rate_limit_registration_address),
            ("registration", "account"): parse(settings.rate_limit_registration_account),
        }

    async def check(self, action: Action, *, address: str, account: str) -> None:
        """Counts an attempt from this network address on this account (an e-mail address, in any case).

        Raises RateLimited when either is over its limit; an account isn't counted for an address that is.
        """
        if not self._enabled:
            return
        await self._count(action, "address", _network(address))
        await self._count(action, "account", _folded(account))

    async def _count(self, action: Action, kind: Literal["address", "account"], subject: str) -> None:
        limit = self._limits[action, kind]
        # Hash the subject, so that the table doesn't record who tried to sign in.
        key = f"{action}:{kind}:{sha256(subject.encode(errors='backslashreplace')).hexdigest()[:32]}"
        within, reset = await self._counter.hit(key, limit)
        if not within:
            raise RateLimited(policy=f"{action}-{kind}", limit=limit.amount, window=limit.get_expiry(), reset=reset)


def _folded(account: str) -> str:
    """One text for every spelling that the database may take for the same address, which knows other letters' small
    forms than Python does. It may merge two addresses, but never counts one twice.
    """
    # No address is longer, and normalising takes quadratic time where many marks follow one letter.
    letters = unicodedata.normalize("NFKD", account[:EMAIL_LENGTH].casefold())
    return "".join(letter for letter in letters if unicodedata.category(letter) != "Mn")


def _network(address: str) -> str:
    """The network that the limit counts: IPv6 customers hold a /64 or more, and could use each address once."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:  # how a socket of both families sees IPv4; all of it is in one /64
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), 64), strict=False))
