"""Rate limits on sign-in, links by mail and registration.

An account is limited together with the network that asks, so that nobody locks it for others. What many networks may
do to it together is limited too, but not where its owner signed in before. docs/operations.md counts the guesses.
"""

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

type Action = Literal["sign_in", "reset", "confirmation", "registration"]
type Kind = Literal["address", "account", "total"]
type WindowTransaction = Callable[[], AbstractAsyncContextManager[RateWindowRepo]]

_CLEAN_UP = 20
_KNOWN = parse("1/30 days")
"""For how long a network is known in which an account's owner was."""


class Counter(Protocol):
    async def hit(self, key: str, limit: RateLimitItem) -> tuple[bool, int]:
        """Counts an attempt, for all processes together: whether it is allowed, and the seconds to the next window."""

    async def is_counted(self, key: str, limit: RateLimitItem) -> bool:
        """Whether the current window has as many attempts as the limit allows."""


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

    async def is_counted(self, key: str, limit: RateLimitItem) -> bool:
        async with self._transaction() as windows:
            return await windows.count(key) >= limit.amount


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

    async def is_counted(self, key: str, limit: RateLimitItem) -> bool:
        try:
            return not await self._limiter.test(limit, key)
        except StorageError as error:
            raise RateLimitsUnavailable from error


class RateLimits:
    def __init__(self, counter: Counter, settings: Settings) -> None:
        self._counter = counter
        self._enabled = settings.rate_limits
        self._limits = _limits(settings)

    async def check(self, action: Action, *, address: str, account: str) -> None:
        """Counts an attempt from this network address on this account (an e-mail address, in any case).

        Raises RateLimited when one of the limits is reached; what a limit refuses isn't counted by the next.
        """
        if not self._enabled:
            return
        network = _network(address)
        await self._count(action, "address", network)
        folded = _folded(account)
        await self._count(action, "account", f"{folded}\n{network}")
        if (action, "total") in self._limits and not await self._counter.is_counted(_known(folded, network), _KNOWN):
            await self._count(action, "total", folded)

    async def remember(self, *, address: str, account: str) -> None:
        """The account's owner was in this network: others can't use up its attempts for the next 30 days."""
        if self._enabled:
            await self._counter.hit(_known(_folded(account), _network(address)), _KNOWN)

    async def _count(self, action: Action, kind: Kind, subject: str) -> None:
        limit = self._limits[action, kind]
        within, reset = await self._counter.hit(f"{action}:{kind}:{_hashed(subject)}", limit)
        if not within:
            raise RateLimited(policy=f"{action}-{kind}", limit=limit.amount, window=limit.get_expiry(), reset=reset)


def _limits(settings: Settings) -> dict[tuple[Action, Kind], RateLimitItem]:
    """Registration has no total: an address that others tried to register must stay free for its owner."""
    return {
        ("sign_in", "address"): parse(settings.rate_limit_sign_in_address),
        ("sign_in", "account"): parse(settings.rate_limit_sign_in_account),
        ("sign_in", "total"): parse(settings.rate_limit_sign_in_total),
        ("reset", "address"): parse(settings.rate_limit_reset_address),
        ("reset", "account"): parse(settings.rate_limit_reset_account),
        ("reset", "total"): parse(settings.rate_limit_reset_total),
        ("confirmation", "address"): parse(settings.rate_limit_reset_address),
        ("confirmation", "account"): parse(settings.rate_limit_reset_account),
        ("confirmation", "total"): parse(settings.rate_limit_reset_total),
        ("registration", "address"): parse(settings.rate_limit_registration_address),
        ("registration", "account"): parse(settings.rate_limit_registration_account),
    }


def _known(folded: str, network: str) -> str:
    return f"known:{_hashed(f'{folded}\n{network}')}"


def _hashed(subject: str) -> str:
    """Hashed, so that the table doesn't record who tried to sign in."""
    return sha256(subject.encode(errors="backslashreplace")).hexdigest()[:32]


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
