"""SQLAlchemy's connection pool, with one fault mended, and with regard to the requests that wait for it."""

from time import perf_counter, time
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry
from sqlalchemy.pool.base import _ConnectionRecord
from sqlalchemy.util import await_only

from app.core.context import Work, work
from app.core.errors import ClientGone
from app.core.metrics import CONNECTION_WAIT, CONNECTIONS_AWAITED, CONNECTIONS_USED
from app.db.errors import READ_ONLY
from app.db.turns import NO_SUBJECT, Turns


class NotifyingQueuePool(AsyncAdaptedQueuePool):
    """Gives no connection to a request whose client has left while it waited.

    Wakes the next waiting request when a connection can't be opened. SQLAlchemy opens a connection before the pool has
    a record of it; when that fails or is cancelled, nobody is told, and those who wait do so until their timeout
    although there is room. A record that connects at its checkout goes back to the pool whatever happens, and wakes
    them.
    """

    name = "read"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._used = CONNECTIONS_USED.labels(self.name)
        self._awaited = CONNECTIONS_AWAITED.labels(self.name)
        self._wait = CONNECTION_WAIT.labels(self.name)

    def drop_connections(self) -> None:
        """Replaces those that are open, each when it is asked for next."""
        self._invalidate_time = time()

    def _create_connection(self) -> ConnectionPoolEntry:
        return _ConnectionRecord(self, connect=False)

    def _do_get(self) -> ConnectionPoolEntry:
        began = perf_counter()
        self._awaited.inc()
        try:
            record = self._take()
        finally:
            self._awaited.dec()
            self._wait.observe(perf_counter() - began)
        self._used.inc()
        return record

    def _take(self) -> ConnectionPoolEntry:
        record = super()._do_get()
        if work().is_abandoned():
            super()._do_return_conn(record)
            raise ClientGone
        return record

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        self._used.dec()
        super()._do_return_conn(record)


def begin_at_checkout(engine: AsyncEngine) -> None:
    """Makes BEGIN the question whether a pooled connection is alive: nothing was sent before, so another one will do.

    The transaction needs it anyway, and SQLAlchemy's own question to asyncpg takes three round trips. psycopg is asked
    as ever, for it begins with the first statement.
    """
    if engine.dialect.driver == "asyncpg":
        engine.sync_engine.dialect.do_ping = _begin  # type: ignore[method-assign, assignment]  # one engine, not all


def _begin(connection: Any) -> bool:
    await_only(connection._start_transaction())  # noqa: SLF001 - it is lazy otherwise
    return True


def leave_standbys(engine: AsyncEngine) -> None:
    """A server that takes no writes any more was demoted, so all connections to it are replaced."""
    event.listen(engine.sync_engine, "handle_error", _drop_read_only)


def _drop_read_only(context: ExceptionContext) -> None:
    state = getattr(context.original_exception, "sqlstate", None)
    context.is_disconnect = context.is_disconnect or state == READ_ONLY


class WritePool(NotifyingQueuePool):
    """Lets those who wait take turns by what their requests are about: who waits for a lock holds a connection."""

    name = "write"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._turns = Turns(self.size() + self._max_overflow)
        self._holders: dict[ConnectionPoolEntry, tuple[str, Work]] = {}

    def _take(self) -> ConnectionPoolEntry:
        mine = work()
        # Who has a connection would keep it while it waits for another.
        subject = NO_SUBJECT if mine.connections else mine.subject
        try:
            await_only(self._turns.take(subject, self.timeout()))
        except TimeoutError as error:
            raise PoolTimeoutError("no connection for writes was free in time") from error
        try:
            record = super()._take()
        except BaseException:
            self._turns.give(subject)
            raise
        self._holders[record] = subject, mine
        mine.has_begun = True
        mine.connections += 1
        return record

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        subject, holder = self._holders.pop(record)
        try:
            super()._do_return_conn(record)
        finally:
            holder.connections -= 1
            self._turns.give(subject)
