"""How long a request may take until its answer begins."""

import asyncio
from asyncio import TimerHandle
from types import TracebackType
from typing import Self

CLEAN_UP = 3.0  # seconds


class Deadline:
    """Cancels the task that runs in it when its time is up, and leaves the block normally: look at `has_passed`.

    What was cancelled may still wait, for a COMMIT's outcome or for a server that doesn't confirm that it has given
    up. So it is cancelled again every CLEAN_UP seconds.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: TimerHandle | None = None
        self._cancellations = 0

    @property
    def has_passed(self) -> bool:
        return self._cancellations > 0

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task  # noqa: S101 - a server runs every request in a task
        self._task, self._others = task, task.cancelling()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> bool:
        self.stop()
        for _ in range(self._cancellations):
            self._task.uncancel()
        is_cancelled = kind is not None and issubclass(kind, asyncio.CancelledError)
        return is_cancelled and self.has_passed and self._task.cancelling() <= self._others

    def start(self, *, later: float = 0) -> None:
        """The time begins anew, `later` seconds from now. Once it has passed, it doesn't come back."""
        if not self.has_passed:
            self.stop()
            self._timer = asyncio.get_running_loop().call_later(self._seconds + later, self._cancel)

    def stop(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _cancel(self) -> None:
        self._cancellations += 1
        self._task.cancel()
        self._timer = asyncio.get_running_loop().call_later(CLEAN_UP, self._cancel)
