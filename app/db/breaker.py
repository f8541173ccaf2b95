"""Requests don't pay for connections to a server that isn't there: one of them looks, the others fail at once."""

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

import structlog

from app.core.errors import DatabaseUnavailable
from app.core.metrics import DATABASE_ERRORS

PAUSE = 0.25  # seconds between two looks

log = structlog.get_logger()


class Breaker:
    """Opens with the first connection that can't be made, and closes with the first that can.

    `away` are the driver's errors that say that nobody is there, besides OSError.
    """

    def __init__(self, *away: type[Exception], clock: Callable[[], float] = monotonic) -> None:
        self._away: tuple[type[Exception], ...] = (OSError, *away)  # TimeoutError is an OSError
        self._clock = clock
        self._is_open = False
        self._is_probing = False
        self._next_probe = 0.0

    async def connect[Connection](
        self, connect: Callable[..., Awaitable[Connection]], *args: Any, **options: Any
    ) -> Connection:
        """A new connection; DatabaseUnavailable when there can be none, or none is looked for at the moment."""
        is_probe = self._is_open
        if is_probe and (self._is_probing or self._clock() < self._next_probe):
            DATABASE_ERRORS.labels(DatabaseUnavailable.code).inc()
            raise DatabaseUnavailable
        self._is_probing = is_probe
        try:
            connection = await connect(*args, **options)
        except self._away as error:
            DATABASE_ERRORS.labels(DatabaseUnavailable.code).inc()
            self._open(error)
            raise DatabaseUnavailable from error
        finally:
            if is_probe:
                self._is_probing = False
        self._close()
        return connection

    def _open(self, error: Exception) -> None:
        self._next_probe = self._clock() + PAUSE
        if not self._is_open:
            log.warning("database_away", error_type=type(error).__qualname__)
        self._is_open = True

    def _close(self) -> None:
        if self._is_open:
            log.warning("database_back")
        self._is_open = False
