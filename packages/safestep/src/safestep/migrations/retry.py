"""When a migration that met somebody in its way tries again, and when it gives up.

Each attempt stalls everybody who comes after it in the queue for a lock, so there are few of them, and none that is
bound to fail: while the transaction that was in the way is known to be open, its turn passes without one.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from alembic.util import CommandError

from app.core.config import Settings
from safestep.migrations.lock import Blocker, Report

LONGEST_DELAY = 30.0
POLL = 0.25

type AreOpen = Callable[[Sequence[Blocker]], Awaitable[bool]]
"""Whether one of these transactions at least is known to be open."""


class Retry:
    def __init__(self, settings: Settings, report: Report, are_open: AreOpen) -> None:
        self._attempts = settings.migration_attempts
        self._delay = settings.migration_retry_delay
        self._report = report
        self._are_open = are_open

    async def wait(self, step: str, failed: int, reason: str, blockers: Sequence[Blocker]) -> int:
        """Returns how many attempts have failed when the next is due, those included that weren't worth making.

        The last is always made. Raises CommandError when it has failed.
        """
        names = "; ".join(map(str, blockers)) or "unknown (gone before it was looked at)"
        reason = f"{reason}; blocked by {names}"
        while True:
            if failed >= self._attempts:
                raise CommandError(f"{step}: gave up after attempt {failed} of {self._attempts}: {reason}")
            delay = min(LONGEST_DELAY, self._delay * 2 ** (failed - 1))
            delay *= random.uniform(0.5, 1.5)  # noqa: S311 - jitter guards no secret
            self._report(f"{step}: attempt {failed} of {self._attempts}: {reason}; again in {delay:.1f} s")
            if not await self._outlast(blockers, delay, failed) or failed + 1 == self._attempts:
                return failed
            failed += 1
            reason = f"not tried, for {blockers[0].name} is still open"

    async def _outlast(self, blockers: Sequence[Blocker], delay: float, failed: int) -> bool:
        """Whether one of them is still open after `delay`. Once none is, that ends early, but not before the requests
        that queued behind the last attempt had time to flow off; the more often somebody was in the way, the longer.
        """
        began, shortest = monotonic(), self._delay * failed
        while (waited := monotonic() - began) < delay:
            if blockers and waited >= shortest and not await self._are_open(blockers):
                return False
            await asyncio.sleep(min(POLL, delay - waited))
        return await self._are_open(blockers)
