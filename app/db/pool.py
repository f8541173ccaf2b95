"""SQLAlchemy's connection pool, with one fault mended."""

from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry
from sqlalchemy.pool.base import _ConnectionRecord


class NotifyingQueuePool(AsyncAdaptedQueuePool):
    """Wakes the next waiting request when a connection can't be opened.

    SQLAlchemy opens a connection before the pool has a record of it; when that fails or is cancelled, nobody is told,
    and those who wait do so until their timeout although there is room. A record that connects at its checkout goes
    back to the pool whatever happens, and wakes them.
    """

    def _create_connection(self) -> ConnectionPoolEntry:
        return _ConnectionRecord(self, connect=False)
