"""The connection pool, with one gap of SQLAlchemy's closed."""

from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry
from sqlalchemy.pool.base import _ConnectionRecord


class NotifyingQueuePool(AsyncAdaptedQueuePool):
    """When a connection can't be opened, the next request in the queue gets the turn.

    SQLAlchemy opens a connection before the pool has a record of it; when that fails or is cancelled, nobody is told,
    and those who wait do so until their timeout although there is room. A record that connects at its checkout goes
    back to the pool whatever happens, and wakes them.
    """

    def _create_connection(self) -> ConnectionPoolEntry:
        return _ConnectionRecord(self, connect=False)
