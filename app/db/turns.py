"""Who may have a connection next, so that many requests for one thing don't keep all others waiting."""

import asyncio
from asyncio import Future
from collections import Counter, deque

NO_SUBJECT = ""


class Turns:
    """A number of places. Subjects take turns at those that get free, and none has more than half of them.

    Two hundred changes of one row that is locked wait for half of the places; a request for anything else gets one
    of the others. Whoever has no subject comes first, without such a bound.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._most = max(1, places // 2)
        self._taken = Counter[str]()
        self._waiting: dict[str, deque[Future[None]]] = {}
        """In the order of turns."""

    async def take(self, subject: str, seconds: float) -> None:
        """Returns with a place, which has to be given back. TimeoutError when it takes longer than this."""
        turn: Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(subject, deque()).append(turn)
        self._admit()
        if turn.done():
            return
        try:
            async with asyncio.timeout(seconds):
                await turn
        except BaseException:
            if not turn.cancelled():  # it came at the same moment
                self.give(subject)
            raise

    def give(self, subject: str) -> None:
        self._free += 1
        self._taken[subject] -= 1
        if not self._taken[subject]:
            del self._taken[subject]
        self._admit()

    def _admit(self) -> None:
        while self._free and (subject := self._next()) is not None:
            queue = self._waiting.pop(subject)
            turn = queue.popleft()
            if queue:
                self._waiting[subject] = queue  # behind the others
            if not turn.done():  # nobody waits for one that was cancelled
                turn.set_result(None)
                self._free -= 1
                self._taken[subject] += 1

    def _next(self) -> str | None:
        """The subject whose turn it is."""
        if NO_SUBJECT in self._waiting:
            return NO_SUBJECT
        return next((subject for subject in self._waiting if self._taken[subject] < self._most), None)
