"""When a migration whose locks weren't free tries again, and when it gives up.

Each attempt stalls everybody who comes after it in the queue for a lock. So attempts are few, and one that is bound to
fail isn't made: while the transaction that blocked the last one is known to be open, the next is counted as failed.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from alembic.util import CommandError

from safestep.migrations.lock import Announce, Blocker
from safestep.project import Limits

LONGEST_DELAY = 30.0  # seconds
POLL_INTERVAL = 0.25  # seconds

type AreOpen = Callable[[Sequence[Blocker]], Awaitable[bool]]
"""Whether one of these transactions at least is known to be open."""


class RetryPolicy:
    def __init__(self, limits: Limits, announce: Announce, are_open: AreOpen) -> None:
        self._attempts = limits.attempts
        self._delay = limits.retry_delay
        self._announce = announce
        self._are_open = are_open

    async def wait(self, what: str, failed: int, reason: str, blockers: Sequence[Blocker]) -> int:
        """Waits until the next attempt at `what` is due; returns how many have failed then, with those not made.

        The last attempt is always made. Raises CommandError when it has failed.
        """
        names = "; ".join(map(str, blockers)) or "unknown (gone before it was looked at)"
        reason = f"{reason}; blocked by {names}"
        while True:
            if failed >= self._attempts:
                raise CommandError(f"{what}: gave up after attempt {failed} of {self._attempts}: {reason}")
            delay = min(LONGEST_DELAY, self._delay * 2 ** (failed - 1))
            delay *= random.uniform(0.5, 1.5)  # noqa: S311 - jitter guards no secret
            self._announce(f"{what}: attempt {failed} of {self._attempts}: {reason}; again in {delay:.1f} s")
            if not await self._still_open_after(blockers, delay, failed) or failed + 1 == self._attempts:
                return failed
            failed += 1
            reason = f"not tried, for {blockers[0].name} is still open"

    async def _still_open_after(self, blockers: Sequence[Blocker], delay: float, failed: int) -> bool:
        """Waits for `delay` seconds; returns whether one of these transactions is still open then.

        Ends early once none is, but not before the requests that queued behind the last attempt had time to finish:
        that time grows with the number of attempts.
        """
        began, shortest = monotonic(), self._delay * failed
        while (waited := monotonic() - began) < delay:
            if blockers and waited >= shortest and not await self._are_open(blockers):
                return False
            await asyncio.sleep(min(POLL_INTERVAL, delay - waited))
        return await self._are_open(blockers)
